"""Records of a run that its processes' ends left open, when such a process is known to be gone."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.record_format import names
from mlmd_lineage.recording.batches import set_properties
from mlmd_lineage.recording.clock import iso, now
from mlmd_lineage.recording.store_rows import custom_properties, rows
from mlmd_lineage.snapshot.enums import ExecutionState
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.store_access import StoreAccess


def mark_lost(access: StoreAccess, run: int, host: str, pid: int, reason: str) -> None:
    """Record that a process which took part in a run is gone: it, and its steps, have failed.

    Args:
        access: The store.
        run: The id of the run's context.
        host: The machine of the process.
        pid: Its number there.
        reason: Why it is gone, in words.

    Raises:
        StoreError: The store cannot be reached.
    """
    found = access.ask(lambda session: _open_records(session, run, host, pid))
    if found is None:
        return
    ended = iso(now())
    _fail_steps(access, found.steps, {names.ERROR: reason, names.FINISHED: ended})
    changed = {}
    for name in found.recorders:
        process = json.loads(found.properties[name])
        process |= {"state": "FAILED", "finished": ended, "error": reason}
        changed[name] = json.dumps(process, ensure_ascii=False)
    made = message("Context")(id=run, name=found.name, type_id=found.type_id)
    # A service too old for masks replaces all properties, so all are given.
    set_properties(made, {**found.properties, **changed})
    request = message("PutContextsRequest")(contexts=[made])
    request.update_mask.paths.extend(f"custom_properties.{name}" for name in changed)
    access.put_request(request)


def _fail_steps(
    access: StoreAccess, steps: list[tuple[int, int, dict[str, Any]]], error: Mapping[str, str]
) -> None:
    executions = []
    for number, type_id, properties in steps:
        made = message("Execution")(id=number, type_id=type_id)
        made.last_known_state = ExecutionState.FAILED
        set_properties(made, {**properties, **error})
        executions.append(made)
    if executions:
        request = message("PutExecutionsRequest")(executions=executions)
        paths = ["last_known_state", *(f"custom_properties.{name}" for name in error)]
        request.update_mask.paths.extend(paths)
        access.put_request(request)


@dataclasses.dataclass(frozen=True)
class OpenRecords:
    """What a process has begun to record in a run, and not ended.

    Attributes:
        name, type_id: Those of the run's context.
        properties: The properties of that context.
        recorders: The names of those that the process keeps.
        steps: The id, the type's id and the properties of each execution that is RUNNING.
    """

    name: str
    type_id: int
    properties: Mapping[str, Any]
    recorders: list[str]
    steps: list[tuple[int, int, dict[str, Any]]]


def _open_records(session: Session, run: int, host: str, pid: int) -> OpenRecords | None:
    [context] = rows(session, "Context", {"id": [run]})
    held = _plain(custom_properties(session, "context", [run]).get(run, {}))
    recorders = [
        name
        for name, text in held.items()
        if name.startswith(names.RECORDER_PREFIX) and _is_open(text, host, pid)
    ]
    if not recorders:
        return None
    ids = {name.removeprefix(names.RECORDER_PREFIX).rstrip("_") for name in recorders}
    members = [row["execution_id"] for row in rows(session, "Association", {"context_id": [run]})]
    running = [
        row
        for row in rows(session, "Execution", {"id": members})
        if row["last_known_state"] == ExecutionState.RUNNING
    ]
    found = custom_properties(session, "execution", [row["id"] for row in running])
    steps = [
        (row["id"], row["type_id"], _plain(found[row["id"]]))
        for row in running
        if found.get(row["id"], {}).get(names.RECORDER) in ids
    ]
    return OpenRecords(context["name"], context["type_id"], held, recorders, steps)


def _is_open(text: Any, host: str, pid: int) -> bool:
    try:
        process = json.loads(text)
    except (TypeError, ValueError):
        return False
    wanted = {"state": "RUNNING", "host": host, "pid": pid}
    return isinstance(process, dict) and wanted.items() <= process.items()


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in properties.items() if isinstance(v, (bool, int, float, str))}
