"""Rules by which a change of a record is one that MLMD's own calls bring about.

MLMD's ``put_artifacts``, ``put_executions`` and ``put_contexts`` change a node in place and move
its ``last_update_time_since_epoch`` on (``UpdateNode`` in
``ml_metadata/metadata_store/rdbms_metadata_access_object.cc``); ``put_artifact_type`` and its like
add properties to a type, where ``can_add_fields`` says so. Events and memberships never change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.records.differences import differences
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Mapping

_UPDATED = "last_update_time_since_epoch"
_LATE_COLUMNS = ("name", "uri", "external_id")
"""The columns that may get a value late."""
_OPEN = {None, "UNKNOWN", "NEW", "RUNNING", "PENDING"}
"""The states of nodes that are still being written."""
_LATER_STATES: Mapping[str, set[str]] = {
    "LIVE": {"MARKED_FOR_DELETION", "DELETED", "ABANDONED", "REFERENCE"},
    "REFERENCE": {"MARKED_FOR_DELETION", "DELETED", "ABANDONED"},
    "MARKED_FOR_DELETION": {"DELETED", "LIVE"},
    "ABANDONED": {"MARKED_FOR_DELETION", "DELETED"},
}
_NAMED = ("type", "event", *KINDS)
"""The kinds of records that other tables' rows belong to: properties, and the steps of paths."""
_OPEN_TEXTS = ("new", "running")


def has_row(kind: str, record: Mapping[str, Any]) -> bool:
    """Return whether a record has a row of its own, and is not merely named by other tables."""
    return {"type": "name", "event": "type"}.get(kind, "type_id") in record or kind not in _NAMED


def state_of(record: Mapping[str, Any]) -> str | None:
    """Return a node's state; None where it has none, as contexts."""
    found = record.get("state") or record.get("last_known_state")
    return None if found is None else str(found)


def is_open(record: Mapping[str, Any]) -> bool:
    """Return whether an artifact or execution is still being written, by its state.

    TFX kept the state of an execution as a text, before MLMD had one.
    """
    state = state_of(record)
    if record.get("kind") != "execution":
        return state == "PENDING"
    if state is not None:
        return state in _OPEN
    text = record.get("properties", {}).get(STATE_PROPERTY, {}).get("string_value")
    return text is None or text in _OPEN_TEXTS


def is_finishing(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a record went on as MLMD's own calls have it go on.

    Args:
        kind: The record's kind.
        before: The record before.
        after: The record after.
    """
    found = differences(before, after)
    if kind == "type":
        return all(field.startswith("properties.") and old is None for field, old, _ in found)
    if kind not in KINDS or not _is_updated(before, after):
        return False
    being_written = is_open(before)
    return all(_is_late(field, old, new, being_written=being_written) for field, old, new in found)


def _is_updated(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether the time of the last update moved on, as it does with every call of MLMD's.

    Stores of schema 4 and older have none.
    """
    old, new = before.get(_UPDATED), after.get(_UPDATED)
    return (old is None and new is None) or (new is not None and new > (old or 0))


def _is_late(field: str, old: Any, new: Any, *, being_written: bool) -> bool:
    """Return whether a member may become so after its node was first written."""
    if field == _UPDATED:
        return True
    if field in {"state", "last_known_state"}:
        return old in _OPEN or new in _LATER_STATES.get(str(old), set())
    if field in _LATE_COLUMNS:
        return not old
    if field.startswith(("properties.", "custom_properties.")):
        return old is None or (being_written and new is not None)
    return False
