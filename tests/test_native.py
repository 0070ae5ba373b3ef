"""Opening a store with MLMD's own library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage.native import MISSING

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"

NATIVE = """
import sys
import mlmd_lineage as ml
store = ml.connect(sys.argv[1])
try:
    native = store.native()
except ml.MLMDLineageError as error:
    print(type(error).__name__, error)
else:
    # Beside a native store another process reads, and sees what was written.
    print(len(native.get_artifacts()), len(store.frames.events()), len(store.upstream(43)))
    from ml_metadata.proto import metadata_store_pb2 as pb
    native.put_artifact_type(pb.ArtifactType(name="New"))
    print("New" in store.frames.types()["name"].tolist())
"""


def run(path: Path, code: str = NATIVE) -> str:
    """Run code in a process of its own: the native library aborts where it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.native
def test_a_store_is_opened_for_writing(tmp_path: Path):
    path = tmp_path / "metadata.db"
    shutil.copyfile(DEMO_STORE, path)
    assert run(path).split("\n")[:2] == ["47 136 12", "True"]


MIGRATING = """
import sys, warnings
import mlmd_lineage as ml
store = ml.connect(sys.argv[1])
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    native = store.native()
print([str(t.message) for t in told if t.filename == "<string>"])
from ml_metadata.proto import metadata_store_pb2 as pb
native.put_artifact_type(pb.ArtifactType(name="New"))
print("New" in store.frames.types()["name"].tolist(), store.snapshot().schema_version)
"""


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.parametrize("version", [5, 8])
def test_an_old_store_is_migrated_after_a_backup_and_says_so(tmp_path: Path, version: int):
    path = sqlite_stores.new_store(tmp_path / "old.db", version=version)
    types = len(ml.connect(path).frames.types())
    told, migrated = run(path, MIGRATING).splitlines()
    copy = path.with_name(f"old.db.schema-{version}.backup")
    assert f"has MLMD schema version {version}, and is migrated" in told
    assert str(copy) in told
    assert migrated == "True 10"
    kept = ml.connect(copy)
    assert (kept.snapshot().schema_version, len(kept.frames.types())) == (version, types)


@pytest.mark.native
@pytest.mark.parametrize("version", [5, 8])
def test_an_old_store_is_refused_where_migrating_is_not_allowed(tmp_path: Path, version: int):
    path = sqlite_stores.new_store(tmp_path / "old.db", version=version)
    before = sqlite_stores.state_of(path)
    opening = "ml.SQLiteMetadataStore(uri=sys.argv[1], upgrade_migration_enabled=False)"
    said = run(path, NATIVE.replace("ml.connect(sys.argv[1])", f"ml.connect({opening})"))
    assert said.startswith("NativeLibraryError")
    assert f"schema version {version}" in said
    assert sqlite_stores.state_of(path) == before


@pytest.mark.native
def test_a_foreign_database_is_given_no_tables(tmp_path: Path):
    path = tmp_path / "foreign.db"
    sqlite_stores.change(path, "CREATE TABLE mine (id INTEGER)")
    before = sqlite_stores.state_of(path)
    assert run(path).startswith("NotAMetadataStoreError")
    assert sqlite_stores.state_of(path) == before


@pytest.mark.native
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path):
    assert run(tmp_path / "none.db").startswith("StoreNotFoundError")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_never_opened(tmp_path: Path):
    archive = ml.connect(ml.connect(DEMO_STORE).snapshot().save(tmp_path / "archive"))
    with pytest.raises(ml.errors.ConfigurationError, match="ml_metadata cannot open"):
        archive.native()


def test_where_the_library_is_not_installed_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ml_metadata", None)
    with pytest.raises(ml.errors.NativeLibraryError, match="reading does not") as caught:
        ml.connect(DEMO_STORE).native()
    assert str(caught.value) == MISSING


@pytest.mark.native
def test_reading_never_imports_the_library_not_even_for_a_flavor_of_ones_own():
    code = """
import sys
import mlmd_lineage as ml

class TeamStore(ml.BaseMetadataStore):
    FLAVOR = "team"
    path: str

    def connection_config(self):
        return ml.SQLiteMetadataStore(uri=self.path).connection_config()

store = ml.connect(TeamStore(path=sys.argv[1]))
print(len(store.lineage()), len(store.upstream(43)), "ml_metadata" in sys.modules)
print(type(store.metadata_store.connection_config()).__module__)
"""
    assert run(DEMO_STORE, code).split() == [
        "104",
        "12",
        "False",
        "ml_metadata.proto.metadata_store_pb2",
    ]
