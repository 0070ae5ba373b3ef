"""Open all runs of a pipeline with their steps, inputs and outputs: ours against ZenML's own walk.

The store is one that ZenML 0.13 would have written: a pipeline of 1,000 runs of 10 steps each, some
of them cached. The peer is the walk of ``zenml/metadata_stores/base_metadata_store.py`` (0.13.2)
written with the same ``ml_metadata`` calls. ``pipeline.runs`` is measured whole; of the walk
through steps, parents, inputs and outputs a sample of runs is, since every run costs the same, and
the whole is reckoned from it.

    python benchmarks/post_execution.py --runs 1000 --sample 10

With ``--wide`` it measures ``compare_runs()`` instead, of a pipeline whose runs have so many steps.

    python benchmarks/post_execution.py --wide 4000
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 10
_ALSO = {5: 2, 9: 4}
PIPELINE = "training"
START = 1_650_000_000_000
INPUT, OUTPUT, COMPLETE, CACHED, LIVE = 3, 4, 3, 5, 2


def generate(path: Path, runs: int) -> None:
    """Write a store of one pipeline; ``ml_metadata`` makes its tables."""
    import ml_metadata
    from ml_metadata.proto import metadata_store_pb2 as pb

    config = pb.ConnectionConfig(sqlite=pb.SqliteMetadataSourceConfig(filename_uri=str(path)))
    store = ml_metadata.MetadataStore(config)
    contexts = {
        name: store.put_context_type(pb.ContextType(name=name))
        for name in ("pipeline", "pipeline_run", "node", "zenml", "execution_cache")
    }
    steps = [
        store.put_execution_type(pb.ExecutionType(name=f"steps.step_{n}")) for n in range(STEPS)
    ]
    data = pb.ArtifactType(name="DataArtifact")
    data.properties["datatype"] = data.properties["materializer"] = pb.STRING
    data_id = store.put_artifact_type(data)
    del store
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in _COLUMNS}
    _fill(rows, runs, contexts, steps, data_id)
    with sqlite3.connect(path) as connection:
        for table, columns in _COLUMNS.items():
            marks = ", ".join("?" * len(columns.split(",")))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our own
            connection.executemany(statement, rows[table])


_COLUMNS = {
    "Context": "id, type_id, name, create_time_since_epoch, last_update_time_since_epoch",
    "Execution": "id, type_id, last_known_state, name, create_time_since_epoch, "
    "last_update_time_since_epoch",
    "ExecutionProperty": "execution_id, name, is_custom_property, string_value",
    "Artifact": "id, type_id, uri, state, create_time_since_epoch, last_update_time_since_epoch",
    "ArtifactProperty": "artifact_id, name, is_custom_property, string_value",
    "Event": "id, artifact_id, execution_id, type, milliseconds_since_epoch",
    "EventPath": "event_id, is_index_step, step_index, step_key",
    "Association": "context_id, execution_id",
    "Attribution": "context_id, artifact_id",
}


def _fill(
    rows: dict[str, list[tuple[Any, ...]]],
    runs: int,
    types: dict[str, int],
    steps: list[int],
    data: int,
) -> None:
    """Make runs in which each step takes the output of the one before it, two another's too.

    Every fourth run changes nothing in its first four steps: those are cached.
    """
    times = (START, START)
    rows["Context"] = [(1, types["pipeline"], PIPELINE, *times)]
    rows["Context"] += [
        (2 + n, types["node"], f"{PIPELINE}.step_{n}", *times) for n in range(STEPS)
    ]
    last: list[int] = [0] * STEPS
    for run in range(runs):
        context = 2 + STEPS + run
        now = START + run * 100_000
        rows["Context"].append((context, types["pipeline_run"], f"run-{run:05d}", now, now))
        made: list[int] = []
        for n in range(STEPS):
            execution = run * STEPS + n + 1
            now += 1000
            cached = run % 4 == 3 and n < 4
            state = CACHED if cached else COMPLETE
            rows["Execution"].append((execution, steps[n], state, f"e{execution}", now, now + 500))
            for name, value in (
                ("learning_rate", "0.1"),
                ("epochs", str(run)),
                ("tags", '["a", "b"]'),
                ("zenml-pipeline_parameter_name", f'"step_{n}"'),
                ("zenml-step_source", '"0215f17b48f0025b1998f4b189ce7d618a5840"'),
            ):
                rows["ExecutionProperty"].append((execution, name, 1, value))
            for c in (1, context, 2 + n):
                rows["Association"].append((c, execution))
            taken = made[-1:] + ([made[_ALSO[n]]] if n in _ALSO else [])
            for key, artifact in enumerate(taken):
                _event(rows, f"input_{key}", artifact, execution, INPUT, now)
            if cached:
                artifact = last[n]
            else:
                artifact = len(rows["Artifact"]) + 1
                uri = f"/store/step_{n}/output/{execution}"
                rows["Artifact"].append((artifact, data, uri, LIVE, now + 500, now + 500))
                for name, value in (
                    ("datatype", "pandas.core.frame.DataFrame"),
                    ("materializer", "zenml.materializers.pandas_materializer"),
                ):
                    rows["ArtifactProperty"].append((artifact, name, 0, value))
                for c in (1, context, 2 + n):
                    rows["Attribution"].append((c, artifact))
            _event(rows, "output", artifact, execution, OUTPUT, now + 500)
            made.append(artifact)
            last[n] = artifact


def _event(rows: Any, key: str, *columns: int) -> None:
    event = len(rows["Event"]) + 1
    rows["Event"].append((event, *columns))
    rows["EventPath"] += [(event, 0, None, key), (event, 1, 0, None)]


def ours(path: Path) -> int:
    """Walk through all runs, steps, parents, inputs and outputs; return how many artifacts."""
    seen = 0
    for run in ml.connect(path).get_pipeline(PIPELINE).runs:
        assert run.status == "completed"
        for step in run.steps:
            assert step.status
            assert step.parameters
            assert len(step.parent_steps) <= 2
            for held in (step.input_artifacts, step.output_artifacts):
                for artifacts in held.values():
                    for artifact in artifacts:
                        assert artifact.uri
                        assert artifact.producer_step is not None
                        seen += 1
    return seen


class Peer:
    """ZenML 0.13.2's walk, call by call."""

    def __init__(self, path: Path) -> None:
        """Open the store."""
        import ml_metadata
        from ml_metadata.proto import metadata_store_pb2 as pb

        config = pb.ConnectionConfig(sqlite=pb.SqliteMetadataSourceConfig(filename_uri=str(path)))
        self.store: Any = ml_metadata.MetadataStore(config)

    def runs(self) -> list[Any]:
        """``PipelineView.runs``: all runs of the store, kept if they belong to the pipeline."""
        pipeline = self.store.get_context_by_type_and_name("pipeline", PIPELINE)
        kept = []
        for run in self.store.get_contexts_by_type("pipeline_run"):
            executions = self.store.get_executions_by_context(run.id)
            for execution in executions:
                held = self.store.get_contexts_by_execution(execution.id)
                if any(context.id == pipeline.id for context in held):
                    kept.append(executions)
                    break
        return kept

    def step(self, execution: Any) -> tuple[Any, set[int]]:
        """``_get_step_view_from_execution``: the step's type, name and parents."""
        {t.id: t.name for t in self.store.get_execution_types()}  # its step_type_mapping
        parents = set()
        for event in self.store.get_events_by_execution_ids([execution.id]):
            if event.type == INPUT:
                others = [
                    other
                    for other in self.store.get_events_by_artifact_ids([event.artifact_id])
                    if other.type == OUTPUT
                    and other.execution_id != event.execution_id
                    and other.milliseconds_since_epoch < event.milliseconds_since_epoch
                ]
                others.sort(key=lambda other: other.milliseconds_since_epoch)
                parents.add(others[-1].execution_id)
        return execution, parents

    def status(self, execution: Any) -> int:
        """``get_step_status``."""
        state: int = self.store.get_executions_by_id([execution.id])[0].last_known_state
        return state

    def by_id(self, number: int) -> tuple[Any, set[int]]:
        """``get_step_by_id``."""
        return self.step(self.store.get_executions_by_id([number])[0])

    def artifacts(self, execution: Any, parents: set[int]) -> list[Any]:
        """``get_step_artifacts``: inputs are resolved through the outputs of the parents."""
        {t.id: t.name for t in self.store.get_artifact_types()}
        events = self.store.get_events_by_execution_ids([execution.id])
        found = self.store.get_artifacts_by_id([event.artifact_id for event in events])
        for event in events:
            if event.type == INPUT:
                for number in parents:
                    parent, above = self.by_id(number)
                    self.artifacts(parent, above)  # parent.outputs; views are made anew each time
        return list(found)

    def producer(self, artifact: Any) -> Any:
        """``get_producer_step_from_artifact``."""
        events = self.store.get_events_by_artifact_ids([artifact.id])
        ids = {event.execution_id for event in events if event.type == OUTPUT}
        return self.step(self.store.get_executions_by_id(ids)[0])

    def walk(self, runs: list[Any]) -> None:
        """Walk through some runs with their steps, parents, inputs and outputs."""
        for executions in runs:
            for execution in executions:
                _, parents = self.step(execution)
                self.status(execution)
                for number in parents:
                    self.by_id(number)
                for artifact in self.artifacts(execution, parents):
                    self.producer(artifact)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long some work took, in seconds, and what came of it."""
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def _in_new_process(path: Path, runs: int) -> tuple[float, float]:
    """Measure ours where ``ml_metadata`` is not loaded, as a reader has it."""
    code = (
        "import post_execution, sys; from pathlib import Path;"
        "print(*post_execution.measured(Path(sys.argv[1]), int(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(runs)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    everything, single = map(float, done.stdout.split())
    return everything, single


def measured(path: Path, runs: int) -> tuple[float, float]:
    """Return how long ours takes for everything, and for one run; libraries are loaded before."""
    ml.connect(path).get_run("run-00000")
    everything = timed(lambda: ours(path))[0]
    return everything, timed(lambda: ml.connect(path).get_run(f"run-{runs // 2:05d}").steps)[0]


def wide(steps: int, runs: int = 2) -> tuple[float, tuple[int, int]]:
    """Return how long a comparison of runs of many steps takes, and its frame's shape.

    The store is in memory; a step has a parameter, an input and metrics, as in Kubeflow 2.
    """
    from mlmd_lineage.testing import InMemoryStore

    store = InMemoryStore()
    pipeline = store.put_context("system.Pipeline", "wide")
    for number in range(runs):
        run = store.put_context("system.PipelineRun", f"run-{number}", parents=[pipeline])
        contexts, data = [pipeline, run], store.put_artifact("system.Dataset")
        for step in range(steps):
            metrics = store.put_artifact(
                "system.Metrics", custom_properties={"loss": 1 / (step + 1)}
            )
            store.put_execution(
                "system.ContainerExecution",
                contexts=contexts,
                inputs={"data": data},
                outputs={"metrics": metrics},
                custom_properties={"task_name": f"step-{step}", "inputs": {"rate": 0.1 * number}},
            )
    opened = store.get_pipelines()[0]
    seconds, frame = timed(lambda: opened.compare_runs().to_pandas())
    return seconds, frame.shape


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=10, help="runs that the peer walks through")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--wide", type=int, metavar="STEPS", help="compare runs of so many steps")
    given = parser.parse_args()
    if given.wide:
        several = [wide(given.wide) for _ in range(given.repeat)]
        seconds = statistics.median(taken for taken, _ in several)
        print(
            f"compare_runs(), 2 runs of {given.wide} steps, {several[0][1][1]} columns: "
            f"{seconds:.2f} s"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zenml.db"
        generate(path, given.runs)
        several = [_in_new_process(path, given.runs) for _ in range(given.repeat)]
        peer = Peer(path)
        listing, runs = timed(peer.runs)
        sample = runs[:: max(1, len(runs) // given.sample)][: given.sample]
        walking = timed(lambda: peer.walk(sample))[0] / len(sample) * len(runs)
    mine, single = (statistics.median(taken) for taken in zip(*several, strict=True))
    print(f"{given.runs} runs of {STEPS} steps, SQLite; median of {given.repeat} for ours")
    print(f"ours, everything:              {mine:9.2f} s")
    print(f"ours, one run by its name:     {single:9.3f} s")
    print(f"ZenML's walk, pipeline.runs:   {listing:9.2f} s (measured)")
    print(f"ZenML's walk, steps and on:    {walking:9.2f} s (from {len(sample)} runs)")
    print(f"ratio:                         {(listing + walking) / mine:9.0f} times")


if __name__ == "__main__":
    main()
