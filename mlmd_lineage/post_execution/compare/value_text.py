"""Values as text, in comparisons."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from mlmd_lineage.lineage.render.labels import printable, shortened
from mlmd_lineage.snapshot.json_values import json_value

_LONGEST = 80


def in_full(value: Any) -> str:
    """Return a value as text: texts as they are, other values as JSON."""
    simple = json_value(value)
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence."""
    if value is pd.NA:
        return "absent"
    return shortened(printable(in_full(value)) or '""', _LONGEST)
