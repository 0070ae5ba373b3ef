"""The types of the generated stores, named as TFX names them, and the properties of their nodes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

INT, DOUBLE, STRING, STRUCT, BOOLEAN = 1, 2, 3, 4, 6  # MLMD's PropertyType

PropertyRow = tuple[int, str, int, "int | None", "float | None", "str | None", "int | None"]
"""Owner, name, whether it is custom, and the int, double, string and bool value."""


@dataclass(frozen=True)
class Property:
    """A property that every node of a type has."""

    name: str
    kind: int
    words: str = ""
    """For a string: what it says, with ``{}`` where a number goes."""
    custom: bool = True


@dataclass(frozen=True)
class NodeType:
    """An artifact or execution type, with the properties of its nodes sorted by name."""

    name: str
    base: str | None
    properties: tuple[Property, ...]


_FINGERPRINT = "split:train,num_files:1,total_bytes:{},xor_checksum:16{}"
_WHEEL = "user_module@gs://bucket/_wheels/user_code-0.0+{}-py3-none-any.whl"

_ON_ARTIFACTS = (
    Property("span", INT, custom=False),
    Property("is_external", INT),
    Property("tfx_version", STRING, "1.15.1"),
    Property("producer_component", STRING, "component-{}"),
)
_ON_EXECUTIONS = (
    Property("span", INT),
    Property("num_steps", INT, custom=False),
    Property("batch_size", INT),
    Property("threshold", DOUBLE),
    Property("learning_rate", DOUBLE),
    Property("module_path", STRING, _WHEEL),
)


def _artifact(name: str, base: str | None, own: Property) -> NodeType:
    return NodeType(name, base, _by_name(*_ON_ARTIFACTS, own))


def _execution(path: str, base: str | None, *own: Property) -> NodeType:
    return NodeType(f"tfx.{path}", base, _by_name(*_ON_EXECUTIONS, *own))


def _by_name(*properties: Property) -> tuple[Property, ...]:
    return tuple(sorted(properties, key=lambda property_: property_.name))


_SPLITS = Property("split_names", STRING, '["train", "eval"]', custom=False)
_NO_SPLITS = Property("exclude_splits", STRING, "[]")

ARTIFACT_TYPES: Final = {
    node_type.name: node_type
    for node_type in (
        _artifact("Examples", "mlmd.Dataset", Property("input_fingerprint", STRING, _FINGERPRINT)),
        _artifact("ExampleStatistics", "mlmd.Statistics", _SPLITS),
        _artifact("Schema", None, Property("owner", STRING, "Zoë Müller")),
        _artifact("ExampleAnomalies", "mlmd.Statistics", Property("anomalies", INT)),
        _artifact("TransformGraph", None, Property("sha", STRING, "a94a8fe5ccb19ba61c4c08{}")),
        _artifact("TransformCache", None, Property("bytes", DOUBLE)),
        _artifact("HyperParameters", None, Property("dropout", DOUBLE)),
        _artifact("TunerResults", None, Property("best_score", DOUBLE)),
        _artifact("Model", "mlmd.Model", Property("auc", DOUBLE)),
        _artifact("ModelRun", None, Property("loss", DOUBLE)),
        _artifact("ModelEvaluation", "mlmd.Metrics", Property("metrics", STRUCT)),
        _artifact("ModelBlessing", None, Property("blessed", BOOLEAN)),
        _artifact("PushedModel", "mlmd.Model", Property("pushed_version", STRING, "16{}")),
    )
}

EXECUTION_TYPES: Final = {
    "CsvExampleGen": _execution(
        "components.example_gen.csv_example_gen.component.CsvExampleGen",
        "mlmd.Process",
        Property("input_base", STRING, "gs://bucket/data/day-{}"),
        Property("input_fingerprint", STRING, _FINGERPRINT),
    ),
    "StatisticsGen": _execution(
        "components.statistics_gen.component.StatisticsGen",
        "mlmd.Process",
        _NO_SPLITS,
        Property("sample_rate", DOUBLE),
    ),
    "SchemaGen": _execution(
        "components.schema_gen.component.SchemaGen",
        "mlmd.Process",
        _NO_SPLITS,
        Property("infer_feature_shape", BOOLEAN),
    ),
    "ExampleValidator": _execution(
        "components.example_validator.component.ExampleValidator",
        "mlmd.Evaluate",
        _NO_SPLITS,
        Property("drift", DOUBLE),
    ),
    "Resolver": _execution(
        "dsl.components.common.resolver.Resolver",
        None,
        Property("strategy", STRING, "LatestBlessedModelStrategy"),
        Property("limit", INT),
    ),
    "Transform": _execution(
        "components.transform.component.Transform",
        "mlmd.Transform",
        Property("force_tf_compat_v1", BOOLEAN),
        Property("splits_config", STRUCT),
    ),
    "Tuner": _execution(
        "components.tuner.component.Tuner",
        "mlmd.Train",
        Property("tune_args", STRING, '{{"num_parallel_trials": {}}}'),
        Property("trials", INT),
    ),
    "Trainer": _execution(
        "components.trainer.component.Trainer",
        "mlmd.Train",
        Property("custom_config", STRUCT),
        Property("warm_start", BOOLEAN),
    ),
    "Evaluator": _execution(
        "components.evaluator.component.Evaluator",
        "mlmd.Evaluate",
        Property("eval_config", STRING, '{{"metrics_specs": [{{"threshold": {}}}]}}'),
        Property("slices", INT),
    ),
    "Pusher": _execution(
        "components.pusher.component.Pusher",
        "mlmd.Deploy",
        Property("push_destination", STRING, "gs://bucket/serving/{}"),
        Property("attempts", INT),
    ),
}
"""By the node's name in the pipeline."""

CONTEXT_TYPES: Final = ("pipeline", "pipeline_run")


def filler(node_type: NodeType) -> Callable[[int, list[PropertyRow]], None]:
    """Return what appends the property rows of one node, all of its values made of its id."""
    templates = [
        (declared.name, int(declared.custom), declared.kind, declared.words, 7919 + 2 * i)
        for i, declared in enumerate(node_type.properties)
    ]
    structs = [_struct(float(units)) for units in range(16)]

    def fill(owner: int, rows: list[PropertyRow]) -> None:
        for name, custom, kind, words, prime in templates:
            value = owner * prime % 999_983
            if kind == INT:
                rows.append((owner, name, custom, value % 10_000, None, None, None))
            elif kind == DOUBLE:
                rows.append((owner, name, custom, None, value / 1e6, None, None))
            elif kind == STRING:
                rows.append((owner, name, custom, None, None, words.format(value, value), None))
            elif kind == STRUCT:
                rows.append((owner, name, custom, None, None, structs[value % 16], None))
            else:
                rows.append((owner, name, custom, None, None, None, value % 2))

    return fill


def _struct(units: float) -> str:
    """Return ``{"units": units}`` as MLMD stores a Struct in a text column."""
    from google.protobuf.struct_pb2 import Struct

    struct: Any = Struct()
    struct.update({"units": units})
    return "mlmd-struct::" + base64.b64encode(struct.SerializeToString()).decode()
