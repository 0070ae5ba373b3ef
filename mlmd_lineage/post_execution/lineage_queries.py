"""The lineage questions that a view, or the explorer, passes on to its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.lineage.question import Time


class LineageQueries(Protocol):
    """What answers lineage questions: a ``Store``."""

    artifact_root: str | None
    """The folder in which artifacts have to lie that are read, where one is set."""

    @property
    def run_names(self) -> RunNames | None:
        """The names that people gave to runs, where they are known."""

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what a node, or several, came from."""

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what came from a node, or from several."""
