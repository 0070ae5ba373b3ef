from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import made_stores
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_stores import CACHED, FAILED, Maker

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.post_execution.compare.value_text import shown_pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.post_execution.compare.lineage_diff import LineageDiff
    from mlmd_lineage.store import Store

COLD = "2026-11-21T02:44:15.589538"
IDENTICAL = "2026-11-21T02:44:37.285952"
PARAMETERS = "2026-11-21T02:44:51.735874"
FAILING = "2026-11-21T02:45:03.601410"
NEW_DATA = "2026-11-21T02:45:04.924479"
CACHE_OFF = "2026-11-21T02:45:18.601500"


@pytest.fixture(scope="module")
def tfx(demo: str) -> Store:
    return ml.connect(demo)


@pytest.fixture(scope="module")
def demo() -> str:
    from importlib import resources

    return str(resources.files("mlmd_lineage") / "data" / "tfx_local.db")


def first(diff: LineageDiff) -> dict[str, list[tuple[str, str]]]:
    return {pair.role: [(d.what, d.name) for d in pair.differences] for pair in diff.first}


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (
            COLD,
            IDENTICAL,
            {"penguin-train/Evaluator": [("resolved", "input baseline_model")]},
        ),
        (
            COLD,
            PARAMETERS,
            {
                "penguin-train/Trainer": [
                    ("parameter", "custom_config.lr"),
                    ("parameter", "train_args.num_steps"),
                ]
            },
        ),
        (
            PARAMETERS,
            FAILING,
            {
                "penguin-train/Trainer": [
                    ("parameter", "custom_config.explode"),
                    ("parameter", "custom_config.lr"),
                    ("parameter", "train_args.num_steps"),
                    ("status", ""),
                ]
            },
        ),
        (PARAMETERS, NEW_DATA, {"penguin-train/CsvExampleGen": [("data", "input_fingerprint")]}),
        (NEW_DATA, CACHE_OFF, {"penguin-train/CsvExampleGen": [("rerun", "")]}),
        ("artifact/43", "artifact/32", {"penguin-train/CsvExampleGen": [("rerun", "")]}),
        (
            "artifact/25",
            "artifact/15",
            {"penguin-train/CsvExampleGen": [("data", "input_fingerprint")]},
        ),
    ],
)
def test_runs_of_tfx_part_where_they_were_changed(
    tfx: Store, a: str, b: str, expected: dict[str, Any]
):
    diff = tfx.diff(a, b)
    # The baseline of the identical run is what its resolver chose; the first run had none.
    assert first(diff) == expected
    assert not diff.identical


def test_what_follows_from_the_first_is_listed_but_not_first(tfx: Store):
    frame = tfx.diff(PARAMETERS, FAILING).to_pandas()
    missing = frame[frame["what"] == "not reached"]
    assert set(missing["role"].str.rpartition("/")[2]) == {
        "Evaluator",
        "ExampleValidator",
        "Pusher",
        "SchemaGen",
        "ScoreModel",
    }
    assert not missing["first"].any()
    assert missing["value_b"].isna().all()


def test_a_cached_run_differs_in_nothing_that_matters(tfx: Store):
    diff = tfx.diff("2026-11-21T02:45:29.003291", "2026-11-21T02:45:32.498135")
    assert diff.identical
    assert set(diff.to_pandas()["what"]) == {"cached"}
    assert diff.first == []
    assert "Nothing differs" in diff.text()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("iris-001-base", "iris-003-C0.01", {"iris_training/trainer": [("parameter", "C")]}),
        ("iris-001-base", "iris-007-nocache", {"iris_training/importer": [("rerun", "")]}),
        (
            "iris-001-base",
            "iris-010-import75",
            {"iris_training/importer": [("parameter", "drop_cols"), ("parameter", "n_rows")]},
        ),
        ("diamond-1", "diamond-4-new-source", {"diamond/src": [("parameter", "seed")]}),
        ("diamond-1", "diamond-2-left-changed", {"diamond/branch_left": [("parameter", "factor")]}),
        (
            "iris-012-fail",
            "iris-013-retry",
            {"iris_training/evaluator": [("parameter", "fail"), ("status", "")]},
        ),
    ],
)
def test_runs_of_zenml(
    shared_store: Callable[[str], Path], a: str, b: str, expected: dict[str, Any]
):
    assert first(ml.connect(shared_store("zenml_0132.db")).diff(a, b)) == expected


