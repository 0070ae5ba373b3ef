"""Single rows of archives: the same as a database's, and found without reading whole tables."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mlmd_lineage as ml
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.graph_tables import GraphTables
from mlmd_lineage.lineage.saved.stored_index import StoredIndex
from mlmd_lineage.readers import arrow_file, parquet
from mlmd_lineage.readers.archive_blocks import BlockFile, BoundedCache
from mlmd_lineage.readers.archive_files import FolderFiles
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.snapshot import archive, archive_layout, archive_writer
from mlmd_lineage.snapshot.archive_layout import BLOCK_BYTES
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS, Tables, empty

if TYPE_CHECKING:
    from collections.abc import Callable

CHAINS, LENGTH = 50, 80


def chains(length: int = LENGTH) -> Snapshot:
    """Return a store of many chains, interleaved: each artifact is written and taken once."""
    count = CHAINS * length
    ids = np.arange(1, count + 1)
    times = 1_600_000_000_000 + ids
    events = np.arange(1, 2 * count + 1)
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
        patched.setattr(archive_layout, "_FEWEST_NODES", 256)
        patched.setattr(archive_layout, "_MOST_ROWS", 256)
        return chains().save(tmp_path_factory.mktemp("chains") / "archive")


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write row groups of a few rows, so that small stores have many."""
    monkeypatch.setattr(archive_layout, "_FEWEST_ROWS", 20)
    monkeypatch.setattr(archive_layout, "_FEWEST_NODES", 20)
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
    store = ml.connect(folder)
    trace = store.upstream(node)
    assert len(trace) == 11
    assert set(counted.whole) <= {
        "manifest.json",
        "checksums.bin",
        "Type.parquet",
        "TypeProperty.parquet",
        "ParentType.parquet",
    }
    reader = store._reader
    assert isinstance(reader, ArchiveReader)
    assert reader._lookup is not None
    assert len(trace.tables["Artifact"]) + len(trace.tables["Execution"]) == 11
    for name in ("Artifact", "Event"):
        path = str(folder / f"{name}.parquet")
        decoded = [key for key in reader._lookup._groups if path in repr(key)]
        assert 0 < len(decoded) <= 4 < pq.ParquetFile(path).num_row_groups, name
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
@pytest.mark.parametrize("name", ["tfx_local", "kfp1_emulated"])
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
@pytest.mark.parametrize("name", ["kfp1_emulated", "kfp2_emulated"])
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
    assert json.loads((again / "manifest.json").read_text())["format_version"] == 3


