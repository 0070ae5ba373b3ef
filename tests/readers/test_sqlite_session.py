"""What is read from an SQLite store is what is in it, however its tables came about."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import pytest
import sqlite_stores as stores
import waiting

from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import arrow_connections, scan
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.readers.base import Session


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stores.new_store(tmp_path / "m.db")


def findings(path: Path) -> list[tuple[str, str]]:
    return [(found.code, found.subject) for found in stores.snapshot(path).findings]


def values(path: Path, table: str = "ArtifactProperty") -> dict[str, dict[str, Any]]:
    """Return the values of each property that are not null."""
    return {
        row["name"]: {column: value for column, value in list(row.items())[3:] if value is not None}
        for row in stores.snapshot(path)[table].to_pylist()
    }


def test_every_table_is_what_it_was_made_of(path: Path):
    snapshot = stores.snapshot(path)
    assert snapshot.names == ALL_TABLES
    assert snapshot.findings == ()
    assert (snapshot.schema_version, snapshot.source) == (10, str(path))
    for table, made in stores.ROWS.items():
        assert snapshot[table].schema.equals(SCHEMAS[table])
        found = snapshot[table].to_pylist()
        assert len(found) == len(made)
        for row, expected in zip(found, made, strict=True):
            if "proto_value" in expected:
                expected = {**expected, "proto_value": b"\n\x01a\x12\x01b"}  # noqa: PLW2901
            assert {name: value for name, value in row.items() if name in expected} == expected
            rest = {name: value for name, value in row.items() if name not in expected}
            assert set(rest.values()) <= {None, 0}, table


def test_a_session_gives_the_same_rows(path: Path):
    snapshot = stores.snapshot(path)
    session_rows = stores.reader(path).ask(
        lambda session: {table: session.fetch(table, {}) for table in ALL_TABLES}
    )
    for table, found in session_rows.items():
        key = repr if table.endswith("Property") else None  # properties have no order of their own
        columns = [snapshot[table][name].to_pylist() for name in snapshot[table].column_names]
        expected = list(zip(*columns, strict=True))
        assert sorted(found, key=key) == sorted(expected, key=key) if key else found == expected


def test_only_what_is_asked_for_is_read(path: Path):
    tables = stores.reader(path).read(["Event", "Type"])
    assert tables.names == ("Type", "Event")
    with pytest.raises(errors.NotLoadedError, match="Artifact was left out"):
        _ = tables["Artifact"]


class TestOrder:
    def test_rows_come_by_id_and_paths_as_they_were_written(self, path: Path):
        stores.change(
            path,
            "DELETE FROM EventPath",
            *(
                f"INSERT INTO EventPath VALUES ({event}, 0, NULL, '{key}')"  # noqa: S608
                for event, key in ((4, "z"), (1, "b"), (4, "a"), (1, "a"))
            ),
            "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value) "
            "VALUES (3, 'n', 1, 1), (2, 'n', 1, 2)",
        )
        assert [(row["event_id"], row["step_key"]) for row in stores.rows(path, "EventPath")] == [
            (1, "b"),
            (1, "a"),
            (4, "z"),
            (4, "a"),
        ]
        owners = [row["artifact_id"] for row in stores.rows(path, "ArtifactProperty")]
        assert owners == sorted(owners)

    def test_tables_are_read_in_pieces(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        with stores.connected(path) as connection:
            for table in ("ArtifactProperty", "EventPath", "Event"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            connection.executemany(
                "INSERT INTO Event VALUES (?, ?, ?, 3, NULL)", [(n, n, n) for n in range(1, 1000)]
            )
            connection.executemany(
                "INSERT INTO EventPath VALUES (?, 0, ?, ?)",
                [(n % 100, n, f"k{n % 7}") for n in range(1000)],
            )
            connection.executemany(
                "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, "
                "bool_value) VALUES (?, ?, 0, ?, ?)",
                [(n // 5, f"p{n % 5}", *((n, None), (None, 1))[n % 90 == 0]) for n in range(1000)],
            )
        whole = stores.snapshot(path)
        monkeypatch.setattr(scan, "_ROWS_PER_PART", 37)
        monkeypatch.setattr(arrow_connections, "_BATCH_ROWS", 10)
        pieces = stores.snapshot(path)
        for table in ALL_TABLES:
            assert pieces[table].equals(whole[table])
        steps = [row["step_index"] for row in whole.event_paths.to_pylist()]
        assert steps == [n + 100 * k for n in range(100) for k in range(10)]
        assert whole.artifact_properties["bool_value"].null_count == 1000 - 12

    def test_ids_may_lie_far_apart(self, path: Path):
        ids = [-(2**63), -5, 0, 2**40, 2**63 - 2, 2**63 - 1]
        stores.change(path, *(f"INSERT INTO Artifact (id, type_id) VALUES ({n}, 1)" for n in ids))  # noqa: S608
        found = stores.snapshot(path).artifacts["id"].to_pylist()
        assert found == sorted([1, 2, 3, *ids])


ENDLESS = """
    WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)
    SELECT id, id AS artifact_id, id AS execution_id, 3 AS type FROM n
