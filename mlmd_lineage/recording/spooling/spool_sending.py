"""Writes what a spool keeps to its store, each entry once however often it is sent.

What an entry puts is named by external ids, types and names: before it is put, it is looked up
what of it is there already. An entry is removed once it is in the store, so that what is cut short
goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import locked
from mlmd_lineage.record_format import names
from mlmd_lineage.recording.batches import set_properties
from mlmd_lineage.recording.sources import newest_like
from mlmd_lineage.recording.spooling.spool import read_entry
from mlmd_lineage.recording.store_access import KINDS, found_types
from mlmd_lineage.recording.store_rows import custom_properties, external_ids, rows, type_ids
from mlmd_lineage.snapshot.enums import TypeKind
from mlmd_lineage.writing.writer import is_utf8, message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.spooling.spool import SpooledRun
    from mlmd_lineage.recording.store_access import StoreAccess


_STATE_TEXTS = ("run", "property")
"""What says how a run ended, beside the value."""


def send(
    access: StoreAccess, run: SpooledRun, sent: Callable[[Path], None] = lambda _: None
) -> int:
    """Write what one recorder kept, and return how many entries that were.

    Args:
        access: The store.
        run: What was kept.
        sent: Called with each entry that is in the store.

    Raises:
        PutRefusedError: The store cannot hold something; the entry and those after it stay.
        ConfigurationError: An entry is damaged; the same.
        StoreError: The store cannot be reached; the same.
    """
    count = 0
    with locked(run.folder):
        for entry in run.entries:
            if not entry.exists():
                continue  # another process sent it while this one waited for the lock
            kept = _decoded(entry)
            try:
                if isinstance(kept, dict):
                    _send_state(access, kept)
                else:
                    _send_batch(access, kept)
            except errors.PutRefusedError as error:
                told = f"{entry} cannot be written: {error} It stays, and what was recorded later."
                raise errors.PutRefusedError(told, error.status) from None
            entry.unlink()
            sent(entry)
            count += 1
    with contextlib.suppress(OSError):
        run.folder.rmdir()
    return count


def _decoded(entry: Path) -> Any:
    """Return a ``PutBatchRequest``, or a dict that says how a run ended.

    Raises:
        ConfigurationError: The file is damaged.
    """
    from google.protobuf.message import DecodeError

    data = read_entry(entry)
    with contextlib.suppress(DecodeError, ValueError, RecursionError):
        if entry.suffix == ".batch":
            batch = message("PutBatchRequest").FromString(data)
            if is_utf8(batch):
                return batch
            raise _damaged(entry)
        state = json.loads(data)
        is_text = isinstance(state, dict) and all(
            isinstance(state.get(name), str) for name in _STATE_TEXTS
        )
        if is_text and isinstance(state.get("value"), (bool, int, float, str)):
            return state
    raise _damaged(entry)


def _damaged(entry: Path) -> errors.ConfigurationError:
    told = f"{entry} is damaged. Move it away; what was kept after it can be sent then."
    return errors.ConfigurationError(told)


def _send_batch(access: StoreAccess, request: Any) -> None:
    for attempt in range(5):
        whole = access.ask(lambda session: without_known(request, session))
        try:
            access.put_request(whole)
        except errors.AlreadyExistsError:
            # Another writer put some of it since it was looked up.
            if attempt:
                raise
        else:
            return


def without_known(request: Any, session: Session) -> Any:
    """Return a batch without what is in the store already: types, artifacts and events."""
    whole = type(request)()
    whole.CopyFrom(request)
    _drop_types(whole, session)
    places = _drop_artifacts(whole, request, session)
    _drop_events(whole, request, session, places)
    for edge, given in zip(whole.memberships, request.memberships, strict=True):
        if given.WhichOneof("member") == "artifact_index":
            _point(edge, "artifact_index", "artifact_id", places[given.artifact_index])
    return whole


def _drop_types(whole: Any, session: Session) -> None:
    """Leave out types that are there, so that their base types stay as they are."""
    wanted = {given.name for kind in KINDS for given in getattr(whole, f"{kind}_types")}
    known = found_types(session, wanted)
    for kind in KINDS:
        held = getattr(whole, f"{kind}_types")
        for place in reversed(range(len(held))):
            if (kind, held[place].name) in known:
                del held[place]


def _drop_artifacts(whole: Any, request: Any, session: Session) -> dict[int, tuple[str, int]]:
    """Leave out artifacts that are there; return where each is: its place, or its id."""
    known = external_ids(session, "Artifact", {a.external_id for a in request.artifacts})
    places: dict[int, tuple[str, int]] = {}
    del whole.artifacts[:]
    for place, artifact in enumerate(request.artifacts):
        number = known.get(artifact.external_id)
        if number is None and "/" not in artifact.external_id:  # an input, not made by a step
            digest = artifact.custom_properties[names.SHA256].string_value or None
            given = artifact.type if artifact.type != names.ARTIFACT_TYPE else None
            number = newest_like(session, artifact.uri, digest, given)
        if number is not None:
            places[place] = ("id", number)
        else:
            places[place] = ("index", len(whole.artifacts))
            whole.artifacts.add().CopyFrom(artifact)
    return places


def _drop_events(
    whole: Any, request: Any, session: Session, places: Mapping[int, tuple[str, int]]
) -> None:
    ids = external_ids(session, "Execution", {e.external_id for e in request.executions})
    there = {
        (row["execution_id"], row["artifact_id"], row["type"])
        for row in rows(session, "Event", {"execution_id": set(ids.values())})
    }
    del whole.event_edges[:]
    for given in request.event_edges:
        edge = type(given)()
        edge.CopyFrom(given)
        if given.HasField("artifact_index"):
            kind, number = places[given.artifact_index]
            if kind == "id":
                edge.ClearField("artifact_index")
                edge.event.artifact_id = number
            else:
                edge.artifact_index = number
        if given.HasField("execution_index") and edge.event.HasField("artifact_id"):
            execution = ids.get(request.executions[given.execution_index].external_id)
            if (execution, edge.event.artifact_id, edge.event.type) in there:
                continue
        whole.event_edges.add().CopyFrom(edge)


def _point(edge: Any, by_place: str, by_id: str, target: tuple[str, int]) -> None:
    kind, number = target
    setattr(edge, by_id if kind == "id" else by_place, number)


def _send_state(access: StoreAccess, state: Mapping[str, Any]) -> None:
    """Put how a run ended."""

    def ask(session: Session) -> tuple[int, int, dict[str, Any]] | None:
        types = type_ids(session, TypeKind.CONTEXT_TYPE, names.RUN)
        for row in rows(session, "Context", {"name": [state["run"]], "type_id": types}):
            if row["name"] == state["run"]:
                held = custom_properties(session, "context", [row["id"]])
                return row["id"], row["type_id"], held.get(row["id"], {})
        return None

    found = access.ask(ask)
    if found is None:
        told = f"The store has no run {state['run']!r}, of which the end was kept."
        raise errors.NotFoundError(told)
    number, type_id, held = found
    made = message("Context")(id=number, type_id=type_id, name=state["run"])
    plain = {k: v for k, v in held.items() if isinstance(v, (bool, int, float, str))}
    set_properties(made, {**plain, state["property"]: state["value"]})
    request = message("PutContextsRequest")(contexts=[made])
    request.update_mask.paths.append(f"custom_properties.{state['property']}")
    access.put_request(request)
