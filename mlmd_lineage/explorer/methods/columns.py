"""A large scene as columns of numbers in one binary answer, which a page draws by WebGL.

The layout of the bytes, little endian: the length of the header as an unsigned 32-bit integer, the
header as JSON, padded with blanks to a multiple of 4, and the columns in the order in which the
header names them, each padded to 4 bytes. ``docs/explorer-api.md`` says what they hold.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.explorer.methods.lineage import LIMIT, ask_lineage, pairs_of
from mlmd_lineage.explorer.scenes import folds
from mlmd_lineage.explorer.scenes.scene_graph import STATUS_CODES
from mlmd_lineage.lineage.render import large_layout
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.explorer.explored_store import EdgeFlags, ExploredStore
    from mlmd_lineage.explorer.methods.lineage import Answer
    from mlmd_lineage.lineage.render.folding import Group

    Array = np.ndarray[Any, np.dtype[Any]]

_LAYER, _ROW = 180.0, 56.0
"""How many pixels a layer is wide and a row is high."""
_FOLD = 2
_KIND = {"artifact": 0, "execution": 1}


def columns(  # noqa: PLR0913 - those of lineage()
    store: ExploredStore,
    key: str,
    *,
    direction: str = "upstream",
    hops: int | None = None,
    fold: str = "none",
    expand: Sequence[str] = (),
    internal: bool = False,
    later: bool = False,
    reuse: bool = False,
    limit: int = LIMIT,
) -> bytes:
    """Return a scene of any size as bytes; the parameters are those of ``lineage.lineage()``.

    Args:
        store: The store.
        key: The node.
        direction: ``upstream``, ``downstream`` or ``both``.
        hops: How many edges to follow at most; None for all.
        fold: How it is folded.
        expand: What is opened, and whose neighbours are shown.
        internal: Follow also the platform's internal events.
        later: Follow also executions that wrote an artifact again.
        reuse: Follow also what cached executions claim.
        limit: Ignored: a page sends the parameters that it sent to ``lineage()``.
    """
    del limit
    folds.check_fold(fold)
    flags: EdgeFlags = {"internal": internal, "later": later, "reuse": reuse}
    answer = ask_lineage(store, key, direction=direction, hops=hops, expand=expand, flags=flags)
    graph = answer.graph
    groups = None
    if fold != "none":
        groups = folds.groups(graph, fold, keep=answer.starts, opened=expand)
    return encode(answer, groups)


def encode(answer: Answer, groups: Sequence[Group] | None) -> bytes:
    """Return the nodes of an answer, or the groups in which they are drawn, as bytes."""
    graph = answer.graph
    names, types = graph.types
    ids = np.concatenate([graph.artifact_ids, graph.execution_ids])
    kinds = (np.arange(len(graph)) >= len(graph.artifact_ids)).astype(np.uint8)
    statuses = graph.statuses
    sources, targets, roles = graph.sources, graph.targets, graph.roles
    folded: list[list[Any]] = []
    if groups is not None:
        sources, targets, roles = pairs_of(graph, groups)
        first = np.array([group.members[0] for group in groups], np.int64)
        statuses = np.array([_common(statuses, group.members) for group in groups], np.uint8)
        is_fold = np.array([len(group.members) > 1 for group in groups], bool)
        kinds, ids, types = kinds[first], ids[first], types[first]
        kinds[is_fold] = _FOLD
        folded = [
            [number, group.id, _called(answer, group), len(group.members)]
            for number, group in enumerate(groups)
            if len(group.members) > 1
        ]
    x, y = large_layout.arrange(len(ids), sources, targets)
    small = ids.max(initial=0) < 2**32 and ids.min(initial=0) >= 0
    held = {
        "x": (x * _LAYER).astype("<f4"),
        "y": (y * _ROW).astype("<f4"),
        "kind": kinds,
        "status": statuses,
        "type": types.astype("<u2"),
        "source": sources.astype("<u4"),
        "target": targets.astype("<u4"),
        "role": roles.astype(np.uint8),
        "id": ids.astype("<u4" if small else "<f8"),
    }
    header = {
        "focus": _focus(answer, groups),
        "direction": answer.direction,
        "complete": answer.complete,
        "said": answer.said,
        "count": len(ids),
        "edges": len(sources),
        "width": float(held["x"].max(initial=0)),
        "height": float(held["y"].max(initial=0)),
        "types": [short_type(name) for name in names],
        "roles": list(ROLES),
        "statuses": list(STATUS_CODES),
        "folds": folded,
        "columns": [[name, column.dtype.str.lstrip("<|")] for name, column in held.items()],
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    parts = [struct.pack("<I", len(text)), text]
    for column in held.values():
        data = column.tobytes()
        parts += [data, b"\0" * (-len(data) % 4)]
    return b"".join(parts)


def _common(statuses: Array, members: Sequence[int]) -> int:
    """Return the status that all steps of a group have; 0 where they differ."""
    found = set(statuses[list(members)].tolist()) - {0}
    return found.pop() if len(found) == 1 else 0


def _called(answer: Answer, group: Group) -> str:
    name = group.name or answer.graph.label(answer.graph.keys[group.members[0]]).name
    if name is None:
        names, types = answer.graph.types
        name = short_type(names[types[group.members[0]]])
    return f"{name} \N{MULTIPLICATION SIGN} {len(group.members):,}"


def _focus(answer: Answer, groups: Sequence[Group] | None) -> int | None:
    graph = answer.graph
    if not answer.starts or not len(graph):
        return None
    at = graph.keys.index(answer.starts[0])
    if groups is None:
        return at
    return next((n for n, group in enumerate(groups) if at in group.members), None)
