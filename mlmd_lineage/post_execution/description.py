"""The description of a store: what it holds, which platforms wrote it, and what is odd in it."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.base_view import moment, table
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from mlmd_lineage.snapshot.snapshot import Snapshot

_TIMES = {
    "Event": ("milliseconds_since_epoch",),
    **{
        kind.table: ("create_time_since_epoch", "last_update_time_since_epoch")
        for kind in KINDS.values()
    },
}


@dataclasses.dataclass(frozen=True, slots=True)
class StoreDescription:
    """What a store is and holds.

    Attributes:
        location: Where it is, without any secret.
        flavor: The flavor of the metadata store, such as ``sqlite``.
        schema_version: The version of MLMD's schema.
        counts: How many artifacts, executions, contexts and events it holds.
        platforms: The platforms that wrote it, each with the number of its runs.
        pipelines, runs: How many pipelines and runs it holds.
        first_time, last_time: The first and the last time in it, in UTC.
        findings: How many findings of each code there are.
    """

    location: str
    flavor: str
    schema_version: int
    counts: Mapping[str, int]
    platforms: Mapping[str, int]
    pipelines: int
    runs: int
    first_time: dt.datetime | None
    last_time: dt.datetime | None
    findings: Mapping[str, int]

    def text(self) -> str:
        """Return it in lines, to be read by a person."""
        return "\n".join(f"{name}: {value}" for name, value in self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        times = [f"{time:%Y-%m-%d %H:%M}" for time in (self.first_time, self.last_time) if time]
        platforms = [f"{name} ({_count(runs, 'runs')})" for name, runs in self.platforms.items()]
        found = [f"{count:,} {code}" for code, count in self.findings.items()]
        return [
            ("store", f"{self.flavor}: {self.location}"),
            ("MLMD schema", str(self.schema_version)),
            ("holds", ", ".join(_count(n, what) for what, n in self.counts.items())),
            ("written by", ", ".join(platforms) or "no platform that is known"),
            ("pipelines", f"{self.pipelines:,} with {_count(self.runs, 'runs')}"),
            ("times", " to ".join(times) + " UTC" if times else "none"),
            ("findings", ", ".join(found) or "none"),
        ]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return table("Store", self._rows())


def _count(number: int, plural: str) -> str:
    return f"{number:,} {plural[:-1] if number == 1 else plural}"


def describe(snapshot: Snapshot, location: str, flavor: str) -> StoreDescription:
    """Return the description of a store from its snapshot."""
    tables = {"artifacts": "Artifact", "executions": "Execution", "contexts": "Context"}
    codes = collections.Counter(finding.code for finding in snapshot.findings)
    index = RunIndex(StoreImage(snapshot), dialects())
    bounds = [
        (pc.min(column.filter(pc.greater(column, 0))).as_py(), pc.max(column).as_py())
        for name, columns in _TIMES.items()
        for column in map(snapshot[name].column, columns)
    ]
    first = min((low for low, _ in bounds if low), default=None)
    last = max((high for _, high in bounds if high), default=None)
    return StoreDescription(
        location=location,
        flavor=flavor,
        schema_version=snapshot.schema_version,
        counts={name: snapshot[held].num_rows for name, held in tables.items()}
        | {"events": snapshot["Event"].num_rows},
        platforms=index.platforms(),
        pipelines=len(index.membership.pipelines),
        runs=len(index.membership.runs),
        first_time=moment(first),
        last_time=moment(last),
        findings=dict(sorted(codes.items())),
    )
