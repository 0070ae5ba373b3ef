"""The report of an audit: its findings as a frame, what was not checked, and how bad it is."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.audit import junit, sarif
from mlmd_lineage.audit.checks.base import Severity, json_text
from mlmd_lineage.post_execution import rich_html
from mlmd_lineage.snapshot.columns import TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.audit.checks.base import AuditCheck, FoundByCheck, Observation
    from mlmd_lineage.audit.settings import AuditSettings

_SHOWN = 60
"""How many findings a notebook shows at most."""


@dataclasses.dataclass(frozen=True, repr=False)
class AuditReport:
    """What an audit found.

    Attributes:
        source: The store, without any secret.
        scope: The key of the node whose lineage was audited; None for the whole store.
        found: Each check that ran, with what it found, in order.
        settings: What the project says: which checks are off, and why.
        byte_counts: How many artifacts there are of each status of bytes; None where bytes were
            not looked at.
    """

    source: str
    scope: str | None
    found: FoundByCheck
    settings: AuditSettings
    byte_counts: Mapping[str, int] | None = None

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """The findings, the worst first: ``Store.audit()`` says what its columns are."""
        rows = self._rows()
        frame = pd.DataFrame(
            {
                "check": pd.array([check.name for check, _ in rows], TEXT),
                "severity": pd.array([check.severity.value for check, _ in rows], TEXT),
                "node": pd.array([one.node for _, one in rows], TEXT),
                "message": pd.array([one.message for _, one in rows], TEXT),
                "evidence": pd.array([json_text(one.evidence) for _, one in rows], TEXT),
            }
        )
        frame.attrs.update(
            {"off": dict(self.settings.off), "external": dict(self.settings.external)}
        )
        return frame

    def _rows(self) -> list[tuple[AuditCheck, Observation]]:
        """Return each finding with its check, the worst first."""
        order = sorted(self.found, key=lambda pair: list(Severity).index(pair[0].severity))
        return [(check, one) for check, observations in order for one in observations]

    def counts(self) -> dict[Severity, int]:
        """Return how many findings of each severity there are."""
        made = dict.fromkeys(Severity, 0)
        for check, observations in self.found:
            made[check.severity] += len(observations)
        return made

    def reaches(self, least: Severity) -> bool:
        """Tell whether a finding is as bad as that, or worse."""
        return any(count and severity.reaches(least) for severity, count in self.counts().items())

    def notes(self) -> list[str]:
        """Return what limits the report, in sentences."""
        told = [f"The check {name} is off: {why}" for name, why in self.settings.off.items()]
        told += [
            f"Declared to come from elsewhere: {pattern}: {why}"
            for pattern, why in self.settings.external.items()
        ]
        if self.byte_counts is None:
            told.append("The bytes of artifacts were not looked at.")
        return told

    def summary(self) -> str:
        """Return the counts in a sentence."""
        counted = ", ".join(
            f"{count:,} {severity.value}{'' if count == 1 else 's'}"
            for severity, count in self.counts().items()
            if count
        )
        what = f"The lineage of {self.scope}" if self.scope else "The store"
        return f"{what}: {counted or 'nothing found'}."

    def to_sarif(self) -> dict[str, Any]:
        """Return all of it as SARIF 2.1.0, for code-scanning pages."""
        return sarif.to_sarif(self.source, self.scope, self.found, self.notes())

    def to_junit(self, fail_on: Severity = Severity.WARNING) -> str:
        """Return all of it as JUnit XML, in which findings as bad as that are failures."""
        return junit.to_junit(self.source, self.found, self.settings.off, self.notes(), fail_on)

    def _repr_html_(self) -> str:
        lines = [self.summary(), *self.notes()]
        if len(self.frame) > _SHOWN:
            lines.append(f"The worst {_SHOWN} are shown; frame has all {len(self.frame):,}.")
        told = rich_html.report_html("\n".join(lines))
        worst = self.frame.head(_SHOWN)
        return f"{told}{rich_html.frame_html(worst, index=False)}" if len(worst) else told

    def __repr__(self) -> str:
        return f"<AuditReport of {self.source}: {self.summary()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "store": self.source,
            "scope": self.scope,
            "counts": {severity.value: count for severity, count in self.counts().items()},
            "off": dict(self.settings.off),
            "external": dict(self.settings.external),
            "bytes": None if self.byte_counts is None else dict(self.byte_counts),
            "findings": [
                {
                    "check": check.name,
                    "severity": check.severity.value,
                    "node": one.node,
                    "message": one.message,
                    "evidence": dict(one.evidence),
                }
                for check, one in self._rows()
            ],
        }
