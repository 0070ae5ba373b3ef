from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot.archive import canonical

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


def test_a_changed_file_is_refused(archive: Path):
    path = archive / "Event.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ml.errors.DamagedStoreError, match=r"Event\.parquet"):
        ml.connect(archive).lineage()


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
