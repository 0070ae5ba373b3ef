"""The functions of ``pyarrow.compute``, which is imported when the first of them is used.

Its import takes as long as many an answer, and small answers use none of them.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    import pyarrow.compute

    found = globals()[name] = getattr(pyarrow.compute, name)
    return found
