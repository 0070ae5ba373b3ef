"""Libraries in C that belong to the package, and are called through ctypes."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path


def compiled_library(module: str, name: str) -> ctypes.CDLL | None:
    """Return the library beside a module, None where it was not compiled.

    Args:
        module: The ``__file__`` of the module that calls it.
        name: The name of its source without ``.c``, such as ``"_bfs"``.
    """
    # ``setup.py`` gives it the one suffix that belongs to no version of Python.
    path = Path(module).with_name(f"{name}{EXTENSION_SUFFIXES[-1]}")
    if not path.exists():
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # built for another machine
        return None
