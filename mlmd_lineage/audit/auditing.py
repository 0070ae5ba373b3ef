"""Audits: run the checks on a store, or on one lineage, and gather what they find."""

from __future__ import annotations

import collections
import datetime as dt
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.audit import byte_scan
from mlmd_lineage.audit.checks.base import AuditCheck, Observation, json_text
from mlmd_lineage.audit.checks.data import AuditData
from mlmd_lineage.audit.checks.registry import BUILT_IN, checks
from mlmd_lineage.audit.report import AuditReport
from mlmd_lineage.audit.scope import read_scope
from mlmd_lineage.audit.settings import check_names, read_settings
from mlmd_lineage.config import user_code
from mlmd_lineage.post_execution.loading import node_resolution
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.untrusted_text import int64_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from mlmd_lineage.audit.byte_scan import Progress
    from mlmd_lineage.audit.scope import AuditScope
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.readers.base import Reader

STUCK_AFTER = dt.timedelta(days=1)
"""After how long without a trace an execution counts as stuck."""


def audit(  # noqa: PLR0913 - each stands alone
    reader: Reader,
    scope: Node | None = None,
    *,
    only: Collection[str] | None = None,
    check_bytes: bool = False,
    root: str | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    settings: str | os.PathLike[str] | None = None,
    stuck_after: dt.timedelta = STUCK_AFTER,
) -> AuditReport:
    """Return the report of an audit; the arguments are those of ``Store.audit()``.

    Raises:
        NotFoundError: The store holds no such node, or there is no such check.
        ConfigurationError: An argument, the project's file or a check cannot be right.
    """
    chosen = _chosen(only, check_bytes=check_bytes)
    said = read_settings(settings)
    check_names(said, {check.name for check in checks()})
    if stuck_after < dt.timedelta(0):
        message = f"stuck_after is {stuck_after}; it is a time that has passed, 0 or more."
        raise errors.ConfigurationError(message)
    within: AuditScope | None = None
    if scope is None:
        snapshot = Snapshot.of(reader.read())
    else:
        key = node_resolution.subject(reader, scope, runs=False)
        snapshot, within = read_scope(reader, key)
    data = AuditData(
        snapshot,
        said,
        stuck_after=int(stuck_after.total_seconds() * 1000),
        scope=within,
    )
    counts = None
    if check_bytes:
        data.byte_results = byte_scan.scan(data, root=root, resume=resume, progress=progress)
        counts = collections.Counter(result.status for result in data.byte_results.values())
    found = tuple(
        (check, _observations(check, data, within))
        for check in chosen
        if check.name not in said.off
    )
    return AuditReport(
        source=snapshot.source,
        scope=None if within is None else within.node,
        found=found,
        settings=said,
        byte_counts=None if counts is None else dict(sorted(counts.items())),
    )


def _chosen(only: Collection[str] | None, *, check_bytes: bool) -> list[AuditCheck]:
    """Return the checks that are asked for.

    Raises:
        NotFoundError: There is no such check; the message suggests near names.
    """
    known = {check.name: check for check in checks() if check_bytes or not check.reads_bytes}
    if only is None:
        return list(known.values())
    names = (only,) if isinstance(only, str) else tuple(only)
    for name in names:
        if name not in known:
            near = errors.did_you_mean(name, known)
            message = f"There is no check {name!r}.{near}"
            if any(check.name == name for check in BUILT_IN):
                message = f"The check {name!r} looks at bytes: ask for check_bytes=True too."
            raise errors.NotFoundError(message)
    return [check for name, check in known.items() if name in names]


def _observations(
    check: AuditCheck, data: AuditData, scope: AuditScope | None
) -> tuple[Observation, ...]:
    """Return what a check finds in the scope, in the order of the nodes."""
    try:
        found: Iterable[Any] = check.find(data)
        made = [Observation(*one) for one in found]
    except errors.MLMDLineageError:
        raise
    except Exception as error:
        if check in BUILT_IN:
            raise
        message = f"The check {check.name!r} failed: {user_code.described(error)}."
        raise errors.ConfigurationError(message) from error
    if scope is not None:
        made = [one for one in made if scope.includes(one.node)]
    return tuple(sorted(made, key=_order))


def _order(observation: Observation) -> tuple[str, int, str, str]:
    kind, _, number = observation.node.partition("/")
    known = int64_of(number)
    return (
        kind,
        -1 if known is None else known,
        observation.message,
        json_text(observation.evidence),
    )
