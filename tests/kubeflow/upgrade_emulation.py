"""What Kubeflow Pipelines 3.0 does to an MLMD store, as its design and its converter are described.

No cluster runs here. This is written from the facts, not from Kubeflow's code, and shares nothing
with the check that it proves: it reads a snapshot's rows by itself.

- ``Upgrade`` makes the tables ``tasks``, ``artifacts`` and ``artifact_tasks`` as the design of the
  migration says (proposals/12147-mlmd-removal/database-migration-design.md).
- ``transfer`` takes the archive of one run, as ``tools/run-history`` collects it, and converts it
  as ``backend/src/apiserver/history/legacy_mlmd.go`` is described to: it stops at the first thing
  that it cannot take.
"""

from __future__ import annotations

import math
import uuid
from typing import Any

from mlmd_lineage.snapshot.values import value_of

TYPES = ("system.ContainerExecution", "system.ImporterExecution", "system.DAGExecution")
STATES = {1: 0, 2: 1, 3: 2, 4: 4, 5: 5, 6: 4}
NOT_METRICS = ("display_name", "store_session_info")
TEXTS = ("cached_execution_id", "task_name", "display_name", "namespace", "pod_name", "pod_uid")
NUMBERS = ("parent_dag_id", "iteration_index", "iteration_count")
KINDS = ("int", "double", "string", "byte", "proto", "bool")

Node = dict[str, Any]


class RefusedError(Exception):
    """The transfer stops."""


def refuse_if(condition: object, why: str) -> None:
    if condition:
        raise RefusedError(why)


class Graph:
    """MLMD's rows as dicts, by their ids."""

    def __init__(self, snapshot: Any) -> None:
        types = {row["id"]: row["name"] for row in snapshot.types.to_pylist()}
        states = {"artifact": "state", "execution": "last_known_state", "context": ""}
        self.nodes: dict[str, dict[int, Node]] = {}
        for kind, state in states.items():
            table = kind.capitalize()
            rows: dict[int, Node] = {}
            for row in snapshot[table].to_pylist():
                rows[row["id"]] = {
                    "type": types.get(row["type_id"]),
                    "name": row["name"],
                    "state": row.get(state) or 0,
                    "properties": {},
                    "custom": {},
                }
            for row in snapshot[f"{table}Property"].to_pylist():
                held = rows.get(row[f"{kind}_id"])
                if held is not None:
                    group = "custom" if row["is_custom_property"] else "properties"
                    value = value_of(*(row[f"{name}_value"] for name in KINDS))
                    held[group][row["name"]] = value
            self.nodes[kind] = rows
        self.executions = self.nodes["execution"]
        self.artifacts = self.nodes["artifact"]
        self.contexts = self.nodes["context"]
        steps: dict[int, list[Any]] = {}
        for row in snapshot.event_paths.to_pylist():
            step = row["step_index"] if row["is_index_step"] else row["step_key"]
            steps.setdefault(row["event_id"], []).append(step)
        events = snapshot.events.to_pylist()
        self.events = [{**row, "path": steps.get(row["id"], [])} for row in events]
        self.associations = [
            (row["context_id"], row["execution_id"])
            for row in snapshot.associations.to_pylist()
            if row["context_id"] in self.contexts and row["execution_id"] in self.executions
        ]
        self.attributions = [
            (row["context_id"], row["artifact_id"])
            for row in snapshot.attributions.to_pylist()
            if row["context_id"] in self.contexts and row["artifact_id"] in self.artifacts
        ]
        parents = snapshot.parent_contexts.to_pylist()
        self.parents = [(row["context_id"], row["parent_context_id"]) for row in parents]

    def is_run(self, context: int) -> bool:
        return self.contexts[context]["type"] == "system.PipelineRun"

    def runs(self, execution: int) -> set[int]:
        return {c for c, e in self.associations if e == execution and self.is_run(c)}


