"""Values as text, in comparisons."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from mlmd_lineage.lineage.render.labels import printable, shortened_apart
from mlmd_lineage.snapshot.json_values import json_value

_LONGEST = 80


def in_full(value: Any) -> str:
    """Return a value as text: texts as they are, other values as JSON."""
    simple = json_value(value)
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def shown_pair(one: Any, other: Any) -> tuple[str, str]:
    """Return two values as they stand in a sentence, shortened so that their difference stays.

    >>> shown_pair("0.01", "0.03")
    ('0.01', '0.03')
    """
    first, second = shortened_apart([_printed(one), _printed(other)], _LONGEST)
    return first, second


def _printed(value: Any) -> str:
    return "absent" if value is pd.NA else printable(in_full(value)) or '""'
