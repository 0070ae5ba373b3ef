"""Readers that read less than whole tables: chosen properties and columns, and counts."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from server_stores import Database

from mlmd_lineage.readers.base import Selection, Selector
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.snapshot.selections import counts_of, of_names
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.snapshot.tables import Tables

COUNTED = ("Artifact", "Execution", "Context", "Event")
NAMES = ("component_id", "zenml-*", "checksum_md5", "span")


@pytest.fixture(autouse=True)
def _without_the_native_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process read files, though another test of it may have imported ml_metadata."""
    monkeypatch.delitem(sys.modules, "ml_metadata.metadata_store.pywrap", raising=False)


@pytest.fixture(params=["sqlite", "mariadb_server", "postgresql_server"])
def reader(request: pytest.FixtureRequest, shared_store: Callable[[str], Path]) -> Selector:
    path = shared_store("tfx_local.db")
    if request.param == "sqlite":
        found = reader_for(SQLiteMetadataStore(uri=str(path)))
    else:
        server = request.getfixturevalue(request.param)
        database = Database(server, server.new_database()).create(version=10)
        found = reader_for(database.copy(path).store())
    assert isinstance(found, Selector)
    return found


def test_a_selection_is_a_part_of_the_tables(reader: Selector):
    whole = reader.read()
    columns = {"Execution": ("type_id",), "Event": ("type",)}
    selection = Selection(
        ("Execution", "Event", "ExecutionProperty"), {"ExecutionProperty": NAMES}, columns, COUNTED
    )
    tables, counts = reader.read_selected(selection)
    assert counts.keys() == set(COUNTED)
    for name, found in counts.items():
        expected = counts_of(name, whole[name])
        assert sorted(found.groups, key=str) == sorted(expected.groups, key=str)
        assert found[1:] == expected[1:]
        assert sum(count for _, _, count in found.groups) == whole[name].num_rows
    chosen = of_names(whole["ExecutionProperty"], NAMES)
    assert 0 < chosen.num_rows < whole["ExecutionProperty"].num_rows
    found_rows = rows_of(of_names(tables["ExecutionProperty"], NAMES))
    assert sorted(map(str, found_rows)) == sorted(map(str, rows_of(chosen)))
    assert tables["ExecutionProperty"].num_rows < whole["ExecutionProperty"].num_rows
    for name, wanted in (("Execution", ["id", "type_id"]), ("Event", ["id", "type"])):
        assert list(rows_of(tables[name].select(wanted))) == list(
            rows_of(whole[name].select(wanted))
        )
    assert tables["Execution"]["name"].null_count == whole["Execution"].num_rows


def test_times_that_are_zero_or_before_1970_count_as_in_tables(
    tmp_path: Path, shared_store: Callable[[str], Path]
):
    path = tmp_path / "times.db"
    path.write_bytes(shared_store("tfx_local.db").read_bytes())
    for first, last in ((0, 0), (-5, 0), (-9, -5), (0, 7)):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for table in ("Execution", "Artifact"):
                connection.execute(
                    f"UPDATE {table} SET create_time_since_epoch = {first}, "  # noqa: S608
                    f"last_update_time_since_epoch = {last}"
                )
            connection.commit()
        reader = reader_for(SQLiteMetadataStore(uri=str(path)))
        assert isinstance(reader, Selector)
        counts = reader.read_selected(Selection((), counted=("Execution", "Artifact"))).counts
        for name, found in counts.items():
            assert found[1:] == counts_of(name, reader.read([name])[name])[1:]


def test_a_damaged_table_is_read_whole_where_it_cannot_be_counted(
    tmp_path: Path, shared_store: Callable[[str], Path]
):
    path = tmp_path / "damaged.db"
    path.write_bytes(shared_store("tfx_local.db").read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE Execution SET last_known_state = 'odd' WHERE id = 3")
        connection.execute("UPDATE ExecutionProperty SET name = x'ff' WHERE execution_id = 3")
        connection.commit()
    reader = reader_for(SQLiteMetadataStore(uri=str(path)))
    assert isinstance(reader, Selector)
    selection = Selection(
        ("ExecutionProperty",), {"ExecutionProperty": ()}, counted=("Execution", "Event")
    )
    tables, counts = reader.read_selected(selection)
    assert counts.keys() == {"Event"}
    assert tables["Execution"].equals(reader.read(["Execution"])["Execution"])
    assert set(tables["ExecutionProperty"]["execution_id"].to_pylist()) == {3}


def test_of_texts_those_of_some_names_are_found_by_their_index(reader: Selector):
    whole = reader.read(["ExecutionProperty"])["ExecutionProperty"]
    first, *_, last = sorted({row[1] for row in rows_of(whole) if row[5] is not None})
    names = (first, f"{last[:4]}*", *NAMES)
    selection = Selection(
        ("ExecutionProperty",), {"ExecutionProperty": names}, texts=("ExecutionProperty",)
    )
    found = reader.read_selected(selection).tables["ExecutionProperty"]
    expected = of_names(whole, names)
    rows = {str(row) for row in rows_of(of_names(found, names))}
    texts = [row for row in rows_of(expected) if row[5] is not None]
    assert texts
    assert {str(row) for row in texts} <= rows <= {str(row) for row in rows_of(expected)}


def test_tables_are_given_before_the_counts(reader: Selector):
    given: list[Tables] = []
    selection = Selection(("Execution",), counted=("Artifact", "Execution"))
    tables, counts = reader.read_selected(selection, given.append)
    assert [one["Execution"] for one in given] == [tables["Execution"]]
    assert counts.keys() == {"Artifact", "Execution"}


@pytest.mark.parametrize("state", ["NULL", "0", "61", "77", "-2"])
def test_states_that_mlmd_does_not_name_are_counted(
    tmp_path: Path, shared_store: Callable[[str], Path], state: str
):
    path = tmp_path / "states.db"
    path.write_bytes(shared_store("tfx_local.db").read_bytes())
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"UPDATE Artifact SET state = {state} WHERE id % 2")  # noqa: S608
        connection.execute("UPDATE Artifact SET type_id = 70000 WHERE id % 3 = 0")
        connection.commit()
    reader = reader_for(SQLiteMetadataStore(uri=str(path)))
    assert isinstance(reader, Selector)
    tables, counts = reader.read_selected(Selection((), counted=("Artifact",)))
    expected = counts_of("Artifact", reader.read(["Artifact"])["Artifact"])
    found = counts.get("Artifact") or counts_of("Artifact", tables["Artifact"])
    assert sorted(found.groups, key=str) == sorted(expected.groups, key=str)
