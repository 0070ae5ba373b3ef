"""Builds the SQL statement that finds the nodes for which a condition is true.

No text of the user's stands in a statement: texts are bound, numbers are written anew, and names
are MLMD's. A row that is missing has NULL in all its fields. Where a condition cannot be true
without a row, the row is joined so that the database may begin there, and use its index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage.filters import disjunctive_form, syntax_tree
from mlmd_lineage.filters.fields import PROPERTIES, RELATIONS
from mlmd_lineage.filters.sql_expressions import ExpressionWriter, Row
from mlmd_lineage.filters.syntax_tree import FieldRow
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.readers.base import SQLQueryable
    from mlmd_lineage.snapshot.tables import NodeKind

_NODE = FieldRow()
_NODES = {"t", "n"}
"""The names of rows that are a table's own, with all of its columns."""


class Statement(NamedTuple):
    """A statement that selects the ids of nodes."""

    text: str
    parameters: tuple[str, ...]
    exact: bool
    """Whether it finds no other nodes than those asked for."""


def statement(database: SQLQueryable, kind: NodeKind, condition: Expression) -> Statement:
    """Return the statement that finds the nodes of a kind for which a condition is true."""
    found = [
        _Selection(database, kind, conditions).statement()
        for conditions in disjunctive_form.alternatives(condition)
    ]
    return Statement(
        " UNION ".join(one.text for one in found),
        tuple(text for one in found for text in one.parameters),
        all(one.exact for one in found),
    )


