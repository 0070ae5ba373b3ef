"""Small stores as ZenML, Kubeflow Pipelines and HPE CMF write them, for the guides' examples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from pathlib import Path


def zenml(folder: Path) -> InMemoryStore:
    """Two runs of a pipeline of two steps, whose accuracy is in files."""
    store = InMemoryStore()
    pipeline = store.put_context("pipeline", "iris_training")
    for number, rate in enumerate((0.1, 0.01), 1):
        run = store.put_context("pipeline_run", f"iris_training-{number}")
        place = folder / "artifacts" / str(number)
        place.mkdir(parents=True)
        (place / "data.json").write_text(json.dumps((90 + number) / 100))
        model = store.put_artifact(
            "ModelArtifact", uri=f"/models/{number}", properties={"datatype": "sklearn.svm.SVC"}
        )
        accuracy = store.put_artifact(
            "DataArtifact", uri=str(place), properties={"datatype": "builtins.float"}
        )
        for name, inputs, outputs in (
            ("trainer", {}, {"output": model}),
            ("evaluator", {"model": model}, {"accuracy": accuracy}),
        ):
            own = {"learning_rate": json.dumps(rate)} if name == "trainer" else {}
            store.put_execution(
                f"steps.{name}",
                contexts=[pipeline, run],
                inputs=inputs,
                outputs=outputs,
                custom_properties={"zenml-pipeline_parameter_name": json.dumps(name), **own},
            )
    return store


def kubeflow(folder: Path) -> InMemoryStore:
    """Two runs of a pipeline, one of which deploys its model."""
    del folder
    store = InMemoryStore()
    pipeline = store.put_context("system.Pipeline", "churn")
    for number in (1, 2):
        name = f"87ba2f85-0000-4000-8000-00000000000{number}"
        run = store.put_context("system.PipelineRun", name, parents=[pipeline])
        contexts = [pipeline, run]
        root = store.put_execution(
            "system.DAGExecution",
            name=f"run/{name}",
            state="RUNNING",
            contexts=contexts,
            custom_properties={"inputs": {"rate": 0.1 * number}},
        )
        data = store.put_artifact("system.Dataset", uri=f"minio://mlpipeline/data/{number}")
        model = store.put_artifact("system.Model", uri=f"minio://mlpipeline/model/{number}")
        metrics = store.put_artifact(
            "system.Metrics", custom_properties={"accuracy": (80 + number) / 100}
        )
        steps = [
            ("load", {}, {"data": data}),
            ("train", {"data": data}, {"model": model, "metrics": metrics}),
            ("deploy", {"model": model}, {}),
        ]
        for task, inputs, outputs in steps[: number + 1]:
            store.put_execution(
                "system.ContainerExecution",
                contexts=contexts,
                inputs=inputs,
                outputs=outputs,
                custom_properties={"task_name": task, "parent_dag_id": int(root.split("/")[1])},
            )
    return store


def cmf(folder: Path) -> InMemoryStore:
    """A pipeline of two stages, the second of which was executed twice."""
    del folder
    store = InMemoryStore()
    pipeline = store.put_context("Parent_Context", "mnist")
    stages = [
        store.put_context("Pipeline_Stage", f"mnist/{name}", parents=[pipeline])
        for name in ("prepare", "train")
    ]
    raw, clean = (
        store.put_artifact("Dataset", name=f"data/{name}.csv:{digest * 32}", uri=digest * 32)
        for name, digest in (("raw", "a"), ("clean", "b"))
    )
    store.put_execution(
        "Prepare", state=None, contexts=[stages[0]], inputs={"x": raw}, outputs={"y": clean}
    )
    for number, digest in enumerate("cd", 1):
        model = store.put_artifact("Model", name=f"m.pkl:{digest * 32}", uri=digest * 32)
        metrics = store.put_artifact(
            "Metrics", name=f"metrics:{number}", custom_properties={"auc": (90 + number) / 100}
        )
        train = store.put_execution(
            "Train", state=None, contexts=[stages[1]], custom_properties={"lr": str(0.1 * number)}
        )
        store.put_event(train, clean, "INPUT", path=[f"data/clean.csv:{'b' * 32}"])
        store.put_event(train, model)
        store.put_event(train, metrics)
    return store


STORES = {"coming-from-zenml": zenml, "coming-from-kubeflow": kubeflow, "coming-from-cmf": cmf}
"""For each guide the store that stands as ``metadata.db`` where its examples run."""
