from __future__ import annotations

import hashlib
import itertools
import json
import operator
import subprocess
import sys
from pathlib import Path
from typing import Any

import odd_stores
import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage import snapshot as snapshot_modules
from mlmd_lineage.snapshot.archive import canonical
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.snapshot.values import values_by_owner
from mlmd_lineage.testing import InMemoryStore

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return ml.connect(DEMO_STORE).snapshot().save(tmp_path / "archive")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_an_archive_answers_what_the_store_does(archive: Path):
    store, saved = ml.connect(DEMO_STORE), ml.connect(archive)
    before, after = store.snapshot(), saved.snapshot()
    for name in before.names:
        assert canonical(name, before[name]).equals(canonical(name, after[name])), name
    assert after.schema_version == before.schema_version
    assert after.findings == before.findings
    for node in ("artifact/43", "execution/5"):
        for flags in ({}, {"reuse": True, "internal": True}, {"max_hops": 2}):
            assert saved.upstream(node, **flags).nodes.equals(store.upstream(node, **flags).nodes)
            assert saved.downstream(node, **flags).edges.equals(
                store.downstream(node, **flags).edges
            )
    wide = {"type": "PushedModel", "properties": True}
    assert saved.frames.artifacts(**wide).equals(store.frames.artifacts(**wide))


def test_the_same_snapshot_gives_the_same_bytes(archive: Path, tmp_path: Path):
    snapshot = ml.connect(archive).snapshot()
    again = snapshot.save(tmp_path / "again")
    assert digests(again) == digests(archive)


@pytest.mark.slow
def test_an_archive_needs_no_database_driver(archive: Path):
    code = (
        "import sys\n"
        "for name in ('ml_metadata', 'adbc_driver_sqlite', 'adbc_driver_manager', 'pymysql'):\n"
        "    sys.modules[name] = None\n"
        "import mlmd_lineage as ml\n"
        f"store = ml.connect({str(archive)!r})\n"
        "print(len(store.upstream('artifact/43')), len(store.lineage()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["12", "104"]


@pytest.mark.slow
def test_an_answer_from_the_graph_needs_neither_parquet_nor_compute(archive: Path):
    code = (
        "import sys\n"
        "for name in ('pandas', 'pyarrow.compute', 'pyarrow.parquet'):\n"
        "    sys.modules[name] = None\n"
        "import mlmd_lineage as ml\n"
        f"print(len(ml.connect({str(archive)!r}).upstream('artifact/43')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["12"]


def test_a_changed_file_is_refused(archive: Path):
    path = archive / "Event.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ml.errors.DamagedStoreError, match=r"Event\.parquet"):
        ml.connect(archive).snapshot()


def test_a_missing_file_is_missed(archive: Path):
    (archive / "Artifact.parquet").unlink()
    with pytest.raises(ml.errors.DamagedStoreError, match=r"Artifact\.parquet"):
        ml.connect(archive).snapshot()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format_version": 99}, ml.errors.UnsupportedSchemaError),
        ({"format": "something else"}, ml.errors.NotAMetadataStoreError),
    ],
)
def test_a_foreign_manifest_is_refused(
    archive: Path, change: dict[str, object], error: type[Exception]
):
    path = archive / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error):
        ml.connect(archive).snapshot()


def test_a_manifest_that_is_no_json_is_refused(archive: Path):
    (archive / "manifest.json").write_text("{")
    with pytest.raises(ml.errors.DamagedStoreError, match="JSON"):
        ml.connect(archive).snapshot()


def test_what_is_there_is_not_written_over(archive: Path, tmp_path: Path):
    snapshot = ml.connect(DEMO_STORE).snapshot()
    before = digests(archive)
    with pytest.raises(ml.errors.ConfigurationError, match="not an empty folder"):
        snapshot.save(archive)
    assert digests(archive) == before
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ml.errors.ConfigurationError):
        snapshot.save(file)
    assert file.read_text() == "mine"


def test_a_save_that_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    snapshot = ml.connect(DEMO_STORE).snapshot()
    monkeypatch.setattr("mlmd_lineage.snapshot.archive.json.dumps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        snapshot.save(tmp_path / "archive")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_no_database(archive: Path):
    with pytest.raises(ml.errors.ConfigurationError, match="archive"):
        ml.connect(archive).metadata_store.connection_config()


def tables(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests(folder).items() if name != "manifest.json"}


def test_the_order_in_which_a_database_keeps_its_rows_does_not_show(tmp_path: Path):
    path = odd_stores.odd(tmp_path / "odd.db")
    before = ml.connect(path).snapshot().save(tmp_path / "before")
    with sqlite_stores.connected(path) as connection:
        for table in SCHEMAS:
            if table != "EventPath":  # the order of its rows means something
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[::-1])  # noqa: S608
    after = ml.connect(path).snapshot().save(tmp_path / "after")
    assert tables(after) == tables(before)


