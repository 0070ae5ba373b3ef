from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mlmd_lineage as ml

ROOT = Path(__file__).parents[1]
PASSWORD = "pl9-cannot-be-guessed"


@pytest.mark.parametrize("name", ml.__all__)
def test_what_is_public_is_there_and_says_what_it_is(name: str):
    thing = getattr(ml, name)
    assert inspect.getdoc(thing)
    assert name in dir(ml)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        ml.nonsense  # noqa: B018 - asking is the test


@pytest.mark.parametrize("thing", [ml.Store, ml.LineageGraph, ml.Trace, ml.Snapshot])
def test_every_public_method_says_what_it_does(thing: type):
    for name, member in inspect.getmembers(thing):
        if not name.startswith("_") and not inspect.ismemberdescriptor(member):
            assert inspect.getdoc(member), f"{thing.__name__}.{name}"


@pytest.mark.parametrize(
    "store",
    [
        ml.MySQLMetadataStore(host="h", database="d", username="u", password=PASSWORD),
        ml.PostgreSQLMetadataStore(host="h", database="d", username="u", password=PASSWORD),
    ],
    ids=lambda store: store.FLAVOR,
)
def test_a_password_does_not_show(store: ml.BaseMetadataStore):
    connected = ml.connect(store)
    for shown in (repr(store), str(store), f"{store}", repr(connected), store.location()):
        assert PASSWORD not in shown
    assert PASSWORD.encode() not in pickle.dumps(store)
    assert PASSWORD not in store.model_dump_json()
    assert PASSWORD not in repr(copy.deepcopy(store))


def test_errors_survive_pickling():
    for name, thing in vars(ml.errors).items():
        if inspect.isclass(thing) and issubclass(thing, ml.MLMDLineageError):
            error = pickle.loads(pickle.dumps(thing("said")))  # noqa: S301 - our own bytes
            assert type(error) is thing, name
            assert str(error) == "said"


def test_the_public_face_has_types():
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/typed_usage.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named mypy" in done.stderr:
        pytest.skip("mypy is not installed")
    assert done.returncode == 0, done.stdout
