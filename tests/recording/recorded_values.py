"""Values that are hard to keep in a database, by names that are."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

VALUES: dict[str, Any] = {
    "learning_rate": 1e-7,
    "third": 1 / 3,
    "minus_zero": -0.0,
    "big": 2**70,
    "just_32_bits": 2**31 - 1,
    "more_than_32_bits": 2**31,
    "flag": True,
    "one": 1,
    "one_as_float": 1.0,
    "nothing": None,
    "infinite": math.inf,
    "text": "Straße 🙂",
    "spaces": " x ",
    "empty": "",
    "nul": "a\0b",
    "surrogate": "\ud800",
    "like_json": "[64, 32]",
    "like_a_struct": "mlmd-struct::AAAA",
    "long": "ü" * 5000,
    "list": [1, 2.5, "x", None, [True]],
    "tuple": (1, (2,)),
    "dict": {"b": 1, "a": {"$type": "x"}},
    "dict of numbers": {1: "a", 2.5: "b"},
    "set": {1, 2},
    "day": dt.date(2024, 6, 1),
    "moment": dt.datetime(2024, 6, 1, 12, 30, 0, 123456, tzinfo=dt.timezone.utc),
    "while": dt.timedelta(days=1, microseconds=1),
    "bytes": b"\x00\xff",
    "path": Path("a/b"),
    "": "a name without letters",
    "__like_ours__": 1,
    "tag:like_a_tag": 1,
    "Case": 1,
    "case": 2,
    "größe": 3,
    "x" * 300: 4,
}
