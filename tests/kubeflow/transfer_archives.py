"""Transfer archives as Kubeflow Pipelines 2.18 writes them, made from snapshots of real stores."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, PropertyType
from mlmd_lineage.snapshot.values import value_of

if TYPE_CHECKING:
    from pathlib import Path

RUN_HISTORY = "kfp-history-mlmd-2.18/v1"
NAMESPACE_TRANSFER = "kfp-namespace-transfer-mlmd-2.18/v2"
IMPORTED_AT = 1_900_000_000_000
STATES = {"artifact": ("state", ArtifactState), "execution": ("last_known_state", ExecutionState)}
KINDS = ("int", "double", "string", "byte", "proto", "bool")


def graph_of(snapshot: Any) -> dict[str, Any]:
    """Return MLMD's protos as proto3 JSON with the names of proto fields."""
    graph: dict[str, Any] = {}
    types = {row["id"]: row for row in snapshot.types.to_pylist()}
    declared: dict[int, dict[str, str]] = {}
    for row in snapshot["TypeProperty"].to_pylist():
        names = declared.setdefault(row["type_id"], {})
        names[row["name"]] = PropertyType(row["data_type"]).name
    bases = {r["type_id"]: types[r["parent_type_id"]] for r in snapshot["ParentType"].to_pylist()}
    for kind, number in (("execution", 0), ("artifact", 1), ("context", 2)):
        table = kind.capitalize()
        used = set(snapshot[table]["type_id"].to_pylist())
        rows = [t for t in types.values() if t["type_kind"] == number and t["id"] in used]
        graph[f"{kind}_types"] = [
            _given(
                id=str(row["id"]),
                name=row["name"],
                version=row["version"],
                description=row["description"],
                properties=declared.get(row["id"]),
                base_type=bases[row["id"]]["name"].removeprefix("mlmd.").upper()
                if row["id"] in bases
                else None,
            )
            for row in rows
        ]
        graph[f"{kind}s"] = _nodes(snapshot, kind)
    paths: dict[int, list[Any]] = {}
    for row in snapshot.event_paths.to_pylist():
        step = (
            {"index": str(row["step_index"])} if row["is_index_step"] else {"key": row["step_key"]}
        )
        paths.setdefault(row["event_id"], []).append(step)
    graph["events"] = [
        _given(
            artifact_id=str(row["artifact_id"]),
            execution_id=str(row["execution_id"]),
            type=EventType(row["type"]).name,
            milliseconds_since_epoch=str(row["milliseconds_since_epoch"]),
            path={"steps": paths[row["id"]]} if row["id"] in paths else None,
        )
        for row in snapshot.events.to_pylist()
    ]
    graph["associations"] = _pairs(snapshot.associations, "context_id", "execution_id")
    graph["attributions"] = _pairs(snapshot.attributions, "context_id", "artifact_id")
    graph["parents"] = [
        {"child_id": str(row["context_id"]), "parent_id": str(row["parent_context_id"])}
        for row in snapshot.parent_contexts.to_pylist()
    ]
    return graph


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _pairs(table: Any, *columns: str) -> list[dict[str, str]]:
    return [{name: str(row[name]) for name in columns} for row in table.to_pylist()]


def _nodes(snapshot: Any, kind: str) -> list[dict[str, Any]]:
    table = kind.capitalize()
    groups: dict[int, dict[bool, dict[str, Any]]] = {}
    for row in snapshot[f"{table}Property"].to_pylist():
        value = value_of(*(row[f"{name}_value"] for name in KINDS))
        held = groups.setdefault(row[f"{kind}_id"], {}).setdefault(row["is_custom_property"], {})
        held[row["name"]] = _value(value)
    found = []
    for row in snapshot[table].to_pylist():
        node = _given(
            id=str(row["id"]),
            type_id=str(row["type_id"]),
            name=row["name"],
            uri=row.get("uri"),
            external_id=row["external_id"],
            properties=groups.get(row["id"], {}).get(False),
            custom_properties=groups.get(row["id"], {}).get(True),
            create_time_since_epoch=str(row["create_time_since_epoch"]),
            last_update_time_since_epoch=str(row["last_update_time_since_epoch"]),
        )
        if kind in STATES and row[STATES[kind][0]] is not None:
            name, states = STATES[kind]
            node[name] = states(row[name]).name
        found.append(node)
    return found


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": str(value)}
    if isinstance(value, float):
        return {
            "double_value": value
            if math.isfinite(value)
            else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        }
    if isinstance(value, dict):
        return {"struct_value": value}
    return {"string_value": value}


