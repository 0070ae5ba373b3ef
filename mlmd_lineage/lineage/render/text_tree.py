"""Tree of a lineage answer as text, from the node that was asked about."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.render.labels import is_uuid, one_line
from mlmd_lineage.snapshot.json_values import is_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mlmd_lineage.lineage.graph_data import TraceData

SHOWN_NODES = 200
"""How many nodes are shown where the user gives no other limit."""

_NAMED = 3  # nodes of a boundary that are named
_DEEPEST = 40
_USUAL_ROLES = {"uses", "produces"}


def text(trace: TraceData, limit: int | None = SHOWN_NODES) -> str:
    """Return an answer as indented lines, and a last one that says whether it is complete.

    Args:
        trace: The answer.
        limit: How many nodes are shown, the nearest to the start first; None for all.
    """
    return "\n".join([*indented_lines(trace, limit), summary(trace, trace.truncated_by)])


def indented_lines(trace: TraceData, limit: int | None) -> Iterator[str]:
    """Yield the lines of the tree of an answer as text."""
    texts = LineTexts(trace)
    for line in lines(trace, limit, _DEEPEST):
        yield texts.indented(line)


def summary(trace: TraceData, cut_by: Collection[str]) -> str:
    """Return a line that says whether the answer is complete, or by what it is cut and where.

    Args:
        trace: The answer.
        cut_by: What the arguments that cut it are called.
    """
    if not len(trace):
        return "There is no path from the first to the second."
    artifacts = sum(key.startswith("artifact") for key in trace)
    executions = len(trace) - artifacts
    counted = f"{_counted(artifacts, 'artifact')} and {_counted(executions, 'execution')}"
    if trace.complete:
        return f"Complete: {counted}."
    boundary = trace.boundary
    named = ", ".join(boundary[:_NAMED])
    if len(boundary) > _NAMED:
        named += f" and {_counted(len(boundary) - _NAMED, 'more node')}"
    return f"Cut by {' and '.join(cut_by)} at {named}: {counted}."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@dataclasses.dataclass
class TreeLine:
    """One line of the tree."""

    node: str
    depth: int = 0
    parent: str = ""
    """Its parent in the tree."""
    path: str = ""
    """The key under which the execution took or made the artifact."""
    roles: tuple[str, ...] = ()
    """What the edge to the line above means, where it is not the usual."""
    repeated: bool = False
    """The node has a line above already."""
    hidden: int = 0
    """How many neighbours are not shown."""
    cut: bool = False
    """The answer was cut here."""
    continued_below: bool = False
    """Its children are in a tree of their own."""
    continues: bool = False
    """It is the root of such a tree."""


def ordered_nodes(trace: TraceData) -> list[str]:
    """Return the nodes, nearest to the start first, then by their keys."""
    nodes = trace.nodes
    if not len(nodes):
        return []
    return [str(key) for key in nodes.sort_values("hops", kind="stable").index]


def lines(trace: TraceData, limit: int | None, max_depth: int) -> Iterator[TreeLine]:
    """Yield the lines of the tree, each node with all that is below it once.

    Where it grows deeper than ``max_depth``, it goes on in a tree of its own.
    """
    edges, shown = _below(trace), set(ordered_nodes(trace)[:limit])
    boundary = set(trace.boundary)
    seen: set[str] = set()
    pending = [TreeLine(node) for node in reversed([s for s in trace.starts if s in shown])]
    while pending:
        stack = [pending.pop()]
        later: list[TreeLine] = []
        while stack:
            line = stack.pop()
            line.repeated = line.node in seen
            if line.repeated:
                yield line
                continue
            below = edges.get(line.node, {})
            line.cut = line.node in boundary
            line.hidden = sum(node not in shown for node in below)
            children = [
                TreeLine(node, line.depth + 1, line.node, path, roles)
                for node, (path, roles) in below.items()
                if node in shown
            ]
            if children and line.depth >= max_depth:
                line.continued_below = True
                later.append(TreeLine(line.node, continues=True))
            else:
                seen.add(line.node)
                stack += reversed(children)
            yield line
        pending += [line for line in reversed(later) if line.node not in seen]


def _below(trace: TraceData) -> dict[str, dict[str, tuple[str, tuple[str, ...]]]]:
    """Return the neighbours of each node on the side away from the start."""
    edges = trace.edges
    ends = (edges["target"], edges["source"])
    if trace.direction != "upstream":
        ends = (edges["source"], edges["target"])
    below: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    for here, there, path, role in zip(*ends, edges["path"], edges["role"], strict=True):
        known = below.setdefault(str(here), {})
        name, roles = known.get(str(there), ("", ()))
        key = next((step for step in path if isinstance(step, str)), "")
        name = name if not key or key in name.split(", ") else ", ".join(filter(None, (name, key)))
        if role not in _USUAL_ROLES and role not in roles:
            roles = (*roles, str(role))
        known[str(there)] = (name, roles)
    return below


class LineTexts:
    """How nodes are shown: by the name of a step, their short type, name or URI, and state."""

    def __init__(self, trace: TraceData) -> None:
        """Take the labels from the nodes of an answer."""
        from mlmd_lineage.snapshot.type_names import short_types

        nodes = trace.nodes
        records: list[dict[Any, Any]] = nodes.to_dict("records")
        self.rows = dict(zip(map(str, nodes.index), records, strict=True))
        self._short = short_types(str(t) for t in nodes["type"].dropna())
        self._labels = trace.node_labels

    def indented(self, line: TreeLine) -> str:
        """Return the text of a line without colours or guides."""
        row = self.rows[line.node]
        name = "" if line.repeated else self.name(line.node, row)
        state = "" if line.repeated else _text(row["state"])
        notes = " ".join(note for note, _ in self.notes(line, row))
        title = f"{self.title(line.node, row)}{self.path(line)}"
        parts = (line.node, title, name, state, notes)
        return "  " * line.depth + " ".join(part for part in parts if part)

    def type(self, row: dict[Any, Any]) -> str:
        """Return a node's type in few letters."""
        name = _text(row["type"])
        return one_line(self._short.get(name, name)) or "(of no type)"

    def title(self, node: str, row: dict[Any, Any]) -> str:
        """Return a step's name and its type, where that says more; of artifacts the type."""
        kind, step = self.type(row), self._step(node)
        return kind if not step or step == kind else f"{step} {kind}"

    def _step(self, node: str) -> str:
        label = self._labels.get(node)
        is_step = label is not None and node.startswith("execution") and label.name
        return one_line(label.name or "") if is_step and label is not None else ""

    def name(self, node: str, row: dict[Any, Any]) -> str:
        """Return what people know a node by: its name or its URI, unless its title says it."""
        name = _text(row["name"])
        if name and not is_uuid(name):
            return "" if self._step(node) else name
        return _text(row["uri"])

    def path(self, line: TreeLine) -> str:
        """Return the path on the way to a node, unless the nodes at its ends say it already."""
        if not line.path:
            return ""
        for node in filter(None, (line.node, line.parent)):
            row = self.rows[node]
            if _implies(self.type(row), line.path) or self.name(node, row) == line.path:
                return ""
        return f" ({one_line(line.path)})"

    def notes(self, line: TreeLine, row: dict[Any, Any]) -> Iterator[tuple[str, str]]:
        """Yield what else is said of a line, each with its style for a terminal."""
        if line.roles:
            yield f"[{', '.join(line.roles)}]", "yellow"
        if row["missing"]:
            yield "(missing: no row has its id)", "red"
        if line.repeated:
            yield "(see above)", "dim"
        if line.continues:
            yield "(continued)", "dim"
        if line.continued_below:
            yield "(continued below)", "dim"
        if line.cut and not line.repeated:
            yield "(cut here)", "bold yellow"
        if line.hidden and not line.repeated and not line.continued_below:
            yield f"(+{line.hidden:,} not shown)", "yellow"


def _implies(type_name: str, path: str) -> bool:
    """Return whether the name of a type already says what the path does."""
    squashed = path.replace("_", "").lower()
    return squashed.rstrip("s") in type_name.replace("_", "").lower()


def unusual_roles(trace: TraceData) -> dict[str, str]:
    """Return what ties nodes to those nearer to the start, where it is not the usual."""
    found: dict[str, list[str]] = {}
    for below in _below(trace).values():
        for node, (_, roles) in below.items():
            known = found.setdefault(node, [])
            known += [role for role in roles if role not in known]
    return {node: ", ".join(roles) for node, roles in found.items() if roles}


def _text(value: Any) -> str:
    return "" if is_missing(value) else one_line(str(value))
