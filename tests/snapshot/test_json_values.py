"""Values as JSON, in the one form that all outputs have."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlmd_lineage.snapshot.json_values import is_missing, json_value
from mlmd_lineage.snapshot.values import ProtoValue


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (pd.NA, None),
        (pd.NaT, None),
        (True, True),
        (2**60, 2**60),
        (0.1, 0.1),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (-np.inf, "-Infinity"),
        (np.float64("nan"), "NaN"),
        (np.int64(7), 7),
        (np.bool_(True), True),  # noqa: FBT003 - a value
        ("text", "text"),
        (b"abc", "YWJj"),
        (("key", 0), ["key", 0]),
        ({"a": [float("nan"), b""], 1: None}, {"a": ["NaN", ""], "1": None}),
        (ProtoValue("type", b"x"), {"type_url": "type", "value": "eA=="}),
        (pd.Timestamp("2024-01-02 03:04:05.678", tz="UTC"), "2024-01-02T03:04:05.678+00:00"),
        (dt.timedelta(minutes=1.5), 90.0),
        (pd.Timedelta("1s"), 1.0),
        (np.array([1.5, np.nan]), [1.5, "NaN"]),
        (1j, "1j"),
    ],
)
def test_each_kind(value: Any, expected: object):
    assert json_value(value) == expected
    assert json.loads(json.dumps(json_value(value), allow_nan=False)) == expected


def test_what_is_missing():
    assert [is_missing(value) for value in (None, pd.NA, pd.NaT, 0, "", float("nan"))] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