def test_zenml_runs_from_one_cache_are_identical(shared_store: Callable[[str], Path]):
    assert ml.connect(shared_store("zenml_0132.db")).diff("diamond-1", "diamond-3-cached").identical


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("context/2", "context/4", {"kfp2-lineage-demo/root": [("parameter", "rows")]}),
        ("context/2", "context/5", {"kfp2-lineage-demo/root": [("parameter", "threshold")]}),
        (
            "context/2",
            "context/6",
            {"kfp2-lineage-demo/exit-handler-1/data-prep/ingest": [("rerun", "")]},
        ),
    ],
)
def test_runs_of_kubeflow(
    shared_store: Callable[[str], Path], a: str, b: str, expected: dict[str, Any]
):
    found = first(ml.connect(shared_store("kfp2_emulated.db")).diff(a, b))
    assert {role: found[role] for role in expected} == expected
    assert all(what in {"rerun", "parameter"} for own in found.values() for what, _ in own)


def test_passes_of_a_loop_are_compared_by_what_they_were_given(
    shared_store: Callable[[str], Path],
):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    causes = [d for pair in store.diff(7, 10).divergences for d in pair.differences if d.is_cause]
    assert {d.name for d in causes} >= {"lr"}


def churn(lr: float = 0.1, span: int = 1) -> tuple[Maker, int]:
    """Make two runs of a pipeline; the first has a learning rate of 0.1 and span 1."""
    maker = Maker()
    models = []
    for name, rate, number in (("first", 0.1, 1), ("second", lr, span)):
        run = maker.run(name)
        data = maker.artifact("Examples", f"/data/{name}", span=number)
        clean = maker.artifact("Examples", f"/data/clean/{name}")
        maker.step(run, "clean", inputs={"raw": [data]}, outputs={"clean": [clean]})
        models.append(maker.artifact("Model", f"/data/model/{name}"))
        maker.step(
            run, "train", {"lr": rate}, inputs={"examples": [clean]}, outputs={"model": models[-1:]}
        )
    return maker, models[0]


def test_a_source_that_differs_is_the_first():
    maker, model = churn(span=2)
    diff = maker.store().diff(model, model + 3)
    assert first(diff) == {"churn/clean<-raw": [("data", "span"), ("property", "uri")]}
    assert diff.doubts == (
        "Nothing on record made artifact/1.",
        "Nothing on record made artifact/4.",
    )


def test_a_change_below_another_is_no_first_one():
    maker, model = churn(span=2, lr=0.3)
    diff = maker.store().diff(model, model + 3)
    assert list(first(diff)) == ["churn/clean<-raw"]
    assert ("parameter", "lr") in set(
        zip(diff.to_pandas()["what"], diff.to_pandas()["name"], strict=True)
    )


def test_what_was_made_again_hides_no_change():
    maker = Maker()
    models = []
    for name, rate in (("first", 0.1), ("second", 0.2)):
        run = maker.run(name)
        data = maker.artifact("Examples")
        maker.step(run, "ingest", outputs={"examples": [data]})
        models.append(maker.artifact("Model"))
        maker.step(
            run, "train", {"lr": rate}, inputs={"examples": [data]}, outputs={"model": models[-1:]}
        )
    diff = maker.store().diff(*models)
    assert first(diff) == {"churn/train": [("parameter", "lr")]}
    assert "rerun" in set(diff.to_pandas()["what"])


def test_a_window_that_moved_on_by_one_differs_by_one():
    maker = Maker()
    spans = [maker.artifact("Examples", f"/span/{n}", span=n) for n in range(6)]
    models = []
    for name, window in (("first", spans[0:4]), ("second", spans[1:5])):
        models.append(maker.artifact("Model"))
        inputs = {"examples": window}
        maker.step(maker.run(name), "train", inputs=inputs, outputs={"model": models[-1:]})
    diff = maker.store().diff(*models)
    [pair] = diff.first
    assert (pair.a, pair.b) == ("artifact/1", "artifact/5")
    assert len(diff.shared) == 3


def test_circles_end():
    maker = Maker()
    models = []
    for name, rate in (("first", 0.1), ("second", 0.2)):
        run = maker.run(name)
        one, other = maker.artifact("Model"), maker.artifact("Model")
        outputs = {"model": [other]}
        maker.step(run, "train", {"lr": rate}, inputs={"warm": [one]}, outputs=outputs)
        maker.step(run, "export", inputs={"model": [other]}, outputs={"warm": [one]})
        models.append(other)
    assert first(maker.store().diff(*models)) == {"churn/train": [("parameter", "lr")]}


