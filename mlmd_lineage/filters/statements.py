"""From a condition to the SQL that finds the nodes for which it is true.

No text of the user's stands in a statement: texts are bound, numbers are written anew, and names
are MLMD's. A row that is missing has NULL in all its fields. Where a condition cannot be true
without a row, the row is joined so that the database may begin there, and use its index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage.filters import normal, tree
from mlmd_lineage.filters.expressions import Row, Writer
from mlmd_lineage.filters.fields import PROPERTIES, RELATIONS
from mlmd_lineage.filters.tree import Column, Literal, Place
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlmd_lineage.filters.expressions import Database
    from mlmd_lineage.filters.fields import Relation
    from mlmd_lineage.filters.tree import Expression
    from mlmd_lineage.snapshot.tables import NodeKind

_NODE = Place()
_SELECTIVE = {"id", "name", "uri", "external_id", "artifact_id", "execution_id"}


class Statement(NamedTuple):
    """A statement that selects the ids of nodes."""

    text: str
    parameters: tuple[str, ...]
    exact: bool
    """Whether it finds no other nodes than those asked for."""


def statement(database: Database, kind: NodeKind, condition: Expression) -> Statement:
    """Return the statement that finds the nodes of a kind for which a condition is true."""
    found = [
        _Selection(database, kind, conditions).statement()
        for conditions in normal.alternatives(condition)
    ]
    return Statement(
        " UNION ".join(one.text for one in found),
        tuple(text for one in found for text in one.parameters),
        all(one.exact for one in found),
    )


class _Selection:
    """Selects the nodes for which several conditions are true."""

    def __init__(
        self, database: Database, kind: NodeKind, conditions: Sequence[Expression]
    ) -> None:
        self._database = database
        self._kind = KINDS[kind]
        self._relations = RELATIONS[kind]
        self._conditions = conditions
        self._columns = list(dict.fromkeys(c for said in conditions for c in tree.columns_of(said)))
        self._writer = Writer(database)
        self._writer.rows[_NODE] = Row("t", self._kind.table)

    def statement(self) -> Statement:
        """Return the statement."""
        quote = self._database.quote
        apart = self._apart()
        places = dict.fromkeys(normal.base(column.place) for column in self._columns)
        joins = [self._joined(place) for place in places if place not in apart]
        within = [c for c in self._conditions if not normal.places_of(c) & apart.keys()]
        wheres = self._written(within)
        wheres += [self._inside(place, conditions) for place, conditions in apart.items()]
        several = any(place.prefix in self._relations for place in places.keys() - apart.keys())
        text = f"SELECT {'DISTINCT ' if several else ''}t.{quote('id')} FROM "  # noqa: S608 - no user text
        text += f"{quote(self._database.layout.spelling[self._kind.table])} t{''.join(joins)}"
        text += f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return Statement(text, tuple(self._writer.parameters), self._writer.exact)

    def _written(self, conditions: Iterable[Expression]) -> list[str]:
        written = (self._writer.condition(condition) for condition in conditions)
        return [text for text in written if text is not None]

    def _apart(self) -> dict[Place, list[Expression]]:
        """Return the neighbours that are asked for apart, each with its conditions.

        Joined, they would make a row for each pair. One is joined, the least selective: the
        database chooses where to begin.
        """
        found: dict[Place, list[Expression]] = {}
        for condition in self._conditions:
            places = normal.places_of(condition)
            for place in places:
                if place.prefix in self._relations:
                    found.setdefault(place, []).append(condition)
        alone = {
            place: conditions
            for place, conditions in found.items()
            if self._is_needed(place)
            and all(normal.places_of(condition) == {place} for condition in conditions)
        }
        order = sorted(alone, key=lambda place: any(map(_is_selective, alone[place])))
        joined = set(order[:1]) if len(alone) == len(found) else set()
        return {place: alone[place] for place in order if place not in joined}

    def _is_needed(self, place: Place) -> bool:
        """Tell whether a condition cannot be true where a place has no row."""
        missing = {place} if place.is_type else {place, _type_of(place)}
        return any(normal.needs(condition, missing) for condition in self._conditions)

    def _inside(self, place: Place, conditions: list[Expression]) -> str:
        """Return the condition that a node is among those with such a neighbour."""
        quote = self._database.quote
        relation = self._relations[place.prefix]
        source = self._source(place, relation)
        alias = self._writer.rows[place].alias
        joined = self._joined_type(place) if self._has_type(place) else ""
        wheres = self._written(conditions)
        text = f"SELECT {alias}.{quote('owner')} FROM {source} {alias}{joined}"  # noqa: S608 - no user text
        text += f" WHERE {' AND '.join(wheres)}" if wheres else ""
        return f"t.{quote('id')} IN ({text})"

    def _joined(self, place: Place) -> str:
        """Return the joins that bring the row of a place, and that of its type."""
        text = ""
        quote = self._database.quote
        join = " JOIN" if self._is_needed(place) else " LEFT JOIN"
        if place.prefix in PROPERTIES:
            text = f"{join} {self._property(place)}"
        elif place.prefix in self._relations:
            source = self._source(place, self._relations[place.prefix])
            alias = self._writer.rows[place].alias
            text = f"{join} {source} {alias} ON {alias}.{quote('owner')} = t.{quote('id')}"
        return text + (self._joined_type(place) if self._has_type(place) else "")

    def _has_type(self, place: Place) -> bool:
        return any(column.place == _type_of(place) for column in self._columns)

    def _joined_type(self, place: Place) -> str:
        quote = self._database.quote
        node = self._writer.rows[place].alias
        row = self._row(_type_of(place), "Type")
        join = "JOIN" if self._is_needed(_type_of(place)) else "LEFT JOIN"
        name = quote(self._database.layout.spelling["Type"])
        return f" {join} {name} {row} ON {row}.{quote('id')} = {node}.{quote('type_id')}"

    def _row(self, place: Place, table: str) -> str:
        """Give the row of a place a name."""
        alias = f"r{len(self._writer.rows)}"
        self._writer.rows[place] = Row(alias, table)
        return alias

    def _property(self, place: Place) -> str:
        quote = self._database.quote
        table = self._kind.properties
        alias = self._row(place, table)
        custom = PROPERTIES[place.prefix]
        is_bool = self._database.dialect == "postgresql"
        flag = str(custom).upper() if is_bool else str(int(custom))
        named = self._writer.equals(self._writer.rows[place], "name", [place.name])
        return (
            f"{quote(self._database.layout.spelling[table])} {alias} "
            f"ON {alias}.{quote(self._kind.id_column)} = t.{quote('id')} AND {named} "
            f"AND {alias}.{quote('is_custom_property')} = {flag}"
        )

    def _source(self, place: Place, relation: Relation) -> str:
        """Return what stands for a node's neighbours: their fields, and ``owner``, the node."""
        layout, quote = self._database.layout, self._database.quote
        table = KINDS[relation.kind].table if relation.kind else relation.table
        self._row(place, table)
        wanted = {column.column for column in self._columns if column.place == place}
        if self._has_type(place):
            wanted.add("type_id")
        columns = sorted(wanted & set(layout.columns.get(table, ())))
        if relation.table not in layout.spelling:
            # Old schemas have no such table.
            nothing = "".join(f", m.{quote(name)}" for name in columns)
            text = f"m.{quote('id')} AS {quote('owner')}{nothing} FROM "
            return f"(SELECT {text}{quote(layout.spelling[table])} m WHERE 1 = 0)"
        alias = "n" if relation.kind else "m"
        listed = "".join(f", {alias}.{quote(name)}" for name in columns)
        text = f"SELECT m.{quote(relation.owner)} AS {quote('owner')}{listed} "
        text += f"FROM {quote(layout.spelling[relation.table])} m"
        if relation.kind:
            text += f" JOIN {quote(layout.spelling[table])} n "
            text += f"ON n.{quote('id')} = m.{quote(relation.other)}"
        return f"({text})"


def _type_of(place: Place) -> Place:
    return Place(place.prefix, place.name, is_type=True)


def _is_selective(condition: Expression) -> bool:
    """Tell whether a condition is likely to hold for few rows: it says what an index finds."""
    if isinstance(condition, tree.Comparison) and condition.operator == "=":
        sides = (condition.left, condition.right)
    elif isinstance(condition, tree.In) and not condition.negated:
        sides = (condition.operand, condition.items[0])
    else:
        return False
    columns = [side for side in sides if isinstance(side, Column)]
    literals = [side for side in sides if isinstance(side, Literal)]
    return bool(columns and literals) and columns[0].column in _SELECTIVE
