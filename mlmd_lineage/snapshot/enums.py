"""MLMD's enumerations, by the names and numbers of its ``metadata_store.proto``.

Stores keep the numbers; people are shown the names.
"""

from __future__ import annotations

import enum
import functools


class TypeKind(enum.IntEnum):
    """Which nodes a type is for: the column ``type_kind`` of the table Type."""

    EXECUTION_TYPE = 0
    ARTIFACT_TYPE = 1
    CONTEXT_TYPE = 2


class PropertyType(enum.IntEnum):
    """Which values a property takes: the column ``data_type`` of the table TypeProperty."""

    UNKNOWN = 0
    INT = 1
    DOUBLE = 2
    STRING = 3
    STRUCT = 4
    PROTO = 5
    BOOLEAN = 6


class ArtifactState(enum.IntEnum):
    """``Artifact.State``: the column ``state`` of the table Artifact."""

    UNKNOWN = 0
    PENDING = 1
    LIVE = 2
    MARKED_FOR_DELETION = 3
    DELETED = 4
    ABANDONED = 5
    REFERENCE = 6


class ExecutionState(enum.IntEnum):
    """``Execution.State``: the column ``last_known_state`` of the table Execution."""

    UNKNOWN = 0
    NEW = 1
    RUNNING = 2
    COMPLETE = 3
    FAILED = 4
    CACHED = 5
    CANCELED = 6


class EventType(enum.IntEnum):
    """``Event.Type``: the column ``type`` of the table Event."""

    UNKNOWN = 0
    DECLARED_OUTPUT = 1
    DECLARED_INPUT = 2
    INPUT = 3
    OUTPUT = 4
    INTERNAL_INPUT = 5
    INTERNAL_OUTPUT = 6
    PENDING_OUTPUT = 7


INPUT_EVENTS = (EventType.DECLARED_INPUT, EventType.INPUT, EventType.INTERNAL_INPUT)
OUTPUT_EVENTS = (
    EventType.DECLARED_OUTPUT,
    EventType.OUTPUT,
    EventType.INTERNAL_OUTPUT,
    EventType.PENDING_OUTPUT,
)
PUBLISHED_OUTPUTS = (EventType.DECLARED_OUTPUT, EventType.OUTPUT)
"""The outputs that an execution made and published, not those of the platform or to come."""


@functools.lru_cache(256)
def name_of(kind: type[enum.IntEnum], number: int) -> str:
    """Return the name of a number, ``UNKNOWN(9)`` where MLMD has none for it.

    >>> name_of(EventType, 3), name_of(EventType, 9)
    ('INPUT', 'UNKNOWN(9)')
    """
    try:
        return kind(number).name
    except ValueError:
        return f"UNKNOWN({number})"


def names_of(kind: type[enum.IntEnum]) -> tuple[str, ...]:
    """Return all names of an enumeration, in the order of their numbers.

    >>> names_of(TypeKind)
    ('EXECUTION_TYPE', 'ARTIFACT_TYPE', 'CONTEXT_TYPE')
    """
    return tuple(kind.__members__)