def test_code_types_and_structure_are_told_apart():
    maker = Maker()
    models = []
    for name, image, kind, more in (
        ("first", "train:1", "my.Train", {}),
        ("second", "train:2", "my.NewTrain", {"weights": [maker.artifact("Weights")]}),
    ):
        models.append(maker.artifact("Model"))
        maker.step(
            maker.run(name),
            "train",
            {"image": image},
            type_name=kind,
            inputs=more,
            outputs={"model": models[-1:]},
        )
    diff = maker.store().diff(*models)
    assert first(diff) == {
        "churn/train": [
            ("code", "image"),
            ("structure", "input weights"),
            ("type", "execution type"),
        ]
    }
    assert "the input weights is only in b: artifact/1" in diff.text()


def test_a_failed_step_and_those_that_it_kept_from_running():
    maker = Maker()
    for name, state in (("first", 3), ("second", FAILED)):
        run = maker.run(name)
        model = maker.artifact("Model")
        made = {} if state == FAILED else {"model": [model]}
        maker.step(run, "train", outputs=made, state=state)
        if state != FAILED:
            maker.step(run, "push", inputs={"model": [model]})
    diff = maker.store().diff("first", "second")
    assert first(diff) == {"churn/train": [("status", "")]}
    assert diff.to_pandas().set_index("role").loc["churn/push", "what"] == "not reached"


def test_a_new_step_is_a_change_of_structure():
    maker = Maker()
    for name in ("first", "second"):
        run = maker.run(name)
        maker.step(run, "train")
        if name == "second":
            maker.step(run, "report")
    assert first(maker.store().diff("first", "second")) == {"churn/report": [("structure", "step")]}


@pytest.mark.slow
def test_deep_lineages_need_no_deep_stack():
    maker = Maker()
    ends = []
    for name, rate in (("first", 0.1), ("second", 0.2)):
        run = maker.run(name)
        at = maker.artifact("Model")
        maker.step(run, "step-0", {"lr": rate}, outputs={"model": [at]})
        for number in range(1, 400):
            made = maker.artifact("Model")
            maker.step(run, f"step-{number}", inputs={"model": [at]}, outputs={"model": [made]})
            at = made
        ends.append(at)
    diff = maker.store().diff(*ends)
    assert first(diff) == {"churn/step-0": [("parameter", "lr")]}
    assert diff.first[0].hops == 799


@st.composite
def stores(draw: st.DrawFn) -> tuple[Maker, list[int]]:
    """Make runs of steps that take what was made before, by themselves or in other runs."""
    maker = Maker()
    artifacts = [maker.artifact("Data", uri, span=1) for uri in ("/a", "/b")]
    for number in range(draw(st.integers(1, 3))):
        run = maker.run(f"run-{number}")
        for name in ("one", "two", "three")[: draw(st.integers(1, 3))]:
            taken = draw(st.lists(st.sampled_from(artifacts), max_size=3, unique=True))
            made = [maker.artifact("Data", span=draw(st.integers(0, 1)))]
            state = draw(st.sampled_from([3, 3, 3, 2, FAILED, CACHED]))
            if state == CACHED:
                made = draw(st.lists(st.sampled_from(artifacts), max_size=1))
            parameters = {"lr": draw(st.sampled_from([0.1, 0.2, float("nan")]))}
            maker.step(run, name, parameters, inputs={"x": taken}, outputs={"y": made}, state=state)
            artifacts += made
    return maker, sorted(set(artifacts))


@settings(max_examples=40, deadline=None)
@given(stores(), st.data())
@pytest.mark.slow
def test_swapping_the_sides_swaps_the_columns(made: tuple[Maker, list[int]], data: st.DataObject):
    maker, artifacts = made
    store = maker.store()
    runs = [f"context/{r['id']}" for r in maker.rows["Context"] if r["name"].startswith("run-")]
    executions = [f"execution/{row['id']}" for row in maker.rows["Execution"]]
    subjects = data.draw(st.sampled_from([artifacts, runs, executions]))
    a, b = (data.draw(st.sampled_from(subjects)) for _ in range(2))
    one, other = store.diff(a, b), store.diff(b, a)
    swapped = other.to_pandas().rename(
        columns={"a": "b", "b": "a", "value_a": "value_b", "value_b": "value_a"}
    )
    pd.testing.assert_frame_equal(one.to_pandas(), swapped[list(one.to_pandas().columns)])
    assert one.identical == other.identical
    assert (one.doubts, one.shared) == (other.doubts, other.shared)
    assert bool(one.first) == (not one.identical)
    same = store.diff(a, a)
    assert same.identical
    assert same.to_pandas().empty
    assert same.first == []


