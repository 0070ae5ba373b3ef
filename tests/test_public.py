from __future__ import annotations

import copy
import inspect
import pickle
from pathlib import Path

import pytest

import mlmd_lineage as ml

PACKAGE = Path(ml.__file__).parent
DEMO_STORE = PACKAGE / "data" / "tfx_local.db"
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


def test_what_is_loaded_from_a_pickle_takes_its_password_from_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
):
    store = ml.MySQLMetadataStore(host="h", database="d", username="u", password=PASSWORD)
    assert copy.deepcopy(store) == copy.copy(store) == store
    for pickled in (pickle.dumps(store), pickle.dumps(ml.connect(store))):
        assert PASSWORD.encode() not in pickled
    loaded = pickle.loads(pickle.dumps(ml.connect(store)))  # noqa: S301 - our own bytes
    assert loaded.location == store.location()
    assert loaded.metadata_store.password is None
    monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", "another")
    loaded = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert loaded.password.get_secret_value() == "another"
    assert loaded.model_copy(update={"password": store.password}) == store


def test_a_store_that_was_used_can_be_pickled():
    store = ml.connect(DEMO_STORE)
    assert len(store.frames.events()) == 136
    loaded = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
    assert len(loaded.upstream(43)) == len(store.upstream(43)) == 12


@pytest.mark.parametrize("properties", [False, True])
def test_graphs_and_traces_can_be_pickled(properties: bool):  # noqa: FBT001 - a parameter
    store = ml.connect(DEMO_STORE)
    graph = store.lineage(properties=properties)
    for before in (graph, graph.upstream(43), store.downstream(1, max_hops=2)):
        after = pickle.loads(pickle.dumps(before))  # noqa: S301 - our own bytes
        assert after.to_json() == before.to_json()
        node = list(before)[-1]
        assert list(after.upstream(node)) == list(before.upstream(node))


def test_findings_are_plain_values():
    finding = ml.Finding("missing_artifact", "artifact/7", "event 12 names it")
    assert pickle.loads(pickle.dumps(finding)) == finding  # noqa: S301 - our own bytes
    assert str(finding) == "artifact/7: event 12 names it (missing_artifact)"
    assert finding < ml.Finding("missing_event", "event/1", "")
    assert len({finding, copy.copy(finding)}) == 1


def test_all_is_sorted_and_nothing_else_is_public():
    assert sorted(set(ml.__all__)) == ml.__all__
    extra = {name for name in dir(ml) if not name.startswith("_")} - set(ml.__all__)
    # Rooms of the package show once they were imported.
    assert extra <= {path.stem for path in PACKAGE.iterdir()} | {
        "annotations",
        "importlib",
        "TYPE_CHECKING",
        "Any",
    }


def test_type_checkers_do_not_see_getattr():
    # tests/typed_usage.py holds what they have to find.
    source = Path(ml.__file__).read_text(encoding="utf-8")
    assert "\ndef __getattr__" not in source


@pytest.mark.parametrize("thing", [ml.Store, ml.LineageGraph, ml.Snapshot, ml.connect])
def test_what_users_call_first_shows_an_example(thing: object):
    assert ">>>" in (inspect.getdoc(thing) or "")


def test_errors_survive_pickling():
    for name, thing in vars(ml.errors).items():
        if inspect.isclass(thing) and issubclass(thing, ml.MLMDLineageError):
            error = pickle.loads(pickle.dumps(thing("said")))  # noqa: S301 - our own bytes
            assert type(error) is thing, name
            assert str(error) == "said"
