"""The path of a store that is there means the same with and without the class of its flavor."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mlmd_lineage as ml
from mlmd_lineage.stores import metadata_store_from
from mlmd_lineage.stores.local_paths import local_store

PATHS = [
    "metadata.db",
    "./odd: name?#.db",
    "mysql:nothing",
    "password=x.db",
    "archive",
    "~/home.db",
    "run.bundle",
    "run.zip",
]


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for path in PATHS:
        if path != "archive":
            Path(path).expanduser().touch()
    Path("archive").mkdir()
    Path("archive/manifest.json").touch()


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_the_store_that_its_flavor_makes_of_it(path: str, kind: type[str | Path]):
    target = kind(path)
    found, expected = local_store(target), metadata_store_from(target)
    assert found is not None
    assert found.metadata_store() == expected
    assert (found.path, found.FLAVOR) == (expected.local_path, expected.FLAVOR)
    assert found.location() == expected.location()
    for name in ("url", "as_of", "busy_timeout"):
        if hasattr(expected, name):
            assert getattr(found, name) == getattr(expected, name)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize(
    "target",
    [
        "missing.db",
        "sqlite:///metadata.db",
        "file:metadata.db",
        "FILE:metadata.db",
        "s3://bucket/archive",
        ":memory:",
        "run.json",
        ".",
        "",
        "nul\0",
    ],
)
def test_what_is_no_path_of_a_store_takes_a_closer_look(target: str):
    Path("run.json").touch()
    assert local_store(target) is None


@pytest.mark.usefixtures("_folder")
def test_the_store_of_a_path_knows_its_metadata_store():
    store = ml.connect("./metadata.db")
    assert repr(store) == "<Store sqlite: ./metadata.db>"
    kept = pickle.loads(pickle.dumps(store))  # noqa: S301 - made here
    assert store.metadata_store == ml.SQLiteMetadataStore(uri="./metadata.db")
    assert kept.metadata_store == store.metadata_store


def test_a_small_answer_does_without_what_takes_long_to_import(tmp_path: Path):
    store = Path(ml.__file__).parent / "data" / "tfx_local.db"
    ml.connect(store).snapshot().save(tmp_path / "archive")
    for path in (store, tmp_path / "archive"):
        code = (
            "import sys, mlmd_lineage as ml\n"
            f"assert len(ml.connect(r'{path}').upstream('artifact/1'))\n"
            "print({'pydantic', 'pandas', 'networkx', 'ml_metadata'} & sys.modules.keys())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        assert done.stdout == "set()\n", path
