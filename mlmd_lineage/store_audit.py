"""StoreAudit: the findings of an audit and the dossier of a model that a store returns."""

from __future__ import annotations

import abc
import datetime as dt
from typing import TYPE_CHECKING

from mlmd_lineage.deadline import within
from mlmd_lineage.store_runs import StoreRuns

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.audit.byte_scan import Progress
    from mlmd_lineage.audit.dossier.dossier import Dossier
    from mlmd_lineage.audit.report import AuditReport
    from mlmd_lineage.lineage.keys import Node


class StoreAudit(StoreRuns):
    """What of a ``Store`` answers the questions of an auditor."""

    artifact_root: str | None

    @property
    @abc.abstractmethod
    def location(self) -> str:
        """Where the store is, without any secret."""

    def audit(  # noqa: PLR0913 - each stands alone
        self,
        scope: Node | None = None,
        *,
        only: Collection[str] | None = None,
        check_bytes: bool = False,
        resume: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        settings: str | os.PathLike[str] | None = None,
        stuck_after: dt.timedelta = dt.timedelta(days=1),
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return what an auditor should know of the store, or of one lineage: its findings.

        >>> store.audit().groupby(["severity", "check"]).size()
        >>> store.audit("artifact/46", check_bytes=True)

        ``docs/audit.md`` lists all checks, each with its reason, its severity and a remedy.

        Args:
            scope: A node: audit all that it came from and all that came from it. Without, the
                whole store.
            only: The names of the checks to run; all where None is given.
            check_bytes: Look whether the bytes of artifacts are there, and compare them with the
                digests that were recorded. They are read by the rules of ``ArtifactView.read()``.
            resume: A file that keeps what was found of bytes, so that it is not looked at again.
            progress: Called with how many places were looked at, and how many there are.
            settings: The file that says which checks are off; without, that of the project around
                the current folder, ``.mlmd_lineage/audit.json``.
            stuck_after: After how long without a trace a running execution counts as stuck.
            timeout: How many seconds the answer may take; None for no limit.

        Returns:
            One row for each finding, the worst first. Columns: ``check``, ``severity``
            (``error``, ``warning`` or ``note``), ``node`` (its key; ``type/3`` for a finding on
            all nodes of a type), ``message``, ``evidence`` (JSON). Its ``attrs["off"]`` holds the
            checks that are off, each with the reason.

        Raises:
            NotFoundError: The store holds no such node, or there is no such check.
            AmbiguousNameError: A name fits several.
            ConfigurationError: An argument, the project's file or a check cannot be right.
            StoreError: The store cannot be read.
        """
        return self.audit_report(
            scope,
            only=only,
            check_bytes=check_bytes,
            resume=resume,
            progress=progress,
            settings=settings,
            stuck_after=stuck_after,
            timeout=timeout,
        ).frame

    def audit_report(  # noqa: PLR0913 - each stands alone
        self,
        scope: Node | None = None,
        *,
        only: Collection[str] | None = None,
        check_bytes: bool = False,
        resume: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        settings: str | os.PathLike[str] | None = None,
        stuck_after: dt.timedelta = dt.timedelta(days=1),
        timeout: float | None = None,
    ) -> AuditReport:
        """Return the findings as a report; the arguments are those of ``audit()``.

        >>> report = store.audit_report()
        >>> report.frame, report.summary(), report.to_sarif(), report.to_junit()
        """
        from mlmd_lineage.audit.auditing import audit

        with within(timeout):
            return audit(
                self._reader,
                scope,
                only=only,
                check_bytes=check_bytes,
                root=self.artifact_root,
                resume=resume,
                progress=progress,
                settings=settings,
                stuck_after=stuck_after,
            )

    def dossier(
        self, model: Node, *, compare: Node | None = None, timeout: float | None = None
    ) -> Dossier:
        """Return a model's whole provenance as one document.

        >>> store.dossier("artifact/4").save("model-4.html")
        >>> store.dossier("artifact/15", compare="artifact/4").save("models.html")

        It holds the data sets, every step with its code, parameters, environment, times and who,
        metrics, approvals, all that came from it, the findings on it, and what is not known. Its
        sections follow Annex IV of the EU AI Act; ``docs/dossier.md`` is the guide.

        Args:
            model: A view, a node's key, an artifact's id, a URI or a name.
            compare: Another model, to stand beside it.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: The store holds no such artifact.
            AmbiguousNameError: A name fits several.
            ConfigurationError: It is no artifact, or both are the same.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.audit.dossier import dossier

        with within(timeout):
            return dossier.dossier(self._reader, self.location, model, compare=compare)
