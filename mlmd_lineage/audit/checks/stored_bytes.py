"""Checks of bytes: artifacts whose data is gone, was changed, or could not be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlmd_lineage.audit.checks.byte_result import ByteStatus
    from mlmd_lineage.audit.checks.data import AuditData


def _finder(status: ByteStatus) -> Callable[[AuditData], Iterator[Observation]]:
    def find(data: AuditData) -> Iterator[Observation]:
        for key, result in data.byte_results.items():
            if result.status == status:
                yield Observation(key, result.detail, {"uri": result.uri})

    return find


CHECKS = (
    AuditCheck(
        "bytes_missing",
        Severity.ERROR,
        "The record says that data is there, and it is not.",
        "Restore it from a backup, or mark the artifact as DELETED.",
        _finder("missing"),
        reads_bytes=True,
    ),
    AuditCheck(
        "bytes_changed",
        Severity.ERROR,
        "The data is no longer what the record says was used.",
        "Restore it from a backup; whatever was made of it can no longer be made again.",
        _finder("changed"),
        reads_bytes=True,
    ),
    AuditCheck(
        "bytes_unchecked",
        Severity.NOTE,
        "The data may be there or not: it could not be looked at from here.",
        "Run the audit where the data can be read; list its scheme with register_scheme().",
        _finder("unchecked"),
        reads_bytes=True,
    ),
)
