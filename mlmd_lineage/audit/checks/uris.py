"""Checks of URIs: data that was overwritten, and links between pipelines that are only by URI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.data import grouped, listed, several
from mlmd_lineage.lineage.roles import LATER, PRODUCES, USES
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]

CONTENT_ADDRESS = re.compile(r"[0-9a-fA-F]{32,128}(?:\.dir)?")
"""A URI that is the hash of the contents, as HPE CMF writes it."""


class _Writers(NamedTuple):
    """The artifacts that executions wrote under a URI, importers aside.

    Attributes:
        codes: For each artifact the number of its URI, -1 where it has none.
        artifacts, executions: The place of each artifact that was written, and of who wrote it.
        uris: The distinct URIs.
    """

    codes: Array
    artifacts: Array
    executions: Array
    uris: Any


def _writers(data: AuditData) -> _Writers:
    places, uris = data.uris
    encoded = uris.dictionary_encode()
    codes = np.full(len(data.artifacts.ids), -1, np.int64)
    codes[places] = arrays.to_numpy(encoded.indices)
    events = data.events
    made = (events.roles == PRODUCES) | (events.roles == LATER)
    made &= ~data.is_importer[events.executions] & (codes[events.artifacts] >= 0)
    return _Writers(codes, events.artifacts[made], events.executions[made], encoded.dictionary)


def _overwritten(data: AuditData) -> Iterator[Observation]:
    codes, artifacts, executions, uris = _writers(data)
    owners = codes[artifacts]
    more = several(owners, executions, len(uris)) & several(owners, artifacts, len(uris))
    address = pc.match_substring_regex(uris, f"^(?:{CONTENT_ADDRESS.pattern})$")
    more &= ~arrays.to_numpy(address)
    chosen = more[owners]
    writers = grouped(artifacts[chosen], data.executions.ids[executions[chosen]])
    for code, places in grouped(owners[chosen], artifacts[chosen]).items():
        uri = uris[code].as_py()
        for place in places:
            others = {
                data.artifacts.key(other): [f"execution/{n}" for n in writers[other]]
                for other in places
                if other != place and writers[other] != writers[place]
            }
            if others:
                by = sorted({key for keys in others.values() for key in keys}, key=_number)
                message = f"{listed(by)} wrote to its URI too, as {listed(list(others))}"
                evidence = {"uri": uri, "written_as": others}
                yield Observation(data.artifacts.key(place), message, evidence)


def _number(key: str) -> int:
    return int(key.rpartition("/")[2])


def _broken_link(data: AuditData) -> Iterator[Observation]:
    codes, written, executions, uris = _writers(data)
    events = data.events
    is_written = data.flags(data.artifacts, written)
    by_others = (events.roles == PRODUCES) & ~data.is_importer[events.executions]
    is_made = data.flags(data.artifacts, events.artifacts[by_others])
    known = np.zeros(len(uris) + 1, bool)
    known[codes[written]] = True
    known[-1] = False
    is_used = data.flags(data.artifacts, events.artifacts[events.roles == USES])
    found = known[codes] & ~is_written & ~is_made & ~data.artifacts.missing & is_used
    if not found.any():
        return
    wanted = np.unique(codes[found])
    chosen = np.isin(codes[written], wanted)
    originals = grouped(codes[written][chosen], written[chosen])
    makers = grouped(written[chosen], data.executions.ids[executions[chosen]])
    for place in np.flatnonzero(found).tolist():
        original = _before(data, originals[int(codes[place])], place)
        key = data.artifacts.key(original)
        maker = f"execution/{makers[original][0]}"
        message = f"it has the URI of {key}, which {maker} made: its lineage goes on there"
        evidence = {"uri": uris[int(codes[place])].as_py(), "same_as": key, "producer": maker}
        yield Observation(data.artifacts.key(place), message, evidence)


def _before(data: AuditData, places: list[int], place: int) -> int:
    """Return the newest of some artifacts that was there before another, or the first one."""
    created = data.artifacts.created
    return max(
        (one for one in places if created[one] <= created[place]),
        key=lambda one: (created[one], one),
        default=places[0],
    )


CHECKS = (
    AuditCheck(
        "overwritten",
        Severity.WARNING,
        "What two executions wrote to one place is there once: the earlier data is lost.",
        "Have each execution write to a place of its own, such as one with the run's id.",
        _overwritten,
    ),
    AuditCheck(
        "broken_link",
        Severity.WARNING,
        "What one pipeline hands to another by its URI alone is no lineage to MLMD.",
        "Follow 'same_as' in the evidence; have the importer take the artifact, not its URI.",
        _broken_link,
    ),
)
