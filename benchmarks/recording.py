"""Recording: steps of this library against plain ``put_execution`` calls of ``ml_metadata``.

``benchmarks/recording.py`` prints a table as Markdown. Each step is given what the one before it
produced, has 3 parameters and 1 metric, and produces 1 artifact with 2 properties; it is put when
it begins, and again when it ends. ``ml_metadata`` puts these facts alone, 17 rows a step, and once
more with all that the recorder writes of a step (names, external ids, its own properties, indexes
of paths), 28 rows. Batches are of this library only. Sides take turns, each measurement in a fresh
process on a fresh SQLite file on the disk of ``--folder``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

WAYS = ("ml_metadata", "ml_metadata, the same rows", "mlmd_lineage", "mlmd_lineage, in a batch")

NOW = "2026-11-28T22:48:57.169Z"
ARTIFACT_PROPERTIES = {
    "display_name": "model",
    "__metrics__": '["auc"]',
    "__encoded__": '{"__metrics__": {"json": true}}',
}


def main() -> None:
    """Measure, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        way, path, steps = options.worker
        print(json.dumps(measured(way, path, int(steps))))
        return
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for number in range(options.repeat):
            for way in WAYS:
                path = Path(folder) / f"{WAYS.index(way)}-{number}.db"
                arguments = ["--worker", way, str(path), str(options.steps)]
                done = subprocess.run(
                    [sys.executable, __file__, *arguments], capture_output=True, check=True
                )
                found[way].append(json.loads(done.stdout))
    plain = found["ml_metadata"]
    print("| way | ms a step, best and median | steps a second | against ml_metadata, both |")
    print("|---|--:|--:|--:|")
    for way, seconds in found.items():
        best, middle = min(seconds), statistics.median(seconds)
        each = [1000 * value / options.steps for value in (best, middle)]
        rate = options.steps / best
        ratios = best / min(plain), middle / statistics.median(plain)
        print(
            f"| {way} | {each[0]:.2f}, {each[1]:.2f} | {rate:,.0f} "
            f"| {ratios[0]:.2f}, {ratios[1]:.2f} |"
        )


def measured(way: str, path: str, steps: int) -> float:
    """Return the seconds that recording some steps takes."""
    if way.startswith("ml_metadata"):
        return plain_calls(path, steps, same_rows=way != "ml_metadata")
    return recorded(path, steps, in_a_batch=way != "mlmd_lineage")


def recorded(path: str, steps: int, *, in_a_batch: bool) -> float:
    """Record steps one by one, or in one transaction."""
    import mlmd_lineage as ml

    store = ml.connect(path, create=True)
    with store.record("p", "r") as run:
        with run.step("train") as step:  # as the other side puts its types before it begins
            last = step.produce("model", uri="/models/0", type="Model", digest=False)
            step.log_metrics(auc=0.5)
        begun = time.perf_counter()
        with run.batch() if in_a_batch else contextlib.nullcontext():
            for number in range(steps):
                last = one_step(run, last, number)
        return time.perf_counter() - begun


def one_step(run: Any, last: Any, number: int) -> Any:
    """Record a step that is given what the one before it produced."""
    from mlmd_lineage.recording.sources import Source

    parameters = {"learning_rate": 0.1, "epochs": number, "optimizer": "adam"}
    inputs = {"model": Source(last, digest=False)}
    with run.step("train", parameters=parameters, iteration=number, inputs=inputs) as step:
        return step.produce(
            "model",
            uri=f"/models/{number + 1}",
            type="Model",
            properties={"format": "pickle"},
            metrics={"auc": 1 / (number + 1)},
            digest=False,
        )


def plain_calls(path: str, steps: int, *, same_rows: bool) -> float:
    """Put the same by MLMD's own client: two calls a step."""
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as pb

    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = 3
    store = metadata_store.MetadataStore(config)
    types = {
        name: store.put_context_type(pb.ContextType(name=name))
        for name in ("pipeline", "pipeline_run", "node")
    }
    model = store.put_artifact_type(pb.ArtifactType(name="Model"))
    train = store.put_execution_type(pb.ExecutionType(name="train"))
    contexts = [pb.Context(type_id=number, name=name) for name, number in types.items()]
    store.put_contexts(contexts)
    contexts = [store.get_context_by_type_and_name(name, name) for name in types]
    last = store.put_artifacts([pb.Artifact(type_id=model, uri="/models/0")])[0]
    begun = time.perf_counter()
    for number in range(steps):
        execution = pb.Execution(type_id=train, last_known_state=pb.Execution.RUNNING)
        execution.custom_properties["learning_rate"].double_value = 0.1
        execution.custom_properties["epochs"].int_value = number
        execution.custom_properties["optimizer"].string_value = "adam"
        used = pb.Event(type=pb.Event.INPUT, artifact_id=last)
        used.path.steps.add(key="model")
        identity = uuid.uuid4().hex
        if same_rows:
            used.path.steps.add(index=0)
            execution.name = f"r/train/{identity[:8]}"
            execution.external_id = f"mlmd_lineage:{identity}"
            for name, text in (("step_id", identity), ("recorder", "0f2318ab"), ("started", NOW)):
                execution.custom_properties[f"__{name}__"].string_value = text
            for name, value in (("record_format", 1), ("iteration", number)):
                execution.custom_properties[f"__{name}__"].int_value = value
        [artifact] = store.get_artifacts_by_id([last])
        execution.id, _, _ = store.put_execution(execution, [(artifact, used)], contexts)
        execution.last_known_state = pb.Execution.COMPLETE
        artifact = pb.Artifact(type_id=model, uri=f"/models/{number + 1}", state=pb.Artifact.LIVE)
        artifact.custom_properties["format"].string_value = "pickle"
        artifact.custom_properties["auc"].double_value = 1 / (number + 1)
        made = pb.Event(type=pb.Event.OUTPUT)
        made.path.steps.add(key="model")
        if same_rows:
            made.path.steps.add(index=0)
            execution.custom_properties["__finished__"].string_value = NOW
            artifact.external_id = f"mlmd_lineage:{identity}/model/0"
            for name, text in ARTIFACT_PROPERTIES.items():
                artifact.custom_properties[name].string_value = text
        _, [last], _ = store.put_execution(execution, [(artifact, made)], contexts)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
