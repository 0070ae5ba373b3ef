"""Runs and steps that are RUNNING in the store, but have no recent heartbeat."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from mlmd_lineage.record_format import names
from mlmd_lineage.recording.batches import set_properties
from mlmd_lineage.recording.clock import iso, now
from mlmd_lineage.recording.recorder import HEARTBEAT
from mlmd_lineage.recording.store_rows import custom_properties, rows, type_ids
from mlmd_lineage.snapshot.enums import ExecutionState, TypeKind
from mlmd_lineage.untrusted_text import json_of
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.store_access import StoreAccess

MISSED = 4
"""After how many signs of life that did not come a process counts as dead."""
_CLOCKS = 60.0
"""Seconds by which the clocks of two machines may differ."""


@dataclasses.dataclass(frozen=True, slots=True)
class DeadNode:
    """A step, or a process's part of a run, that did not end and gives no sign of life.

    Attributes:
        key: The key of the execution, or of the run's context.
        run, step: Names; of the part of a run without a step the empty text.
        last_sign: The last sign of life, in milliseconds since 1970-01-01 UTC.
        host, pid: Where it ran, where that was recorded.
        recorder_id: The process's part of the run.
    """

    key: str
    run: str
    step: str
    last_sign: int
    host: str | None
    pid: int | None
    recorder_id: str


def find(access: StoreAccess, *, after: float | None = None) -> list[DeadNode]:
    """Return what did not end and gives no sign of life, in the order of its keys.

    A process of this machine is dead if there is none of its number. Others are if they gave no
    sign for four times the interval at which they said that they would, and a minute.

    Args:
        access: The store.
        after: Seconds without a sign of life after which a process counts as dead, instead.

    Raises:
        StoreError: The store cannot be read.
    """

    def is_dead(row: Mapping[str, Any], process: Mapping[str, Any]) -> bool:
        return _is_dead(row, process, after)

    return access.ask(lambda session: _find(session, is_dead))


def holds_recorded_runs(access: StoreAccess) -> bool:
    """Return whether any run of a store was recorded by this library.

    Raises:
        StoreError: The store cannot be read.
    """

    def look(session: Session) -> bool:
        run_types = type_ids(session, TypeKind.CONTEXT_TYPE, names.RUN)
        runs = [row["id"] for row in rows(session, "Context", {"type_id": run_types})]
        held = custom_properties(session, "context", runs)
        return any(names.FORMAT in properties for properties in held.values())

    return access.ask(look)


def find_process(access: StoreAccess, run: int, host: str, pid: int) -> list[DeadNode]:
    """Return what one process has begun to record in a run, and not ended; it is known to be gone.

    Args:
        access: The store.
        run: The id of the run's context.
        host: The machine of the process, as ``provenance.process()`` names it.
        pid: Its number there.

    Raises:
        StoreError: The store cannot be read.
    """

    def is_it(_: Mapping[str, Any], process: Mapping[str, Any]) -> bool:
        return process.get("host") == host and process.get("pid") == pid

    return access.ask(lambda session: _find(session, is_it, run))


def _find(
    session: Session,
    is_dead: Callable[[Mapping[str, Any], Mapping[str, Any]], bool],
    only: int | None = None,
) -> list[DeadNode]:
    run_types = type_ids(session, TypeKind.CONTEXT_TYPE, names.RUN)
    wanted: dict[str, list[int]] = {"type_id": run_types} if only is None else {"id": [only]}
    runs = {row["id"]: row for row in rows(session, "Context", wanted)}
    held = custom_properties(session, "context", runs.keys())
    processes: dict[tuple[int, str], dict[str, Any]] = {}
    for number, properties in held.items():
        for name, text in properties.items():
            if name.startswith(names.RECORDER_PREFIX):
                process = _process(text)
                processes[number, str(process.get("id"))] = process
    executions: dict[str, list[int]] = {"last_known_state": [ExecutionState.RUNNING]}
    if only is not None:
        members = rows(session, "Association", {"context_id": [only]})
        executions["id"] = [row["execution_id"] for row in members]
    found = rows(session, "Execution", executions)
    return _dead_steps(session, found, runs, processes, is_dead) + [
        _node(f"context/{number}", runs[number], "", runs[number], process, recorder_id)
        for (number, recorder_id), process in sorted(processes.items())
        if process.get("state") == "RUNNING" and is_dead(runs[number], process)
    ]


def _dead_steps(
    session: Session,
    found_running: Sequence[Mapping[str, Any]],
    runs: Mapping[int, Mapping[str, Any]],
    processes: Mapping[tuple[int, str], dict[str, Any]],
    is_dead: Callable[[Mapping[str, Any], Mapping[str, Any]], bool],
) -> list[DeadNode]:
    running = {row["id"]: row for row in found_running}
    held = custom_properties(session, "execution", running.keys())
    ours = [n for n in running if names.FORMAT in held.get(n, {})]
    contexts: dict[int, int] = {}
    paths: dict[int, str] = {}
    memberships = rows(session, "Association", {"execution_id": ours})
    nodes = rows(session, "Context", {"id": {row["context_id"] for row in memberships}})
    node_names = {row["id"]: row["name"] for row in nodes}
    for row in memberships:
        if row["context_id"] in runs:
            contexts[row["execution_id"]] = row["context_id"]
        else:
            name = str(node_names.get(row["context_id"], ""))
            paths[row["execution_id"]] = max(paths.get(row["execution_id"], ""), name, key=len)
    found = []
    for number in sorted(ours):
        recorder_id = str(held[number].get(names.RECORDER, ""))
        context = contexts.get(number)
        process = processes.get((context or 0, recorder_id), {})
        if is_dead(running[number], process):
            run = runs.get(context or 0, {"name": ""})
            step = paths.get(number, "").partition(".")[2]
            found.append(
                _node(f"execution/{number}", run, step, running[number], process, recorder_id)
            )
    return found


def _node(  # noqa: PLR0913, PLR0917 - what is known of it
    key: str,
    run: Mapping[str, Any],
    step: str,
    row: Mapping[str, Any],
    process: Mapping[str, Any],
    recorder_id: str,
) -> DeadNode:
    pid = process.get("pid")
    host = process.get("host")
    return DeadNode(
        key=key,
        run=str(run["name"]),
        step=step,
        last_sign=row["last_update_time_since_epoch"] or 0,
        host=host if isinstance(host, str) else None,
        pid=pid if isinstance(pid, int) else None,
        recorder_id=recorder_id,
    )


def _is_dead(row: Mapping[str, Any], process: Mapping[str, Any], after: float | None) -> bool:
    pid = process.get("pid")
    if process.get("host") == socket.gethostname() and isinstance(pid, int) and not _runs(pid):
        return True
    interval = process.get("interval")
    seconds = float(interval) if isinstance(interval, (int, float)) else HEARTBEAT
    limit = MISSED * seconds + _CLOCKS if after is None else after
    return (now() - (row["last_update_time_since_epoch"] or 0)) / 1000 > limit


def _runs(pid: int) -> bool:
    """Tell whether there is a process of a number on this machine, as far as that can be told."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def mark_failed(access: StoreAccess, nodes: Sequence[DeadNode], reason: str | None = None) -> None:
    """Record that steps, and processes' parts of runs, have failed.

    Args:
        access: The store.
        nodes: What ``find()`` or ``find_process()`` returned.
        reason: Why, in words; by default that no sign of life came.

    Raises:
        StoreError: The store cannot be reached or written.
    """
    for node in nodes:
        kind, _, number = node.key.partition("/")
        said = _reason(node) if reason is None else reason
        (_mark_step if kind == "execution" else _mark_run)(access, node, int(number), said)


