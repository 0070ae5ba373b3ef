"""The explorer as a widget, for Jupyter, VS Code and marimo."""

from __future__ import annotations

import html
import json
import threading
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer import addresses, api, static_files
from mlmd_lineage.lineage.render import explorer_page

try:
    import anywidget
    import traitlets
except ImportError:
    message = "The explorer's widget needs anywidget: pip install 'mlmd-lineage[explore]'."
    raise errors.ConfigurationError(message) from None

if TYPE_CHECKING:
    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.lineage.graph_base import GraphBase
    from mlmd_lineage.lineage.keys import Node

HEIGHT = 640
"""How many pixels a widget is high."""


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer of a store, in a notebook; its questions are answered by the notebook's kernel.

    Beside the widget stands the graph that it was made for as a page of its own, which shows itself
    where no kernel runs, such as in an exported notebook.
    """

    # What anywidget runs and styles in the browser: known only where the front end is built.
    _esm = traitlets.Unicode("").tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)
    start = traitlets.Unicode("").tag(sync=True)
    """The address of the view that is shown first."""
    height = traitlets.Int(HEIGHT).tag(sync=True)
    """How many pixels it is high."""

    def __init__(
        self,
        store: ExploredStore,
        *,
        start: str = "",
        height: int = HEIGHT,
        graph: GraphBase | None = None,
    ) -> None:
        """Make a widget; ``Store.explore()`` and ``Trace.explore()`` do so.

        Args:
            store: The store that is shown.
            start: The address of the view that is shown first.
            height: How many pixels it is high.
            graph: What is shown where no kernel runs.

        Raises:
            ConfigurationError: The front end is not part of the installation.
        """
        super().__init__(
            _esm=static_files.content("widget.js").decode(),
            _css=static_files.content("explorer.css").decode(),
            start=start,
            height=height,
        )
        self._store = store
        self._graph = graph
        self.on_msg(self._asked)

    def _asked(self, _: object, content: Any, __: object) -> None:
        """Answer a question of the front end, in a thread: the kernel stays free for its cells."""
        threading.Thread(target=self._answer, args=(content,), daemon=True).start()

    def _answer(self, content: Any) -> None:
        number = content.get("id")
        try:
            answer = self.ask(str(content.get("method")), content.get("params") or {})
        except errors.MLMDLineageError as error:
            self.send({"id": number, "error": str(error)})
        except Exception as error:  # noqa: BLE001 - what a page is told of a fault of ours
            said = f"This should not have happened: {type(error).__name__}."
            self.send({"id": number, "error": said})
        else:
            if isinstance(answer, bytes):
                self.send({"id": number}, [answer])
            else:
                self.send({"id": number, "answer": answer})

    def ask(self, method: str, parameters: dict[str, Any]) -> Any:
        """Return the answer of a method, as the server gives it.

        Raises:
            MLMDLineageError: It cannot be answered.
        """
        if method == "licences":
            return json.loads(static_files.content("licences.json"))
        return api.ask(self._store, method, parameters)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Show the widget, and beside it a page for where there is no kernel."""
        found = super()._repr_mimebundle_(**options)
        data = found[0] if isinstance(found, tuple) else found
        if data is not None and self._graph is not None:
            data["text/html"] = frame(self._graph.to_html(), self.height)
        return found


def explore(
    store: ExploredStore, node: Node | None = None, *, direction: str, height: int
) -> ExplorerWidget:
    """Return a widget that shows a store, or first the lineage of a node.

    Raises:
        ConfigurationError: The front end is not part of the installation.
        NotFoundError: The store holds no such node.
        AmbiguousNameError: A name fits several.
    """
    if not static_files.is_built():
        raise static_files.missing()
    start = addresses.address_of(store, node, direction)
    graph = None
    if start.startswith("#/lineage/") and node is not None:
        graph = store.downstream(node) if direction == "downstream" else store.upstream(node)
    return ExplorerWidget(store, start=start, height=height, graph=graph)


def explore_graph(store: ExploredStore, graph: GraphBase, *, height: int) -> ExplorerWidget:
    """Return a widget that shows one of a store's graphs.

    Raises:
        ConfigurationError: The front end is not part of the installation.
    """
    if not static_files.is_built():
        raise static_files.missing()
    return ExplorerWidget(store, start=explorer_page.address(graph), height=height, graph=graph)


def frame(page: str, height: int) -> str:
    """Return HTML that shows a page in a frame of its own, which reaches nothing around it."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts allow-downloads" '
        f'style="width: 100%; height: {height}px; border: 0" title="Lineage"></iframe>'
    )