def archive(
    graph: dict[str, Any], source: str, form: str = NAMESPACE_TRANSFER, **names: str
) -> dict[str, Any]:
    """Return an archive of a graph; each run is called by its first eight letters unless named."""
    runs = [row["name"] for row in graph["contexts"] if row["name"] and len(row["name"]) == 36]
    rows = [
        {
            "UUID": run,
            "DisplayName": names.get(run, f"run {run[:8]}"),
            "Namespace": "team-a",
            "State": "SUCCEEDED",
            "FinishedAtInSec": 1_700_000_000,
            "PipelineSpecManifest": "x" * 100,
        }
        for run in runs
    ]
    experiment = {"UUID": "e-1", "Name": "Zürich <1>", "LastRunCreatedAtInSec": 7}
    schedule = {"UUID": "s-1", "DisplayName": "every night"}
    if form == RUN_HISTORY:
        rows = [{**row, "ExperimentUUID": "e-1", "JobUUID": "s-1"} for row in rows]
        tables = {"run_details": rows, "experiments": [experiment], "jobs": [schedule], "tasks": []}
        return {
            "format": form,
            "source": source,
            "tables": tables,
            "mlmd": {**graph, "run_context_id": "1"},
            "engine": "mysql",
            "schema": {"run_details": [{"name": "UUID", "nullable": False}]},
        }
    rows = [{**row, "ExperimentId": "e-1", "RecurringRunId": "s-1"} for row in rows]
    return {
        "format": form,
        "source": source,
        "namespace": "team-a",
        "experiments": [experiment],
        "pipelines": [],
        "pipeline_versions": [],
        "schedules": [schedule],
        "runs": [{"run": row, "tasks": [], "metrics": []} for row in rows],
        "references": [],
        "metadata": graph,
        "digest": "",
        "runtime_parameters": {"runs": dict.fromkeys(runs, '{"rows":100}'), "schedules": {}},
    }


def write(path: Path, held: dict[str, Any]) -> Path:
    """Write an archive with its digest, each form as Kubeflow does."""
    held = copy.deepcopy(held)
    if held["format"] == RUN_HISTORY:
        signed = copy.deepcopy(held)
        for row in signed["tables"]["experiments"]:
            row.pop("LastRunCreatedAtInSec", None)
        text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        held["digest"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(held, indent=2), encoding="utf-8")
        return path
    text = _go_json(held)
    held["digest"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(_go_json(held) + "\n", encoding="utf-8")
    return path


def _go_json(held: Any) -> str:
    """Return JSON as Go's encoding/json writes it."""
    text = json.dumps(held, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def imported(graph: dict[str, Any], source: str, first_id: int = 1000) -> dict[str, Any]:
    """Return the graph of an installation into which that of another was imported."""
    made = copy.deepcopy(graph)
    ids = _import_nodes(made, graph, source, first_id)
    for node in made["executions"]:
        custom = node["custom_properties"]
        for name, field in (
            ("parent_dag_id", "int_value"),
            ("cached_execution_id", "string_value"),
        ):
            value = custom.get(name, {}).get(field)
            if value in ids["executions"]:
                custom[name] = {field: ids["executions"][value]}
    for row in made["events"] + made["associations"] + made["attributions"]:
        for kinds in ids:
            name = f"{kinds[:-1]}_id"
            if name in row:
                row[name] = ids[kinds][row[name]]
    for row in made["parents"]:
        row.update({name: ids["contexts"][row[name]] for name in row})
    return made


def _import_nodes(
    made: dict[str, Any], graph: dict[str, Any], source: str, first_id: int
) -> dict[str, dict[str, str]]:
    ids: dict[str, dict[str, str]] = {}
    prefix = f"kfp-history-{hashlib.sha256(json.dumps(source).encode()).hexdigest()[:24]}"
    runs = {row["id"] for row in graph["context_types"] if row["name"] == "system.PipelineRun"}
    for kinds in ("contexts", "executions", "artifacts"):
        for number, (node, before) in enumerate(zip(made[kinds], graph[kinds], strict=True)):
            ids.setdefault(kinds, {})[before["id"]] = node["id"] = str(first_id + number)
            if kinds != "contexts" or before["type_id"] not in runs:
                node["name"] = f"{prefix}-{kinds}-{before['id']}"
            node["create_time_since_epoch"] = str(IMPORTED_AT)
            node["last_update_time_since_epoch"] = str(IMPORTED_AT)
            original = json.dumps(before, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            node.setdefault("custom_properties", {}).update(
                kfp_history_source={"string_value": source},
                kfp_history_digest={"string_value": "0" * 64},
                kfp_history_original={"string_value": original},
            )
    return ids
