"""Values as JSON and as text, in comparisons."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pandas as pd

from mlmd_lineage.lineage.render.labels import printable, shortened

_LONGEST = 80


def json_value(value: Any) -> Any:
    """Return a value as JSON has it: null for NA, base64 for bytes, texts for NaN and infinity."""
    simple = value
    if value is pd.NA or value is None:
        simple = None
    elif isinstance(value, float) and not math.isfinite(value):
        simple = str(value)
    elif isinstance(value, bytes):
        simple = base64.b64encode(value).decode()
    elif isinstance(value, dict):
        simple = {str(name): json_value(item) for name, item in value.items()}
    elif isinstance(value, (list, tuple)):
        simple = [json_value(item) for item in value]
    elif not isinstance(value, (str, int, float, bool)):
        simple = str(value)
    return simple


def in_full(value: Any) -> str:
    """Return a value as text: texts as they are, other values as JSON."""
    simple = json_value(value)
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence."""
    if value is pd.NA:
        return "absent"
    return shortened(printable(in_full(value)) or '""', _LONGEST)
