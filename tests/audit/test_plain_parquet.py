"""Parquet files of bundles: the same bytes whatever is installed, and every reader reads them."""

from __future__ import annotations

import hashlib
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd_lineage.audit.bundle import plain_parquet

COLUMNS = {
    "number": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "flag": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(max_size=20)),
    "long": (pa.large_string(), st.text(max_size=5)),
    "bytes": (pa.large_binary(), st.binary(max_size=9)),
}


def read(raw: bytes) -> pa.Table:
    return pq.ParquetFile(pa.BufferReader(raw)).read()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(*(st.none() | values for _, values in COLUMNS.values())), max_size=40),
    st.integers(0, 40),
)
@pytest.mark.slow
def test_a_reader_reads_what_was_written(rows: list[tuple[object, ...]], start: int):
    schema = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
    table = pa.table(
        [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)],
        schema=schema,
    )
    # Rows that begin inside of Arrow's buffers, and rows in several pieces.
    for part in (table, table.slice(start), pa.concat_tables([table.slice(start), table])):
        raw = plain_parquet.to_parquet(part)
        found = read(raw)
        assert found.column_names == part.column_names
        assert found.to_pylist() == part.to_pylist()
        assert plain_parquet.to_parquet(part.combine_chunks()) == raw


def test_the_bytes_are_those_that_they_were():
    # Of a table that was written by pyarrow 17, 18, 21 and 26: all gave this.
    schema = pa.schema(
        [pa.field(name, kind) for name, (kind, _) in COLUMNS.items()], {"note": "two rows"}
    )
    rows = [(1, 0.5, True, "ä", None, b"\0"), (None, math.inf, None, None, "long", None)]
    table = pa.table(
        [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)],
        schema=schema,
    )
    raw = plain_parquet.to_parquet(table)
    assert read(raw).schema.metadata == {b"note": b"two rows"}
    assert (
        hashlib.sha256(raw).hexdigest()
        == "e06a494cc57a626f39506df6ae2c28450bd000435230b6847cdc80ee2fed45cc"
    )


def test_large_columns_have_several_pages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plain_parquet, "_PAGE_ROWS", 100)
    monkeypatch.setattr(plain_parquet, "_PAGE_BYTES", 500)
    values = [None if n % 7 == 0 else "x" * (n % 30) for n in range(1_000)]
    table = pa.table({"text": pa.array(values), "id": pa.array(range(1_000), pa.int64())})
    assert read(plain_parquet.to_parquet(table)).to_pylist() == table.to_pylist()


def test_a_type_that_mlmd_has_not_is_refused():
    with pytest.raises(TypeError, match="type int32 is not written"):
        plain_parquet.to_parquet(pa.table({"x": pa.array([1], pa.int32())}))