def _reason(node: DeadNode) -> str:
    where = f" on {node.host}" if node.host else ""
    return f"The process{where} ended without recording it; last sign of life {iso(node.last_sign)}"


def _mark_step(access: StoreAccess, node: DeadNode, number: int, reason: str) -> None:
    row, held = _current(access, "execution", number)
    if row is None or row["last_known_state"] != ExecutionState.RUNNING:
        return  # it has ended since
    made = message("Execution")(
        id=number, type_id=row["type_id"], last_known_state=ExecutionState.FAILED
    )
    if row["external_id"] is not None:
        made.external_id = row["external_id"]
    changed = {names.ERROR: reason, names.FINISHED: iso(node.last_sign)}
    set_properties(made, {**held, **changed})
    request = message("PutExecutionsRequest")(executions=[made])
    request.update_mask.paths.append("last_known_state")
    request.update_mask.paths.extend(f"custom_properties.{name}" for name in changed)
    access.put_request(request)


def _mark_run(access: StoreAccess, node: DeadNode, number: int, reason: str) -> None:
    row, held = _current(access, "context", number)
    name, process = next(
        (
            (name, process)
            for name, text in held.items()
            if name.startswith(names.RECORDER_PREFIX)
            and (process := _process(text)).get("id") == node.recorder_id
        ),
        ("", {}),
    )
    if row is None or process.get("state") != "RUNNING":
        return
    process |= {"state": "FAILED", "finished": iso(node.last_sign), "error": reason}
    made = message("Context")(id=number, type_id=row["type_id"], name=row["name"])
    set_properties(made, {**held, name: json.dumps(process, ensure_ascii=False)})
    request = message("PutContextsRequest")(contexts=[made])
    request.update_mask.paths.append(f"custom_properties.{name}")
    access.put_request(request)


def _current(
    access: StoreAccess, kind: str, number: int
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return a node as it is now, with its custom properties."""

    def ask(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        found = rows(session, kind.capitalize(), {"id": [number]})
        return found, custom_properties(session, kind, [number]).get(number, {})

    found, held = access.ask(ask)
    plain = {k: v for k, v in held.items() if isinstance(v, (bool, int, float, str))}
    return (found[0] if found else None), plain


def _process(text: Any) -> dict[str, Any]:
    try:
        found = json_of(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
