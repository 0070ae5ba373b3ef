"""Reads the manifest of a bundle: the answers that the bundle holds, and what bounds them."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_limits import MOST_MANIFEST_BYTES
from mlmd_lineage.stores.local_paths import BUNDLE_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.archive_files import ArchiveFiles

    Bounds = Mapping[str, Mapping[str, frozenset[str]]]


@dataclasses.dataclass(frozen=True)
class HeldLineage:
    """One of the answers that a bundle holds, as its manifest says.

    >>> print(report.lineage[0])
    what artifact/43 came from, cut by max_hops at artifact/35, artifact/37: not complete

    Attributes:
        question: ``upstream``, ``downstream`` or ``between``; ``lineage`` is all of a store.
        start: The nodes that were asked about.
        end: The nodes to which ``between`` was asked.
        complete: Whether nothing was left out.
        truncated_by: The arguments that left something out.
        boundary: The nodes at which they did.
    """

    question: str
    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()
    complete: bool = True
    truncated_by: tuple[str, ...] = ()
    boundary: tuple[str, ...] = ()

    def __str__(self) -> str:
        start, end = ", ".join(self.start), ", ".join(self.end)
        held = {
            "upstream": f"what {start} came from",
            "downstream": f"what came from {start}",
            "between": f"what is between {start} and {end}",
        }.get(self.question, "all that was asked")
        if self.complete:
            return f"{held}, complete"
        cut = f"cut by {' and '.join(self.truncated_by)} at {', '.join(self.boundary)}"
        return f"{held}, {cut}: not complete"


def held_lineage(lineage: list[dict[str, Any]]) -> tuple[HeldLineage, ...]:
    """Return what the member ``lineage`` of a manifest says.

    Raises:
        KeyError, TypeError, AttributeError: It says nothing of the kind.
    """
    names = ("start", "end", "truncated_by", "boundary")
    return tuple(
        HeldLineage(
            question=str(answer["question"]),
            complete=answer["complete"] is True,
            **{name: tuple(map(str, answer.get(name, ()))) for name in names},
        )
        for answer in lineage
    )


def lineage_bounds(files: ArchiveFiles) -> Bounds:
    """Return the nodes of a bundle at which more was left out, by directions and arguments.

    >>> lineage_bounds(files)
    {'upstream': {'max_hops': frozenset({'artifact/35', 'artifact/37'})}}

    Args:
        files: The files of the bundle.

    Raises:
        DamagedStoreError: The manifest is no manifest.
        StorePermissionError: It may not be read.
    """
    path = files.path / BUNDLE_MANIFEST
    try:
        manifest = json.loads(files.read(BUNDLE_MANIFEST, MOST_MANIFEST_BYTES))
        return _bounds(held_lineage(manifest["lineage"]))
    except PermissionError:
        message = f"{path} may not be read by this user."
        raise errors.StorePermissionError(message) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = f"{path} is no manifest of a bundle any more. Restore the bundle from a copy."
        raise errors.DamagedStoreError(message) from None


def _bounds(lineage: tuple[HeldLineage, ...]) -> Bounds:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for answer in lineage:
        by_argument = found.setdefault(answer.question, {})
        for argument in answer.truncated_by:
            boundary = by_argument.get(argument, frozenset())
            by_argument[argument] = boundary.union(answer.boundary)
    return {direction: bounds for direction, bounds in found.items() if bounds}
