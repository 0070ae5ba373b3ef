"""Generations of archives: what is new is added, and every state stays as it was."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage.snapshot import archive, archive_generations, archive_layout
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import ALL_TABLES, Tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAYS = [dt.datetime(2024, 1, day, tzinfo=dt.timezone.utc) for day in (1, 2, 3)]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write many small files of few row groups, so that small stores have several."""
    for name, value in (
        ("_FEWEST_ROWS", 20),
        ("_FEWEST_NODES", 20),
        ("_MOST_ROWS", 20),
        ("PART_ROWS", 50),
        ("PART_KEYS", 16),
    ):
        monkeypatch.setattr(archive_layout, name, value)


def taken(path: Path, day: int) -> Snapshot:
    """Return a snapshot of a store as if it was taken on a day."""
    found = ml.connect(path).snapshot()
    tables = {name: found[name] for name in found.names}
    version = found.schema_version
    return Snapshot.of(
        Tables(tables, schema_version=version, source=found.source, taken_at=DAYS[day])
    )


def changed(path: Path) -> None:
    """Add to a store, finish, change and remove some of what it holds."""
    sqlite_stores.change(
        path,
        "INSERT INTO Artifact (id, type_id, uri, state, create_time_since_epoch,"
        " last_update_time_since_epoch) SELECT max(id) + 1, max(type_id), 's3://new', 2,"
        " 1700000000000, 1700000000000 FROM Artifact",
        "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch)"
        " SELECT max(Artifact.id), 5, 4, 1700000000000 FROM Artifact",
        "UPDATE Execution SET last_known_state = 4, last_update_time_since_epoch = 1700000000000"
        " WHERE id = 5",
        "UPDATE ArtifactProperty SET string_value = 'other' WHERE artifact_id = 3",
        "DELETE FROM Attribution WHERE id = 1",
    )


def same(one: Snapshot, other: Snapshot) -> None:
    assert one.taken_at == other.taken_at
    assert one.findings == other.findings
    for name in ALL_TABLES:
        assert archive.canonical(name, one[name]).equals(archive.canonical(name, other[name])), name


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("name", ["tfx_local", "zenml_0132"])
def test_every_generation_is_the_store_as_it_was(
    name: str, shared_store: Callable[[str], Path], tmp_path: Path
):
    path = shared_store(f"{name}.db")
    first = taken(path, 0)
    folder = first.save(tmp_path / "archive", update=True)
    before = {file.name for file in folder.iterdir()}
    changed(path)
    second = taken(path, 1)
    assert second.save(folder, update=True) == folder
    files = {file.name for file in folder.iterdir()}
    assert before < files
    assert len(files - before) < len(before)
    assert not [file.name for file in tmp_path.iterdir() if file.name.startswith(".archive")]

    saved = ml.connect(folder)
    same(saved.snapshot(), second)
    same(ml.connect(folder, as_of=DAYS[0]).snapshot(), first)
    same(ml.connect(folder, as_of="2024-01-01T23:00:00Z").snapshot(), first)
    same(ml.connect(folder, as_of=DAYS[2]).snapshot(), second)
    assert [(found.number, found.taken_at) for found in saved.generations()] == [
        (1, DAYS[0]),
        (2, DAYS[1]),
    ]
    new = second.artifacts["id"].to_pylist()[-1]
    database = ml.connect(path)
    for number in (new, 3):
        expected = database.upstream(number)
        for trace in (saved.upstream(number), saved.lineage().upstream(number)):
            assert trace.nodes.equals(expected.nodes)
            assert trace.edges.equals(expected.edges)
    assert saved.find_node("s3://new") == f"artifact/{new}"
    with pytest.raises(ml.errors.NotFoundError):
        ml.connect(folder, as_of=DAYS[0]).find_node("s3://new")
    with pytest.raises(ml.errors.NotFoundError, match="oldest is of 2024-01-01"):
        ml.connect(folder, as_of="2023-12-31").snapshot()


def test_a_store_that_did_not_change_adds_nothing(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    path = shared_store("tfx_local.db")
    folder = taken(path, 0).save(tmp_path / "archive")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    taken(path, 1).save(folder, update=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("step", ["write_generation", "_publish", "manifest"])
def test_an_update_that_is_interrupted_leaves_the_last_generation(
    step: str, shared_store: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = shared_store("tfx_local.db")
    first = taken(path, 0)
    folder = first.save(tmp_path / "archive")
    changed(path)

    def interrupted(*arguments: Any) -> Any:
        if step == "manifest":
            for file in arguments[0].iterdir():
                if file.name != "manifest.json":
                    file.replace(arguments[1] / file.name)
        raise KeyboardInterrupt

    where = archive if step == "write_generation" else archive_generations
    name = "_publish" if step == "manifest" else step
    with monkeypatch.context() as patched:
        patched.setattr(where, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            taken(path, 1).save(folder, update=True)
    same(ml.connect(folder).snapshot(), first)
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == ["archive"]
    second = taken(path, 2)
    second.save(folder, update=True)
    same(ml.connect(folder).snapshot(), second)
    same(ml.connect(folder, as_of=DAYS[1]).snapshot(), first)


def test_a_generation_that_came_meanwhile_is_kept(
    shared_store: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = shared_store("tfx_local.db")
    folder = taken(path, 0).save(tmp_path / "archive")
    changed(path)
    second = taken(path, 1)
    publish = archive_generations._publish

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(archive_generations, "_publish", publish)
        second.save(folder, update=True)
        publish(*arguments)

    monkeypatch.setattr(archive_generations, "_publish", late)
    with pytest.raises(ml.errors.ConfigurationError, match="Another process"):
        taken(path, 2).save(folder, update=True)
    same(ml.connect(folder).snapshot(), second)


def test_only_archives_with_generations_are_updated(shared_stores: Path, tmp_path: Path):
    snapshot = ml.connect(shared_stores / "tfx_local.db").snapshot()
    archive.save(snapshot, tmp_path / "old", indexes=False)
    with pytest.raises(ml.errors.ConfigurationError, match="format 1"):
        snapshot.save(tmp_path / "old", update=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ml.errors.ConfigurationError, match="not empty"):
        snapshot.save(tmp_path / "mine", update=True)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    with pytest.raises(ml.errors.ConfigurationError, match="as_of is for archives"):
        ml.connect(shared_stores / "tfx_local.db", as_of="2024-01-01")
    assert ml.connect(shared_stores / "tfx_local.db").generations() == ()


@pytest.mark.parametrize("name", ["../Event.parquet", "/etc/passwd", ".hidden", "a/b", "", 5])
def test_files_of_a_manifest_lie_in_its_folder(shared_stores: Path, tmp_path: Path, name: Any):
    snapshot = ml.connect(shared_stores / "tfx_local.db").snapshot()
    path = snapshot.save(tmp_path / "archive") / "manifest.json"
    content = json.loads(path.read_text())
    content["tables"]["Event"] = [name]
    path.write_text(json.dumps(content))
    with pytest.raises(ml.errors.DamagedStoreError, match="lacks what a manifest has"):
        ml.connect(path.parent).snapshot()
