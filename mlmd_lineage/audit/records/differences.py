"""Differences between two states of one record, member by member."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.records import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSING: Any = None
"""What stands for a member that is not there; no member of a record is null."""
_NESTED = ("properties", "custom_properties")


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what differs: the member, the old and the new value, None where there is none.

    >>> differences({"id": 1, "name": "a"}, {"id": 1, "properties": {"auc": {"double_value": 0.9}}})
    [('name', 'a', None), ('properties.auc', None, {'double_value': 0.9})]
    """
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if name in _NESTED and isinstance(old or {}, dict) and isinstance(new or {}, dict):
            inner = differences(old or {}, new or {})
            found += [(f"{name}.{field}", one, other) for field, one, other in inner]
        elif old != new or canonical_json.dumps(old) != canonical_json.dumps(new):
            found.append((name, old, new))
    return found


def value_text(value: Any) -> str:
    """Return a value of a record as people read it: a property without the name of its column.

    >>> value_text({"double_value": 0.91}), value_text(None), value_text("LIVE")
    ('0.91', 'nothing', '"LIVE"')
    """
    if value is MISSING:
        return "nothing"
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).endswith("_value"):
        value = next(iter(value.values()))
    return canonical_json.dumps(value)
