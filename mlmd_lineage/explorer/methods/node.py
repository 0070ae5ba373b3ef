"""A node: all that the store says of an artifact, an execution or a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.explored_store import frame_of
from mlmd_lineage.explorer.times import milliseconds
from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.render.labels import path_text
from mlmd_lineage.lineage.render.node_labels import NO_LABEL
from mlmd_lineage.record_format.names import ERROR
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.post_execution.views import ArtifactView, StepView

_SHOWN = 1_000
"""How many events, and how many members of a context, are listed."""
_ERRORS = (ERROR, "error", "error_message")
_PREFIXES = {"properties.": False, "custom_properties.": True}


def node(store: ExploredStore, key: str) -> dict[str, Any]:
    """Return all that the store says of a node.

    Members: ``key``, ``kind``, ``id``, ``label``, ``name``, ``type``, ``platform``, ``state``
    (MLMD's), ``status`` (of a step), ``uri``, ``external_id``, ``times`` (``created``,
    ``updated``, of a step ``start`` and ``end``), ``properties`` (``name``, ``value``,
    ``custom``), ``parameters`` and ``metrics`` of a step, ``events`` (``event``, ``key`` and
    ``label`` and ``type`` of the other node, ``event_type``, ``role``, ``path``, ``time``;
    ``events_total`` of them), ``contexts`` (``key``, ``name``, ``type``), ``run``, ``run_key``,
    ``pipeline``, ``error`` of a failed step, ``original``: the step whose results a cached one
    reuses, or what Kubeflow imported it from. For a context ``members``, and ``parents`` and
    ``children``.

    Args:
        store: The store.
        key: A key, an artifact's id, a URI, a name, or a type and a name.
    """
    found = store.find_node(key)
    kind, number = keys.parse(found)
    frame = frame_of(store, kind, f"id = {number}", properties=True)
    if not len(frame):
        message = f"There is no {found} in {store.location}."
        raise errors.NotFoundError(message)
    made = _fields(found, kind, number, frame)
    made["properties"] = properties = list(_properties(frame))
    if kind == "context":
        return made | _of_context(store, number)
    trace = _events(store, found)
    made |= trace
    made["contexts"] = _contexts(store.find_contexts(f"{kind}s_a.id = {number}"))
    if kind == "execution":
        made |= _of_step(store.get_step(found))
        if made["status"] == "failed":
            made["error"] = next(
                (str(p["value"]) for p in properties if p["name"] in _ERRORS), None
            )
    else:
        made |= _of_artifact(store.get_artifact(found))
    return made


def _fields(key: str, kind: str, number: int, frame: pd.DataFrame) -> dict[str, Any]:
    row = {name: json_value(frame.iloc[0][name]) for name in frame.columns[:6]}
    return {
        "key": key,
        "kind": kind,
        "id": number,
        "label": row.get("name") or f"#{number}",
        **{name: row.get(name) for name in ("name", "type", "state", "uri", "external_id")},
        "times": {
            "created": milliseconds(frame.iloc[0]["create_time_since_epoch"]),
            "updated": milliseconds(frame.iloc[0]["last_update_time_since_epoch"]),
        },
        "status": None,
        "run": None,
        "pipeline": None,
        "error": None,
        "original": None,
    }


def _properties(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    row = frame.iloc[0]
    for column in map(str, frame.columns):
        for prefix, custom in _PREFIXES.items():
            if column.startswith(prefix) and not is_missing(row[column]):
                name = column.removeprefix(prefix)
                yield {"name": name, "value": json_value(row[column]), "custom": custom}


def _events(store: ExploredStore, key: str) -> dict[str, Any]:
    """Return the events of a node, by their ids, with the nodes at their other ends."""
    rows: dict[int, dict[str, Any]] = {}
    for question in (store.upstream, store.downstream):
        trace: Trace = question(key, max_hops=1, reuse=True, internal=True, later=True)
        labels, types = trace.node_labels, trace.nodes["type"]
        for event, edge in zip(trace.edges.index, trace.edges.to_dict("records"), strict=True):
            other = edge["target"] if edge["source"] == key else edge["source"]
            rows[int(event)] = {
                "event": int(event),
                "key": other,
                "label": labels.get(other, NO_LABEL).name or other,
                "type": json_value(types[other]),
                "event_type": edge["type"],
                "role": edge["role"],
                "path": path_text(edge["path"]),
                "time": milliseconds(edge["time"]),
            }
    ordered = [rows[event] for event in sorted(rows)]
    return {"events": ordered[:_SHOWN], "events_total": len(ordered)}


def _contexts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"key": f"context/{number}", "name": json_value(name), "type": json_value(kind)}
        for number, name, kind in zip(frame.index, frame["name"], frame["type"], strict=True)
    ]


def _of_step(step: StepView) -> dict[str, Any]:
    original, was = step.original_step, step.original
    return {
        "label": step.display_name,
        "status": "cached" if step.is_cached else step.status,
        "platform": step.dialect,
        "run": step.run_name,
        "run_key": step.run_key,
        "pipeline": step.pipeline_name,
        "parameters": json_value(dict(step.parameters)),
        "metrics": json_value(dict(step.metrics)),
        "original": _imported("execution", was)
        if original is None
        else {"key": original.node_key, "label": f"{original.display_name} of {original.run_name}"},
    }


def _of_artifact(artifact: ArtifactView) -> dict[str, Any]:
    maker = artifact.producer_step
    made: dict[str, Any] = {
        "label": artifact.name or f"#{artifact.id}",
        "metrics": json_value(dict(artifact.metrics)),
        "original": _imported("artifact", artifact.original),
    }
    if maker is not None:
        made |= {
            "platform": maker.dialect,
            "run": maker.run_name,
            "run_key": maker.run_key,
            "pipeline": maker.pipeline_name,
        }
    return made


def _imported(kind: str, was: Any) -> dict[str, Any] | None:
    if was is None:
        return None
    return {"key": None, "label": f"{kind} {was.id} of {was.source or 'another installation'}"}


def _of_context(store: ExploredStore, number: int) -> dict[str, Any]:
    members = []
    for kind in ("execution", "artifact"):
        frame = frame_of(store, kind, f"contexts_c.id = {number}")
        members += [
            {"key": f"{kind}/{n}", "name": json_value(name), "type": json_value(type_)}
            for n, name, type_ in zip(frame.index, frame["name"], frame["type"], strict=True)
        ]
    return {
        "members": members[:_SHOWN],
        "members_total": len(members),
        "parents": _contexts(store.find_contexts(f"child_contexts_c.id = {number}")),
        "children": _contexts(store.find_contexts(f"parent_contexts_p.id = {number}")),
        "contexts": [],
        "events": [],
    }
