"""Random values as properties and back."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd_lineage.record_format.properties import MOST_TEXT, decode, encode
from mlmd_lineage.record_format.typed_json import dumps, loads

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=20)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(dt.timezone.utc))
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | KEYS, inner, max_size=3)
        | st.sets(KEYS, max_size=3)
        | st.frozensets(KEYS, max_size=3)
    ),
    max_leaves=8,
)


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, in their types and signs of zero too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one.hex() == other.hex()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        keys = zip(one, other, strict=True)
        return one.keys() == other.keys() and all(
            alike(a, b) and alike(one[a], other[b]) for a, b in keys
        )
    return bool(one == other)


@settings(max_examples=60, deadline=None)
@given(VALUES)
@pytest.mark.slow
def test_a_value_comes_back_as_it_was(value: Any):
    text = dumps(value)
    assert text.isascii()
    assert alike(loads(text), value)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=12), VALUES | st.text(min_size=600), max_size=6))
@pytest.mark.slow
def test_properties_come_back_as_they_were(values: dict[str, Any]):
    properties = encode(values, {"__own__": 1})
    for name, value in properties.items():
        assert name
        assert len(name.encode()) <= 255
        if isinstance(value, str):
            assert "\0" not in value
            assert len(value.encode()) <= MOST_TEXT
        else:
            assert isinstance(value, (bool, int, float))
            assert not isinstance(value, float) or math.isfinite(value)
    held, own = decode(properties)
    assert own == {"__own__": 1}
    assert held.keys() == values.keys()
    assert all(alike(held[name], value) for name, value in values.items())


def test_what_somebody_changed_is_left_as_it_is():
    properties = encode({"a": [1], "b": {1, 2}})
    changed = {**properties, "a": "[1", "b": '{"$type": "no such"}'}
    assert decode(changed)[0] == {"a": "[1", "b": '{"$type": "no such"}'}
    assert decode({**properties, "__encoded__": "{"})[0] == {
        "a": "[1]",
        "b": properties["b"],
    }