"""


class TestOtherTables:
    @pytest.mark.parametrize(
        "definition",
        [
            "CREATE VIEW Event AS SELECT * FROM kept",
            f"CREATE VIEW Event AS {ENDLESS}",
            "CREATE VIRTUAL TABLE Event USING fts5(id, artifact_id, execution_id, type)",
        ],
        ids=["view", "endless view", "virtual table"],
    )
    def test_only_real_tables_are_read(self, path: Path, definition: str):
        stores.change(path, "ALTER TABLE Event RENAME TO kept", definition)
        with pytest.raises(errors.NotAMetadataStoreError, match="lacks MLMD's tables"):
            stores.snapshot(path)
        with pytest.raises(errors.NotAMetadataStoreError, match="lacks MLMD's tables"):
            stores.reader(path).ask(lambda session: session.fetch("Event", {}))

    def test_a_view_that_the_schema_calls_a_table(self, path: Path):
        stores.change(
            path,
            "ALTER TABLE Event RENAME TO kept",
            "CREATE VIEW Event AS SELECT * FROM kept",
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET type = 'table', rootpage = 2 WHERE name = 'Event'",
        )
        with pytest.raises((errors.NotAMetadataStoreError, errors.DamagedStoreError)):
            stores.snapshot(path)

    def test_generated_columns_are_not_read(self, path: Path):
        stores.change(
            path,
            "ALTER TABLE Execution DROP COLUMN last_known_state",
            "ALTER TABLE Execution ADD COLUMN last_known_state INT AS (length(zeroblob(1e9)))",
        )
        assert stores.snapshot(path).executions["last_known_state"].null_count == 2

    def test_columns_called_like_the_row_number(self, path: Path):
        before = stores.snapshot(path)
        stores.change(
            path,
            "ALTER TABLE Event ADD COLUMN rowid TEXT DEFAULT 'x'",
            "ALTER TABLE EventPath ADD COLUMN ROWID INT DEFAULT 7",
            "ALTER TABLE EventPath ADD COLUMN _rowid_ INT DEFAULT 7",
            "ALTER TABLE Artifact ADD COLUMN rowid INT",
            "ALTER TABLE Artifact ADD COLUMN _rowid_ INT",
            "ALTER TABLE Artifact ADD COLUMN oid INT",
        )
        after = stores.snapshot(path)
        for table in ALL_TABLES:
            assert after[table].equals(before[table])

    def test_tables_without_rowid(self, path: Path):
        before = stores.snapshot(path)
        columns = "artifact_id INT, name TEXT, is_custom_property INT, int_value INT, "
        columns += "double_value DOUBLE, string_value TEXT, byte_value BLOB, proto_value BLOB, "
        columns += "bool_value BOOLEAN"
        stores.change(
            path,
            "ALTER TABLE ArtifactProperty RENAME TO kept",
            f"CREATE TABLE ArtifactProperty ({columns}, PRIMARY KEY "
            "(artifact_id, name, is_custom_property)) WITHOUT ROWID",
            "INSERT INTO ArtifactProperty SELECT * FROM kept",
            "ALTER TABLE ParentContext RENAME TO kept_pairs",
            "CREATE TABLE ParentContext (context_id INT, parent_context_id INT, "
            "PRIMARY KEY (context_id, parent_context_id)) WITHOUT ROWID",
            "INSERT INTO ParentContext SELECT * FROM kept_pairs",
        )
        after = stores.snapshot(path)
        assert after.parent_contexts.equals(before.parent_contexts)
        assert values(path)["rate"] == {"double_value": 0.1}
        assert after.artifact_properties.num_rows == before.artifact_properties.num_rows

    def test_columns_of_ones_own_are_left_alone(self, path: Path):
        before = stores.snapshot(path)
        stores.change(
            path,
            "ALTER TABLE Artifact ADD COLUMN secret TEXT DEFAULT 'x'",
            'ALTER TABLE Event ADD COLUMN "a "" name" BLOB',
            'CREATE TABLE "my "" table" ("a "" column")',
        )
        after = stores.snapshot(path)
        for table in ALL_TABLES:
            assert after[table].equals(before[table])

    def test_columns_in_another_order_and_spelling(self, path: Path):
        before = stores.snapshot(path)
        stores.change(
            path,
            "ALTER TABLE Event RENAME TO kept",
            "CREATE TABLE EVENT (Type INT, Execution_Id INT, ID INTEGER PRIMARY KEY, "
            "artifact_id INT, milliseconds_since_epoch INT)",
            "INSERT INTO EVENT SELECT type, execution_id, id, artifact_id, "
            "milliseconds_since_epoch FROM kept",
        )
        assert stores.snapshot(path).events.equals(before.events)

    def test_a_missing_table_is_said(self, path: Path):
        stores.change(path, "DROP TABLE EventPath", "DROP TABLE ParentContext")
        assert stores.snapshot(path).event_paths.num_rows == 0
        assert stores.reader(path).ask(lambda session: session.fetch("EventPath", {})) == []
        assert findings(path) == [
            ("missing_table", "table/EventPath"),
            ("missing_table", "table/ParentContext"),
        ]

    @pytest.mark.parametrize("table", ["Type", "Artifact", "Execution", "Event"])
    def test_without_a_table_that_all_rests_on_it_is_no_store(self, path: Path, table: str):
        stores.change(path, f"DROP TABLE {table}")
        with pytest.raises(errors.NotAMetadataStoreError, match="lacks MLMD's tables"):
            stores.snapshot(path)

    def test_without_a_column_that_ties_rows_together_it_is_no_store(self, path: Path):
        stores.change(path, "DROP TABLE Event", "CREATE TABLE Event (id, artifact_id, type)")
        with pytest.raises(errors.NotAMetadataStoreError, match=r"Event lacks .* execution_id"):
            stores.snapshot(path)


class TestValues:
    def test_all_that_an_integer_and_a_double_can_be(self, path: Path):
        integers = [0, 1, -1, 2**31, -(2**53) - 1, 2**63 - 1, -(2**63)]
        doubles = [0.1, 1e-7, math.pi, 5e-324, 1.7976931348623157e308, math.inf, -math.inf]
        with stores.connected(path) as connection:
            connection.execute("DELETE FROM ArtifactProperty")
            connection.executemany(
                "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, "
                "double_value) VALUES (1, ?, 0, ?, ?)",
                [(f"i{n}", n, None) for n in integers] + [(f"d{n}", None, n) for n in doubles],
            )
        found = values(path)
        assert [found[f"i{n}"]["int_value"] for n in integers] == integers
        for number in doubles:
            read = found[f"d{number}"]["double_value"]
            assert struct.pack("d", read) == struct.pack("d", number)

    def test_texts(self, path: Path):
        texts = ["", " ", "a\0b", "Zoë", "😀", "x" * 1_000_000, "'; DROP TABLE Type", "\r\n\t"]
        with stores.connected(path) as connection:
            connection.execute("DELETE FROM ArtifactProperty")
            connection.executemany(
                "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, "
                "string_value) VALUES (1, ?, 1, ?)",
                [(f"t{n}", text) for n, text in enumerate(texts)],
            )
        found = values(path)
        assert [found[f"t{n}"]["string_value"] for n in range(len(texts))] == texts

    def test_wrong_types_are_kept_as_what_they_are_and_said(self, path: Path):
        big = 2**62 + 1  # a double would lose its last digit
        with stores.connected(path) as connection:
            connection.execute("DELETE FROM ArtifactProperty")
            connection.executemany(
                "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value, "
                "double_value, string_value, bool_value) VALUES (1, ?, 1, ?, ?, ?, ?)",
                [
                    ("big", big, None, None, None),
                    ("text in int", "abc", None, None, None),
                    ("real in int", 1.5, None, None, None),
                    ("blob in int", b"\x01\x02", None, None, None),
                    ("text in double", None, "much", None, None),
                    ("blob in string", None, None, b"raw", None),
                    ("text in bool", None, None, None, "maybe"),
                    ("right", 5, None, None, None),
                ],
            )
        assert values(path) == {
            "big": {"int_value": big},
            "text in int": {"string_value": "abc"},
            "real in int": {"double_value": 1.5},
            "blob in int": {"string_value": "\x01\x02"},
            "text in double": {"string_value": "much"},
            "blob in string": {"string_value": "raw"},
            "text in bool": {"string_value": "maybe"},
            "right": {"int_value": 5},
        }
        found = stores.snapshot(path).findings
        assert {finding.code for finding in found} == {"wrong_type"}
        assert {finding.detail for finding in found} == {
            "its property 'text in int' has 'abc' as int_value, which is of another type",
            "its property 'real in int' has 1.5 as int_value, which is of another type",
            "its property 'blob in int' has X'0102' as int_value, which is of another type",
            "its property 'text in double' has 'much' as double_value, which is of another type",
            "its property 'text in bool' has 'maybe' as bool_value, which is of another type",
        }
        assert {finding.subject for finding in found} == {"artifact/1"}

    @pytest.mark.parametrize("late", [False, True], ids=["first", "later"])
    def test_wrong_types_in_other_tables(self, path: Path, *, late: bool):
        """The driver widens a column in its first batch, and fails on a later one."""
        with stores.connected(path) as connection:
            if late:
                connection.executemany(
                    "INSERT INTO Event (artifact_id, execution_id, type) VALUES (1, ?, 3)",
                    [(n,) for n in range(10, 70_000)],
                )
            connection.execute(
                "INSERT INTO Event (id, artifact_id, execution_id, type, "
                "milliseconds_since_epoch) VALUES (99999, 'one', 1, 'INPUT', 1.5)"
            )
        (row,) = (row for row in stores.snapshot(path).events.to_pylist() if row["id"] == 99999)
        assert row == {
            "id": 99999,
            "artifact_id": 0,
            "execution_id": 1,
            "type": 0,
            "milliseconds_since_epoch": None,
        }
        found = [f for f in stores.snapshot(path).findings if f.code != "missing_execution"]
        assert [(f.code, f.subject) for f in found] == [
            ("missing_artifact", "artifact/0"),
            ("unknown_event_type", "event/99999"),
            ("wrong_type", "event/99999"),
            ("wrong_type", "event/99999"),
            ("wrong_type", "event/99999"),
        ]

    def test_numbers_that_are_texts_are_numbers(self, path: Path):
        """As in a table made without types, by a tool that copied the store."""
        stores.change(
            path,
            "ALTER TABLE Event RENAME TO kept",
            "CREATE TABLE Event (id, artifact_id, execution_id, type, milliseconds_since_epoch)",
            "INSERT INTO Event SELECT CAST(id AS TEXT), CAST(artifact_id AS TEXT), "
            "CAST(execution_id AS REAL), type, CAST(milliseconds_since_epoch AS TEXT) FROM kept",
        )
        found = stores.snapshot(path)
        assert found.events.to_pylist() == stores.ROWS["Event"]
        assert found.findings == ()

    def test_null_where_mlmd_has_none(self, path: Path):
        stores.change(
            path,
            "DROP TABLE Event",
            "CREATE TABLE Event (id INTEGER PRIMARY KEY, artifact_id, execution_id, type)",
            "INSERT INTO Event VALUES (1, NULL, 1, NULL)",
        )
        assert ("missing_artifact", "artifact/0") in findings(path)
        assert ("unknown_event_type", "event/1") in findings(path)

    def test_invalid_text_is_kept_readable_and_said(self, path: Path):
        stores.change(
            path,
            "UPDATE Artifact SET uri = CAST(x'2fff41' AS TEXT) WHERE id = 3",
            "UPDATE Context SET name = CAST(x'c3' AS TEXT) WHERE id = 2",
            "UPDATE ArtifactProperty SET string_value = CAST(x'61fe' AS TEXT) WHERE name = 'text'",
            "UPDATE ExecutionProperty SET name = CAST(x'fd' AS TEXT)",
            "UPDATE EventPath SET step_key = CAST(x'fc' AS TEXT) WHERE step_key IS NOT NULL",
        )
        snapshot = stores.snapshot(path)
        assert snapshot.artifacts["uri"][2].as_py() == "/\\xffA"
        assert snapshot.contexts["name"][1].as_py() == "\\xc3"
        assert values(path)["text"] == {"string_value": "a\\xfe"}
        assert list(values(path, "ExecutionProperty")) == ["\\xfd"]
        assert snapshot.event_paths["step_key"].to_pylist() == ["\\xfc", None]
        assert [(f.code, f.subject, f.detail.split(" is not")[0]) for f in snapshot.findings] == [
            ("invalid_text", "artifact/1", "its property 'text'"),
            ("invalid_text", "artifact/3", "its uri"),
            ("invalid_text", "context/2", "its name"),
            ("invalid_text", "event/1", "its step_key"),
            ("invalid_text", "execution/1", "its name"),
        ]
        asked = stores.reader(path).ask(lambda session: session.fetch("Artifact", {"id": [3]}))
        assert asked[0][2] == "/\\xffA"

    def test_a_text_that_only_looks_so_is_no_finding(self, path: Path):
        stores.change(path, "UPDATE Artifact SET uri = '\\xff'")
        assert findings(path) == []

    def test_notes_come_from_all_pieces(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(scan, "_ROWS_PER_PART", 1)
        stores.change(path, "UPDATE Artifact SET uri = CAST(x'ff' AS TEXT)")
        assert findings(path) == [("invalid_text", f"artifact/{n}") for n in (1, 2, 3)]

    def test_protos_that_are_no_base64_are_kept(self, path: Path):
        stores.change(path, "UPDATE ArtifactProperty SET proto_value = 'a b' WHERE name = 'any'")
        assert values(path)["any"] == {"proto_value": b"a b"}


class TestSchemaVersions:
    @pytest.mark.parametrize("version", range(11))
    def test_what_the_store_says_counts(self, path: Path, version: int):
        stores.change(path, f"UPDATE MLMDEnv SET schema_version = {version}")  # noqa: S608
        assert stores.snapshot(path).schema_version == version

    @pytest.mark.parametrize("version", [11, 2**40])
    def test_newer_than_ten(self, path: Path, version: int):
        stores.change(path, f"UPDATE MLMDEnv SET schema_version = {version}")  # noqa: S608
        with pytest.raises(errors.UnsupportedSchemaError, match=f"version {version}; .* newer"):
            stores.snapshot(path)
        with pytest.raises(errors.UnsupportedSchemaError, match=f"version {version}"):
            stores.reader(path).ask(lambda session: session)

    @pytest.mark.parametrize("value", ["'ten'", "NULL", "x'00'", "1.5"])
    def test_no_number_at_all(self, path: Path, value: str):
        stores.change(
            path,
            "DROP TABLE MLMDEnv",
            "CREATE TABLE MLMDEnv (schema_version)",
            f"INSERT INTO MLMDEnv VALUES ({value})",  # noqa: S608
        )
        self._told_by_columns(path)

    @pytest.mark.parametrize(
        "changes",
        [
            ["DELETE FROM MLMDEnv"],
            ["DROP TABLE MLMDEnv"],
            ["DROP TABLE MLMDEnv", "CREATE TABLE MLMDEnv (x)"],
        ],
    )
    def test_no_row_of_it(self, path: Path, changes: list[str]):
        stores.change(path, *changes)
        self._told_by_columns(path)

    @staticmethod
    def _told_by_columns(path: Path) -> None:
        snapshot = stores.snapshot(path)
        assert snapshot.schema_version == 10
        [finding] = [f for f in snapshot.findings if f.code == "missing_version"]
        assert finding.subject == "table/MLMDEnv"
        assert "its columns are those of 10" in finding.detail


class TestFetching:
    def test_more_values_than_one_statement_takes(self, path: Path):
        def question(session: Session) -> list[int]:
            return [row[0] for row in session.fetch("Artifact", {"id": range(-5000, 5000)})]

        assert stores.reader(path).ask(question) == [1, 2, 3]

    def test_conditions_on_several_columns(self, path: Path):
        def question(session: Session) -> list[tuple[Any, ...]]:
            return session.fetch("Artifact", {"type_id": [1], "name": ["data-2", "Robert'); --"]})

        assert [row[0] for row in stores.reader(path).ask(question)] == [2]

    def test_no_values_give_no_rows(self, path: Path):
        assert stores.reader(path).ask(lambda session: session.fetch("Event", {"id": []})) == []


@pytest.mark.parametrize("what", ["read", "ask"])
def test_ctrl_c_while_it_waits_for_a_lock_is_heard(path: Path, what: str):
    """SQLite's own waiting hears nothing."""
    reader = stores.reader(path, busy_timeout=waiting.LONG)
    with (
        stores.held(path, "BEGIN EXCLUSIVE"),
        waiting.ends_early(),
        pytest.raises(KeyboardInterrupt),
        waiting.interrupted(path, others=1),
    ):
        reader.read() if what == "read" else reader.ask(lambda session: session)
    assert reader.read(["Event"])["Event"].num_rows == 4
