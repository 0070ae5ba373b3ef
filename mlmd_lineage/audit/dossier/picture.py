"""The pictures of a model's lineage in its dossier."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlmd_lineage.lineage.render import html
from mlmd_lineage.lineage.render.scene import FOLD_ABOVE

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph import Trace


class Picture(NamedTuple):
    """A picture, and the sentence above it.

    Attributes:
        svg: The picture.
        note: What it shows; empty where it shows all.
    """

    svg: str
    note: str


def pictures(trace: Trace) -> list[Picture]:
    """Return the pictures of an upstream trace.

    Of many nodes there are two: of all, in which what repeats is one box, and of the nearest ones.
    """
    if len(trace) <= FOLD_ABOVE:
        return [_picture(trace, "")]
    total = f"{len(trace) - 1:,} nodes"
    made = []
    if len(trace) <= html.MOST_NODES:
        note = f"It came from {total}; what repeats is drawn as one box with a count."
        made.append(_picture(trace, note))
    within = np.bincount(trace.hops).cumsum()
    hops = int(np.count_nonzero(within <= FOLD_ABOVE)) - 1
    if hops >= 1:
        near = trace.upstream(trace.starts[0], max_hops=hops)
        note = f"The nearest {len(near) - 1:,} of {total}; the tables list all."
        made.append(_picture(near, note))
    return made


def _picture(trace: Trace, note: str) -> Picture:
    return Picture(html.page_width(html.svg(trace)), note)