@pytest.mark.parametrize("name", ["Event.parquet", "graph.incoming.arrow", "checksums.bin"])
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
        _ = ml.connect(copy).upstream(CHAINS * LENGTH // 2).edges


def kept_with(path: Path, checksums: dict[str, bytes]) -> dict[str, Any]:
    described, checksums[path.name] = archive_writer.kept(path)
    return described


def replaced_file(folder: Path, copy: Path, name: str, table: pa.Table) -> Path:
    """Put another table into a copy of an archive."""
    return changed_file(
        folder, copy, name, lambda path: archive_writer.write_parquet(table, path, None)
    )


def changed_file(folder: Path, copy: Path, name: str, write: Callable[[Path], object]) -> Path:
    """Write another file into a copy of an archive."""
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    write(copy / name)
    manifest = json.loads((copy / "manifest.json").read_text())
    checksums: dict[str, bytes] = {}
    for file in manifest["files"]:
        if file != "checksums.bin":
            manifest["files"][file] |= kept_with(copy / file, checksums)
    (copy / "checksums.bin").write_bytes(b"".join(checksums[file] for file in sorted(checksums)))
    manifest["files"]["checksums.bin"] = kept_with(copy / "checksums.bin", {})
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_a_footer_that_contradicts_its_schema_does_not_end_the_process(
    folder: Path, tmp_path: Path
):
    """In Thrift's compact protocol, the repetition of the column stands before its name."""
    copy = tmp_path / "copy"

    def write(path: Path) -> None:
        content = path.read_bytes()
        changed = content.replace(b"\x25\x02\x18\x03uri", b"\x25\x00\x18\x03uri")
        assert changed != content
        path.write_bytes(changed)

    changed_file(folder, copy, "Artifact.parquet", write)
    ask = f"import mlmd_lineage as ml; ml.connect({str(copy)!r}).upstream({CHAINS}).nodes"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.returncode
    assert "DamagedStoreError" in done.stderr


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
        ml.connect(copy).downstream(2, max_hops=2)


def test_types_of_events_that_their_index_does_not_say(folder: Path, tmp_path: Path):
    """An index leads to the rows, which fuzzing gave types that MLMD does not have."""
    events = pq.read_table(folder / "Event.parquet")
    types = pa.array(np.resize([-1, 8, 2**62], len(events)))
    table = events.set_column(events.column_names.index("type"), "type", types)
    copy = replaced_file(folder, tmp_path / "copy", "Event.parquet", table)
    trace = ml.connect(copy).upstream(CHAINS + 7)
    named = {f"UNKNOWN({number})" for number in (-1, 8, 2**62)}
    assert len(trace.edges) > 0
    assert set(trace.edges["type"]) <= named
    assert {edge["type"] for edge in json.loads(trace.to_json())["edges"]} <= named


def test_no_more_is_kept_than_is_allowed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mlmd_lineage.readers.archive_lookup._KEPT_BLOCKS", 1)
    monkeypatch.setattr("mlmd_lineage.readers.archive_lookup._KEPT_GROUPS", 1)
    store = ml.connect(folder)
    reader = store._reader
    assert isinstance(reader, ArchiveReader)
    assert len(store.upstream(5 * CHAINS + 7).nodes) == 11
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


@pytest.mark.parametrize("name", ["tfx_local", "zenml_0132"])
def test_a_saved_graph_is_the_one_that_would_be_built(
    name: str, shared_stores: Path, tmp_path: Path
):
    snapshot = ml.connect(shared_stores / f"{name}.db").snapshot()
    saved = ml.connect(snapshot.save(tmp_path / "new")).lineage()
    built = ml.connect(without_indexes(snapshot, tmp_path / "old")).lineage()
    assert "_whole" not in vars(saved.tables)
    for number in snapshot.artifacts["id"].to_pylist()[::19]:
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


def rewritten(folder: Path, copy: Path, name: str, change: Any) -> ml.Store:
    """Return a copy of an archive in which the columns of a file of its graph are others."""
    with pa.ipc.open_file(folder / name) as file:
        schema = file.schema
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
    made = []
    for batch in batches:
        columns = dict(zip(schema.names, batch.columns, strict=True))
        made.append(pa.RecordBatch.from_pydict(change(columns), schema=schema))
    return ml.connect(
        changed_file(
            folder, copy, name, lambda path: archive_writer.write_batches(schema, made, path)
        )
    )


def shifted(column: str, difference: int) -> Any:
    def change(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        values = columns[column].to_numpy() + difference
        return {**columns, column: pa.array(values, columns[column].type)}

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("incoming", shifted("neighbour", 10**8)),
        ("incoming", shifted("neighbour", -(10**8))),
        ("incoming", shifted("edge", 10**8)),
        ("incoming", shifted("role", 100)),
        ("incoming", lambda columns: {name: part[1:] for name, part in columns.items()}),
        ("nodes", shifted("incoming", 1)),
        ("nodes", shifted("id", 1)),
        ("nodes", lambda columns: {**columns, "id": columns["id"][::-1]}),
        ("nodes", lambda columns: {name: part[1:] for name, part in columns.items()}),
        ("blocks", shifted("incoming", 1)),
        ("blocks", shifted("in_neighbour", -(10**8))),
        ("blocks", lambda columns: {name: part[1:] for name, part in columns.items()}),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_graph_that_nobody_wrote_is_refused(
    folder: Path, tmp_path: Path, name: str, change: Any, *, whole: bool
):
    store = rewritten(folder, tmp_path / "copy", f"graph.{name}.arrow", change)
    ask = store.lineage if whole else functools.partial(store.upstream, 5 * CHAINS + 7)
    with pytest.raises(ml.errors.DamagedStoreError, match="damaged"):
        ask().to_pandas()


@pytest.mark.parametrize("name", ["blocks", "nodes", "incoming"])
def test_a_graph_of_few_bytes_takes_little_memory(folder: Path, tmp_path: Path, name: str):
    """Zstandard makes a ten thousandth of zeros, and Arrow takes the memory of all of them."""
    rows, file = 4_000_000, f"graph.{name}.arrow"

    def bomb(path: Path) -> None:
        with pa.ipc.open_file(path) as opened:
            schema = opened.schema
        zeros = [pa.array(np.zeros(rows, f.type.to_pandas_dtype()), f.type) for f in schema]
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, schema, options=options) as w,
        ):
            w.write_batch(pa.record_batch(zeros, schema=schema))
        assert path.stat().st_size < 100_000

    store = ml.connect(changed_file(folder, tmp_path / "copy", file, bomb))
    before = pa.total_allocated_bytes()
    for ask in (store.lineage, functools.partial(store.upstream, 5 * CHAINS + 7)):
        with pytest.raises(ml.errors.DamagedStoreError, match=r"not plausible|damaged"):
            ask().to_pandas()
        assert pa.total_allocated_bytes() - before < 10_000_000


