"""Gathers what a store says of a model: data, steps, metrics, approvals, what came from it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.dossier import property_rules
from mlmd_lineage.dialects.platform_properties import is_volatile
from mlmd_lineage.lineage import traversal
from mlmd_lineage.lineage.render.scene import when
from mlmd_lineage.post_execution.compare import impact
from mlmd_lineage.post_execution.loading import closures
from mlmd_lineage.post_execution.loading.store_labels import StoreLabels
from mlmd_lineage.post_execution.models import read_models
from mlmd_lineage.snapshot.enums import ArtifactState, name_of
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.dialects.facts import ArtifactFacts
    from mlmd_lineage.dialects.records import ArtifactRecord
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry
    from mlmd_lineage.readers.base import Reader

    Facts = dict[str, Any]

DATA_SETS = frozenset({"mlmd.Dataset", "Dataset", "DataSet", "data_set", "Examples", "BQTable"})
"""The types of data sets, by their short names or those of their base types."""
METRICS = frozenset(
    {
        "mlmd.Metrics",
        "Metrics",
        "metrics",
        "Metric",
        "ClassificationMetrics",
        "SlicedClassificationMetrics",
        "ModelEvaluation",
        "Dataslice",
    }
)
"""The types of evaluations and metrics."""
APPROVALS = frozenset({"ModelBlessing", "InfraBlessing"})
"""The types of approvals, as TFX's Evaluator and InfraValidator write them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """What a store says of a model.

    Attributes:
        upstream, downstream: What the model came from, and what came from it.
        sections: The parts of the dossier by their names, as JSON has them.
    """

    upstream: Trace
    downstream: Trace
    sections: Facts


def gather(reader: Reader, key: str) -> Gathered:
    """Read what a store says of an artifact.

    Raises:
        NotFoundError: The store holds no such artifact.
    """
    above = closures.read(reader, [key])
    # With the paths of events and the rest, so that it answers as one of store.upstream().
    upstream = traversal.upstream(reader, (key,), closures.LINEAGE)
    upstream.use_labeler(StoreLabels(reader))
    downstream = traversal.downstream(reader, (key,), closures.LINEAGE)
    below = closures.read_around(reader, downstream)
    reached = impact.impact(reader, key)
    model = _artifact(above, _id(key))
    steps = [_step(above, number) for number in upstream.index.execution_ids.tolist()]
    evaluating = [n for n in _takers(downstream, key) if _is_there(below, n)]
    evaluations = [_step(below, number) for number in evaluating]
    sections: Facts = {
        "model": model | {"registrations": _registrations(reader, key)},
        "data_sets": _data_sets(above, upstream, key),
        "steps": sorted(steps, key=lambda step: (step["started"] or "", _id(step["node"]))),
        "evaluations": evaluations,
        "metrics": _metrics(above, upstream, key) + _metrics_of(below, evaluating, key),
        "approvals": _approvals(below, evaluating, key),
        "deployments": [dataclasses.asdict(row) for row in reached.reached],
        "deployment_hints": [dataclasses.asdict(hint) for hint in reached.hints],
        "downstream": _downstream(below, downstream, key),
    }
    return Gathered(upstream, downstream, json_value(sections))


def deployments_of(sections: Mapping[str, Any]) -> list[Facts]:
    """Return the deployments of the model itself, not those that it only helped to decide on."""
    rows: list[Facts] = sections["deployments"]
    return [row for row in rows if row["kind"] == "deployment" and row["direct"] is not False]


def _id(key: str) -> int:
    return int(key.partition("/")[2])


def _artifact(ancestry: Ancestry, number: int, execution: int | None = None) -> Facts:
    """Return what is known of an artifact, as an execution's dialect has it, or its maker's."""
    facts, record = ancestry.facts(number), ancestry.artifact(number)
    if execution is not None:
        record = ancestry.run_index.artifact(number, ancestry.record(execution).dialect)
    made = [f"execution/{n}" for n in ancestry.producers(number)]
    node = f"artifact/{number}"
    if facts is None:
        lost: Facts = dict.fromkeys(("type", "name", "uri", "state", "created"))
        maps = ("digests", "spans", "people", "properties", "metrics")
        known = {"node": node, "missing": True, "produced_by": made}
        return known | lost | {name: {} for name in maps}
    properties = _properties(facts)
    return {
        "node": node,
        "missing": False,
        "type": short_type(facts.type),
        "name": record.name if record is not None else facts.name,
        "uri": facts.uri,
        "state": None if facts.state is None else name_of(ArtifactState, facts.state),
        "created": when(facts.created) if facts.created else None,
        "produced_by": made,
        "digests": property_rules.digests_of(properties, facts.uri, facts.name),
        "spans": property_rules.spans_of(properties),
        "people": property_rules.people_of(properties),
        "properties": dict(sorted(properties.items())),
        "metrics": _values(facts, record),
    }


def _values(facts: ArtifactFacts, record: ArtifactRecord | None) -> Mapping[str, Any]:
    """Return the metrics of an artifact; of one that is metrics by its type, all its numbers."""
    if record is not None and record.metrics:
        return dict(record.metrics)
    if not _is_of(facts, METRICS):
        return {}
    properties = sorted(_properties(facts).items())
    return {
        name: value
        for name, value in properties
        if isinstance(value, (int, float)) and not is_volatile(name)
    }


def _properties(facts: ArtifactFacts) -> Mapping[str, Any]:
    return {**facts.custom_properties, **facts.properties}


def _is_there(ancestry: Ancestry, execution: int) -> bool:
    """Tell whether an execution has a row; events may name one that was deleted."""
    return execution in ancestry.run_index.membership.runs_by_execution


def _step(ancestry: Ancestry, number: int) -> Facts:
    if not _is_there(ancestry, number):
        return _lost_step(number)
    record, step = ancestry.record(number), ancestry.step(number)
    facts = ancestry.run_index.store_image.executions([number])[number]
    given = {**facts.custom_properties, **facts.properties}
    around = {name: v for c in facts.contexts for name, v in c.properties.items()}
    made = [n for found in record.outputs.values() for n in found]
    of_outputs = [_properties(f) for n in made if (f := ancestry.facts(n)) is not None]
    written = {name: value for found in of_outputs for name, value in found.items()}
    return {
        "node": f"execution/{number}",
        "name": ancestry.path(number),
        "type": short_type(record.type),
        "entrypoint": record.entrypoint_name,
        "pipeline": ancestry.pipeline(number),
        "run": ancestry.run_name(number),
        "status": step.status,
        "state": record.state,
        "started": when(step.started) if step.started else None,
        "finished": when(step.finished) if step.finished else None,
        "inputs": _keys(ancestry.inputs(number)),
        "outputs": _keys(record.outputs),
        "parameters": dict(sorted(record.parameters.items())),
        "code": property_rules.code_of(given, record.type),
        "environment": property_rules.environment_of({**written, **around, **given}),
        "people": property_rules.people_of({**around, **given}),
    }


def _lost_step(number: int) -> Facts:
    """Return what is known of an execution that events name, and that has no row."""
    key = f"execution/{number}"
    texts: Facts = {"name": key, "type": "no row", "entrypoint": None, "status": "lost"}
    places = dict.fromkeys(("pipeline", "run", "state", "started", "finished"))
    maps = ("inputs", "outputs", "parameters", "code", "environment", "people")
    return {"node": key, **texts, **places, **{name: {} for name in maps}}


def _keys(found: Mapping[str, Iterable[int]]) -> dict[str, list[str]]:
    return {name: [f"artifact/{n}" for n in numbers] for name, numbers in sorted(found.items())}


def _is_of(facts: ArtifactFacts | None, names: frozenset[str]) -> bool:
    return facts is not None and bool({short_type(facts.type), facts.base_type or ""} & names)


def _data_sets(ancestry: Ancestry, upstream: Trace, key: str) -> list[Facts]:
    """Return the data sets above a model: those by type, and all that has no recorded origin."""
    roots = set(upstream.roots)
    sources = set(map(_id, roots & set(_executions(upstream))))
    found = []
    for number in upstream.index.artifact_ids.tolist():
        node = f"artifact/{number}"
        makers = ancestry.producers(number)
        first = node in roots or bool(sources & set(makers))
        if node != key and (first or _is_of(ancestry.facts(number), DATA_SETS)):
            artifact = _artifact(ancestry, number)
            found.append(artifact | {"origin": _origin(ancestry, artifact, makers, first=first)})
    return found


def _executions(trace: Trace) -> list[str]:
    return [f"execution/{n}" for n in trace.index.execution_ids.tolist()]


def _origin(
    ancestry: Ancestry, artifact: Facts, makers: tuple[int, ...], *, first: bool
) -> dict[str, Any]:
    """Return where a data set came from, as far as the store says."""
    declared = bool(artifact.get("properties", {}).get("is_external"))
    if not makers:
        known = "declared" if declared else "unknown"
        said = "declared to come from elsewhere" if declared else "not recorded"
        return {"kind": known, "text": said, "steps": []}
    names = ", ".join(f"{ancestry.path(n)} (execution/{n})" for n in makers)
    if first:
        return {"kind": "entered", "text": f"brought in by {names}", "steps": list(makers)}
    return {"kind": "derived", "text": f"made by {names}", "steps": list(makers)}


def _takers(downstream: Trace, key: str) -> list[int]:
    """Return the executions that took a node itself."""
    index = downstream.index
    place = downstream.position(key)
    targets = index.targets[index.sources == place]
    return sorted({_id(found) for found in index.keys(targets)})


def _metrics(ancestry: Ancestry, upstream: Trace, key: str) -> list[Facts]:
    """Return the metrics of the model itself, and those of the steps that made it."""
    own = _artifact(ancestry, _id(key))
    rows = [_metric_row(ancestry, own, None)] if own.get("metrics") else []
    makers = [n for n in ancestry.producers(_id(key)) if f"execution/{n}" in upstream]
    return [*rows, *(row for row in _metrics_of(ancestry, makers) if row["node"] != key)]


def _metrics_of(ancestry: Ancestry, executions: list[int], key: str | None = None) -> list[Facts]:
    """Return what some executions measured, and as what they took a model, if they did."""
    rows = []
    for execution in executions:
        for number in _outputs(ancestry, execution):
            artifact = _artifact(ancestry, number, execution)
            if artifact.get("metrics") or _is_of(ancestry.facts(number), METRICS):
                taken = None if key is None else _taken_as(ancestry, execution, key)
                rows.append(_metric_row(ancestry, artifact, execution) | {"taken_as": taken})
    return rows


def _outputs(ancestry: Ancestry, execution: int) -> list[int]:
    return sorted({n for found in ancestry.record(execution).outputs.values() for n in found})


def _metric_row(ancestry: Ancestry, artifact: Facts, execution: int | None) -> Facts:
    return {
        "node": artifact["node"],
        "type": artifact["type"],
        "uri": artifact["uri"],
        "created": artifact.get("created"),
        "step": None if execution is None else f"execution/{execution}",
        "step_name": None if execution is None else ancestry.path(execution),
        "taken_as": None,
        "values": artifact.get("metrics", {}),
    }


def _taken_as(ancestry: Ancestry, execution: int, key: str) -> str | None:
    """Return the keys under which an execution took an artifact."""
    inputs = ancestry.inputs(execution)
    return ", ".join(name for name, found in inputs.items() if _id(key) in found) or None


def _is_about(properties: Mapping[str, Any], taken: str | None, key: str) -> bool:
    """Tell whether a blessing is that of a model, and not of one that was compared with it."""
    named = properties.get("current_model_id")
    return named == _id(key) if isinstance(named, int) else "baseline" not in (taken or "")


def _approvals(ancestry: Ancestry, executions: list[int], key: str) -> list[Facts]:
    """Return what was said of a model by steps that took it: blessings."""
    rows = []
    for execution in executions:
        for number in _outputs(ancestry, execution):
            if _is_of(ancestry.facts(number), APPROVALS):
                artifact = _artifact(ancestry, number, execution)
                taken = _taken_as(ancestry, execution, key)
                if not _is_about(artifact["properties"], taken, key):
                    continue
                blessed = artifact["properties"].get("blessed")
                step = _step(ancestry, execution)
                rows.append(
                    {
                        "node": artifact["node"],
                        "type": artifact["type"],
                        "uri": artifact["uri"],
                        "approved": None if blessed is None else bool(blessed),
                        "step": step["node"],
                        "step_name": step["name"],
                        "run": step["run"],
                        "when": step["finished"] or step["started"],
                        "people": {**step["people"], **artifact["people"]},
                        "compared_with": artifact["properties"].get("baseline_model"),
                    }
                )
    return rows


def _downstream(ancestry: Ancestry, downstream: Trace, key: str) -> list[Facts]:
    rows = []
    for node, hops in zip(downstream, downstream.hops.tolist(), strict=True):
        if node == key:
            continue
        number = _id(node)
        about: Facts = dict.fromkeys(("type", "name", "uri", "run"))
        if node.startswith("execution/") and not _is_there(ancestry, number):
            about["type"] = "no row"
        elif node.startswith("execution/"):
            record = ancestry.record(number)
            about = {
                "type": short_type(record.type),
                "name": ancestry.path(number),
                "uri": None,
                "run": ancestry.run_name(number),
            }
        else:
            facts = ancestry.facts(number)
            makers = ancestry.producers(number)
            about = {
                "type": None if facts is None else short_type(facts.type),
                "name": None if facts is None else facts.name,
                "uri": None if facts is None else facts.uri,
                "run": ancestry.run_name(makers[0]) if makers else None,
            }
        rows.append({"node": node, **about, "hops": hops})
    return sorted(
        rows, key=lambda row: (row["hops"], row["node"].partition("/")[0], _id(row["node"]))
    )


def _registrations(reader: Reader, key: str) -> list[Facts]:
    """Return the versions of registered models that a Model Registry keeps an artifact for."""
    return [
        {
            "model": model.name,
            "version": version.name,
            "state": version.state,
            "author": version.author,
            "owner": model.owner,
            "created": version.created,
        }
        for model in reader.ask(read_models)
        for version in model.versions
        if any(artifact.node_key == key for artifact in version.artifacts)
    ]
