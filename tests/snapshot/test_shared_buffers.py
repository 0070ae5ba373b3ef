"""Numbers that stand in several tables are held once, and are the same numbers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot.arrays import SharedBuffers

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"


def numbers(first: int, last: int) -> pa.Array:
    return pa.array(np.arange(first, last + 1))


def test_numbers_that_count_up_are_shared():
    shared = SharedBuffers()
    whole = numbers(0, 9_999).slice(1)
    assert shared.shared(whole) is None
    shared.keep(whole)
    for last in (9_999, 5_000):
        found = shared.shared(numbers(1, last))
        found.validate(full=True)
        assert found.equals(numbers(1, last))
        assert found.buffers()[1].address == whole.buffers()[1].address + 8
    assert shared.shared(numbers(1, 10_000)) is None  # longer than what is held
    shared.keep(numbers(1, 20_000))
    assert shared.shared(numbers(1, 10_000)).equals(numbers(1, 10_000))


def test_a_number_that_repeats_is_shared():
    shared = SharedBuffers()
    shared.keep(pa.array([2] * 5_000))
    assert shared.shared(pa.array([2] * 4_000)).equals(pa.array([2] * 4_000))
    assert shared.shared(pa.array([3] * 4_000)) is None
    assert shared.shared(numbers(2, 4_000)) is None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, *range(1, 4_000)]),
        pa.array([1, 3, 2, *range(4, 4_001)]),
        pa.array([2, *range(2, 2_001), *range(2_000, 4_000)]),
        pa.array([*range(1, 4_000), None]),
        pa.array(range(1, 4_001), pa.int32()),
        pa.array([-(2**63), *range(1, 4_000), 2**63 - 1]),
        pa.array(range(1, 10)),
    ],
)
def test_other_numbers_are_not_shared(column: pa.Array):
    shared = SharedBuffers()
    shared.keep(numbers(1, 4_000))
    shared.keep(column)
    assert shared.shared(column) is None


def test_tables_of_a_store_share_the_ids_that_they_have_in_common(tmp_path: Path):
    path = tmp_path / "metadata.db"
    path.write_bytes(DEMO_STORE.read_bytes())
    with sqlite3.connect(path) as connection:
        for statement in ("DELETE FROM Artifact", "DELETE FROM Execution"):
            connection.execute(statement)
        for statement in (
            "INSERT INTO Artifact (id, type_id) VALUES (?, ?)",
            "INSERT INTO Execution (id, type_id) VALUES (?, ?)",
        ):
            rows = [(number, 1 + number % 2) for number in range(1, 5_001)]
            connection.executemany(statement, rows)
    connection.close()
    snapshot = ml.connect(path).snapshot()
    one, other = (snapshot[table]["id"].chunk(0) for table in ("Artifact", "Execution"))
    assert one.to_pylist() == other.to_pylist() == list(range(1, 5_001))
    assert one.buffers()[1].address == other.buffers()[1].address