class Upgrade:
    """The rows that the migration makes; what it skips is in none of them.

    Attributes:
        tasks: The state of each execution's task.
        parents: The execution above each that has one.
        artifacts: How many rows each artifact becomes.
        links: The events that became links.
    """

    def __init__(self, graph: Graph, rows: set[str] | None) -> None:
        def kept(context: int) -> bool:
            return rows is None or graph.contexts[context]["name"] in rows

        self.tasks = {
            number: STATES.get(node["state"], 0)
            for number, node in graph.executions.items()
            if node["type"] in TYPES and any(kept(run) for run in graph.runs(number))
        }
        self.uuids = {n: uuid.uuid5(uuid.NAMESPACE_DNS, f"execution:{n}") for n in self.tasks}
        self.parents = {}
        for number in self.tasks:
            parent = graph.executions[number]["custom"].get("parent_dag_id")
            if isinstance(parent, int) and parent in self.tasks:
                self.parents[number] = parent
        self.artifacts: dict[int, int] = {}
        for number, node in graph.artifacts.items():
            runs = {c for c, a in graph.attributions if a == number and graph.is_run(c)}
            for event in graph.events:
                if event["artifact_id"] == number and event["execution_id"] in graph.executions:
                    runs |= graph.runs(event["execution_id"])
            count = 1
            if node["type"] == "system.Metrics":
                held = {**node["custom"], **node["properties"]}
                metrics = [value for name, value in held.items() if name not in NOT_METRICS]
                count = sum(isinstance(value, (int, float)) for value in metrics)
            if count and (not runs or any(kept(run) for run in runs)):
                self.artifacts[number] = count
        self.links = {
            event["id"]
            for event in graph.events
            if event["execution_id"] in self.tasks and event["artifact_id"] in self.artifacts
        }


def archive_of(graph: Graph, run: int) -> tuple[set[int], set[int], set[int]]:
    """Return the executions, artifacts and contexts in the archive of a run."""
    executions = {e for c, e in graph.associations if c == run}
    artifacts = {a for c, a in graph.attributions if c == run}
    contexts = {run}
    while True:
        before = len(executions), len(artifacts), len(contexts)
        for number in list(executions):
            custom = graph.executions[number]["custom"]
            parent, original = custom.get("parent_dag_id"), custom.get("cached_execution_id")
            named = [parent if type(parent) is int else None]
            is_id = isinstance(original, str) and original.isdigit()
            named.append(int(original) if is_id else None)
            executions |= {number for number in named if number in graph.executions}
        for event in graph.events:
            if event["execution_id"] in executions and event["artifact_id"] in graph.artifacts:
                artifacts.add(event["artifact_id"])
            made = event["type"] in {4, 1, 6} and event["artifact_id"] in artifacts
            if made and event["execution_id"] in graph.executions:
                executions.add(event["execution_id"])
        contexts |= {c for c, e in graph.associations if e in executions}
        contexts |= {c for c, a in graph.attributions if a in artifacts}
        contexts |= {p for c, p in graph.parents if c in contexts and p in graph.contexts}
        if before == (len(executions), len(artifacts), len(contexts)):
            return executions, artifacts, contexts


def refusal(graph: Graph, run: int, rows: dict[str, Any] | None) -> str | None:
    """Return why the transfer of a run stops; None where it does not."""
    try:
        transfer(graph, run, rows)
    except RefusedError as error:
        return str(error)
    return None


def transfer(graph: Graph, run: int, rows: dict[str, Any] | None) -> None:
    """Convert the archive of a run.

    Raises:
        RefusedError: At the first thing that is not taken.
    """
    executions, artifacts, contexts = archive_of(graph, run)
    namespace = namespace_of(graph, run, rows)
    for number in contexts:
        node = graph.contexts[number]
        if graph.is_run(number) and rows is not None:
            row = rows.get(node["name"], {})
            ended = row.get("State") == "SUCCEEDED" and row.get("FinishedAtInSec")
            refuse_if(not ended, "a run is not among those that have ended")
        check_namespace(node, namespace)
    edges: dict[Any, set[Any]] = {}
    roots: dict[int, int] = {}
    for number in executions:
        check_execution(graph.executions[number], namespace)
        check_references(graph, number, edges, roots)
    refuse_if(any(count > 1 for count in roots.values()), "several roots")
    for child, parent in graph.parents:
        if child in contexts:
            edges.setdefault(("context", child), set()).add(("context", parent))
    check_circles(edges)
    used = check_events(graph, executions)
    for number in artifacts:
        check_artifact(graph.artifacts[number], namespace)
        refuse_if(number not in used, "no event names an artifact")