@pytest.mark.parametrize("at", [-10, -14, -40, -60, -100, -200, 8, 12, 40, 100, 300])
@pytest.mark.parametrize("number", [b"\xff" * 4, b"\0" * 4, b"\x7f\0\0\0", b"\0\0\0\x7f"])
def test_arrow_files_with_any_lengths_are_refused_or_read(at: int, number: bytes):
    sink = pa.BufferOutputStream()
    batch = pa.record_batch({"id": np.arange(1000), "role": np.zeros(1000, np.uint8)})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    raw = bytearray(sink.getvalue().to_pybytes())
    assert arrow_file.ArrowFile(Path("a"), memory_file(bytes(raw))).all().num_rows == 2000
    start = at % len(raw)
    raw[start : start + 4] = number
    with contextlib.suppress(ml.errors.DamagedStoreError), parquet.reading(Path("a")):
        file = arrow_file.ArrowFile(Path("a"), memory_file(bytes(raw)))
        assert file.all().num_rows <= 2000
        for each in range(2):
            assert file.batch(each).num_rows <= 1000


def memory_file(raw: bytes) -> BlockFile:
    class Files(FolderFiles):
        def read_range(self, name: str, start: int, length: int) -> bytes:
            del name
            return raw[start : start + length]

    blocks = [raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES)]
    digests = b"".join(hashlib.sha256(block).digest() for block in blocks)
    return BlockFile(Files(Path("x")), "a", len(raw), digests, BoundedCache(1 << 20))


def test_an_edge_that_is_there_twice_is_refused(folder: Path, tmp_path: Path):
    def twice(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
        return {**columns, "edge": pa.array(columns["edge"].to_numpy() * 0, pa.int32())}

    store = rewritten(folder, tmp_path / "copy", "graph.outgoing.arrow", twice)
    with pytest.raises(ml.errors.DamagedStoreError, match="an edge is missing"):
        _ = store.lineage().index.targets


@pytest.mark.parametrize("later", [False, True])
def test_a_walk_reads_the_blocks_that_it_meets(tmp_path: Path, *, later: bool):
    snapshot, length = chains(400), 400
    folder = snapshot.save(tmp_path / "archive")
    graph, built = ml.connect(folder).lineage(), LineageGraph(GraphTables(snapshot))
    index = graph.index
    assert isinstance(index, StoredIndex)
    for up in (True, False):
        node = 5 * CHAINS + 7 if up else CHAINS * (length - 5) + 7
        ask = "upstream" if up else "downstream"
        found = getattr(graph, ask)(node, later=later)
        assert found.nodes.equals(getattr(built, ask)(node, later=later).nodes)
        present = index._directions[up].present
        assert 0 < present.sum() < len(present)
    assert (index.sources == built.index.sources).all()
    assert (index.targets == built.index.targets).all()
    assert (index.roles == built.index.roles).all()


def test_ids_with_gaps_are_found(tmp_path: Path):
    tables = {name: chains()[name] for name in ALL_TABLES}
    for name, column in (("Artifact", "id"), ("Event", "artifact_id")):
        table = tables[name]
        at = table.column_names.index(column)
        ids = table[column].to_numpy()
        tables[name] = table.set_column(at, table.schema.field(at), [pa.array(3 * ids)])
    snapshot = Snapshot.of(Tables(tables, source="gaps"))
    saved, node = ml.connect(snapshot.save(tmp_path / "archive")), 3 * (5 * CHAINS + 7)
    built = LineageGraph(GraphTables(snapshot))
    assert saved.upstream(node).nodes.equals(built.upstream(node).nodes)
    with pytest.raises(ml.errors.NotFoundError, match=f"no artifact/{node + 1} in"):
        saved.upstream(node + 1)


def test_an_answer_follows_into_another_process(folder: Path):
    trace = ml.connect(folder).upstream(5 * CHAINS + 7)
    again = pickle.loads(pickle.dumps(trace))  # noqa: S301 - ours
    assert again.nodes.equals(trace.nodes)
    assert again.tables["Attribution"].num_rows == 0


def test_a_graph_of_format_2_is_built_anew(folder: Path, tmp_path: Path):
    old = tmp_path / "old"
    old.mkdir()
    for path in folder.iterdir():
        (old / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((old / "manifest.json").read_text())
    manifest["format_version"] = 2
    manifest["graph"] = {"graph.nodes": "graph.nodes.parquet"}
    for described in manifest["files"].values():
        described.pop("keys", None)
    (old / "manifest.json").write_text(json.dumps(manifest))
    store, node = ml.connect(old), 5 * CHAINS + 7
    expected = ml.connect(folder).upstream(node)
    assert store.upstream(node).nodes.equals(expected.nodes)
    assert isinstance(store.lineage().tables, GraphTables)
    assert store.lineage().upstream(node).nodes.equals(expected.nodes)
