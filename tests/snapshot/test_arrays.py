"""Arrow arrays that share their memory hold what arrays of their own would hold."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot import arrays, table_building
from mlmd_lineage.snapshot.archive import canonical
from mlmd_lineage.snapshot.table_building import finished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "kind",
    [pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.large_string(), pa.large_binary(),
     pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)  # fmt: skip
def test_nulls_are_nulls(kind: pa.DataType):
    for length in (0, 1, 9, 100_000):
        found = arrays.nulls(length, kind)
        found.validate(full=True)
        assert found.equals(pa.nulls(length, kind))


def test_of_nulls_no_more_is_pickled_than_there_are():
    arrays.nulls(100_000, pa.int64())
    for kind in (pa.int64(), pa.large_binary(), pa.string(), pa.bool_()):
        found = arrays.nulls(9, kind)
        assert len(pickle.dumps(found)) < 1000
        assert pickle.loads(pickle.dumps(found)).equals(found)  # noqa: S301 - our own


def test_nulls_share_one_buffer():
    one, other = arrays.nulls(5, pa.large_binary()), arrays.nulls(5, pa.int64())
    assert one.buffers()[1].address == other.buffers()[1].address


def test_integers_and_doubles_share_a_buffer_where_no_row_has_both():
    integers = pa.array([1, None, -(2**63), None], pa.int64())
    doubles = pa.array([None, float("-inf"), None, None], pa.float64())
    one, other = arrays.in_one_buffer(integers, doubles)
    assert one.buffers()[1].address == other.buffers()[1].address
    for found, expected in ((one, integers), (other, doubles)):
        found.validate(full=True)
        assert found.equals(expected)
    both = pa.array([0.5, None, None, None], pa.float64())
    assert arrays.in_one_buffer(integers, both) == (integers, both)


def test_a_table_of_properties_holds_every_value_once():
    columns = {
        "artifact_id": pa.array([1, 1, 2, 3]),
        "name": pa.array(["a", "b", "a", "c"]),
        "is_custom_property": pa.array([True, False, True, True]),
        "int_value": pa.array([None, 5, None, 7]),
        "double_value": pa.array([0.5, None, None, 2.5]),
        "string_value": pa.array([None, None, "text", None]),
    }
    for rows in (3, 4):  # the last row has values of two kinds
        made = finished("ArtifactProperty", {n: c[:rows] for n, c in columns.items()}, rows)
        made.validate(full=True)
        for name, column in columns.items():
            assert made[name].to_pylist() == column[:rows].to_pylist()
        assert made["byte_value"].null_count == made["bool_value"].null_count == rows


def test_a_snapshot_is_valid_and_the_same_in_an_archive(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    snapshot = ml.connect(shared_store("tfx_local.db")).snapshot()
    for name in snapshot.names:
        snapshot[name].validate(full=True)
    again = ml.connect(snapshot.save(tmp_path / "archive")).snapshot()
    for name in snapshot.names:
        one, other = (canonical(name, held[name]) for held in (again, snapshot))
        assert one.equals(other), name


def test_tables_with_dictionaries_of_their_own_share_one():
    kind = pa.dictionary(pa.int32(), pa.string())
    texts = [["b", "a", "b"], ["a", "c"], [None, "c", "b"], []]
    columns = [pa.array(part, pa.string()).dictionary_encode() for part in texts]
    tables = [
        pa.table([pa.array(range(len(part)), pa.int64()), column], names=["id", "name"])
        for part, column in zip(texts, columns, strict=True)
    ]
    assert tables[0].schema.field("name").type == kind
    expected = pa.concat_tables(tables).unify_dictionaries().to_pydict()
    found = pa.concat_tables(arrays.with_one_dictionary(tables))
    assert not tables  # they were given away
    assert found.to_pydict() == expected
    assert len({tuple(c.dictionary.to_pylist()) for c in found["name"].chunks if len(c)}) == 1
    found.validate(full=True)


@pytest.mark.parametrize("together", [1, 3, 50, 1000])
@pytest.mark.parametrize("is_ordered", [True, False])
def test_properties_are_ordered_by_their_values(
    monkeypatch: pytest.MonkeyPatch, together: int, *, is_ordered: bool
):
    monkeypatch.setattr(table_building, "_SLICE", together)
    generator = np.random.default_rng(together)
    owners = generator.choice([1, 2, 2, 2, 5, 9], 300)
    table = pa.table(
        {
            "artifact_id": np.sort(owners) if is_ordered else owners,
            "name": pa.array(generator.choice(["b", "a", "ä", "aa"], 300)).dictionary_encode(),
            "is_custom_property": generator.choice([True, False], 300),
        }
    )
    order = table_building.canonical_order("ArtifactProperty", table)
    assert order is not None
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    assert order.tolist() == sorted(range(300), key=lambda row: (*rows[row], row))
    assert table_building.canonical_order("ArtifactProperty", table.take(order)) is None