def test_an_archive_of_an_archive_is_the_same(tmp_path: Path):
    store = ml.connect(odd_stores.odd(tmp_path / "odd.db"))
    snapshot = store.snapshot()
    first = snapshot.save(tmp_path / "first")
    second = ml.connect(first).snapshot().save(tmp_path / "second")
    assert digests(first) == digests(second)
    assert digests(snapshot.save(tmp_path / "third")) == digests(first)
    (tmp_path / "fourth").mkdir()  # empty
    assert digests(snapshot.save(tmp_path / "fourth")) == digests(first)


def test_every_kind_of_value_and_every_finding_survives(tmp_path: Path):
    path = odd_stores.odd(tmp_path / "odd.db")
    sqlite_stores.change(
        path,
        "UPDATE Artifact SET name = CAST(x'ff41' AS TEXT) WHERE id = 4",
        "UPDATE ArtifactProperty SET int_value = 'seven' WHERE artifact_id = 1 AND name = 'int'",
    )
    snapshot = ml.connect(path).snapshot()
    saved = ml.connect(snapshot.save(tmp_path / "archive")).snapshot()
    for name in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
        assert values_by_owner(saved[name]) == values_by_owner(snapshot[name])
    assert saved.findings == snapshot.findings
    # Some of them only the reader of the database could see.
    assert {"invalid_text", "wrong_type", "null_property", "invalid_struct"} <= {
        finding.code for finding in saved.findings
    }
    for name in saved.names:
        assert saved[name].schema.equals(SCHEMAS[name])


@pytest.mark.parametrize("key", ["files", "schema_version", "taken_at", "source"])
@pytest.mark.parametrize("value", [None, "nonsense", []])
def test_a_manifest_that_lacks_something_is_damaged(archive: Path, key: str, value: object):
    path = archive / "manifest.json"
    content = json.loads(path.read_text())
    if key == "source":
        del content[key]
    else:
        content[key] = value
    path.write_text(json.dumps(content))
    for ask in (lambda s: s.snapshot(), lambda s: s.upstream(1)):
        with pytest.raises(ml.errors.DamagedStoreError, match="manifest"):
            ask(ml.connect(archive))


def test_a_table_that_is_no_parquet_is_damaged_even_if_it_is_described_so(archive: Path):
    path, manifest = archive / "Event.parquet", archive / "manifest.json"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"no parquet")
    text = manifest.read_text().replace(before, hashlib.sha256(b"no parquet").hexdigest())
    manifest.write_text(text)
    with pytest.raises(ml.errors.DamagedStoreError, match=r"Event\.parquet"):
        ml.connect(archive).snapshot()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ml.errors.ConfigurationError, match="written"):
        ml.connect(DEMO_STORE).snapshot().save(file / "archive")
    assert file.read_text() == "mine"


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    snapshot = ml.connect(DEMO_STORE).snapshot()
    monkeypatch.setattr("mlmd_lineage.snapshot.archive_writer.write_parquet", full)
    with pytest.raises(ml.errors.ConfigurationError, match="No space left"):
        snapshot.save(tmp_path / "archive")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left"), OSError(5, "I/O"), MemoryError()])
@pytest.mark.parametrize(
    "call",
    [
        "archive_writer.write_parquet",
        "archive_writer.os.fsync",
        "archive_writer.hashlib.sha256",
        "archive.json.dumps",
    ],
)
@pytest.mark.parametrize("fails", [1, 2, 28])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fails: int, error: Exception
):
    snapshot = InMemoryStore().snapshot()
    works = operator.attrgetter(call)(snapshot_modules)
    calls = itertools.count(1)

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(calls) != fails:
            return works(*arguments, **options)
        if call.endswith("write_parquet"):
            arguments[1].write_bytes(b"half a table")
        raise error

    monkeypatch.setattr(f"mlmd_lineage.snapshot.{call}", failing)
    target = tmp_path / "archive"
    target.mkdir()
    try:
        snapshot.save(target)
    except (ml.errors.ConfigurationError, MemoryError):
        assert next(calls) > fails
        assert sorted(tmp_path.rglob("*")) in ([], [target])
    else:
        assert next(calls) <= fails
        monkeypatch.undo()
        assert ml.connect(target).snapshot().artifacts.num_rows == 0
        return
    monkeypatch.undo()
    assert ml.connect(snapshot.save(target)).snapshot().artifacts.num_rows == 0


def test_single_rows_are_found_by_any_column(archive: Path):
    reader = ml.connect(archive)._reader
    store = ml.connect(DEMO_STORE)._reader
    for table, where in (
        ("Artifact", {"id": [3, 1, 10**20]}),
        ("Artifact", {"name": ["", "no such name"]}),
        ("Artifact", {"uri": ["no such uri"], "type_id": [1]}),
        ("Event", {"artifact_id": list(range(1, 50)), "type": (3, 4)}),
        ("Event", {"artifact_id": []}),
        ("ArtifactProperty", {"artifact_id": [1, 2], "name": ["split_names"]}),
        ("Type", {}),
    ):
        found, expected = (
            r.ask(lambda session, table=table, where=where: session.fetch(table, where))
            for r in (reader, store)
        )
        assert sorted(found, key=repr) == sorted(expected, key=repr), (table, where)
