"""The rows of a generated store, the same for every database.

A store is a number of pipelines whose runs are interleaved in time. A run is up to ten executions:
data, its statistics, schema and validation, transformation, tuning, training, evaluation, push.
Its trainer starts from the newest model of the same pipeline (a warm start), and its transformation
from the newest analyzer cache. So lineage is some 30 runs deep on every size: the number of
pipelines grows with the store, the depth does not. Some runs find their data steps CACHED, and some
end in a FAILED step.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import node_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Rows = dict[str, list[tuple[Any, ...]]]
"""The rows of one batch, by table."""

VERSION: Final = 2
"""To be raised when other rows are generated: stores of another version are not used again."""

SIZES: Final = {"XS": 1_000, "S": 10_000, "M": 100_000, "L": 1_000_000}
"""Executions in a store of each size."""

_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
_VALUES = ("name", "is_custom_property", "int_value", "double_value", "string_value", "bool_value")
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "Artifact": ("id", "type_id", "uri", "state", "name", *_TIMES),
    "Execution": ("id", "type_id", "last_known_state", *_TIMES),
    "Context": ("id", "type_id", "name", *_TIMES),
    "ArtifactProperty": ("artifact_id", *_VALUES),
    "ExecutionProperty": ("execution_id", *_VALUES),
    "Event": ("id", "artifact_id", "execution_id", "type", "milliseconds_since_epoch"),
    "EventPath": ("event_id", "is_index_step", "step_index", "step_key"),
    "Association": ("id", "context_id", "execution_id"),
    "Attribution": ("id", "context_id", "artifact_id"),
    "ParentContext": ("context_id", "parent_context_id"),
}
"""The tables that are filled, and the columns of a row; the others stay NULL."""

INPUT, OUTPUT, INTERNAL_OUTPUT = 3, 4, 6  # MLMD's Event.Type
COMPLETE, FAILED, CACHED = 3, 4, 5  # MLMD's Execution.State
LIVE = 2  # MLMD's Artifact.State

RUNS_PER_PIPELINE: Final = 30
EXECUTIONS_PER_RUN: Final = 10
RUNS_PER_BATCH: Final = 500
FIRST_TIME: Final = 1_600_000_000_000

_NODES: Final = (
    "CsvExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Resolver",
    "Transform",
    "Tuner",
    "Trainer",
    "Evaluator",
    "Pusher",
)
_DATA_NODES: Final = (
    "CsvExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
)
_SPANNED: Final = ("CsvExampleGen", "StatisticsGen")
"""What writes one artifact for each span of the data."""
_MAY_FAIL: Final = ("Transform", "Trainer", "Evaluator")

_EARLIER: Final = "an earlier run"
_TRANSFORMED: Final = (
    ("examples", "Transform", "transformed_examples"),
    ("transform_graph", "Transform", "transform_graph"),
)
_INPUTS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "CsvExampleGen": (),
    "StatisticsGen": (("examples", "CsvExampleGen", "examples"),),
    "SchemaGen": (("statistics", "StatisticsGen", "statistics"),),
    "ExampleValidator": (
        ("statistics", "StatisticsGen", "statistics"),
        ("schema", "SchemaGen", "schema"),
    ),
    "Resolver": (),
    "Transform": (
        ("examples", "CsvExampleGen", "examples"),
        ("schema", "SchemaGen", "schema"),
        ("analyzer_cache", _EARLIER, "updated_analyzer_cache"),
    ),
    "Tuner": _TRANSFORMED,
    "Trainer": (
        *_TRANSFORMED,
        ("hyperparameters", "Tuner", "best_hyperparameters"),
        ("base_model", _EARLIER, "model"),
    ),
    "Evaluator": (("model", "Trainer", "model"), ("baseline_model", _EARLIER, "model")),
    "Pusher": (("model", "Trainer", "model"), ("model_blessing", "Evaluator", "blessing")),
}
"""Of each node: the input key, the node it comes from, and its output key there."""

_OUTPUTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "CsvExampleGen": (("examples", "Examples"),),
    "StatisticsGen": (("statistics", "ExampleStatistics"),),
    "SchemaGen": (("schema", "Schema"),),
    "ExampleValidator": (("anomalies", "ExampleAnomalies"),),
    "Resolver": (),
    "Transform": (
        ("transform_graph", "TransformGraph"),
        ("transformed_examples", "Examples"),
        ("updated_analyzer_cache", "TransformCache"),
        ("pre_transform_schema", "Schema"),
        ("pre_transform_stats", "ExampleStatistics"),
        ("post_transform_schema", "Schema"),
        ("post_transform_stats", "ExampleStatistics"),
        ("post_transform_anomalies", "ExampleAnomalies"),
    ),
    "Tuner": (("best_hyperparameters", "HyperParameters"), ("tuner_results", "TunerResults")),
    "Trainer": (("model", "Model"), ("model_run", "ModelRun")),
    "Evaluator": (("evaluation", "ModelEvaluation"), ("blessing", "ModelBlessing")),
    "Pusher": (("pushed_model", "PushedModel"),),
}
"""Of each node: the output key, and the type of the artifacts."""


@dataclass(frozen=True)
class TypeIds:
    """The ids that the store gave to the types."""

    artifacts: Mapping[str, int]
    executions: Mapping[str, int]
    """By the node's name in the pipeline."""
    contexts: Mapping[str, int]


