"""Stores of MLMD's schema versions 0 to 10 are read as they are."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlite_stores as stores

import mlmd_lineage as ml
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What each version added to the one before, as MLMD's migrations have it.
ADDED: dict[int, dict[str, set[str]]] = {
    5: {
        "Artifact": {
            "state",
            "name",
            "create_time_since_epoch",
            "last_update_time_since_epoch",
        },
        "Execution": {
            "last_known_state",
            "name",
            "create_time_since_epoch",
            "last_update_time_since_epoch",
        },
        "Context": {"create_time_since_epoch", "last_update_time_since_epoch"},
    },
    6: {
        "Type": {"version", "description"},
        "ParentType": set(SCHEMAS["ParentType"].names),
        "ParentContext": set(SCHEMAS["ParentContext"].names),
    },
    7: {f"{kind}Property": {"byte_value"} for kind in ("Artifact", "Execution", "Context")},
    9: {table: {"external_id"} for table in ("Type", "Artifact", "Execution", "Context")},
    10: {
        f"{kind}Property": {"proto_value", "bool_value"}
        for kind in ("Artifact", "Execution", "Context")
    },
}
VERSIONS = range(4, 11)
TELLING = [version for version in VERSIONS if version != 8]  # 8 added indexes only


def lacking(version: int, table: str) -> set[str]:
    """Return the columns that a version lacks."""
    later = (ADDED[n].get(table, set()) for n in ADDED if n > version)
    return set().union(*later)


def check(old: stores.Snapshot, new: stores.Snapshot, version: int) -> None:
    """Check that an old store says what a new one does, as far as it can."""
    assert (old.schema_version, new.schema_version) == (version, 10)
    assert old.names == ALL_TABLES
    for table in ALL_TABLES:
        missing = lacking(version, table)
        assert old[table].schema.equals(SCHEMAS[table])
        if missing == set(SCHEMAS[table].names):
            assert old[table].num_rows == 0
            continue
        kept = [name for name in SCHEMAS[table].names if name not in missing]
        assert old[table].select(kept).to_pylist() == new[table].select(kept).to_pylist()
        for name in missing:
            assert old[table][name].null_count == old[table].num_rows, (table, name)
    assert old.findings == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_small_store(tmp_path: Path, version: int):
    drop = "DELETE FROM ArtifactProperty WHERE name IN ('flag', 'any')"
    old = stores.change(stores.new_store(tmp_path / "old.db", version=version), drop)
    new = stores.change(stores.new_store(tmp_path / "new.db"), drop)
    before = stores.state_of(old)
    check(stores.snapshot(old), stores.snapshot(new), version)
    asked = stores.reader(old).ask(lambda session: session.fetch("Artifact", {"id": [2]}))
    named = dict(zip(SCHEMAS["Artifact"].names, asked[0], strict=True))
    assert named["uri"] == "/data/2"
    assert (named["name"] is None) == (version < 5)
    if version < 5:  # what the store cannot tell has no rows, and is no error
        assert stores.reader(old).ask(lambda s: s.fetch("Artifact", {"name": ["data-2"]})) == []
    assert stores.state_of(old) == before


DOWNGRADE = """
import sys
from ml_metadata import downgrade_schema
from ml_metadata.proto import metadata_store_pb2 as pb

