"""Single rows of archives: the same as a database's, and found without reading whole tables."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mlmd_lineage as ml
from mlmd_lineage.lineage.graph_tables import GraphTables
from mlmd_lineage.readers.archive_files import FolderFiles
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.snapshot import archive, archive_layout, archive_writer
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS, Tables, empty

if TYPE_CHECKING:
    from pathlib import Path

CHAINS, LENGTH = 50, 80
EVENTS = 2 * CHAINS * LENGTH


def chains() -> Snapshot:
    """Return a store of many chains, interleaved: each artifact is written and taken once."""
    count = CHAINS * LENGTH
    ids = np.arange(1, count + 1)
    times = 1_600_000_000_000 + ids
    events = np.arange(1, EVENTS + 1)
    execution = (events + 1) // 2
    made = events % 2 == 0
    artifact = np.where(made, execution + CHAINS, execution)
    artifacts = np.arange(1, count + CHAINS + 1)
    nodes = {"create_time_since_epoch": None, "last_update_time_since_epoch": None}
    columns: dict[str, dict[str, Any]] = {
        "Type": {"id": [1, 2], "name": ["Data", "Step"], "type_kind": [1, 0]},
        "Artifact": {
            "id": artifacts,
            "type_id": np.ones(len(artifacts), int),
            "uri": [f"s3://bucket/{number}" for number in artifacts],
            "name": [f"data-{number}" for number in artifacts],
            **dict.fromkeys(nodes, artifacts + 1_600_000_000_000),
        },
        "Execution": {
            "id": ids,
            "type_id": np.full(count, 2),
            "last_known_state": np.full(count, 3),
            **dict.fromkeys(nodes, times),
        },
        "Event": {
            "id": events,
            "artifact_id": artifact,
            "execution_id": execution,
            "type": np.where(made, 4, 3),
            "milliseconds_since_epoch": 1_600_000_000_000 + events,
        },
    }
    tables = {name: empty(name) for name in ALL_TABLES}
    for name, given in columns.items():
        rows = len(next(iter(given.values())))
        made_columns = [
            pa.array(given[f.name], f.type) if f.name in given else pa.nulls(rows, f.type)
            for f in SCHEMAS[name]
        ]
        tables[name] = pa.table(made_columns, schema=SCHEMAS[name])
    return Snapshot.of(Tables(tables, source="chains", taken_at=dt.datetime.now(dt.timezone.utc)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(archive_layout, "_FEWEST_ROWS", 256)
        patched.setattr(archive_layout, "_MOST_ROWS", 256)
        return chains().save(tmp_path_factory.mktemp("chains") / "archive")


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write row groups of a few rows, so that small stores have many."""
    monkeypatch.setattr(archive_layout, "_FEWEST_ROWS", 20)
    monkeypatch.setattr(archive_layout, "_MOST_ROWS", 20)


