"""What a bundle holds: the questions whose answers it keeps, and what bounds them."""

from __future__ import annotations

import dataclasses
from typing import Any


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
