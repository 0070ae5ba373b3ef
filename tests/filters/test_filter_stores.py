"""Filters on stores of every kind, through the public face and the command line."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filter_stores
import pandas as pd
import pytest
import sqlite_stores
import terminal

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.filters import sql_statements
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.filters.semantics import analyze

if TYPE_CHECKING:
    from mlmd_lineage.snapshot.tables import NodeKind

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filter_stores.made(tmp_path / "m.db")


@pytest.mark.parametrize("plural", ["artifacts", "executions", "contexts"])
def test_a_filter_gives_the_rows_of_the_frame(plural: str, path: Path):
    store = ml.connect(path)
    whole = {} if plural != "artifacts" else {"runs": False}
    frame = getattr(store.frames, plural)(properties=True, **whole)
    found = getattr(store, f"find_{plural}")("true", properties=True)
    pd.testing.assert_frame_equal(found, frame)
    some = getattr(store, f"find_{plural}")("id IN (2, 4)")
    plain = getattr(store.frames, plural)(**whole)
    pd.testing.assert_frame_equal(some, plain.loc[[2, 4]])
    none = getattr(store, f"find_{plural}")("false", properties=True)
    assert len(none) == 0
    assert none.dtypes.equals(plain.dtypes)


def test_a_type_is_added_to_the_filter(path: Path):
    store = ml.connect(path)
    assert store.find_artifacts("id > 3", type="Model").index.tolist() == [4, 5]
    with pytest.raises(errors.NotFoundError, match="Did you mean 'Model'"):
        store.find_artifacts("id > 3", type="Modle")


def test_a_mistake_needs_no_store(tmp_path: Path):
    store = ml.connect(tmp_path / "none.db")
    with pytest.raises(errors.FilterError, match="Did you mean 'name'"):
        store.find_contexts("nme = 'x'")
    with pytest.raises(errors.StoreNotFoundError):
        store.find_contexts("name = 'x'")


QUESTIONS: list[tuple[NodeKind, str]] = [
    ("artifact", "uri = 's3://b/a1' AND type = 'Model'"),
    ("artifact", "state = LIVE OR name = 'unrelated'"),
    ("artifact", "state IS NULL AND external_id IS NULL"),
    ("artifact", "custom_properties.x.int_value = 1 OR properties.b.bool_value"),
    ("artifact", "contexts_a.name = 'run1' AND events_e.type = OUTPUT"),
    ("execution", "last_known_state != COMPLETE"),
    ("context", "parent_contexts_p.name = 'exp'"),
    ("context", "NOT child_contexts_c.id > 1 OR child_contexts_c.id IS NULL"),
]
"""Each asks for something that old schemas lack."""


@pytest.mark.parametrize("version", range(4, 11))
def test_old_schemas_are_asked_as_they_are(version: int, tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db", version)
    store = ml.connect(path)
    snapshot = store.snapshot()
    found = {
        (kind, text): store._reader.ask(lambda s, k=kind, t=text: find_ids(s, k, t))
        for kind, text in QUESTIONS
    }
    # A snapshot has NULL where an old schema has no column.
    assert found == {(kind, text): find_ids(snapshot, kind, text) for kind, text in QUESTIONS}
    if version >= 6:
        assert found[QUESTIONS[6]] == [2, 3]
    assert found[QUESTIONS[0]] == [1]


def test_a_file_that_is_open_here_is_asked_by_another_process(path: Path):
    expected = ml.connect(path).find_artifacts("contexts_a.name = 'run1'").index.tolist()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT 1 FROM Type").fetchall()
        store = ml.connect(path)
        assert store.find_artifacts("contexts_a.name = 'run1'").index.tolist() == expected == [1, 2]
        with pytest.raises(errors.FilterError):
            store.find_artifacts("contexts_a.name = 1")


@pytest.mark.parametrize(
    ("table", "kind", "text", "ids"),
    [
        ("ContextProperty", "context", "properties.n.int_value IS NULL", [1, 2, 3, 4, 5]),
        ("ParentContext", "context", "parent_contexts_p.id IS NULL AND id < 3", [1, 2]),
        ("Attribution", "artifact", "contexts_a.id = 1 OR id = 4", [4]),
        ("Context", "artifact", "contexts_a.name = 'run1'", []),
        ("Context", "context", "id = 1", []),
    ],
)
def test_tables_that_a_damaged_store_lacks_are_empty(
    table: str, kind: NodeKind, text: str, ids: list[int], path: Path
):
    sqlite_stores.change(path, f"DROP TABLE {table}")
    store = ml.connect(path)
    assert store._reader.ask(lambda session: find_ids(session, kind, text)) == ids
    assert find_ids(store.snapshot(), kind, text) == ids


def test_a_node_whose_type_is_gone_is_found_by_its_name(path: Path):
    sqlite_stores.change(path, f"DELETE FROM Type WHERE id = {filter_stores.MODEL}")  # noqa: S608 - its own names
    store = ml.connect(path)
    assert store.find_artifacts("name = 'a1'").index.tolist() == [2]
    assert store.find_artifacts("type IS NULL").index.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("artifact", "id = 5"),
        ("artifact", "name = 'x'"),
        ("artifact", "uri = 'x'"),
        ("artifact", "type = 'Model' AND name = 'x'"),
        ("artifact", "custom_properties.blessed.int_value = 1"),
        ("artifact", "custom_properties.x.string_value = 'y' AND state = LIVE"),
        ("artifact", "contexts_a.name = 'x'"),
        ("artifact", "contexts_a.name = 'x' AND contexts_b.type = 'pipeline'"),
        ("artifact", "contexts_a.name = 'x' OR uri = 'y'"),
        ("artifact", "events_e.execution_id = 7"),
        ("execution", "events_e.artifact_id = 7 AND last_known_state = COMPLETE"),
        ("execution", "contexts_a.name = 'x' AND last_known_state = FAILED"),
        ("context", "parent_contexts_p.name = 'x'"),
    ],
)
def test_sqlite_reads_no_table_from_end_to_end(kind: NodeKind, text: str, tmp_path: Path):
    path = Path(shutil.copyfile(DEMO_STORE, tmp_path / "m.db"))

    def plan(session: Any) -> list[str]:
        made = sql_statements.statement(session, kind, analyze(text, kind))
        rows = session.select(f"EXPLAIN QUERY PLAN {made.text}", made.parameters)
        return [row[3] for row in rows]

    steps = ml.connect(path)._reader.ask(plan)
    assert not [step for step in steps if step.startswith("SCAN") and " known" not in step], steps


def test_the_command_line_takes_a_filter_and_shows_its_mistakes(path: Path):
    found = terminal.invoke(
        "artifacts", str(path), "--where", "contexts_a.name = 'run1'", "--type", "Model"
    )
    assert [line.split("\t")[0] for line in found.stdout.splitlines()] == ["id", "1", "2"]
    failed = terminal.invoke("contexts", str(path), "--where", "nme = 'x'")
    assert failed.exit_code == 1
    assert failed.stderr.startswith("Error: The filter fails at 1:1: unknown field 'nme'")
    assert "Traceback" not in failed.stderr
