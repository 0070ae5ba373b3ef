"""The picture of a model's lineage in its dossier, cut to what a page can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlmd_lineage.lineage.render import html

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph import Trace

MOST_NODES = 90
"""A picture shows no more nodes than that; their labels would be too small to read."""


class Picture(NamedTuple):
    """A picture, or the reason why there is none.

    Attributes:
        svg: The picture; empty where there is none.
        note: What it leaves out, in a sentence; empty where it leaves out nothing.
    """

    svg: str
    note: str


def picture(trace: Trace) -> Picture:
    """Return the picture of an upstream trace, of the nearest nodes where they are too many."""
    if len(trace) <= MOST_NODES:
        return Picture(html.svg(trace), "")
    within = np.bincount(trace.hops).cumsum()
    hops = int(np.count_nonzero(within <= MOST_NODES)) - 1
    total = f"Of its {len(trace):,} nodes, "
    if hops < 1:
        return Picture(
            "", f"{total}too many are next to the model to be drawn; the tables list all."
        )
    near = trace.upstream(trace.starts[0], max_hops=hops)
    note = f"{total}the picture shows the {len(near):,} nearest ones; the tables list all."
    return Picture(html.svg(near), note)