class Counted:
    """Counts the bytes that are read of each file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.whole: list[str] = []
        self.ranges: dict[str, int] = {}
        read, read_range = FolderFiles.read, FolderFiles.read_range

        def reading(files: FolderFiles, name: str, most: int) -> bytes:
            self.whole.append(name)
            return read(files, name, most)

        def reading_range(files: FolderFiles, name: str, start: int, length: int) -> bytes:
            self.ranges[name] = self.ranges.get(name, 0) + length
            return read_range(files, name, start, length)

        monkeypatch.setattr(FolderFiles, "read", reading)
        monkeypatch.setattr(FolderFiles, "read_range", reading_range)


def test_an_answer_reads_a_small_part_of_an_archive(folder: Path, monkeypatch: pytest.MonkeyPatch):
    counted = Counted(monkeypatch)
    node = f"artifact/{5 * CHAINS + 7}"
    trace = ml.connect(folder).upstream(node)
    assert len(trace) == 11
    assert set(counted.whole) <= {
        "manifest.json",
        "checksums.bin",
        "Type.parquet",
        "TypeProperty.parquet",
        "ParentType.parquet",
    }
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert sum(counted.ranges.values()) < size // 2
    assert "Attribution.parquet" not in counted.ranges
    expected = ml.connect(folder).lineage().upstream(node)
    assert trace.nodes.equals(expected.nodes)
    assert trace.edges.equals(expected.edges)


def test_a_name_and_a_uri_are_found_by_their_indexes(folder: Path, monkeypatch: pytest.MonkeyPatch):
    counted = Counted(monkeypatch)
    store = ml.connect(folder)
    assert store.find_node("s3://bucket/77") == "artifact/77"
    assert store.find_node("data-78") == "artifact/78"
    assert "Artifact.parquet" not in counted.whole
    assert counted.ranges["Artifact.by_uri.parquet"] > 0
    with pytest.raises(ml.errors.NotFoundError, match="data-78"):
        store.find_node("data-78x")


def test_texts_of_one_checksum_are_told_apart(tmp_path: Path):
    # CRC-32 of both is 0x4DDB0C25.
    one, other = "plumless", "buckeroo"
    assert archive_layout.text_key(one.encode()) == archive_layout.text_key(other.encode())
    store = ml.testing.InMemoryStore()
    store.put_artifact("Data", name=one)
    second = store.put_artifact("Data", name=other)
    saved = ml.connect(store.snapshot().save(tmp_path / "archive"))
    assert saved.find_node(other) == second


def fetched(store: ml.Store, table: str, where: dict[str, Any]) -> list[tuple[Any, ...]]:
    return store._reader.ask(lambda session: session.fetch(table, where))


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("name", ["tfx_local", "kfp2_emulated"])
def test_rows_are_those_of_the_database(name: str, shared_stores: Path, tmp_path: Path):
    database = ml.connect(shared_stores / f"{name}.db")
    saved = ml.connect(database.snapshot().save(tmp_path / "archive"))
    for table in ALL_TABLES:
        schema = SCHEMAS[table]
        every = sorted(fetched(database, table, {}), key=repr)
        for at, column in enumerate(schema.names):
            kind = schema.field(column).type
            if not (pa.types.is_integer(kind) or "string" in str(kind)):
                continue
            values = sorted({row[at] for row in every if row[at] is not None}, key=repr)
            absent = [10**20, -1] if pa.types.is_integer(kind) else ["no such text"]
            for asked in (values[:1], values[1::3], [*values[-2:], *absent], []):
                where = {column: asked}
                expected = [row for row in every if row[at] in set(asked)]
                found = fetched(saved, table, where)
                assert sorted(found, key=repr) == expected, (table, where)
    assert not saved._reader._held  # nothing was read whole


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("name", ["kfp1_emulated", "zenml_0132"])
def test_answers_are_those_of_the_database(name: str, shared_stores: Path, tmp_path: Path):
    database = ml.connect(shared_stores / f"{name}.db")
    snapshot = database.snapshot()
    saved = ml.connect(snapshot.save(tmp_path / "archive"))
    for number in snapshot.artifacts["id"].to_pylist()[::9]:
        for ask in ("upstream", "downstream"):
            expected = getattr(database, ask)(number)
            found = getattr(saved, ask)(number)
            assert found.nodes.equals(expected.nodes)
            assert found.edges.equals(expected.edges)
    assert "Event" not in saved._reader._held


def without_indexes(snapshot: Snapshot, folder: Path) -> Path:
    """Write an archive as releases before the indexes did: format version 1."""
    folder.mkdir()
    files = {}
    for name in ALL_TABLES:
        path = folder / f"{name}.parquet"
        pq.write_table(archive.canonical(name, snapshot[name]), path, compression="zstd")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files[path.name] = {"rows": snapshot[name].num_rows, "sha256": digest}
    manifest = {
        "format": "mlmd-lineage archive",
        "format_version": 1,
        "schema_version": snapshot.schema_version,
        "source": snapshot.source,
        "taken_at": snapshot.taken_at.isoformat(),
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_archives_of_earlier_releases_are_read(shared_stores: Path, tmp_path: Path):
    database = ml.connect(shared_stores / "tfx_local.db")
    snapshot = database.snapshot()
    old = ml.connect(without_indexes(snapshot, tmp_path / "old"))
    assert old.snapshot().findings == snapshot.findings
    for name in ALL_TABLES:
        before, after = (archive.canonical(name, s[name]) for s in (snapshot, old.snapshot()))
        assert before.equals(after)
    for number in snapshot.artifacts["id"].to_pylist()[::7]:
        assert old.upstream(number).nodes.equals(database.upstream(number).nodes)
    again = old.snapshot().save(tmp_path / "new")
    assert json.loads((again / "manifest.json").read_text())["format_version"] == 2


@pytest.mark.parametrize("name", ["Event.parquet", "Event.by_artifact_id.parquet", "checksums.bin"])
def test_blocks_that_were_changed_are_refused(folder: Path, tmp_path: Path, name: str):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    for at in range(100, len(content), 1_000):
        content[at] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ml.errors.DamagedStoreError, match="was changed or damaged"):
        ml.connect(copy).upstream(CHAINS * LENGTH // 2)


def kept_with(path: Path, checksums: dict[str, bytes]) -> dict[str, Any]:
    described, checksums[path.name] = archive_writer.kept(path)
    return described


def replaced_file(folder: Path, copy: Path, name: str, table: pa.Table) -> Path:
    """Put another table into a copy of an archive."""
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    archive_writer.write_parquet(table, copy / name, None)
    manifest = json.loads((copy / "manifest.json").read_text())
    checksums: dict[str, bytes] = {}
    for file in manifest["files"]:
        if file != "checksums.bin":
            manifest["files"][file] |= kept_with(copy / file, checksums)
    (copy / "checksums.bin").write_bytes(b"".join(checksums[file] for file in sorted(checksums)))
    manifest["files"]["checksums.bin"] = kept_with(copy / "checksums.bin", {})
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


@pytest.mark.parametrize("odd", ["rows beyond the table", "not in order", "other columns", "nulls"])
def test_indexes_that_nobody_wrote(folder: Path, tmp_path: Path, odd: str):
    index = pq.read_table(folder / "Event.by_artifact_id.parquet")
    keys, rows = index["artifact_id"].to_numpy().copy(), index["row"].to_numpy().copy()
    if odd == "rows beyond the table":
        rows += 10**6
    elif odd == "not in order":
        keys[:] = keys[::-1]
    columns = [pa.array(keys), index["type"].combine_chunks(), pa.array(rows)]
    if odd == "nulls":
        columns[0] = pa.array([None, *keys[1:]])
    names = ["artifact_id", "type", "row"]
    if odd == "other columns":
        names[0] = "id"
    table = pa.table(columns, names=names)
    copy = replaced_file(folder, tmp_path / "copy", "Event.by_artifact_id.parquet", table)
    with pytest.raises(ml.errors.DamagedStoreError):
        ml.connect(copy).downstream(2)


def test_no_more_is_kept_than_is_allowed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mlmd_lineage.readers.archive_lookup._KEPT_BLOCKS", 1)
    monkeypatch.setattr("mlmd_lineage.readers.archive_lookup._KEPT_GROUPS", 1)
    store = ml.connect(folder)
    reader = store._reader
    assert isinstance(reader, ArchiveReader)
    assert len(store.upstream(5 * CHAINS + 7)) == 11
    assert reader._lookup is not None
    assert len(reader._lookup._blocks) == len(reader._lookup._groups) == 1


def test_very_regular_rows_are_plausible(tmp_path: Path):
    count = 1_200_000
    numbers = pa.array(np.arange(1, count + 1))
    tables = {name: empty(name) for name in ALL_TABLES}
    tables["Association"] = pa.table(
        [numbers, pa.array(np.ones(count, int)), numbers], schema=SCHEMAS["Association"]
    )
    saved = ml.connect(Snapshot.of(Tables(tables)).save(tmp_path / "archive"))
    assert fetched(saved, "Association", {"execution_id": [count]}) == [(count, 1, count)]
    assert saved.snapshot().associations.num_rows == count


@pytest.mark.parametrize("name", ["tfx_local", "kfp1_emulated", "kfp2_emulated", "zenml_0132"])
def test_a_saved_graph_is_the_one_that_would_be_built(
    name: str, shared_stores: Path, tmp_path: Path
):
    snapshot = ml.connect(shared_stores / f"{name}.db").snapshot()
    saved = ml.connect(snapshot.save(tmp_path / "new")).lineage()
    built = ml.connect(without_indexes(snapshot, tmp_path / "old")).lineage()
    assert "_whole" not in vars(saved.tables)
    for number in snapshot.artifacts["id"].to_pylist()[::9]:
        for flags in ({}, {"reuse": True, "internal": True, "later": True}):
            for ask in ("upstream", "downstream"):
                found = getattr(saved, ask)(number, **flags)
                expected = getattr(built, ask)(number, **flags)
                assert found.nodes.equals(expected.nodes)
                assert found.edges.equals(expected.edges)
        assert found.to_networkx(contexts=True).nodes == expected.to_networkx(contexts=True).nodes
    assert "Event" not in saved.tables._reader._held
    assert saved.findings == built.findings
    assert saved.nodes.equals(built.nodes)
    assert saved.edges.equals(built.edges)
    assert saved.roots == built.roots
    with pytest.raises(ml.errors.NotLoadedError):
        saved.tables["ArtifactProperty"]


def test_a_graph_with_properties_has_them(folder: Path):
    node = f"artifact/{5 * CHAINS + 7}"
    for properties in (False, True):
        trace = ml.connect(folder).lineage(properties=properties).upstream(node)
        assert ("ArtifactProperty" in trace.tables) == properties
    again = pickle.loads(pickle.dumps(ml.connect(folder).lineage()))  # noqa: S301 - ours
    assert again.upstream(node).nodes.equals(trace.nodes)


def changed_graph(folder: Path, copy: Path, column: str, values: Any) -> ml.Store:
    name = "nodes" if column in {"id", "incoming"} else "edges"
    table = pq.read_table(folder / f"graph.{name}.parquet")
    at = table.column_names.index(column)
    kind = table.schema.field(column).type
    table = table.set_column(at, column, pa.array(values(table[column].to_numpy()), kind))
    return ml.connect(replaced_file(folder, copy, f"graph.{name}.parquet", table))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("in_neighbour", lambda values: values + 10**8),
        ("out_neighbour", lambda values: values - 10**8),
        ("in_edge", lambda values: values * 0),
        ("out_role", lambda values: values + 100),
        ("incoming", lambda values: values + 1),
        ("id", lambda values: values[::-1]),
    ],
)
def test_a_graph_that_nobody_wrote_is_built_anew(
    folder: Path, tmp_path: Path, column: str, values: Any
):
    store = changed_graph(folder, tmp_path / "copy", column, values)
    graph = store.lineage()
    assert isinstance(graph.tables, GraphTables)
    assert len(graph.upstream(f"artifact/{5 * CHAINS + 7}")) == 11
    assert not isinstance(ml.connect(folder).lineage().tables, GraphTables)
