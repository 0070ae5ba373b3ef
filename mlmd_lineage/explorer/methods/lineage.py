"""The lineage of a node as a scene, and what all scenes of lineage have in common."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.explorer.scenes import folds, scene_json
from mlmd_lineage.explorer.scenes.scene_graph import SceneGraph
from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.render.scene import SceneContent, scene_of_groups
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mlmd_lineage.explorer.explored_store import EdgeFlags, ExploredStore
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.lineage.render.folding import Group

LIMIT = 1_500
"""How many boxes and lines a scene has at most, unless more are asked for; see ``columns``."""
DIRECTIONS = ("upstream", "downstream", "both")
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class NodeSet:
    """Several nodes, as a question takes them."""

    node_keys: tuple[str, ...]


@dataclasses.dataclass
class Answer:
    """The nodes and edges that answer a question, before they are drawn.

    Attributes:
        graph: The nodes and edges.
        starts: The keys of the nodes that were asked about.
        traces: The answers that it is made of.
        said: What bounds it, in sentences.
        complete: Whether nothing was left out.
        direction: The direction that was asked for.
        flags: The arguments ``reuse``, ``internal`` and ``later`` of the questions.
    """

    graph: SceneGraph
    starts: tuple[str, ...]
    traces: tuple[Trace, ...]
    said: str
    complete: bool
    direction: str
    flags: EdgeFlags


def lineage(  # noqa: PLR0913 - each stands alone
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
) -> dict[str, Any]:
    """Return a scene of what a node came from, of what came from it, or of both.

    Members: ``focus`` (the id of the box of the node), ``direction``, ``width`` and ``height`` in
    pixels, ``complete``, ``said`` (what bounds the answer, and what is folded), ``nodes`` and
    ``edges``; see ``scene_json``. A scene of more boxes and lines than ``limit`` comes without
    them, with ``big`` true and their numbers: ``columns()`` has it.

    Args:
        store: The store.
        key: The node: a key, an artifact's id, a URI, a name, or a run's name or key.
        direction: ``upstream``, ``downstream`` or ``both``.
        hops: How many edges to follow at most; None for all.
        fold: ``none``, ``repeats``, ``run``, ``pipeline`` or ``type``.
        expand: The ids of folds that are opened; and the keys of nodes whose neighbours are shown
            one hop further, on both sides or with ``upstream:`` or ``downstream:`` before them.
        internal: Follow also the platform's internal events.
        later: Follow also executions that wrote an artifact again after it was used.
        reuse: Follow also what cached executions claim.
        limit: How many boxes and lines the scene may have.
    """
    folds.check_fold(fold)
    flags: EdgeFlags = {"internal": internal, "later": later, "reuse": reuse}
    answer = ask_lineage(store, key, direction=direction, hops=hops, expand=expand, flags=flags)
    return draw(store, answer, fold=fold, opened=expand, limit=limit)


def ask_lineage(  # noqa: PLR0913 - what a question is made of
    store: ExploredStore,
    key: str,
    *,
    direction: str,
    hops: int | None,
    expand: Sequence[str],
    flags: EdgeFlags,
) -> Answer:
    """Ask a store for the lineage of a node, and of the nodes that are expanded by a hop."""
    if direction not in DIRECTIONS:
        near = errors.did_you_mean(direction, DIRECTIONS)
        message = f"direction is one of {', '.join(DIRECTIONS)}, not {direction!r}.{near}"
        raise errors.ConfigurationError(message)
    traces: list[Trace] = []
    if direction != "downstream":
        traces.append(store.upstream(key, max_hops=hops, **flags))
    if direction != "upstream":
        traces.append(store.downstream(key, max_hops=hops, **flags))
    further = list(further_hop(store, expand, flags))
    return Answer(
        SceneGraph([*traces, *further]),
        traces[0].starts,
        tuple(traces),
        " ".join(_bounds(trace) for trace in traces),
        all(trace.complete for trace in traces),
        direction,
        flags,
    )


def further_hop(store: ExploredStore, expand: Sequence[str], flags: EdgeFlags) -> Iterable[Trace]:
    """Yield the neighbours of the nodes that are expanded, by all of their directions at once."""
    wanted: dict[str, list[str]] = {"upstream": [], "downstream": []}
    for name in expand:
        side, _, key = name.rpartition(":")
        if keys.parse_text(key) is None or side not in {"", *wanted}:
            continue  # the id of a fold
        for direction in [side] if side else wanted:
            wanted[direction].append(key)
    for direction, some in wanted.items():
        if some:
            yield getattr(store, direction)(NodeSet(tuple(some)), max_hops=1, **flags)


def _bounds(trace: Trace) -> str:
    """Return a sentence that says what was asked, and whether the answer is complete."""
    asked = trace.direction.capitalize()
    if trace.complete:
        return f"{asked}: complete."
    limits = {"max_hops": f"{trace.question.max_hops} hops"}
    cut = " and ".join(limits.get(name, name) for name in trace.truncated_by)
    places = len(trace.boundary)
    return f"{asked}: cut by {cut} at {places:,} node{'' if places == 1 else 's'}."


def draw(
    store: ExploredStore,
    answer: Answer,
    *,
    fold: str,
    opened: Collection[str] = (),
    limit: int = LIMIT,
) -> dict[str, Any]:
    """Return an answer as a scene, folded and with coordinates."""
    graph = answer.graph
    if fold == "none" and len(graph) + len(graph.sources) > 4 * limit:
        return _too_big(answer, len(graph), len(graph.sources))
    groups = folds.groups(graph, fold, keep=answer.starts, opened=opened)
    pairs = len(pairs_of(graph, groups)[0])
    if len(groups) + pairs > limit:
        return _too_big(answer, len(groups), pairs)
    content = SceneContent(
        graph.rows,
        graph.labels,
        graph.edge_rows(),
        starts=answer.starts,
        boundary={key for trace in answer.traces for key in trace.boundary},
        at_right=answer.direction == "upstream",
    )
    scene = scene_of_groups(content, groups)
    width, height = scene_json.place(scene)
    ids = [scene_json.box_id(box) for box in scene.boxes]
    more = _more(store, answer)
    members = [[graph.keys[at] for at in group.members] for group in groups]
    nodes = [
        scene_json.node(
            box, held, None if box.is_folded else graph.label(box.key), _sum(more, held)
        )
        for box, held in zip(scene.boxes, members, strict=True)
    ]
    return {
        "focus": next(
            (name for name, box in zip(ids, scene.boxes, strict=True) if box.is_start), None
        ),
        "direction": answer.direction,
        "width": round(width, 1),
        "height": round(height, 1),
        "complete": answer.complete,
        "said": " ".join(part for part in (answer.said, _sentence(scene.folded)) if part),
        "nodes": nodes,
        "edges": [scene_json.edge(line, ids) for line in scene.lines],
    }


def _too_big(answer: Answer, nodes: int, edges: int) -> dict[str, Any]:
    return {
        "big": True,
        "nodes": nodes,
        "edges": edges,
        "direction": answer.direction,
        "complete": answer.complete,
        "said": answer.said,
    }


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def pairs_of(graph: SceneGraph, groups: Sequence[Group]) -> tuple[Any, Any, Any]:
    """Return the source, the target and the role of each line between groups, each once."""
    of_node = np.zeros(len(graph), np.int64)
    for number, group in enumerate(groups):
        of_node[list(group.members)] = number
    ends = np.stack([of_node[graph.sources], of_node[graph.targets], graph.roles])
    sources, targets, roles = np.unique(ends[:, ends[0] != ends[1]], axis=1)
    return sources, targets, roles


def _more(store: ExploredStore, answer: Answer) -> dict[str, dict[str, int]]:
    """Return for each node how many of its neighbours are not in the answer."""
    graph = answer.graph
    shown = set(graph.keys)
    found: dict[str, dict[str, int]] = {}
    for direction in ("upstream", "downstream"):
        trace = getattr(store, direction)(NodeSet(tuple(graph.keys)), max_hops=1, **answer.flags)
        names = list(trace)
        hidden: dict[str, set[str]] = {}
        ends = zip(trace.index.sources.tolist(), trace.index.targets.tolist(), strict=True)
        for source, target in ends:
            here, there = names[source], names[target]
            if direction == "upstream":
                here, there = there, here
            if here in shown and there not in shown:
                hidden.setdefault(here, set()).add(there)
        for key, others in hidden.items():
            found.setdefault(key, {"upstream": 0, "downstream": 0})[direction] = len(others)
    return found


def _sum(more: dict[str, dict[str, int]], held: Sequence[str]) -> dict[str, int]:
    found = [more[key] for key in held if key in more]
    return {side: sum(some[side] for some in found) for side in ("upstream", "downstream")}


def labels(store: ExploredStore, keys: Sequence[str]) -> dict[str, Any]:
    """Return what nodes are called, for those of a large scene that are looked at.

    Members: ``labels``: for each key its name and its short type.

    Args:
        store: The store.
        keys: The keys of artifacts and executions.
    """
    if not keys:
        return {"labels": {}}
    trace = store.upstream(NodeSet(tuple(keys)), max_hops=0)
    graph = SceneGraph([trace])
    found = {}
    for key, row in graph.rows:
        kind = short_type(row.get("type"))
        found[key] = [graph.label(key).name or row.get("name") or f"#{row['id']}", kind]
    return {"labels": found}
