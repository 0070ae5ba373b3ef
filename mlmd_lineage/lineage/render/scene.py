"""The boxes and lines of a picture of a graph, before they have coordinates."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage import edge_attributes
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.folding import Group, counted, fold
from mlmd_lineage.lineage.render.node_labels import NO_LABEL
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.render.node_labels import NodeLabel

FOLD_ABOVE = 40
"""Graphs of more nodes are folded."""
NODE_NAMES = (
    *("kind", "id", "type", "name", "uri", "state", "create_time_since_epoch"),
    *("last_update_time_since_epoch", "missing"),
)
"""The attributes of nodes that pictures show."""
_USUAL_STATES = {"LIVE", "COMPLETE", "UNKNOWN"}
_FIRST, _SECOND = 28, 32  # letters of a box's lines
_LONGEST_PATH = 20
_LISTED = 12  # members that the tooltip of a folded box names


@dataclasses.dataclass(slots=True)
class Box:
    """A node or a group of nodes: what stands in it, how it looks, and its middle.

    Attributes:
        kind: ``artifact``, ``execution`` or ``group``, for runs and pipelines.
        lines: Its name, and what else is told in small letters.
        type: The short name of its type; that of the first node of a group.
        group: The nodes that it stands for; None where they are no part of a graph, such as steps.
        status: That of a step; None for others, and for a group whose steps differ.
        missing: Events name it, and no row has its id.
        is_folded: It stands for several nodes.
        is_start: It was asked about.
        beyond: -1 or 1 where more was left out, to the left or to the right; otherwise 0.
        width: In pixels, set by who draws it.
    """

    key: str
    kind: str
    lines: tuple[str, str]
    tooltip: str
    type: str | None = None
    status: str | None = None
    group: Group | None = None
    missing: bool = False
    is_folded: bool = False
    is_start: bool = False
    beyond: int = 0
    width: float = 84.0
    x: float = 0.0
    y: float = 0.0


@dataclasses.dataclass(slots=True)
class EdgeLine:
    """All events of one role from one box to another.

    Attributes:
        paths: The paths of its events, as texts.
        label: What tells it from other lines of the same box that look alike.
    """

    source: int
    target: int
    role: str
    tooltips: list[str] = dataclasses.field(default_factory=list)
    paths: list[str] = dataclasses.field(default_factory=list)
    label: str = ""
    points: list[tuple[float, float]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """The boxes and lines of a picture.

    Attributes:
        folded: What was folded, in a sentence; empty where nothing was.
        starts_at_right: The node that was asked about is at the end of the data's way.
    """

    boxes: list[Box]
    lines: list[EdgeLine]
    folded: str = ""
    starts_at_right: bool = False


@dataclasses.dataclass(slots=True)
class SceneContent:
    """What the boxes and lines of a picture are made from.

    Attributes:
        nodes: The key and the attributes of each node.
        labels: What the platforms call the nodes, by their keys.
        edges: The source, the target, the event's id and the attributes of each edge.
        starts: The keys of the nodes that were asked about.
        boundary: The keys of the nodes at which more was left out.
        at_right: The node that was asked about is at the end of the data's way.
    """

    nodes: Sequence[tuple[str, Mapping[str, Any]]]
    labels: Mapping[str, NodeLabel]
    edges: Iterable[tuple[str, str, int, Mapping[str, Any]]]
    starts: Collection[str] = ()
    boundary: Collection[str] = ()
    at_right: bool = False


def scene_of(graph: GraphData, *, folded: bool = True) -> Scene:
    """Return the boxes and lines of a graph.

    Args:
        graph: The graph.
        folded: Fold what repeats in a graph of more than 40 nodes.
    """
    trace = graph.as_trace
    content = SceneContent(
        list(node_attributes.node_dicts(graph, NODE_NAMES)),
        graph.node_labels,
        edge_attributes.edge_dicts(graph),
        starts={*trace.starts, *trace.ends} if trace else set(),
        boundary=set(trace.boundary) if trace else set(),
        at_right=trace is not None and trace.direction == "upstream",
    )
    groups = (
        fold(graph, content.starts)
        if folded and len(graph) > FOLD_ABOVE
        else [Group((number,), "node") for number in range(len(graph))]
    )
    return scene_of_groups(content, groups)


def scene_of_groups(content: SceneContent, groups: Sequence[Group]) -> Scene:
    """Return the boxes and lines of nodes that are drawn in groups."""
    rows, found = content.nodes, content.labels
    starts, boundary = set(content.starts), set(content.boundary)
    texts = [_texts(node, found.get(key, NO_LABEL)) for key, node in rows]
    boxes = []
    for group in groups:
        members = [(*rows[at], found.get(rows[at][0], NO_LABEL)) for at in group.members]
        single = len(members) == 1
        box = _single(*members[0], texts[group.members[0]]) if single else _folded(group, members)
        box.group = group
        box.is_start = not starts.isdisjoint(key for key, _, _ in members)
        if not boundary.isdisjoint(key for key, _, _ in members):
            box.beyond = -1 if content.at_right else 1
            box.tooltip += "\nmore lies beyond, and was left out"
        boxes.append(box)
    shorten(boxes)
    lines = _lines(content, boxes, groups)
    hidden = len(rows) - sum(len(group.members) == 1 for group in groups)
    told = f"{hidden:,} of {len(rows):,} nodes are folded into {_count(groups)}" if hidden else ""
    return Scene(boxes, lines, told, starts_at_right=content.at_right)


def _count(groups: Sequence[Group]) -> str:
    number = sum(len(group.members) > 1 for group in groups)
    return f"{number:,} box{'' if number == 1 else 'es'}"


def _texts(node: Mapping[str, Any], label: NodeLabel) -> tuple[str, str]:
    """Return what a node is called, and what else is told of it."""
    type_name = short_type(node.get("type"))
    own = node.get("name") or ""
    name = label.name or (own if own and not labels.is_uuid(own) else None)
    if name is None or name == type_name:
        return type_name, f"#{node['id']}"
    return name, f"#{node['id']} {type_name}"


def _single(key: str, node: Mapping[str, Any], label: NodeLabel, texts: tuple[str, str]) -> Box:
    name, about = texts
    state = node.get("state")
    if label.status is None and state and state not in _USUAL_STATES:
        about += f" · {state.lower().replace('_', ' ')}"
    if node.get("missing"):
        about += " · missing"
    tooltip = [f"{key}: {node.get('type') or 'no type'}"]
    for what in ("run", "pipeline", "status"):
        value = getattr(label, what)
        tooltip += [f"{what}: {value}"] if value else []
    tooltip += [f"{what}: {node[what]}" for what in ("name", "uri", "state") if node.get(what)]
    for column, told in (("create_time", "created"), ("last_update_time", "last updated")):
        time = node.get(f"{column}_since_epoch")
        if time:
            tooltip.append(f"{told}: {when(time)}")
    if node.get("missing"):
        tooltip.append("events name it, and no row has its id")
    return Box(
        key,
        node["kind"],
        (name, about),
        "\n".join(tooltip),
        type=short_type(node.get("type")),
        status=label.status,
        missing=bool(node.get("missing")),
    )


def _folded(group: Group, members: Sequence[tuple[str, Mapping[str, Any], NodeLabel]]) -> Box:
    key, first, label = members[0]
    statuses = Counter(label.status for _, _, label in members if label.status)
    executions = sum(node["kind"] == "execution" for _, node, _ in members)
    artifacts = len(members) - executions
    counts = ", ".join(
        f"{number:,} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((executions, "step"), (artifacts, "artifact"))
        if number
    )
    odd = counted(statuses)
    kind = "group"
    if group.level == "repeats":
        kind = first["kind"]
        name, type_name = _texts(first, label)
        name = f"{name} \N{MULTIPLICATION SIGN} {len(members):,}"
        about = odd or type_name.partition(" ")[2] or f"{len(members):,} {kind}s"
    elif group.level == "type":
        kind = first["kind"]
        name = f"{short_type(first.get('type'))} \N{MULTIPLICATION SIGN} {len(members):,}"
        about = odd or f"{len(members):,} {kind}s"
    elif group.level == "run":
        name, about = f"run {group.name}", f"{counts}{odd and f', {odd}'}"
    else:
        runs = f"{group.runs:,} run{'' if group.runs == 1 else 's'}"
        name, about = (
            f"{group.name} \N{MULTIPLICATION SIGN} {runs}",
            f"{counts}{odd and f', {odd}'}",
        )
    listed = [f"{key}: {_texts(node, label)[0]}" for key, node, label in members[:_LISTED]]
    if len(members) > _LISTED:
        listed.append(f"and {len(members) - _LISTED:,} more")
    if label.pipeline and group.level != "pipeline":
        listed.insert(0, f"pipeline: {label.pipeline}")
    return Box(
        key,
        kind,
        (name, about),
        "\n".join([f"{name}: {counts}", *listed]),
        type=short_type(first.get("type")),
        status=next(iter(statuses)) if len(statuses) == 1 else None,
        missing=all(node.get("missing") for _, node, _ in members),
        is_folded=True,
    )


def box_texts(box: Box) -> Iterator[str]:
    """Yield the lines of a box's label where there is no mark for a status and for what is cut."""
    yield from box.lines
    if box.status and box.status != "completed":
        yield box.status
    if box.beyond:
        yield "… more, left out"


