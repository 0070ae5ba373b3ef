"""The codes of findings: everything that a reader or a graph can say about a store's contents."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class FindingCode(str, enum.Enum):
    """The kind of a finding: a text such as ``missing_type``, with its meaning.

    >>> FindingCode("missing_type").meaning
    "A node's type has no row."
    """

    MISSING_ARTIFACT = "missing_artifact"
    MISSING_EXECUTION = "missing_execution"
    MISSING_CONTEXT = "missing_context"
    MISSING_TYPE = "missing_type"
    MISSING_EVENT = "missing_event"
    DANGLING_ATTRIBUTION = "dangling_attribution"
    DANGLING_ASSOCIATION = "dangling_association"
    DUPLICATE_EVENT = "duplicate_event"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    UNKNOWN_STATE = "unknown_state"
    NULL_PROPERTY = "null_property"
    SEVERAL_VALUES = "several_values"
    MLMD_NULL_TEXT = "mlmd_null_text"
    INVALID_STRUCT = "invalid_struct"
    INVALID_PROTO = "invalid_proto"
    INVALID_TEXT = "invalid_text"
    UNREADABLE_NODE = "unreadable_node"
    WRONG_TYPE = "wrong_type"
    MISSING_TABLE = "missing_table"
    ONLY_CACHED_PRODUCER = "only_cached_producer"
    NULL_KEY = "null_key"
    DUPLICATE_ID = "duplicate_id"
    USED_BEFORE_PRODUCED = "used_before_produced"
    UNTIMED_EVENT = "untimed_event"
    DUPLICATE_TYPE = "duplicate_type"
    MISSING_VERSION = "missing_version"
    OTHER = "other"

    @classmethod
    def of(cls, code: str) -> FindingCode:
        """Return the member of a code, ``OTHER`` for one that only a newer release knows."""
        try:
            return cls(code)
        except ValueError:
            return cls.OTHER

    @property
    def meaning(self) -> str:
        """What it means, in a sentence."""
        return _MEANINGS[self]

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)


_MEANINGS: Mapping[FindingCode, str] = MappingProxyType(
    {
        FindingCode.MISSING_ARTIFACT: "An event or a property names an artifact that has no row.",
        FindingCode.MISSING_EXECUTION: "An event or a property names an execution that has no row.",
        FindingCode.MISSING_CONTEXT: (
            "An attribution, association or parent names a context that has no row."
        ),
        FindingCode.MISSING_TYPE: "A node's type has no row.",
        FindingCode.MISSING_EVENT: "A path names an event that has no row.",
        FindingCode.DANGLING_ATTRIBUTION: "An attribution names an artifact that has no row.",
        FindingCode.DANGLING_ASSOCIATION: "An association names an execution that has no row.",
        FindingCode.DUPLICATE_EVENT: (
            "Several events have the same artifact, execution and event type."
        ),
        FindingCode.UNKNOWN_EVENT_TYPE: "An event is neither an input nor an output.",
        FindingCode.UNKNOWN_STATE: "A state has a number for which MLMD has no name.",
        FindingCode.NULL_PROPERTY: (
            "A property has no value at all; ml_metadata fails on such a node."
        ),
        FindingCode.SEVERAL_VALUES: "A property has values of more than one kind.",
        FindingCode.MLMD_NULL_TEXT: "A text is '__MLMD_NULL__'; ml_metadata fails on such a node.",
        FindingCode.INVALID_STRUCT: (
            "A text begins like a struct and is none; ml_metadata fails on such a node."
        ),
        FindingCode.INVALID_PROTO: "A PROTO value is no google.protobuf.Any.",
        FindingCode.INVALID_TEXT: (
            "A text is not UTF-8; the bytes that are not show as \xff and the like."
        ),
        FindingCode.UNREADABLE_NODE: "MLMD's service fails on a node, which is therefore left out.",
        FindingCode.WRONG_TYPE: (
            "A value is not of its column's type; a property's is kept as what it is."
        ),
        FindingCode.MISSING_TABLE: "The store lacks one of the tables that its schema version has.",
        FindingCode.ONLY_CACHED_PRODUCER: "Only cached executions claim to have made an artifact.",
        FindingCode.NULL_KEY: (
            "A column that says what a row is about is NULL; it shows as 0, false or an empty text."
        ),
        FindingCode.DUPLICATE_ID: "Several rows have one id; the first is kept.",
        FindingCode.USED_BEFORE_PRODUCED: (
            "An artifact was taken before any execution had written it."
        ),
        FindingCode.UNTIMED_EVENT: (
            "Several executions wrote an artifact, and not all its events have times."
        ),
        FindingCode.DUPLICATE_TYPE: "Several types have one name, version and kind.",
        FindingCode.MISSING_VERSION: (
            "The store does not say its schema's version, which its columns tell."
        ),
        FindingCode.OTHER: (
            "An archive holds a finding that only a newer release of this library names."
        ),
    }
)
