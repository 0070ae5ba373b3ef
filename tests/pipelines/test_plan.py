"""What a pipeline's function plans, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import pytest

import mlmd_lineage as ml
from mlmd_lineage.materializers.built_in import PickleMaterializer
from mlmd_lineage.pipelines.references import load_pipeline
from mlmd_lineage.pipelines.signatures import StepSignature, checked

if TYPE_CHECKING:
    import pandas as pd  # what type checkers alone know


class Trained(NamedTuple):
    weights: np.ndarray
    loss: Annotated[float, ml.Output(type="Loss")]


@ml.step
def load(rows: int = 10) -> list[int]:
    return list(range(rows))


@ml.step
def train(data: list[int], rate: float = 0.5) -> Trained:
    return Trained(np.array(data) * rate, 0.25)


@ml.step
def evaluate(weights: np.ndarray, data: list[int], *, limit: float) -> float:
    return float(weights.sum()) + len(data) + limit


@ml.step
def notify() -> None: ...


@ml.step
def average(scores: list[float]) -> float:
    return sum(scores) / len(scores)


@ml.pipeline
def churn(rate: float = 0.5, rows: int = 10) -> None:
    data = load(rows)
    weights, loss = train(data, rate)
    del loss
    notify.with_options(after=[weights])()
    evaluate(weights, data, limit=1.0)


def test_a_step_outside_a_pipeline_is_its_function():
    assert load(3) == [0, 1, 2]
    assert train([1, 2]).loss == 0.25
    assert load.__name__ == "load"
    assert repr(load) == "<PipelineStep load(rows: 'int' = 10) -> 'list[int]'>"


def test_a_plan_tells_inputs_from_parameters_and_keeps_defaults():
    plan = churn(rate=0.1).plan
    assert list(plan.steps) == ["load", "train", "notify", "evaluate"]
    train_step, evaluate_step = plan.steps["train"], plan.steps["evaluate"]
    assert plan.steps["load"].parameters == {"rows": 10}
    assert train_step.parameters == {"rate": 0.1}
    assert [each.step for each in train_step.inputs["data"]] == ["load"]
    assert evaluate_step.parameters == {"limit": 1.0}
    assert {key: [(r.step, r.key) for r in refs] for key, refs in evaluate_step.inputs.items()} == {
        "weights": [("train", "weights")],
        "data": [("load", "output")],
    }
    assert evaluate_step.waits_for == {"load", "train"}
    assert plan.steps["notify"].waits_for == {"train"}
    assert repr(churn(rate=0.1)) == "<Pipeline churn(rate=0.1, rows=10)>"


def test_a_step_that_is_called_again_gets_a_number_or_its_own_name():
    @ml.pipeline
    def several() -> None:
        data = load()
        first = train(data)
        second = train.with_options(name="train_slow")(data, 0.1)
        third = train(data, 0.2)
        average([evaluate(each.weights, data, limit=0.0) for each in (first, second, third)])

    plan = several().plan
    assert list(plan.steps) == [
        "load",
        "train",
        "train_slow",
        "train_2",
        "evaluate",
        "evaluate_2",
        "evaluate_3",
        "average",
    ]
    assert plan.steps["average"].lists == {"scores"}
    assert plan.steps["average"].waits_for == {"evaluate", "evaluate_2", "evaluate_3"}


def test_outputs_are_read_from_the_annotation():  # noqa: C901 - a function for each case
    def outputs(function: Any) -> list[tuple[str, Any, str | None]]:
        found = StepSignature.of(function).outputs.values()
        return [(each.name, each.annotation, each.output.type) for each in found]

    def one() -> int: ...
    def named() -> Annotated[int, "count"]: ...
    def typed() -> Annotated[np.ndarray, ml.Output("model", type="Model")]: ...
    def several() -> tuple[Annotated[int, "a"], Annotated[str, ml.Output("b")]]: ...
    def pair() -> tuple[int, int]: ...
    def nothing() -> None: ...
    def unannotated(): ...  # noqa: ANN202 - it has none
    def for_checkers() -> pd.DataFrame: ...
    def optional() -> pd.DataFrame | None: ...
    def both() -> tuple[Annotated[pd.DataFrame, "x"], Annotated[pd.Series, "y"]]: ...

    assert outputs(one) == [("output", int, None)]
    assert outputs(named) == [("count", int, None)]
    assert outputs(typed) == [("model", np.ndarray, "Model")]
    assert outputs(several) == [("a", int, None), ("b", str, None)]
    assert outputs(pair) == [("output", tuple[int, int], None)]
    assert outputs(nothing) == []
    assert outputs(unannotated) == [("output", Any, None)]
    assert outputs(for_checkers) == [("output", Any, None)]
    assert [name for name, _, _ in outputs(optional)] == ["output"]
    assert outputs(both) == [("x", Any, None), ("y", Any, None)]
    assert outputs(train.function) == [("weights", np.ndarray, None), ("loss", float, "Loss")]


def test_a_materializer_can_be_chosen():
    def function() -> Annotated[tuple[int, int], ml.Output(materializer=PickleMaterializer)]: ...

    [output] = StepSignature.of(function).outputs.values()
    assert output.output.materializer is PickleMaterializer


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, int),
        (1, float),
        (np.float64(0.5), float),
        ([1, 2], list[int]),
        (None, int | None),
        (np.zeros(2), np.ndarray),
        ({"a": 1}, dict[str, int]),
        (Path("x"), Path),
        ("x", Any),
    ],
)
def test_values_of_the_annotated_type_are_taken(value: Any, annotation: Any):
    found = checked(value, annotation, "The value")
    assert repr(found) == (
        repr(float(value)) if annotation is float and value != 1 else repr(value)
    )


@pytest.mark.parametrize(
    ("value", "annotation", "said"),
    [
        ("1", int, "is of type str, and has to be int"),
        (0.5, int, "is of type float"),
        ([1, "2"], list[int], "has to be list"),
        ([1], np.ndarray, "has to be ndarray"),
        (None, int, "is of type NoneType"),
    ],
)
def test_values_of_another_type_are_refused(value: Any, annotation: Any, said: str):
    with pytest.raises(ml.errors.StepTypeError, match=said):
        checked(value, annotation, "The value")


def planned(function: Any) -> Any:
    return ml.pipeline(function)().plan


def test_what_cannot_be_a_pipeline_is_refused_before_anything_runs():
    wrong: list[tuple[Any, str]] = [
        (lambda: None, "calls no step"),
        (lambda: train("text"), "'data' of step 'train' is of type str"),
        (lambda: train(load(), rate="fast"), "'rate' of step 'train' is of type str"),
        (lambda: train(load(), speed=1), "unexpected keyword argument 'speed'"),
        (lambda: evaluate(load(), load(), limit=1.0), "has to be ndarray"),
        (lambda: not load(), "has no value while the pipeline is planned"),
        (lambda: list(train(load()).weights), "has no value"),
        (lambda: average([load(), 1.0]), "mixes outputs of steps with values"),
        (lambda: [notify.with_options(after=["train"])()], "after takes what other steps"),
        (
            lambda: (load.with_options(name="x")(), load.with_options(name="x")()),
            "Two steps of the pipeline .* are called 'x'",
        ),
        (lambda: churn(rate=0.1), "called within another one"),
    ]
    for function, said in wrong:
        with pytest.raises(ml.errors.ConfigurationError, match=said):
            planned(function)


def test_what_cannot_be_a_step_is_refused():
    async def waits() -> None: ...

    def open_ended(*args: int) -> None: ...

    def twice() -> tuple[Annotated[int, "a"], Annotated[int, "a"]]: ...

    for function, said in [
        (waits, "coroutine"),
        (open_ended, "takes \\*args"),
        (twice, "Two outputs"),
        (3, "takes a function"),
    ]:
        with pytest.raises(ml.errors.ConfigurationError, match=said):
            ml.step(function)  # type: ignore[call-overload]
    with pytest.raises(ml.errors.ConfigurationError, match="is the text 'numpy'"):
        ml.step(environment="numpy")(load.function)
    with pytest.raises(
        ml.errors.ConfigurationError, match=r"come before run: churn\(rate=...\).run"
    ):
        churn.run(rate=0.1)
    with pytest.raises(ml.errors.ConfigurationError, match="unexpected keyword"):
        churn(speed=1)  # type: ignore[call-arg]


def test_a_pipeline_is_loaded_by_module_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    text = "import mlmd_lineage as ml\n@ml.step\ndef s() -> int:\n    return 1\n"
    text += "@ml.pipeline\ndef {}():\n    s()\n"
    (tmp_path / "plan_one.py").write_text(text.format("first"))
    (tmp_path / "plan_two.py").write_text(text.format("a") + "@ml.pipeline\ndef b():\n    s()\n")
    (tmp_path / "plan_bad.py").write_text("import mlmd_lineage\n1 / 0\n")
    (tmp_path / "plan_lost.py").write_text("import not_there_at_all\n")
    assert load_pipeline("plan_one:first").name == "first"
    assert load_pipeline("plan_one") is load_pipeline(str(tmp_path / "plan_one.py"))
    for wrong, said in [
        ("plan_two", "several pipelines. Name one: plan_two:a, plan_two:b"),
        ("plan_one:frist", "no pipeline 'frist'; it has first. Did you mean 'first'"),
        ("plan_bad:x", r"cannot be imported: ZeroDivisionError.*plan_bad.py, line 2"),
        ("plan_lost:x", "cannot be imported: ModuleNotFoundError.*not_there_at_all"),
        ("nowhere:x", "There is no module 'nowhere'"),
        ("nowhere.py:x", "There is no file nowhere.py"),
        (":x", "names no pipeline"),
        ("json:x", "has no pipeline: no function with @ml.pipeline"),
    ]:
        with pytest.raises(ml.errors.ConfigurationError, match=said):
            load_pipeline(wrong)
