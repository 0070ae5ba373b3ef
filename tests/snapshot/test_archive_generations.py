"""Generations of archives: what is new is added, and every state stays as it was."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage.snapshot import (
    archive,
    archive_generations,
    archive_layout,
    archive_reuse,
    archive_writer,
)
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS, Tables

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
        ("LEAST_ROWS", 20),
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
@pytest.mark.slow
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


@pytest.mark.usefixtures("small_parts")
@pytest.mark.slow
def test_rows_that_are_added_leave_the_files_before(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    path, folder = shared_store("tfx_local.db"), tmp_path / "archive"
    saved, files = [], []
    for day in range(4):
        sqlite_stores.change(
            path,
            "INSERT INTO Artifact (type_id, uri, state, name, create_time_since_epoch,"  # noqa: S608 - numbers
            f" last_update_time_since_epoch) SELECT type_id, uri, 2, 'of {day}, ' || id, {day}, 0"
            " FROM Artifact WHERE name IS NULL OR name NOT LIKE 'of %' LIMIT 15",
        )
        found = ml.connect(path).snapshot()
        at = dt.datetime(2024, 2, 1 + day, tzinfo=dt.timezone.utc)
        tables = {name: found[name] for name in found.names}
        saved.append(Snapshot.of(Tables(tables, source=found.source, taken_at=at)))
        saved[-1].save(folder, update=True)
        manifest = json.loads((folder / "manifest.json").read_text())
        files.append(manifest["tables"])
        assert files[-1]["Event"] == files[0]["Event"]
    for snapshot in saved:
        same(ml.connect(folder, as_of=snapshot.taken_at).snapshot(), snapshot)
    assert files[-1]["Artifact"][0] == files[-2]["Artifact"][0]
    assert len(files[-1]["Artifact"]) < len(saved)
    uris = saved[-1].artifacts["uri"].to_pylist()
    for uri in {uri for uri in uris if uri and uris.count(uri) == 1}:
        assert ml.connect(folder).find_node(uri) == ml.connect(path).find_node(uri)


@pytest.mark.parametrize(
    ("column", "changed_to", "is_kept"),
    [
        ("double_value", 0.0, True),
        ("double_value", -0.0, False),
        ("double_value", None, False),
        ("artifact_id", 8, False),
        ("string_value", "", False),
    ],
)
def test_a_file_is_kept_only_for_rows_that_are_equal_to_the_bit(
    column: str,
    changed_to: Any,
    is_kept: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
):
    row = dict.fromkeys(SCHEMAS["ArtifactProperty"].names)
    row |= {"artifact_id": 7, "name": "loss", "is_custom_property": True, "double_value": 0.0}
    schema = SCHEMAS["ArtifactProperty"]
    path = tmp_path / "ArtifactProperty.parquet"
    archive_writer.write_parquet(pa.Table.from_pylist([row], schema), path, None)
    other = pa.Table.from_pylist([row | {column: changed_to}], schema)
    assert archive_reuse.holds(path, other, None) is is_kept
    noted = other.replace_schema_metadata({"mlmd_lineage.notes": "[]"})
    assert not archive_reuse.holds(path, noted, None)
    path.write_bytes(path.read_bytes()[:-9])
    assert not archive_reuse.holds(path, other, None)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 2, 3, 9, 10], [(0, 3, "a"), (3, 5, "b")]),
        ([1, 3, 9], [(0, 2, "a"), (2, 3, "b")]),
        ([9, 10, 11, 12], [(0, 2, "b"), (2, 4, None)]),
        ([1, 2, 3, 9, 10, 10], [(0, 3, "a"), (3, 6, "b")]),
        ([1, 2, 3, 9, 10, 11, 12, 13], [(0, 3, "a"), (3, 8, None)]),
        ([1, 2, 3, 4, 9, 10, 11], [(0, 4, "a"), (4, 6, "b"), (6, 7, None)]),
        ([11, 12], [(0, 2, None)]),
        ([], [(0, 0, None)]),
    ],
    ids=["same", "fewer", "first-gone", "last-grew", "merged", "between", "all-gone", "none"],
)
def test_rows_stay_with_the_file_of_their_ids(
    ids: list[int], expected: list[tuple[int, int, str | None]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive_layout, "LEAST_ROWS", 1)
    files = [("a", {"keys": [1, 3], "rows": 99}), ("b", {"keys": [9, 10], "rows": 4})]
    column = pa.chunked_array([ids], pa.int64())
    assert archive_reuse.parts(column, files) == expected


def test_a_store_that_did_not_change_adds_nothing(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    path = shared_store("tfx_local.db")
    folder = taken(path, 0).save(tmp_path / "archive")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    taken(path, 1).save(folder, update=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("file", ["Event.parquet", "Event.by_*", "checksums*"])
def test_a_damaged_file_is_written_again_by_the_next_update(
    file: str, part: float, shared_store: Callable[[str], Path], tmp_path: Path
):
    path = shared_store("tfx_local.db")
    folder = taken(path, 0).save(tmp_path / "archive")
    damaged = next(folder.glob(file))
    content = bytearray(damaged.read_bytes())
    content[int(len(content) * part)] ^= 1
    damaged.write_bytes(content)
    if file.startswith("checksums"):  # they go with a generation, and this one changed nothing else
        changed(path)
    saved = taken(path, 1)
    saved.save(folder, update=True)
    same(ml.connect(folder).snapshot(), saved)
    found = ml.connect(folder).upstream("artifact/43")
    assert found.nodes.equals(ml.connect(path).upstream("artifact/43").nodes)


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


def test_an_archive_of_another_store_is_not_updated(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    first = taken(shared_store("tfx_local.db"), 0)
    folder = first.save(tmp_path / "archive")
    other = taken(shared_store("kfp2_emulated.db"), 1)
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        other.save(folder, update=True)
    assert first.source in str(caught.value)
    assert other.source in str(caught.value)
    same(ml.connect(folder).snapshot(), first)
    other.save(folder, update=True, other_source=True)
    same(ml.connect(folder).snapshot(), other)
    same(ml.connect(folder, as_of=DAYS[0]).snapshot(), first)


def test_a_store_that_was_moved_is_the_same(shared_store: Callable[[str], Path], tmp_path: Path):
    path = shared_store("tfx_local.db")
    folder = taken(path, 0).save(tmp_path / "archive")
    changed(path)
    moved = path.rename(tmp_path / "moved.db")
    second = taken(moved, 1)
    second.save(folder, update=True)
    same(ml.connect(folder).snapshot(), second)
    assert [found.number for found in ml.connect(folder).generations()] == [1, 2]


def test_a_generation_added_to_format_2_is_of_format_3(
    shared_store: Callable[[str], Path], tmp_path: Path
):
    path = shared_store("tfx_local.db")
    first = taken(path, 0)
    folder = first.save(tmp_path / "archive")
    as_format_2(folder)
    same(ml.connect(folder).snapshot(), first)
    second = taken(path, 1)
    second.save(folder, update=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format_version"] == archive_layout.INDEXED
    assert all(
        "keys" in manifest["files"][file]
        for [file] in manifest["tables"].values()
        if manifest["files"][file]["rows"]
    )
    same(ml.connect(folder).snapshot(), second)
    same(ml.connect(folder, as_of=DAYS[0]).snapshot(), first)
    number = second.artifacts["id"].to_pylist()[-1]
    for saved in (ml.connect(folder), ml.connect(folder, as_of=DAYS[0])):
        assert saved.upstream(number).nodes.equals(ml.connect(path).upstream(number).nodes)


@pytest.mark.parametrize("keys", [None, 5, [1], ["1", "2"]])
def test_a_generation_is_not_added_to_what_is_no_manifest(
    shared_stores: Path, tmp_path: Path, keys: Any
):
    snapshot = ml.connect(shared_stores / "tfx_local.db").snapshot()
    path = snapshot.save(tmp_path / "archive") / "manifest.json"
    content = json.loads(path.read_text())
    content["files"]["Event.parquet"]["keys"] = keys
    path.write_text(json.dumps(content))
    with pytest.raises(ml.errors.ConfigurationError, match="lacks what a manifest has"):
        snapshot.save(path.parent, update=True)


def as_format_2(folder: Path) -> None:
    """Make an archive one of format 2: its graph in Parquet files, and no keys of files."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for file in manifest.pop("graph").values():
        (folder / file).unlink()
        del manifest["files"][file]
    manifest["graph"] = {}
    for name in ("graph.edges", "graph.nodes"):
        manifest["graph"][name] = f"{name}.parquet"
        table = pa.table({"id": pa.array([1, 2], pa.int64())})
        archive_writer.write_parquet(table, folder / f"{name}.parquet", None)
        described = archive_writer.kept(folder / f"{name}.parquet")[0]
        manifest["files"][f"{name}.parquet"] = {"rows": 2, **described}
    sums = {
        name: archive_writer.kept(folder / name)[1]
        for name in manifest["files"]
        if name != manifest["checksums"]
    }
    (folder / manifest["checksums"]).write_bytes(b"".join(sums[name] for name in sorted(sums)))
    described = archive_writer.kept(folder / manifest["checksums"])[0]
    manifest["files"][manifest["checksums"]] = {"rows": 0, **described}
    for of in manifest["files"].values():
        of.pop("keys", None)
    path.write_text(json.dumps(manifest | {"format_version": archive_layout.PARQUET_GRAPH}))


@pytest.mark.parametrize("name", ["../Event.parquet", "/etc/passwd", ".hidden", "a/b", "", 5])
def test_files_of_a_manifest_lie_in_its_folder(shared_stores: Path, tmp_path: Path, name: Any):
    snapshot = ml.connect(shared_stores / "tfx_local.db").snapshot()
    path = snapshot.save(tmp_path / "archive") / "manifest.json"
    content = json.loads(path.read_text())
    content["tables"]["Event"] = [name]
    path.write_text(json.dumps(content))
    with pytest.raises(ml.errors.DamagedStoreError, match="lacks what a manifest has"):
        ml.connect(path.parent).snapshot()