Produced = dict[str, list[int]]
"""Artifact ids, by output key."""


@dataclass
class _Pipeline:
    """A pipeline, and what its next run builds on."""

    name: str
    context: int
    runs: int = 0
    newest: Produced = field(default_factory=dict)
    """What the newest finished run leaves to the next one."""
    data: dict[str, Produced] = field(default_factory=dict)
    """What its data steps wrote, by node: what a CACHED step writes again."""
    data_from: Produced = field(default_factory=dict)
    """What that run found of the one before it."""


def rows(executions: int, types: TypeIds, *, seed: int = 7) -> Iterator[Rows]:
    """Yield the rows of a store with that many executions, in batches, ids ascending from 1.

    The same arguments give the same rows.
    """
    chance = random.Random(seed)  # noqa: S311 - a benchmark's dice
    writer = _Writer(types)
    count = max(1, executions // (RUNS_PER_PIPELINE * EXECUTIONS_PER_RUN))
    pipelines = [_Pipeline(name, writer.context("pipeline", name)) for name in _names(count)]
    runs = 0
    while writer.executions < executions:
        _Run(writer, chance.choice(pipelines), chance).write(executions)
        runs += 1
        if runs % RUNS_PER_BATCH == 0:
            yield writer.take()
    yield writer.take()


def _names(count: int) -> list[str]:
    subjects = ("churn", "ranking", "fraud", "pricing", "forecast", "search", "vision", "speech")
    return [f"{subjects[i % len(subjects)]}-{i:04d}" for i in range(count)]


class _Run:
    """One run of a pipeline."""

    def __init__(self, writer: _Writer, pipeline: _Pipeline, chance: random.Random) -> None:
        self._writer = writer
        self._pipeline = pipeline
        self._name = f"{pipeline.name}-run-{pipeline.runs:05d}"
        self._contexts = (pipeline.context, writer.context("pipeline_run", self._name))
        self._cached = bool(pipeline.data) and chance.random() < 0.08
        self._failing = chance.choice(_MAY_FAIL) if chance.random() < 0.05 else None
        self._spans = chance.choice((1, 1, 2, 2, 3))
        self._written: dict[str, Produced] = {}
        writer.rows["ParentContext"].append((self._contexts[1], self._contexts[0]))
        pipeline.runs += 1

    def write(self, limit: int) -> None:
        """Write the run: all of its nodes, or up to the one that failed, or up to the limit."""
        for node in _NODES:
            if self._writer.executions >= limit or not self._node(node):
                return
        pipeline, written = self._pipeline, self._written
        if not self._cached:
            pipeline.data_from = pipeline.newest
            pipeline.data = {node: written[node] for node in _DATA_NODES}
        pipeline.newest = {
            "model": written["Trainer"]["model"],
            "updated_analyzer_cache": written["Transform"]["updated_analyzer_cache"],
        }

    def _node(self, node: str) -> bool:
        """Write one node; return whether the run goes on."""
        writer, pipeline = self._writer, self._pipeline
        reused = pipeline.data[node] if self._cached and node in _DATA_NODES else None
        state = CACHED if reused else FAILED if node == self._failing else COMPLETE
        execution = writer.execution(node, state, self._contexts)
        sources = {**self._written, _EARLIER: pipeline.data_from if reused else pipeline.newest}
        for key, source, output in _INPUTS[node]:
            writer.events(sources[source].get(output, ()), execution, INPUT, key)
        if state == FAILED:
            return False
        if node == "Resolver":
            writer.events(pipeline.newest.get("model", ()), execution, INTERNAL_OUTPUT, "model")
        self._written[node] = reused or {
            key: [self._artifact(node, execution, key, kind, n) for n in range(self._several(node))]
            for key, kind in _OUTPUTS[node]
        }
        for key, artifacts in self._written[node].items():
            writer.events(artifacts, execution, OUTPUT, key)
        return True

    def _several(self, node: str) -> int:
        return self._spans if node in _SPANNED else 1

    def _artifact(self, node: str, execution: int, key: str, kind: str, index: int) -> int:
        uri = f"gs://bucket/{self._pipeline.name}/{node}/{key}/{execution}/{index}"
        name = f"{self._name}:{node}:{key}:{index}"
        return self._writer.artifact(kind, uri, name, self._contexts)


class _Writer:
    """Gives ids and collects rows."""

    def __init__(self, types: TypeIds) -> None:
        self.rows: Rows = defaultdict(list)
        self.executions = 0
        self._artifacts = self._contexts = self._events = 0
        self._associations = self._attributions = 0
        self._clock = FIRST_TIME
        self._types = types
        self._on_artifacts = {
            name: node_types.filler(kind) for name, kind in node_types.ARTIFACT_TYPES.items()
        }
        self._on_executions = {
            node: node_types.filler(kind) for node, kind in node_types.EXECUTION_TYPES.items()
        }

    def take(self) -> Rows:
        """Return the rows since the last call."""
        taken, self.rows = self.rows, defaultdict(list)
        return taken

    def context(self, kind: str, name: str) -> int:
        """Write a context and return its id."""
        self._contexts += 1
        row = (self._contexts, self._types.contexts[kind], name, self._clock, self._clock)
        self.rows["Context"].append(row)
        return self._contexts

    def execution(self, node: str, state: int, contexts: tuple[int, ...]) -> int:
        """Write an execution and return its id."""
        self.executions += 1
        self._clock += 1_009
        number = self.executions
        end = self._clock if state == CACHED else self._clock + 907
        row = (number, self._types.executions[node], state, self._clock, end)
        self.rows["Execution"].append(row)
        self._on_executions[node](number, self.rows["ExecutionProperty"])
        for context in contexts:
            self._associations += 1
            self.rows["Association"].append((self._associations, context, number))
        return number

    def artifact(self, kind: str, uri: str, name: str, contexts: tuple[int, ...]) -> int:
        """Write an artifact and return its id."""
        self._artifacts += 1
        number = self._artifacts
        type_id = self._types.artifacts[kind]
        row = (number, type_id, uri, LIVE, name, self._clock, self._clock + 900)
        self.rows["Artifact"].append(row)
        self._on_artifacts[kind](number, self.rows["ArtifactProperty"])
        for context in contexts:
            self._attributions += 1
            self.rows["Attribution"].append((self._attributions, context, number))
        return number

    def events(self, artifacts: list[int] | tuple[()], execution: int, kind: int, key: str) -> None:
        """Write the events between an execution and the artifacts under one key."""
        for index, artifact in enumerate(artifacts):
            self._events += 1
            number = self._events
            self.rows["Event"].append((number, artifact, execution, kind, self._clock + 5))
            self.rows["EventPath"] += ((number, 0, None, key), (number, 1, index, None))
