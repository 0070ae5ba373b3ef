"""Values as text, in comparisons."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from mlmd_lineage.lineage.render.labels import printable, shortened
from mlmd_lineage.snapshot.json_values import json_value

_LONGEST = 80
_BEFORE = 10  # letters that stand before the first difference


def in_full(value: Any) -> str:
    """Return a value as text: texts as they are, other values as JSON."""
    simple = json_value(value)
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence."""
    return shortened(_printed(value), _LONGEST)


def shown_pair(one: Any, other: Any) -> tuple[str, str]:
    """Return two values as they stand in a sentence, shortened so that their difference stays.

    >>> shown_pair("0.01", "0.03")
    ('0.01', '0.03')
    """
    pair = shown(one), shown(other)
    texts = _printed(one), _printed(other)
    if pair[0] != pair[1] or texts[0] == texts[1]:
        return pair
    # The first difference is in the middle that both left out.
    at = _common(*texts) - _BEFORE
    first, second = (f"…{shortened(text[at:], _LONGEST - 1)}" for text in texts)
    return first, second


def _printed(value: Any) -> str:
    return "absent" if value is pd.NA else printable(in_full(value)) or '""'


def _common(one: str, other: str) -> int:
    """Return how many letters two texts have in common at their beginnings."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