class _Selection:
    """Selects the nodes for which several conditions are true."""

    def __init__(
        self, database: SQLQueryable, kind: NodeKind, conditions: Sequence[Expression]
    ) -> None:
        self._database = database
        self._layout = database.layout
        self._kind = KINDS[kind]
        self._relations = RELATIONS[kind]
        self._conditions = conditions
        self._columns = list(
            dict.fromkeys(
                c for expression in conditions for c in syntax_tree.columns_of(expression)
            )
        )
        self._types = {
            disjunctive_form.base(c.field_row) for c in self._columns if c.field_row.is_type
        }
        self._writer = ExpressionWriter(database)
        self._writer.rows[_NODE] = Row("t", self._kind.table)

    def statement(self) -> Statement:
        """Return the statement."""
        alone = self._alone()
        apart = self._apart(alone)
        field_rows = dict.fromkeys(
            disjunctive_form.base(column.field_row) for column in self._columns
        )
        joined = [field_row for field_row in field_rows if field_row not in apart]
        text = "SELECT DISTINCT " if any(p.prefix in self._relations for p in joined) else "SELECT "
        text += f"t.{self._q('id')} FROM {self._q(self._layout.spelling[self._kind.table])} t"
        text += "".join(self._joined(field_row, alone.get(field_row, ())) for field_row in joined)
        wheres = self._written(
            c for c in self._conditions if not disjunctive_form.field_rows_of(c) & alone.keys()
        )
        for field_row in apart:
            source = self._source(field_row, alone[field_row])
            alias = self._writer.rows[field_row].alias
            wheres.append(f"t.{self._q('id')} IN (SELECT {alias}.{self._q('owner')} FROM {source})")  # noqa: S608 - no user text
        text += f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return Statement(text, tuple(self._writer.parameters), self._writer.exact)

    def _q(self, name: str) -> str:
        return self._database.quote(name)

    def _written(self, conditions: Iterable[Expression]) -> list[str]:
        """Return conditions as they stand in a statement."""
        written = []
        for condition in conditions:
            text = self._writer.condition(condition)
            written += [] if text is None else [text]
            written += self._hint(condition)
        return written

    def _hint(self, condition: Expression) -> list[str]:
        """Return what lets a database look a name up: its index begins with the type."""
        column = disjunctive_form.lookup_column(condition)
        if column is None or column.column != "name" or column.field_row in self._types:
            return []
        alias, table = self._writer.rows[column.field_row]
        # MySQL 5.7 knows no such statement, and newer ones look so by themselves.
        if "type_id" not in self._layout.columns.get(table, ()) or self._writer.is_mysql:
            return []
        if alias not in _NODES:
            return []
        type_id, name = self._q("type_id"), self._q(self._layout.spelling[table])
        least = f"SELECT MIN({type_id}) FROM {name}"  # noqa: S608 - MLMD's names
        each = f"SELECT ({least} WHERE {type_id} > known.found) FROM known WHERE found IS NOT NULL"  # noqa: S608 - no user text
        known = f"WITH RECURSIVE known(found) AS ({least} UNION ALL {each}) SELECT found FROM known"  # noqa: S608 - no user text
        return [f"{alias}.{type_id} IN ({known})"]

    def _alone(self) -> dict[FieldRow, list[Expression]]:
        """Return the neighbours that a node must have, whatever else is true of it.

        None of their conditions is about anything else.
        """
        found: dict[FieldRow, list[Expression]] = {}
        for condition in self._conditions:
            for field_row in disjunctive_form.field_rows_of(condition):
                if field_row.prefix in self._relations:
                    found.setdefault(field_row, []).append(condition)
        return {
            field_row: conditions
            for field_row, conditions in found.items()
            if self._is_needed(field_row)
            and all(disjunctive_form.field_rows_of(c) == {field_row} for c in conditions)
        }

    def _apart(self, alone: dict[FieldRow, list[Expression]]) -> list[FieldRow]:
        """Return the neighbours that are not joined: that would make a row for each pair.

        Of several the least selective is joined; the database chooses where to begin.
        """
        order = sorted(
            alone, key=lambda field_row: any(map(disjunctive_form.lookup_column, alone[field_row]))
        )
        others = {
            field_row
            for field_row in map(
                disjunctive_form.base, (column.field_row for column in self._columns)
            )
            if field_row.prefix in self._relations and field_row not in alone
        }
        return order if others else order[1:]

    def _is_needed(self, field_row: FieldRow) -> bool:
        """Tell whether a condition cannot be true where a row is missing."""
        missing = {field_row} if field_row.is_type else {field_row, _type_of(field_row)}
        return any(disjunctive_form.needs(condition, missing) for condition in self._conditions)

    def _joined(self, field_row: FieldRow, conditions: Sequence[Expression]) -> str:
        """Return the joins that bring a row, and that of its type.

        Args:
            field_row: The row.
            conditions: What is asked for there already.
        """
        text = ""
        join = " JOIN " if self._is_needed(field_row) else " LEFT JOIN "
        if field_row.prefix in PROPERTIES:
            text = join + self._property(field_row)
        elif field_row.prefix in self._relations:
            source = self._source(field_row, conditions)
            owner = f"{self._writer.rows[field_row].alias}.{self._q('owner')}"
            text = f"{join}{source} ON {owner} = t.{self._q('id')}"
        return text if conditions else text + self._joined_type(field_row)

    def _joined_type(self, field_row: FieldRow) -> str:
        if field_row not in self._types:
            return ""
        node = self._writer.rows[field_row].alias
        row = self._row(_type_of(field_row), "Type")
        join = "JOIN" if self._is_needed(_type_of(field_row)) else "LEFT JOIN"
        name = self._q(self._layout.spelling["Type"])
        return f" {join} {name} {row} ON {row}.{self._q('id')} = {node}.{self._q('type_id')}"

    def _row(self, field_row: FieldRow, table: str) -> str:
        """Give a row an alias."""
        alias = f"r{len(self._writer.rows)}"
        self._writer.rows[field_row] = Row(alias, table)
        return alias

    def _property(self, field_row: FieldRow) -> str:
        table = self._kind.properties
        alias = self._row(field_row, table)
        if table not in self._layout.spelling:
            self._writer.rows[field_row] = Row(alias, "")
            return f"{self._nothing(alias)} ON {alias}.{self._q('owner')} = t.{self._q('id')}"
        custom = PROPERTIES[field_row.prefix]
        is_bool = self._database.dialect == "postgresql"
        flag = str(custom).upper() if is_bool else str(int(custom))
        named = self._writer.equals(self._writer.rows[field_row], "name", [field_row.name])
        return (
            f"{self._q(self._layout.spelling[table])} {alias} "
            f"ON {alias}.{self._q(self._kind.id_column)} = t.{self._q('id')} AND {named} "
            f"AND {alias}.{self._q('is_custom_property')} = {flag}"
        )

    def _nothing(self, alias: str) -> str:
        """Return what stands for the rows of a table that the store does not have."""
        types, number = self._q(self._layout.spelling["Type"]), self._q("id")
        none = f"SELECT {number} AS {self._q('owner')}, {number} AS {self._q('type_id')} "
        none += f"FROM {types} WHERE 1 = 0"
        return f"({none}) {alias}"

    def _source(self, field_row: FieldRow, conditions: Sequence[Expression]) -> str:
        """Return what stands for a node's neighbours: their fields, and ``owner``, the node.

        Args:
            field_row: The neighbours' row.
            conditions: The conditions that are about these neighbours and nothing else.
        """
        relation = self._relations[field_row.prefix]
        table = KINDS[relation.kind].table if relation.kind else relation.table
        alias = self._row(field_row, table)
        if not {table, relation.table} <= self._layout.spelling.keys():
            self._writer.rows[field_row] = Row(alias, "")
            return self._nothing(alias)
        link = f"{self._q(self._layout.spelling[relation.table])} m"
        owner = f"m.{self._q(relation.owner)} AS {self._q('owner')}"
        if not conditions:
            wanted = {column.column for column in self._columns if column.field_row == field_row}
            wanted |= {"type_id"} if field_row in self._types else set()
            names = sorted(wanted & set(self._layout.columns[table]))
            listed = "".join(f", {'n' if relation.kind else 'm'}.{self._q(n)}" for n in names)
            text = f"SELECT {owner}{listed} FROM {link}"  # noqa: S608 - MLMD's names
            if relation.kind:
                text += f" JOIN {self._q(self._layout.spelling[table])} n "
                text += f"ON n.{self._q('id')} = m.{self._q(relation.other)}"
            return f"({text}) {alias}"
        self._writer.rows[field_row] = Row("n" if relation.kind else "m", table)
        text = f"SELECT {owner} FROM {link}"  # noqa: S608 - MLMD's names
        nodes = f"{self._q(self._layout.spelling[table])} n" if relation.kind else ""
        if nodes and any(map(disjunctive_form.lookup_column, conditions)):
            # Few of them: databases without statistics must be told to begin here.
            nodes += self._joined_type(field_row)
            wheres = " AND ".join(self._written(conditions)) or "1 = 1"
            picked = f"SELECT n.{self._q('id')} FROM {nodes} WHERE {wheres}"  # noqa: S608 - no user text
            text += f" WHERE m.{self._q(relation.other)} IN ({picked})"
        else:
            join = f" JOIN {nodes} ON n.{self._q('id')} = m.{self._q(relation.other)}"
            text += join + self._joined_type(field_row) if nodes else ""
            text += f" WHERE {' AND '.join(self._written(conditions)) or '1 = 1'}"
        self._writer.rows[field_row] = Row(alias, table)
        return f"({text}) {alias}"


def _type_of(field_row: FieldRow) -> FieldRow:
    return FieldRow(field_row.prefix, field_row.name, is_type=True)