def namespace_of(graph: Graph, run: int, rows: dict[str, Any] | None) -> str:
    node = graph.contexts[run]
    row = (rows or {}).get(node["name"]) or {}
    held = {**node["custom"], **node["properties"]}.get("namespace")
    return row.get("Namespace") or (held if isinstance(held, str) else "")


def check_namespace(node: Node, namespace: str) -> None:
    for held in (node["properties"], node["custom"]):
        refuse_if(held.get("namespace", "") not in {"", namespace}, "another namespace")


def check_execution(node: Node, namespace: str) -> None:
    custom = node["custom"]
    refuse_if(node["state"] not in {3, 4, 5, 6}, "the state of an execution")
    refuse_if(node["type"] not in TYPES, "the type of an execution")
    refuse_if(not custom.get("task_name"), "no task_name")
    for name in TEXTS:
        refuse_if(not isinstance(custom.get(name, ""), str), f"{name} is no text")
    for name in NUMBERS:
        value = custom.get(name, 0)
        refuse_if(type(value) is not int or value < 0, f"{name} is no natural number")
    for name in ("inputs", "outputs"):
        refuse_if(not isinstance(custom.get(name, {}), dict), f"{name} is no struct")
    check_namespace(node, namespace)


def check_references(
    graph: Graph, number: int, edges: dict[Any, set[Any]], roots: dict[int, int]
) -> None:
    node = graph.executions[number]
    owners = graph.runs(number)
    refuse_if(len(owners) != 1, "no run, or several")
    parent = node["custom"].get("parent_dag_id")
    above = edges.setdefault(("execution", number), set())
    if parent:
        refuse_if(parent not in graph.executions or graph.runs(parent) != owners, "the parent")
        above.add(("execution", parent))
    else:
        (owner,) = owners
        roots[owner] = roots.get(owner, 0) + 1
        refuse_if(node["type"] != "system.DAGExecution", "a step without a parent")
    original = node["custom"].get("cached_execution_id", "")
    if original not in {"", "0"}:
        found = graph.executions.get(int(original)) if original.isdigit() else None
        refuse_if(found is None or found["state"] not in {3, 5}, "the original of a cached one")
        above.add(("execution", int(original)))


def check_circles(edges: dict[Any, set[Any]]) -> None:
    for start, above in edges.items():
        seen: set[Any] = set()
        waiting = set(above)
        while waiting:
            node = waiting.pop()
            refuse_if(node == start, "a circle")
            if node not in seen:
                seen.add(node)
                waiting |= edges.get(node, set())


def check_events(graph: Graph, executions: set[int]) -> set[int]:
    """Check the events of some executions, and return the artifacts that they name."""
    used, seen = set(), set()
    for event in graph.events:
        if event["execution_id"] in executions:
            path = event["path"]
            refuse_if(event["type"] not in {3, 4}, "the type of an event")
            refuse_if(len(path) != 1 or not isinstance(path[0], str) or not path[0], "a path")
            key = (event["execution_id"], event["artifact_id"], event["type"], path[0])
            refuse_if(key in seen, "an event twice")
            seen.add(key)
            used.add(event["artifact_id"])
    return used


def check_artifact(node: Node, namespace: str) -> None:
    refuse_if(node["state"] != 2, "the state of an artifact")
    check_namespace(node, namespace)
    refuse_if(set(node["properties"]) & set(node["custom"]), "a property twice")
    held = {**node["custom"], **node["properties"]}
    for value in held.values():
        known = isinstance(value, (str, int, float, dict)) and not isinstance(value, bool)
        refuse_if(not known, "the kind of a value")
        refuse_if(isinstance(value, float) and not math.isfinite(value), "no finite number")
        refuse_if(isinstance(value, int) and abs(value) > 2**53, "beyond 2^53")
    if node["type"] == "system.Metrics":
        metrics = [value for name, value in held.items() if name not in NOT_METRICS]
        refuse_if(not metrics, "no metrics")
        refuse_if(any(isinstance(value, (str, dict)) for value in metrics), "no number")
