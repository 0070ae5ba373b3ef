"""The parts of a lineage graph, without the questions that can be asked of it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage import graph_findings, graph_tables, index_building, keys
from mlmd_lineage.lineage.nodes import node_lookup, node_suggestions
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any

    import networkx as nx
    import pandas as pd

    from mlmd_lineage.lineage import index as indexes
    from mlmd_lineage.lineage.graph_data import Labeler, TraceData
    from mlmd_lineage.lineage.graph_tables import TableSource
    from mlmd_lineage.lineage.render.node_labels import NodeLabel
    from mlmd_lineage.snapshot.findings import Finding

    Array = np.ndarray[Any, np.dtype[Any]]


class GraphBase:
    """Artifacts and executions as nodes, MLMD's events as edges, and the formats they are given in.

    ``LineageGraph`` adds the questions.
    """

    _whole: GraphBase | None = None
    _labeler: Labeler | None = None
    _explorer: Callable[[GraphBase, int], Any] | None = None

    def __init__(self, tables: TableSource) -> None:
        """Make the graph of a snapshot, or of other tables."""
        self.tables = tables if not isinstance(tables, Tables) else graph_tables.GraphTables(tables)

    @property
    def as_trace(self) -> TraceData | None:
        """The graph itself where it answers a question, otherwise None."""
        return None

    @functools.cached_property
    def index(self) -> indexes.Index:
        """The nodes and edges as arrays."""
        return index_building.build(self.tables)

    # Nodes and edges

    def __len__(self) -> int:
        """Return the number of nodes."""
        return self.index.nodes

    def __contains__(self, node: object) -> bool:
        try:
            kind, number = keys.parse(node)
        except errors.ConfigurationError:
            return False
        return kind != "context" and self.index.position(kind, number) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the nodes' keys, artifacts first, by their ids."""
        return iter(self.index.keys(np.arange(self.index.nodes)))

    @functools.cached_property
    def nodes(self) -> pd.DataFrame:
        """The nodes as a DataFrame; its columns stand in ``docs/frames.md``."""
        from mlmd_lineage.lineage import frames

        return frames.nodes(self)

    @functools.cached_property
    def edges(self) -> pd.DataFrame:
        """The edges as a DataFrame; its columns stand in ``docs/frames.md``."""
        from mlmd_lineage.lineage import frames

        return frames.edges(self)

    @functools.cached_property
    def node_labels(self) -> Mapping[str, NodeLabel]:
        """What the platforms call the nodes, by their keys; see ``labels``."""
        return {} if self._labeler is None else self._labeler(self)

    def use_labeler(self, labeler: Labeler | None) -> None:
        """Have something find the names that the platforms give the nodes; a store does so."""
        self._labeler = labeler

    def use_explorer(self, explorer: Callable[[GraphBase, int], Any] | None) -> None:
        """Have something show the graph in a notebook; a store does so."""
        self._explorer = explorer

    def __getstate__(self) -> dict[str, Any]:
        """Take the nodes' names along, as no store can be asked for them in another process."""
        kept = {**vars(self), "node_labels": self.node_labels}
        return kept | {"_labeler": None, "_explorer": None}

    @property
    def labels(self) -> pd.DataFrame:
        """What the platforms call the nodes: steps, artifacts, their runs and pipelines.

        >>> trace.labels.loc["execution/4", ["label", "status", "run"]]

        The index, ``node``, holds their keys. Columns: ``label`` (the name of a step or an
        artifact), ``status`` (of a step), ``run``, ``pipeline`` (those of a step, or in which an
        artifact was made). It reads the contexts of the nodes, which MLMD has no index for.
        """
        from mlmd_lineage.lineage.render import node_labels

        return node_labels.label_frame(self, self.node_labels)

    @property
    def roots(self) -> tuple[str, ...]:
        """The nodes into which no edge of this graph leads."""
        index = self.index
        return tuple(index.keys(np.flatnonzero(np.diff(index.incoming.offsets) == 0)))

    @property
    def leaves(self) -> tuple[str, ...]:
        """The nodes out of which no edge of this graph leads."""
        index = self.index
        return tuple(index.keys(np.flatnonzero(np.diff(index.outgoing.offsets) == 0)))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What in this graph is not as it should be, in order."""
        return graph_findings.findings(self, self._origin)

    @property
    def _origin(self) -> GraphBase:
        """The graph of which this one is a part, or itself."""
        return self._whole or self

    def producers(self, artifact: keys.Node) -> tuple[str, ...]:
        """Return the executions that made an artifact: one, unless two wrote it, or none is known.

        Raises:
            NotFoundError: The graph does not hold it.
        """
        return self.index.producers(self.position(artifact))

    def position(self, node: keys.Node) -> int:
        """Return where a node stands in the index.

        Raises:
            NotFoundError: The graph holds no such node.
            ConfigurationError: It is no artifact or execution.
        """
        positions = self.positions(node)
        if len(positions) == 1:
            return positions[0]
        message = f"{node!r} is {len(positions):,} nodes; name one of them."
        raise errors.ConfigurationError(message)

    def positions(self, node: keys.Node) -> list[int]:
        """Return where the nodes stand that something means; see ``keys.Node``.

        Raises:
            NotFoundError: The graph holds no such node.
            AmbiguousNameError: A name fits several.
            ConfigurationError: It means no node.
        """
        if isinstance(node, str):
            # First, as to see whether something has a protocol's properties takes longest.
            parsed = keys.parse_text(node.strip()) or keys.parse(self._find(node))
            return self._positions_of(*parsed)
        found = node.node_keys if isinstance(node, keys.HasNodeKeys) else (keys.key(node),)
        return [position for key in found for position in self._positions_of(*keys.parse(key))]

    def _positions_of(self, kind: str, number: int) -> list[int]:
        if kind == "context":
            return self.positions_of(node_lookup.members(self._session, number))
        return [self._position(kind, number)]

    def positions_of(self, found: Collection[str]) -> list[int]:
        """Return where the nodes with some keys stand."""
        return [self._position(*keys.parse(key)) for key in found]

    @property
    def _session(self) -> graph_tables.TablesSession:
        return graph_tables.TablesSession(self.tables)

    def _find(self, text: str) -> str:
        if not text.strip():
            raise node_lookup.empty_name()
        found = node_lookup.find(self._session, text.strip())
        if found is None:
            near = node_suggestions.suggestions(self.tables, text)
            message = f"No node of this graph is called {text!r}.{near}"
            raise errors.NotFoundError(message)
        return found

    def _position(self, kind: str, number: int) -> int:
        position = self.index.position(kind, number)
        if position is not None:
            return position
        origin = self._origin.index
        other = "execution" if kind == "artifact" else "artifact"
        where = self.tables.source or "the graph"
        if origin.position(kind, number) is not None:
            message = f"{kind}/{number} is in {where}, and not in this answer."
            raise errors.NotFoundError(message)
        hint = ""
        if origin.position(other, number) is not None:
            hint = f" There is an {other}/{number}."
        ids = origin.artifact_ids if kind == "artifact" else origin.execution_ids
        if len(ids) and self.holds_whole_store:
            hint += f" Its {kind}s have ids from {ids[0]} to {ids[-1]}."
        message = f"There is no {kind}/{number} in {where}.{hint}"
        raise errors.NotFoundError(message)

    @property
    def holds_whole_store(self) -> bool:
        """Whether the graph is that of a whole store, or an answer from one in memory."""
        return self._origin.tables.is_whole

    # Other formats

    def to_pandas(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the nodes and the edges as two DataFrames."""
        return self.nodes, self.edges

    def to_networkx(self, *, copy: bool = False, contexts: bool = False) -> nx.MultiDiGraph[str]:
        """Return the graph as networkx's ``MultiDiGraph``, in the direction of the data.

        Nodes are keys such as ``"artifact/5"``, with MLMD's names for their attributes; an
        edge's key is its event's id, its attributes are ``type``, ``role``, ``path`` and
        ``time`` (milliseconds since 1970 in UTC).

        Args:
            copy: Build networkx's own dicts, which can be changed. Without, networkx reads this
                graph through views, which costs nothing to make and cannot be changed.
            contexts: Make contexts nodes too, with edges to what they hold. Without, each node
                has their ``type:name`` in its attribute ``contexts``.
        """
        from mlmd_lineage.lineage.networkx import graph_views

        return graph_views.to_networkx(self, copy=copy, contexts=contexts)

    def to_json(self) -> str:
        """Return the graph as JSON: nodes, edges, and for a trace what bounds it."""
        from mlmd_lineage.lineage import export

        return export.to_json(self)

    def to_dot(self, *, fold: bool = True) -> str:
        """Return the graph in Graphviz' DOT language; ``fold`` is that of ``to_svg()``."""
        from mlmd_lineage.lineage.render import dot

        return dot.to_dot(self, fold=fold)

    def to_mermaid(self, *, fold: bool = True) -> str:
        """Return the graph as a Mermaid flowchart; ``fold`` is that of ``to_svg()``."""
        from mlmd_lineage.lineage.render import mermaid

        return mermaid.to_mermaid(self, fold=fold)

    def to_graphml(self) -> str:
        """Return the graph as GraphML, which Gephi, yEd and networkx read."""
        from mlmd_lineage.lineage import export

        return export.to_graphml(self)

    def to_svg(self, *, fold: bool = True) -> str:
        """Return the graph drawn as an SVG image, which also shows itself in Jupyter.

        It has no size of its own, and fits the page's width.

        Args:
            fold: In a graph of more than 40 nodes, draw what repeats as one box with a count, and
                where that is not enough each run, or each pipeline. With False, draw every node.
        """
        from mlmd_lineage.lineage.render import html

        return html.svg(self, fold=fold)

    def to_png(self, *, fold: bool = True) -> bytes:
        """Return the graph drawn as a PNG image; ``fold`` is that of ``to_svg()``.

        Raises:
            ConfigurationError: The extra ``png`` is not installed.
        """
        from mlmd_lineage.lineage.render import png

        return png.png(self.to_svg(fold=fold))

    def to_html(self, *, fold: bool = True) -> str:
        """Return the graph as one HTML file, in which the explorer shows it.

        >>> Path("model.html").write_text(trace.to_html(), encoding="utf-8")

        It holds the front end and the data, and needs no other file and no network. Where the
        front end is not part of the installation, it is a page without scripts: the picture, the
        nodes and the edges, of which ``fold`` is that of ``to_svg()``.
        """
        from mlmd_lineage.lineage.render import explorer_page, page

        return explorer_page.page(self) or page.page(self, fold=fold)

    def explore(self, *, height: int = 640) -> Any:
        """Return a widget in which the explorer shows the graph: for Jupyter, VS Code and marimo.

        >>> store.upstream("artifact/46").explore()

        Args:
            height: How many pixels it is high.

        Raises:
            ConfigurationError: The extra ``explore`` or the front end is not installed, or the
                graph belongs to no store that could be asked: ``to_html()`` shows such a one.
        """
        if self._explorer is None:
            message = "This graph belongs to no open store; to_html() shows it as a page."
            raise errors.ConfigurationError(message)
        return self._explorer(self, height)

    def _repr_html_(self) -> str:
        from mlmd_lineage.lineage.render import html

        return html.html(self)

    def __repr__(self) -> str:
        index = self.index
        counted = (
            (index.artifacts, "artifact"),
            (len(index.execution_ids), "execution"),
            (index.size, "event"),
        )
        counts = ", ".join(f"{n:,} {noun}{'' if n == 1 else 's'}" for n, noun in counted)
        trace = self.as_trace
        cut = "" if trace is None or trace.complete else f"; cut by {', '.join(trace.truncated_by)}"
        return f"<{type(self).__name__}: {counts}{cut}>"
