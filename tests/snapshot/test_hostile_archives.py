"""Archives that strangers made: refused by errors of ours, with little time and memory."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    store = InMemoryStore()
    data = store.put_artifact("Examples", uri="s3://bucket/data", properties={"span": 1})
    store.put_execution("Trainer", inputs={"examples": data})
    return store.snapshot().save(tmp_path / "archive")


def replaced(archive: Path, name: str, table: pa.Table, rows: int | None = None) -> None:
    """Put another table into an archive, as the manifest describes it."""
    path = archive / f"{name}.parquet"
    pq.write_table(table, path, compression="zstd")
    described(archive, path.name, table.num_rows if rows is None else rows)


def described(archive: Path, name: str, rows: int) -> None:
    manifest = json.loads((archive / "manifest.json").read_text())
    digest = hashlib.sha256((archive / name).read_bytes()).hexdigest()
    manifest["files"][name] |= {"rows": rows, "sha256": digest}
    (archive / "manifest.json").write_text(json.dumps(manifest))


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as a table whose texts are plain, as an archive has them."""
    fields = [
        pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type)
        for f in SCHEMAS[name]
    ]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def test_the_number_of_rows_is_checked(archive: Path):
    replaced(archive, "Event", table_of("Event", []), rows=1)
    with pytest.raises(ml.errors.DamagedStoreError, match=r"has 0 rows, and .* says 1"):
        ml.connect(archive).snapshot()


def test_rows_that_cannot_be_in_so_few_bytes(archive: Path):
    count = 3_000_000
    columns = {name: pa.nulls(count, pa.int64()) for name in SCHEMAS["Event"].names}
    replaced(archive, "Event", pa.table(columns))
    assert (archive / "Event.parquet").stat().st_size < 50_000
    with pytest.raises(ml.errors.DamagedStoreError, match="cannot be 3,000,000 rows"):
        ml.connect(archive).snapshot()


def test_a_long_text_that_very_many_rows_share(archive: Path):
    count = 60_000
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["x" * 1_000_000])
    columns = {
        field.name: texts
        if field.name == "uri"
        else pa.array(range(count))
        if field.name == "id"
        else pa.nulls(count, pa.string() if pa.types.is_string(field.type) else field.type)
        for field in SCHEMAS["Artifact"]
    }
    replaced(archive, "Artifact", pa.table(columns))
    assert (archive / "Artifact.parquet").stat().st_size < 1_000_000
    with pytest.raises(ml.errors.DamagedStoreError, match=r"60,000,000,000 bytes of memory"):
        ml.connect(archive).snapshot()


def test_keys_that_are_null_and_ids_that_come_twice(archive: Path):
    event = {"artifact_id": 1, "execution_id": 2, "type": 3}
    rows = [{"id": 1, **event}, {"id": 1, **event}, {"id": None, **event, "artifact_id": None}]
    replaced(archive, "Event", table_of("Event", rows))
    snapshot = ml.connect(archive).snapshot()
    assert snapshot.events["id"].to_pylist() == [0, 1]
    codes = {finding.code for finding in snapshot.findings}
    assert {"null_key", "duplicate_id"} <= codes
    assert len(ml.connect(archive).lineage()) > 0


def test_texts_that_are_not_utf8(archive: Path):
    table = ml.connect(archive).snapshot().artifacts
    bad = pa.array([b"\xff\xfe"], pa.large_binary()).view(pa.large_string())
    number = table.schema.get_field_index("uri")
    replaced(archive, "Artifact", table.set_column(number, "uri", bad))
    with pytest.raises(ml.errors.DamagedStoreError, match="cannot be read"):
        ml.connect(archive).snapshot()


@pytest.mark.parametrize("note", ["{", "[" * 100_000, '[["a"]]', "[1]", '{"a": 1}'])
def test_notes_that_nobody_wrote(archive: Path, note: str):
    table = ml.connect(archive).snapshot().types
    metadata = {b"mlmd_lineage.notes": note.encode()}
    replaced(archive, "Type", table.replace_schema_metadata(metadata))
    with pytest.raises(ml.errors.DamagedStoreError, match="cannot be read"):
        ml.connect(archive).snapshot()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "\ufeff{}", "1" * 10_000, "9" * 2_000_000],
    ids=["deep list", "deep object", "mark", "long number", "large"],
)
def test_manifests_that_nobody_wrote(archive: Path, text: str):
    (archive / "manifest.json").write_text(text)
    with pytest.raises((ml.errors.DamagedStoreError, ml.errors.NotAMetadataStoreError)):
        ml.connect(archive).snapshot()


@pytest.mark.skipif(os.name == "nt", reason="files as POSIX knows them")
@pytest.mark.parametrize("name", ["manifest.json", "Event.parquet"])
def test_only_regular_files_are_read(archive: Path, name: str):
    store = ml.connect(archive)
    (archive / name).unlink()
    os.mkfifo(archive / name)
    with pytest.raises(ml.errors.DamagedStoreError, match="no regular file"):
        store.snapshot()
    (archive / name).unlink()
    (archive / name).symlink_to("/dev/zero")
    with pytest.raises(ml.errors.DamagedStoreError, match="no regular file"):
        store.snapshot()


def test_names_are_decoded_in_the_memory_that_they_take():
    few = pa.DictionaryArray.from_arrays(pa.array([0, None] * 30_000 + [1]), ["a", "x" * 1_000_000])
    found = arrays.decoded(few)
    assert found.equals(pa.array(["a", None] * 30_000 + ["x" * 1_000_000]))
    assert arrays.decoded(found) is found


def test_values_are_spread_in_the_memory_that_they_take():
    places = [1, 59_999]
    for values in (pa.array(["x" * 1_000_000, None]), pa.array([b"x" * 1_000_000, b""])):
        found = arrays.spread(values, pa.array(places).to_numpy(), 60_001)
        assert [found[n].as_py() for n in places] == values.to_pylist()
        assert found.null_count == 60_001 - (2 - values.null_count)
        found.validate(full=True)
    flags = arrays.spread(pa.array([True]), pa.array([2]).to_numpy(), 3)
    assert flags.to_pylist() == [None, None, True]


TERMINATED = """
import os, signal, sys
import mlmd_lineage as ml
from mlmd_lineage.snapshot import archive_writer

snapshot = ml.connect(sys.argv[1]).snapshot()
write, count = archive_writer.write_parquet, 0

def killing(*arguments, **options):
    global count
    count += 1
    if count == 5:
        os.kill(os.getpid(), signal.SIGTERM)
    write(*arguments, **options)

archive_writer.write_parquet = killing
snapshot.save(sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX knows them")
def test_a_process_that_is_terminated_leaves_no_draft(archive: Path, tmp_path: Path):
    target = tmp_path / "new"
    command = [sys.executable, "-c", TERMINATED, str(archive), str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 128 + 15, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]