def shorten(boxes: Sequence[Box]) -> None:
    """Shorten what stands in boxes, so that what tells them apart stays."""
    names = labels.shortened_apart([labels.printable(box.lines[0]) for box in boxes], _FIRST)
    for box, name in zip(boxes, names, strict=True):
        box.lines = name, labels.shortened(labels.printable(box.lines[1]), _SECOND)


def when(milliseconds: int) -> str:
    """Return a moment as people write it, in UTC."""
    try:
        moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _lines(content: SceneContent, boxes: Sequence[Box], groups: Sequence[Group]) -> list[EdgeLine]:
    keys = [key for key, _ in content.nodes]
    box_of = {keys[at]: number for number, group in enumerate(groups) for at in group.members}
    lines: dict[tuple[int, int, str], EdgeLine] = {}
    for source, target, event, found in content.edges:
        role = found["role"]
        ends = box_of[source], box_of[target]
        if ends[0] == ends[1]:
            continue  # inside of a folded box
        line = lines.setdefault((*ends, role), EdgeLine(*ends, role))
        path = labels.path_text(found["path"])
        tooltip = f"{source} → {target}: {found['type']} ({role}), event {event}"
        tooltip += f", {path}" if path else ""
        tooltip += f", {when(found['time'])}" if found.get("time") else ""
        line.tooltips.append(tooltip)
        if path and path not in line.paths:
            line.paths.append(path)
    _label_lines(lines.values(), boxes)
    return list(lines.values())


def _label_lines(lines: Iterable[EdgeLine], boxes: Sequence[Box]) -> None:
    """Name the lines that lead from boxes of one name to one step, or from it to such boxes."""
    alike: dict[tuple[int, bool, str], list[EdgeLine]] = {}
    for line in lines:
        into = boxes[line.target].kind == "execution"
        step, other = (line.target, line.source) if into else (line.source, line.target)
        if "group" not in {boxes[step].kind, boxes[other].kind}:
            alike.setdefault((step, into, boxes[other].lines[0]), []).append(line)
    for some in alike.values():
        if len({tuple(line.paths) for line in some}) > 1:
            for line in some:
                text = labels.printable(", ".join(line.paths))
                line.label = labels.shortened(text, _LONGEST_PATH)
