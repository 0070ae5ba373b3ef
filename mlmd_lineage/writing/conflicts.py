"""Names the node that is there already, and the option by which a put takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.sql.session import WriteSession

_NODES_OF_RUNS = {
    (CONTEXT, "name"): "reuse_context_if_already_exist",
    (ARTIFACT, "external_id"): "reuse_artifact_if_already_exist_by_external_id",
}
_OPTIONS = {
    "PutExecution": _NODES_OF_RUNS,
    "PutLineageSubgraph": _NODES_OF_RUNS,
    "PutBatch": {
        (CONTEXT, "name"): "reuse_contexts",
        (ARTIFACT, "external_id"): "reuse_artifacts_by_external_id",
        (EXECUTION, "external_id"): "reuse_executions_by_external_id",
    },
}
"""By the method, the kind of node and what it has in common with another: the option."""


_SHOWN = 60


class NodesExistError(AlreadyExistsError):
    """One of some new nodes has a name or an external id that is there already.

    Attributes:
        kind: What they are.
        nodes: MLMD's messages.
    """

    def __init__(self, error: AlreadyExistsError, kind: NodeKind, nodes: Sequence[Any]) -> None:
        super().__init__(str(error))
        self.kind = kind
        self.nodes = nodes

    def named(self, session: WriteSession, method: str) -> AlreadyExistsError:
        """Return the error with the name of the node and of the option.

        Args:
            session: A transaction that was begun after that of the error.
            method: The name of the method that puts the nodes.
        """
        said = self._twice() or self._stored(session, method)
        if said is None:
            return AlreadyExistsError(str(self))
        return AlreadyExistsError(f"{said} Nothing was written to {session.source}.")

    def _twice(self) -> str | None:
        """Say which node stands twice in the request."""
        seen: set[tuple[str, Any]] = set()
        for node in self.nodes:
            for column, key in _keys(node):
                if (column, key) in seen:
                    return (
                        f"Two {self.kind.name}s of the request have the {_shown(column, node)}. "
                        "Put one of them, or give them different ones."
                    )
                seen.add((column, key))
        return None

    def _stored(self, session: WriteSession, method: str) -> str | None:
        """Say which node is in the store, and what to do."""
        kind = self.kind
        for column in ("external_id", "name"):
            mine = {
                _store_key(session, column, key): node
                for node in self.nodes
                for own, key in _keys(node)
                if own == column
            }
            wanted = {getattr(node, column) for node in mine.values()}
            rows = session.fetch(kind.table, ("id", "type_id", column), column, wanted)
            for number, type_id, text in sorted(rows):
                key = text if column == "external_id" else (type_id, text)
                node = mine.get(_store_key(session, column, key))
                if node is not None:
                    article = "A" if kind is CONTEXT else "An"
                    what = f"{article} {kind.name} with the {_shown(column, node)}"
                    advice = _advice(method, kind, column)
                    return f"{what} is there already: id {number}. {advice}"
        return None


def _keys(node: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if node.HasField("external_id"):
        found.append(("external_id", node.external_id))
    if node.HasField("name"):
        found.append(("name", (node.type_id, node.name)))
    return found


def _store_key(session: WriteSession, column: str, key: Any) -> Any:
    """Return what is the same for two keys that the database takes for equal."""
    if column == "external_id":
        return session.text_key(key)
    type_id, name = key
    return type_id, session.text_key(name)


def _shown(column: str, node: Any) -> str:
    text: str = getattr(node, column)
    shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
    if column == "external_id":
        return f"external_id {shown}"
    return f"name {shown} and the type with id {node.type_id}"


def _advice(method: str, kind: NodeKind, column: str) -> str:
    option = _OPTIONS.get(method, {}).get((kind, column))
    if option is not None:
        return f"The option {option} {'takes it as it is' if kind is CONTEXT else 'updates it'}."
    other = "another name" if column == "name" else "another external_id"
    return f"Put it with its id to update it, or give the new one {other}."
