"""Checks of rows: what ``snapshot.findings`` says of a store's tables, each code as a check."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.snapshot.finding_codes import FindingCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mlmd_lineage.audit.checks.data import AuditData

_LOST = "Find out who deleted the row; restore it from a backup or an archive of the store."
_REWRITE = "Write the property again with a value of its own, or have it deleted by the database."
_LOOK = "Look at the row in the database; correct it there, with a backup at hand."

_JUDGED: Mapping[FindingCode, tuple[Severity, str]] = MappingProxyType(
    {
        FindingCode.MISSING_ARTIFACT: (Severity.ERROR, _LOST),
        FindingCode.MISSING_EXECUTION: (Severity.ERROR, _LOST),
        FindingCode.MISSING_CONTEXT: (Severity.ERROR, _LOST),
        FindingCode.MISSING_TYPE: (Severity.ERROR, _LOST),
        FindingCode.MISSING_EVENT: (Severity.ERROR, _LOST),
        FindingCode.DANGLING_ATTRIBUTION: (Severity.ERROR, _LOST),
        FindingCode.DANGLING_ASSOCIATION: (Severity.ERROR, _LOST),
        FindingCode.DUPLICATE_EVENT: (
            Severity.WARNING,
            "Find out which writer ran twice; lineage counts each of the events.",
        ),
        FindingCode.UNKNOWN_EVENT_TYPE: (Severity.WARNING, _LOOK),
        FindingCode.UNKNOWN_STATE: (Severity.WARNING, _LOOK),
        FindingCode.NULL_PROPERTY: (Severity.ERROR, _REWRITE),
        FindingCode.SEVERAL_VALUES: (Severity.WARNING, _REWRITE),
        FindingCode.MLMD_NULL_TEXT: (Severity.ERROR, _REWRITE),
        FindingCode.INVALID_STRUCT: (Severity.ERROR, _REWRITE),
        FindingCode.INVALID_PROTO: (Severity.ERROR, _REWRITE),
        FindingCode.INVALID_TEXT: (Severity.WARNING, _REWRITE),
        FindingCode.UNREADABLE_NODE: (
            Severity.ERROR,
            "Read the database itself, without MLMD's service, to see the node.",
        ),
        FindingCode.WRONG_TYPE: (Severity.WARNING, _LOOK),
        FindingCode.MISSING_TABLE: (
            Severity.ERROR,
            "Find out who dropped the table; restore it from a backup.",
        ),
        FindingCode.ONLY_CACHED_PRODUCER: (
            Severity.WARNING,
            "Look for the store or the backup that holds the execution that was cached.",
        ),
        FindingCode.NULL_KEY: (Severity.ERROR, _LOOK),
        FindingCode.DUPLICATE_ID: (Severity.ERROR, _LOOK),
        FindingCode.DUPLICATE_TYPE: (
            Severity.WARNING,
            "Have writers register types before they run side by side.",
        ),
        FindingCode.MISSING_VERSION: (
            Severity.NOTE,
            "Nothing, unless MLMD is to write to it: then let MLMD migrate it.",
        ),
        FindingCode.OTHER: (Severity.NOTE, "Install a newer release of this library."),
    }
)
"""Each code that is a check here. Those about times are checks of their own, in ``times``."""


def _finder(code: FindingCode) -> Callable[[AuditData], Iterator[Observation]]:
    def find(data: AuditData) -> Iterator[Observation]:
        for finding in data.findings_of(code):
            yield Observation(finding.subject, finding.detail)

    return find


CHECKS = tuple(
    AuditCheck(code.value, severity, code.meaning, remedy, _finder(code))
    for code, (severity, remedy) in _JUDGED.items()
)