config = pb.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
config.sqlite.connection_mode = 2
downgrade_schema(config, int(sys.argv[2]))
"""


@pytest.mark.native
@pytest.mark.parametrize("version", range(4, 10))
def test_a_real_store_that_mlmd_took_down(
    shared_store: Callable[[str], Path], tmp_path: Path, version: int
):
    new = shared_store("tfx_local.db").rename(tmp_path / "new.db")
    # MLMD's migration leaves rows of these types without a value.
    for kind in ("Artifact", "Execution", "Context"):
        stores.change(
            new,
            f"DELETE FROM {kind}Property "  # noqa: S608
            "WHERE bool_value IS NOT NULL OR proto_value IS NOT NULL",
        )
    old = tmp_path / "old.db"
    old.write_bytes(new.read_bytes())
    command = [sys.executable, "-c", DOWNGRADE, str(old), str(version)]
    subprocess.run(command, check=True, capture_output=True)
    before = stores.state_of(old)
    check(stores.snapshot(old), stores.snapshot(new), version)
    assert stores.state_of(old) == before


@pytest.mark.parametrize("version", TELLING)
def test_the_version_is_told_from_the_columns(tmp_path: Path, version: int):
    store = stores.new_store(tmp_path / "store.db", version=version)
    stores.change(store, "DELETE FROM MLMDEnv")
    snapshot = stores.snapshot(store)
    assert snapshot.schema_version == version
    assert [f.code for f in snapshot.findings if f.subject == "table/MLMDEnv"] == [
        "missing_version"
    ]


def older(path: Path, version: int) -> Path:
    """Make a store of schema 4 one of an older version, as MLMD's own migrations do."""
    stores.new_store(path, version=4)
    stores.change(
        path,
        f"UPDATE MLMDEnv SET schema_version = {version}",  # noqa: S608
        "DELETE FROM ArtifactProperty WHERE name IN ('flag', 'any')",
    )
    if version < 4:
        stores.change(path, "DROP TABLE Association", "DROP TABLE Attribution")
    if version < 3:
        stores.change(
            path,
            "DROP TABLE Context",
            "DROP TABLE ContextProperty",
            "DELETE FROM Type WHERE type_kind = 2",
        )
    if version < 2:
        stores.change(path, "ALTER TABLE Type RENAME COLUMN type_kind TO is_artifact_type")
    if version < 1:
        stores.change(path, "DROP TABLE MLMDEnv")
    return path


@pytest.mark.parametrize("version", range(4))
def test_before_contexts(tmp_path: Path, version: int):
    path = older(tmp_path / "old.db", version)
    before = stores.state_of(path)
    old, new = stores.snapshot(path), stores.snapshot(stores.new_store(tmp_path / "new.db"))
    assert old.schema_version == version
    assert old.findings == ()
    assert old.events.equals(new.events)
    assert old.artifacts["uri"].equals(new.artifacts["uri"])
    nodes = [row for row in new.types.to_pylist() if row["type_kind"] != 2 or version == 3]
    kinds = [(row["id"], row["name"], row["type_kind"]) for row in nodes]
    assert [(r["id"], r["name"], r["type_kind"]) for r in old.types.to_pylist()] == kinds
    reader = stores.reader(path)
    for number, *_, kind in kinds:
        [row] = reader.ask(lambda session, n=number: session.fetch("Type", {"id": [n]}))
        assert row[3] == kind
        same = reader.ask(lambda session, k=kind: session.fetch("Type", {"type_kind": [k]}))
        assert {r[0] for r in same} == {n for n, _, k in kinds if k == kind}
    assert reader.ask(lambda session: session.fetch("Context", {"id": [1]})) == [] or version == 3
    assert stores.state_of(path) == before


def test_schema_0_as_ml_metadata_013_wrote_it(shared_cases: Path):
    store = ml.connect(shared_cases / "v013.db")
    snapshot = store.snapshot()
    assert (snapshot.schema_version, snapshot.findings) == (0, ())
    assert store.frames.artifacts(type="Examples")["uri"].tolist() == ["/d"]
    assert store.frames.events()["type"].tolist() == ["INPUT"]
    assert list(store.upstream("execution/1")) == list(store.lineage().upstream("execution/1"))
    assert list(store.downstream("artifact/1")) == ["artifact/1", "execution/1"]
    assert len(store.find_executions("type = 'Trainer'")) == 1
    assert len(store.find_artifacts("uri = '/d' AND events_e.type = INPUT")) == 1


def test_an_environment_without_a_row(shared_cases: Path):
    snapshot = ml.connect(shared_cases / "noenv.db").snapshot()
    assert snapshot.schema_version == 10
    assert [(f.code, f.subject) for f in snapshot.findings] == [
        ("missing_version", "table/MLMDEnv")
    ]
    whole = ml.connect(shared_cases / "kfmeta.db").snapshot()
    for table in ("Artifact", "ArtifactProperty", "Event"):
        assert snapshot[table].num_rows == whole[table].num_rows