def test_the_frame_has_its_columns_and_types(tfx: Store):
    for diff in (tfx.diff(4, 4), tfx.diff(4, 15)):
        assert {name: str(dtype) for name, dtype in diff.to_pandas().dtypes.items()} == {
            "role": "string",
            "kind": "string",
            "a": "string",
            "b": "string",
            "what": "string",
            "name": "string",
            "value_a": "object",
            "value_b": "object",
            "first": "bool",
            "hops": "int64",
        }


def test_json_holds_all_of_it(tfx: Store):
    found = json.loads(tfx.diff(4, 15).to_json())
    assert (found["a"], found["b"], found["identical"]) == ("artifact/4", "artifact/15", False)
    assert found["divergences"][0]["differences"][0] == {
        "what": "parameter",
        "name": "custom_config.lr",
        "value_a": 0.01,
        "value_b": 0.03,
    }


def test_it_shows_itself(tfx: Store):
    diff = tfx.diff(4, 15)
    assert repr(diff) == (
        "<LineageDiff artifact/4 artifact/15: 2 differences, first: penguin-train/Trainer>"
    )
    assert "<table" in diff._repr_html_()
    assert "They are the same." in tfx.diff(4, 4).text()


def test_it_takes_views_and_names(tfx: Store):
    runs = tfx.get_pipeline("penguin-train").runs
    assert tfx.diff(runs[0], runs[2]).to_json() == tfx.diff(COLD, PARAMETERS).to_json()
    model = runs[0].get_step("Trainer").outputs["model"]
    uri = "/srv/tfx/pipelines/penguin-train/Trainer/model/22"
    assert tfx.diff(model, uri).to_json() == tfx.diff(4, 15).to_json()


@pytest.mark.parametrize(
    ("a", "b", "error", "told"),
    [
        (4, COLD, errors.ConfigurationError, "compare two of the same kind"),
        (4, 999, errors.NotFoundError, "There is no artifact/999"),
        (COLD, "context/999", errors.NotFoundError, "context/999"),
        (COLD, "context/1", errors.NotFoundError, "There is no run context/1"),
        (COLD, "2026-11-21T02:44", errors.NotFoundError, "Did you mean"),
        ("PushedModel", 4, errors.AmbiguousNameError, "is the type of 5 nodes"),
        ("", 4, errors.ConfigurationError, "The node's name is empty"),
        (4.5, 4, errors.ConfigurationError, "is no node"),
    ],
)
def test_what_cannot_be_compared_is_told(
    tfx: Store, a: Any, b: Any, error: type[Exception], told: str
):
    with pytest.raises(error, match=told):
        tfx.diff(a, b)


def test_a_question_costs_a_fixed_number_of_statements_a_hop():
    counts = []
    for more in (0, 200):
        maker, model = churn(lr=0.2)
        for number in range(more):
            maker.step(maker.run(f"other-{number}"), "train", outputs={})
        reader = made_stores.MemoryReader(maker.rows)
        asked: list[str] = []
        fetch = reader.fetch
        reader.fetch = lambda table, where, asked=asked, fetch=fetch: (  # type: ignore[method-assign]
            asked.append(table) or fetch(table, where)
        )
        ml.store.Store(maker.store().metadata_store, reader).diff(model, model + 3)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_long_values_are_shortened_so_that_their_difference_stays():
    long, other = (f"{'a' * 200}{middle}{'z' * 200}" for middle in ("0.01", "0.03"))
    one, two = shown_pair(long, other)
    assert one.startswith("…aaaaaaa0.01zz")
    assert two.startswith("…aaaaaaa0.03zz")
    assert max(len(one), len(two)) <= 80
    assert shown_pair("a" * 300, "b") == (f"{'a' * 40}…{'a' * 39}", "b")
    assert shown_pair(long, long)[0] == shown_pair(long, long)[1]
