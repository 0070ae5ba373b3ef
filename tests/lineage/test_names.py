"""What people call nodes: one rule for stores and graphs, for Python and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import odd_stores
import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INPUT, OUTPUT = odd_stores.INPUT, odd_stores.OUTPUT


@pytest.fixture
def tfx(shared_store: Callable[[str], Path]) -> ml.Store:
    return ml.connect(shared_store("tfx_local.db"))


@pytest.mark.parametrize("source", ["store", "graph", "archive"])
def test_one_rule_names_nodes_everywhere(tfx: ml.Store, source: str, tmp_path: Path):
    store: Any = ml.connect(tfx.snapshot().save(tmp_path / "a")) if source == "archive" else tfx
    asked: Any = tfx.lineage() if source == "graph" else store
    model = tfx.frames.artifacts(type="PushedModel", runs=False).iloc[0]
    number = int(model.name)
    expected = list(asked.upstream(f"artifact/{number}"))
    for name in (number, str(number), f" {number} ", model["uri"], f"{model['uri']}/"):
        assert list(asked.upstream(name)) == expected
        assert list(asked.between(name, name)) == [f"artifact/{number}"]
    run = tfx.get_pipelines()[0].runs[0]
    step = run.steps[0]
    assert list(asked.upstream(step)) == list(asked.upstream(step.node_key))
    assert list(asked.downstream(step.output)) == list(asked.downstream(step.output.node_key))
    keys = set(run.node_keys)
    assert keys == {step.node_key for step in run.steps}
    for name in (run, run.node_key, run.name):
        assert set(asked.upstream(name).starts) == keys
        above = set().union(*(asked.upstream(key) for key in keys))
        assert set(asked.upstream(name)) == above
    assert set(asked.between(run, f"artifact/{number}").starts) == keys


@pytest.mark.parametrize("node", [None, [], ["artifact/1"], 1.5, True, b"artifact/1", object()])
def test_what_can_be_no_node_is_told(tfx: ml.Store, node: Any):
    for asked in (tfx, tfx.lineage()):
        for question in (asked.upstream, asked.downstream, lambda n, a=asked: a.between(1, n)):
            with pytest.raises(errors.ConfigurationError, match="is no node"):
                question(node)
    for question in (tfx.find_node, tfx.get_run, tfx.get_pipeline):
        with pytest.raises(errors.ConfigurationError, match="not by"):
            question(node)
    with pytest.raises(errors.ConfigurationError, match="is named by a text"):
        tfx.get_run(5)  # type: ignore[arg-type]


def test_a_name_that_nothing_has_is_told(tfx: ml.Store):
    for asked in (tfx, tfx.lineage()):
        with pytest.raises(errors.NotFoundError, match="Did you mean the type Trainer"):
            asked.upstream("Traner")
        with pytest.raises(errors.ConfigurationError, match="name is empty"):
            asked.upstream(" ")
        with pytest.raises(errors.NotFoundError, match="There is no context/999"):
            asked.upstream("context/999")


def test_an_artifact_of_cmf_is_found_by_its_path(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("real/cmf_getting_started.db"))
    names = store.frames.artifacts(runs=False)["name"].dropna()
    paths = names[names.str.count(":") == 1].str.partition(":")[0]
    single = paths[~paths.duplicated(keep=False)]
    assert len(single) > 2
    for number, path in single.items():
        assert store.find_node(path) == f"artifact/{number}"
        assert store.lineage().position(path) == store.lineage().position(number)
    with pytest.raises(errors.NotFoundError):
        store.find_node(str(single.iloc[0])[:-1])
    several = paths[paths.duplicated()]
    for path in several:
        with pytest.raises(errors.AmbiguousNameError, match="newest first"):
            store.find_node(path)


def test_runs_and_pods_of_kubeflow_are_found(
    shared_store: Callable[[str], Path], shared_cases: Path
):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    frame = store.frames.executions(properties=True)
    pods = frame["custom_properties.pod_name"].dropna()
    pods = pods[(pods != "") & ~pods.duplicated(keep=False)]
    number, pod = next(iter(pods.items()))
    assert store.find_node(pod) == f"execution/{number}"
    found = store.find_executions(f"custom_properties.pod_name.string_value = '{pod}'")
    assert found.index.tolist() == [number]
    run = store.get_pipelines()[0].runs[0]
    assert store.find_node(run.name) == run.node_key
    assert set(store.upstream(run.name).starts) == set(run.node_keys)
    old = ml.connect(shared_cases / "tfx_on_kfp_pods.db")
    values = old.frames.executions(properties=True).filter(like="kfp_pod_name").stack()
    assert len(values)
    for (number, _), pod in values.items():
        assert old.find_node(pod) == f"execution/{number}"


def test_a_short_type_name_means_the_type_that_has_nodes(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    models = store.frames.artifacts(type="Model", runs=False)
    assert set(models["type"]) == {"system.Model"}
    number = int(models.index[-1])
    for asked in (store, store.lineage()):
        short, full = (asked.upstream(number, until=n) for n in ("Model", "system.Model"))
        assert list(short) == list(full)
        several = asked.upstream(number, types=["Model", "Dataset"])
        assert set(several.nodes.query("kind == 'artifact'")["type"]) <= {
            "system.Model",
            "system.Dataset",
        }


def test_type_takes_one_or_several(tfx: ml.Store):
    both = tfx.frames.artifacts(type=["Model", "Examples"], runs=False)
    assert set(both["type"]) == {"Model", "Examples"}
    found = tfx.find_artifacts("id > 0", type=("Model", "Examples"))
    assert found.index.tolist() == both.index.tolist()
    assert len(tfx.frames.artifacts(type={"Model"})) == len(tfx.frames.artifacts(type="Model"))
    for wrong in (5, [5], b"Model"):
        with pytest.raises(errors.ConfigurationError, match="the name of a type, or several"):
            tfx.find_artifacts("id > 0", type=wrong)  # type: ignore[arg-type]
        with pytest.raises(errors.ConfigurationError, match="the name of a type, or several"):
            tfx.frames.executions(type=wrong)  # type: ignore[arg-type]


def test_before_a_node_existed_is_told():
    tables = odd_stores.tables([(1, 1, INPUT), (2, 1, OUTPUT)])
    moment = odd_stores.START + 1
    for asked in (LineageGraph(tables), odd_stores.live(tables)):
        for question in (asked.upstream, asked.downstream):
            with pytest.raises(
                errors.NotFoundError,
                match=r"artifact/2 in memory did not exist yet as of 2020-09-13T12:26:40\.001",
            ):
                question(2, as_of=moment)
        with pytest.raises(errors.NotFoundError, match="did not exist yet"):
            asked.between(1, 2, as_of=moment)
        with pytest.raises(errors.NotFoundError, match="There is no artifact/9"):
            asked.upstream(9, as_of=moment)


def test_an_error_names_the_ids_of_the_store_and_not_those_of_an_answer():
    graph = LineageGraph(odd_stores.tables([(n, n, kind) for n in range(1, 9) for kind in (3, 4)]))
    with pytest.raises(errors.NotFoundError, match="ids from 1 to 8"):
        graph.upstream(99)
    answer = graph.upstream(3)
    with pytest.raises(errors.NotFoundError, match="artifact/5 is in memory, and not in this"):
        answer.upstream(5)
    with pytest.raises(errors.NotFoundError, match="ids from 1 to 8"):
        answer.upstream(99)
    live = odd_stores.live(odd_stores.tables([(1, 1, INPUT), (7, 7, INPUT)])).upstream(1)
    with pytest.raises(errors.NotFoundError) as caught:
        live.upstream(7)
    assert "ids from" not in str(caught.value)


def test_names_that_begin_so_are_suggested_first():
    runs = ["iris-004-C0.1", "iris-005-C10.0", "iris-001-base", "iris-001"]
    assert errors.did_you_mean("iris-001-b", runs).startswith(" Did you mean 'iris-001-base' or")
    near = errors.did_you_mean("IRIS-001", runs)
    assert near == " Did you mean 'iris-001' or 'iris-001-base'?"
    near = errors.did_you_mean("iris-00", runs)
    assert near == " Did you mean 'iris-001' or 'iris-001-base' or 'iris-004-C0.1'?"
    assert errors.did_you_mean("", runs) == ""


@pytest.mark.parametrize("node", [None, 1.5])
def test_what_is_no_name_gets_no_suggestion(node: object):
    with pytest.raises(errors.ConfigurationError, match=r"or an artifact's id\.$"):
        keys.parse(node)


def test_a_row_of_a_frame_is_named_by_its_type(tfx: ml.Store):
    row = tfx.frames.artifacts(type="Model").iloc[0]
    with pytest.raises(errors.ConfigurationError, match="An object of the type Series is no node"):
        tfx.upstream(row)
    assert len(tfx.upstream(row.name)) > 1


def test_one_letter_suggests_no_node_that_holds_it(tfx: ml.Store):
    with pytest.raises(errors.NotFoundError) as caught:
        tfx.upstream("-")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.slow
def test_looking_for_what_is_near_ends():
    """Letters that repeat are the dearest to compare; a store can hold any number of them."""
    name = "ab" * 90
    alike = [f"{'ab' * 80}{number:020}" for number in range(10_000)]
    near = f"{name}c"
    assert errors.close_matches(name, [near, *alike], limit=1, cutoff=0.6) == [near]
    assert errors.close_matches(name, [*alike, near], limit=1, cutoff=0.6) != [near]
    assert errors.close_matches(name, ["x" * 2000, near], limit=1, cutoff=0.6) == [near]
    assert errors.did_you_mean("Model", ["Modle" * 1000]) == ""


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.find_node("churn"),
        lambda store: store.lineage().upstream("churn"),
        lambda store: store.get_run("churn"),
        lambda store: store.upstream("artifact/1", until="Data"),
        lambda store: store.get_artifact("artifact/1").read(),
    ],
)
def test_errors_show_nothing_that_takes_over_a_terminal(
    ask: Callable[[ml.Store], object],
):
    odd = "\x1b]0;title\x07\x9b2J\u202e\u200b"
    store = InMemoryStore()
    data = store.put_artifact("Data" + odd, name="churn" + odd, uri="x:" + odd)
    run = store.put_context("pipeline_run", "churn" + odd)
    store.put_execution("Train", contexts=[run], inputs={"data": data})
    with pytest.raises(errors.MLMDLineageError, match=r"\\x1b]0;title\\x07") as failed:
        ask(store)
    assert str(failed.value).isprintable()


def test_errors_are_as_long_as_can_be_read():
    message = str(errors.NotFoundError("x" * 100_000 + "\x1b end"))
    assert (len(message) < 11_000, message.endswith("\\x1b end")) == (True, True)
    assert str(errors.ReadError("two\nlines\t")) == "two\nlines\t"
    for kind in (errors.RecordingWarning, errors.IgnoredConfigurationWarning):
        assert str(kind("a folder \x1b]0;title\x07")) == r"a folder \x1b]0;title\x07"
