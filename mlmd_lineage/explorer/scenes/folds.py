"""Folding of a scene by repeats, runs, pipelines or types, and the folds that people open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage.render.folding import Group

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlmd_lineage.explorer.scenes.scene_graph import SceneGraph

    Array = np.ndarray[Any, np.dtype[Any]]

FOLDS = ("none", "repeats", "run", "pipeline", "type")
"""How a scene may be folded."""
_FINER = {"pipeline": "run", "type": "repeats", "run": "none", "repeats": "none"}
"""How the nodes of an opened fold are folded."""
_ROUNDS = 24


def check_fold(fold: str) -> None:
    """Refuse a way to fold that there is not.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if fold not in FOLDS:
        near = errors.did_you_mean(fold, FOLDS)
        message = f"fold is one of {', '.join(FOLDS)}, not {fold!r}.{near}"
        raise errors.ConfigurationError(message)


def groups(
    graph: SceneGraph, fold: str, *, keep: Collection[str], opened: Collection[str]
) -> list[Group]:
    """Return the groups in which the nodes of a scene are drawn, in the order of the nodes.

    Args:
        graph: The nodes and edges.
        fold: One of ``FOLDS``.
        keep: The keys of nodes that stay alone.
        opened: The ids of folds that are opened: their nodes are folded in a finer way, and where
            a fold that comes of it is opened too, stand alone.
    """
    ids: list[str] = [""] * len(graph)
    left = [at for at, key in enumerate(graph.keys) if key not in keep]
    level = fold
    while level != "none" and left:
        found = _folds(graph, level, ids, left)
        for at in left:
            ids[at] = found[at]
        left = [at for at in left if ids[at] in opened]
        for at in left:
            ids[at] = ""
        level = _FINER[level]
    members: dict[str, list[int]] = {}
    for at, name in enumerate(ids):
        members.setdefault(name or graph.keys[at], []).append(at)
    return [_group(graph, name, tuple(some)) for name, some in members.items()]


def _folds(graph: SceneGraph, level: str, ids: Sequence[str], left: Sequence[int]) -> list[str]:
    """Return the id of the fold of each node that is left; empty for one that stands alone."""
    found = [""] * len(graph)
    if level == "type":
        names, types = graph.types
        kinds = ("artifact", "execution")
        for at in left:
            kind = kinds[at >= len(graph.artifact_ids)]
            found[at] = f"type:{kind}:{names[types[at]]}"
    elif level == "repeats":
        colours = repeats(graph, ids, left)
        first: dict[int, int] = {}
        for at in left:
            first.setdefault(int(colours[at]), at)
        for at in left:
            found[at] = f"repeats:{graph.keys[first[int(colours[at])]]}"
    else:
        for at in left:
            label = graph.label(graph.keys[at])
            name = label.run_key if level == "run" else label.pipeline
            if name is not None:
                found[at] = f"{level}:{name}"
    return found


def _group(graph: SceneGraph, name: str, members: tuple[int, ...]) -> Group:
    level = name.partition(":")[0]
    if len(members) == 1 or level not in FOLDS:
        return Group(members, "node")
    label = graph.label(graph.keys[members[0]])
    runs = 1
    if level == "pipeline":
        runs = len({graph.label(graph.keys[at]).run_key for at in members})
    called = {"run": label.run, "pipeline": label.pipeline}.get(level)
    return Group(members, level, called, runs, name)


def repeats(graph: SceneGraph, ids: Sequence[str], left: Sequence[int]) -> Array:
    """Return a number for each node that is equal where nodes repeat.

    They are of one type, name and pipeline, and their neighbours repeat too: the coarsest stable
    partition by colour refinement. In a graph so deep that many rounds do not settle it, nothing
    repeats.
    """
    _, types = graph.types
    free = set(left)
    seen: dict[Any, int] = {}
    start = []
    for at, key in enumerate(graph.keys):
        label = graph.label(key)
        alike: Any = (int(types[at]), key[0], label.name, label.pipeline)
        start.append(seen.setdefault(alike if at in free else (ids[at] or key), len(seen)))
    colours = np.array(start, np.int64)
    sources, targets, roles = graph.sources, graph.targets, graph.roles
    here = np.concatenate([sources, targets])
    there = np.concatenate([targets, sources])
    side = np.concatenate([roles, roles + 64]).astype(np.uint64)
    for _ in range(_ROUNDS):
        around = _mixed(colours[there].astype(np.uint64) * np.uint64(128) + side)
        pairs = np.unique(np.stack([here.astype(np.uint64), around]), axis=1)
        sums = np.zeros(len(colours), np.uint64)
        np.add.at(sums, pairs[0].astype(np.int64), _mixed(pairs[1]))
        both = np.stack([colours.astype(np.uint64), sums])
        _, refined = np.unique(both, axis=1, return_inverse=True)
        refined = refined.reshape(-1)
        if refined.max(initial=0) == colours.max(initial=0):
            return colours
        colours = refined
    return np.arange(len(colours))


def _mixed(values: Array) -> Array:
    """Return well-spread 64-bit numbers, by the finalizer of SplitMix64 (Steele et al., 2014)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: Array = values ^ (values >> np.uint64(31))
    return mixed
