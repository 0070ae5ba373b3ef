"""New artifacts, executions and contexts: their checks, and the columns that are inserted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import values
from mlmd_lineage.writing.conflicts import NodesExistError
from mlmd_lineage.writing.node_checks import no_name, no_type, undeclared
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION, TIMES
from mlmd_lineage.writing.sql.session import PropertyColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction

_SCALARS = frozenset({"int_value", "double_value", "bool_value"})
"""The fields of a ``Value`` that stand in their columns as they are."""


class NewNodes:
    """New nodes that MLMD's rules allow, and the columns of their properties.

    Attributes:
        nodes: MLMD's messages.
        properties: By the column of the value: the properties, with the places of their owners
            in ``nodes`` for ids.
    """

    def __init__(self, transaction: Transaction, kind: NodeKind) -> None:
        self.nodes: list[Any] = []
        self.properties = {column: PropertyColumns.empty() for column in values.COLUMNS}
        self._transaction = transaction
        self._kind = kind

    def add(self, nodes: Iterable[Any], check: Callable[[Any], None] | None = None) -> None:
        """Add nodes, whose types have been loaded.

        Args:
            nodes: MLMD's messages.
            check: Raises what else is wrong with a node.

        Raises:
            PutRefusedError: MLMD's rules refuse a node; those before it have been added.
        """
        kind = self._kind
        types: dict[int, Mapping[str, int]] = {}
        for node in nodes:
            if check is not None:
                check(node)
            declared = types.get(node.type_id)
            if declared is None:
                if not node.HasField("type_id"):
                    raise no_type(kind)
                declared = self._transaction.type_properties(kind, node.type_id)
                types[node.type_id] = declared
            try:
                self._add_properties(node, declared)
                if kind is CONTEXT and not node.name:
                    raise no_name()
            except PutRefusedError:
                self._remove_properties()
                raise
            self.nodes.append(node)

    def _add_properties(self, node: Any, declared: Mapping[str, int]) -> None:
        """Add the properties of one node: what most of the time of a batch is spent on."""
        place, columns, type_of = len(self.nodes), self.properties, values.TYPE_OF
        properties, custom = node.properties, False
        while True:
            for name in properties:
                value = properties[name]
                field = value.WhichOneof("value")
                if not custom and type_of[field] != declared.get(name):
                    raise undeclared(declared, node.type_id, name, field)
                if field in _SCALARS:
                    owners, names, customs, stored = columns[field]
                    stored.append(getattr(value, field))
                elif field == "string_value" and value.string_value[:2] not in values.RESERVED:
                    owners, names, customs, stored = columns[field]
                    stored.append(value.string_value)
                else:
                    column, encoded = values.column_and_value(name, value)
                    owners, names, customs, stored = columns[column]
                    stored.append(encoded)
                owners.append(place)
                names.append(name)
                customs.append(custom)
            if custom:
                return
            properties, custom = node.custom_properties, True

    def _remove_properties(self) -> None:
        """Remove the properties of a node that is not added."""
        place = len(self.nodes)
        for found in self.properties.values():
            while found.owners and found.owners[-1] == place:
                for column in found:
                    column.pop()

    def insert(self) -> Sequence[int]:
        """Insert them, and return their ids.

        Raises:
            AlreadyExistsError: A node has a name or an external id that is there already.
        """
        kind, session = self._kind, self._transaction.session
        if not self.nodes:
            return ()
        try:
            ids = session.insert_new(kind.table, self._columns())
        except AlreadyExistsError as error:
            raise NodesExistError(error, kind, self.nodes) from None
        by_column = {
            column: found._replace(owners=[*map(ids.__getitem__, found.owners)])
            for column, found in self.properties.items()
            if found.owners
        }
        if by_column:
            session.insert_properties(kind.properties, kind.id_column, by_column)
        self._transaction.created[kind.table].update(ids)
        return ids

    def _columns(self) -> dict[str, list[Any]]:
        """Return the columns of the nodes' own table."""
        nodes, kind = self.nodes, self._kind
        now = [self._transaction.now] * len(nodes)
        columns: dict[str, list[Any]] = {"type_id": [node.type_id for node in nodes]}
        if kind is ARTIFACT:
            columns["uri"] = [node.uri for node in nodes]
            states = [node.state if node.HasField("state") else None for node in nodes]
            columns["state"] = states
        elif kind is EXECUTION:
            columns["last_known_state"] = [
                node.last_known_state if node.HasField("last_known_state") else None
                for node in nodes
            ]
        columns["external_id"] = [
            node.external_id if node.HasField("external_id") else None for node in nodes
        ]
        columns["name"] = [node.name if node.HasField("name") else None for node in nodes]
        columns.update(dict.fromkeys(TIMES, now))
        return columns
