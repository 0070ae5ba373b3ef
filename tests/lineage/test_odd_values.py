"""Stores that others' tools have made: values of any type, tables without constraints, odd ids."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable

    Changed = Callable[..., ml.Store]

TFX = Path(ml.__file__).parent / "data" / "tfx_local.db"
FREE = (
    "CREATE TABLE Free AS SELECT * FROM {0}",
    "DROP TABLE {0}",
    "ALTER TABLE Free RENAME TO {0}",
)


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Return what opens a copy of a real store on which some statements were run."""

    def make(*statements: str, free: tuple[str, ...] = ()) -> ml.Store:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        shutil.copyfile(TFX, path)
        connection = sqlite3.connect(path)
        with connection:
            for table in free:  # without keys and constraints
                for statement in FREE:
                    connection.execute(statement.format(table))
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return ml.connect(path)

    return make


def said(trace: Any) -> list[dict[str, Any]]:
    """Return the nodes of an answer with all that is known of them."""
    nodes: list[dict[str, Any]] = json.loads(trace.to_json())["nodes"]
    return sorted(nodes, key=lambda node: node["node"])


def same(store: ml.Store, node: int | str, **question: Any) -> list[dict[str, Any]]:
    """Check that a question is answered from the store as from memory, and return the nodes."""
    live, memory = (
        said(graph.upstream(node, **question)) for graph in (store, store.lineage(properties=True))
    )
    assert live == memory
    return live


RENUMBERED = (
    "UPDATE Artifact SET id = {0} WHERE id = 43",
    "UPDATE Event SET artifact_id = {0} WHERE artifact_id = 43",
    "UPDATE ArtifactProperty SET artifact_id = {0} WHERE artifact_id = 43",
    "UPDATE Attribution SET artifact_id = {0} WHERE artifact_id = 43",
)


@pytest.mark.parametrize("number", [127, 128, 2**31 - 1, 2**31, 2**63 - 1])
def test_ids_at_the_edge_of_what_some_bytes_hold(changed: Changed, number: int):
    store = changed(*(statement.format(number) for statement in RENUMBERED))
    nodes = {node["node"]: node for node in same(store, number)}
    assert nodes[f"artifact/{number}"]["custom_properties"]["pushed"] == 1
    assert all("custom_properties" in node for node in nodes.values())
    assert not any(node.get("missing") for node in nodes.values())
    without = changed(
        *(statement.format(number) for statement in RENUMBERED),
        "DELETE FROM Artifact WHERE id = 22",
    )
    missing = [node["node"] for node in same(without, number) if node.get("missing")]
    assert missing == ["artifact/22"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE Artifact SET name = x'6162' WHERE id = 4",
        "UPDATE Artifact SET uri = x'c328' WHERE id = 4",
        "UPDATE Type SET name = x'4d6f64' WHERE id = 20",
        "UPDATE ArtifactProperty SET string_value = x'41' WHERE artifact_id = 4",
        "UPDATE ArtifactProperty SET int_value = 1.5, string_value = NULL WHERE artifact_id = 4",
        "UPDATE ArtifactProperty SET int_value = 'abc' WHERE artifact_id = 4",
        "UPDATE ArtifactProperty SET bool_value = 'no', string_value = NULL WHERE artifact_id = 4",
        "UPDATE Event SET milliseconds_since_epoch = '2024-01-01' WHERE artifact_id = 4",
        "UPDATE Artifact SET create_time_since_epoch = 'yesterday' WHERE id = 4",
        "UPDATE Execution SET last_known_state = 'x' WHERE id = 4",
        "UPDATE Artifact SET state = 'LIVE' WHERE id < 5",
        "UPDATE Artifact SET state = 2.5 WHERE id < 5",
    ],
)
def test_values_of_another_type_are_the_same_live(changed: Changed, statement: str):
    store = changed(statement)
    same(store, 4)
    same(store, 4, as_of="2100-01-01")
    store.diff(4, 15)
    whole = store.frames.artifacts(properties=True, runs=False)
    kind = whole.loc[4, "type"]
    of_type = store.frames.artifacts(type=kind, properties=True, runs=False)
    assert of_type.astype(object).equals(whole.loc[of_type.index, of_type.columns].astype(object))


@pytest.mark.parametrize("table", ["Artifact", "Execution", "Context", "Type", "Event"])
def test_an_id_that_stands_twice(changed: Changed, table: str):
    store = changed(f"INSERT INTO {table} SELECT * FROM {table} WHERE id < 6", free=(table,))  # noqa: S608
    whole = changed()
    found = [f.subject for f in store.snapshot().findings if f.code == "duplicate_id"]
    assert found == [f"{table.lower()}/{number}" for number in range(1, 6)]
    assert len(store.lineage()) == len(whole.lineage())
    assert store.frames.artifacts(runs=False).equals(whole.frames.artifacts(runs=False))
    same(store, 43)


def test_keys_that_are_null(changed: Changed):
    store = changed(
        "UPDATE ArtifactProperty SET is_custom_property = NULL WHERE name = 'tfx_version'",
        "UPDATE ArtifactProperty SET name = NULL WHERE artifact_id = 4 AND name = 'span'",
        "UPDATE Event SET execution_id = NULL WHERE id = 1",
        free=("ArtifactProperty", "Event"),
    )
    assert "properties.tfx_version" in store.frames.artifacts(properties=True, runs=False)
    found = [f for f in store.snapshot().findings if f.code == "null_key"]
    assert {f.subject for f in found} >= {"artifact/4", "event/1"}
    assert "is NULL, which MLMD never writes" in found[0].detail
    same(store, 43)


def test_a_missing_node_keeps_its_properties_in_the_past(changed: Changed):
    nodes = same(changed("DELETE FROM Execution WHERE id = 4"), 4, as_of="2100-01-01")
    (missing,) = (node for node in nodes if node["node"] == "execution/4")
    assert missing["custom_properties"]


def test_cached_executions_of_old_stores_are_found_in_both(changed: Changed):
    store = changed(
        "UPDATE Execution SET last_known_state = NULL WHERE id = 4",
        "INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, string_value) "
        "VALUES (4, 'state', 0, 'cached')",
        "DELETE FROM Event WHERE type = 4 AND artifact_id = 4 AND execution_id <> 4",
    )
    for findings in (store.snapshot().findings, store.lineage().findings):
        found = {f.subject for f in findings if f.code == "only_cached_producer"}
        assert "artifact/4" in found


def test_moments_of_every_kind(changed: Changed):
    store = changed()
    moments = (
        "2100-01-01",
        "2100-01-01T00:00:00z",
        dt.date(2100, 1, 1),
        np.datetime64("2100-01-01"),
        np.datetime64("2100-01-01T00:00:00", "ns"),
    )
    for moment in moments:
        assert store.upstream(4, as_of=moment).question.as_of == 4_102_444_800_000
    with pytest.raises(ml.errors.ConfigurationError, match="as_of is"):
        store.upstream(4, as_of=np.datetime64("NaT", "ms"))


def test_flags_are_true_or_false(changed: Changed):
    with pytest.raises(ml.errors.ConfigurationError, match="reuse is True or False; not 'no'"):
        changed().upstream(4, reuse="no")  # type: ignore[arg-type]  # that is the point
