"""Sessions of SQL databases: the statements that ask for rows."""

from __future__ import annotations

import abc
import operator
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.table_building import is_key, key_value, proto_bytes
from mlmd_lineage.snapshot.tables import (
    PROPERTY_TABLES,
    SCHEMAS,
    SORT_KEYS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mlmd_lineage.readers.database_schema import DatabaseSchema


CHUNK = 1000
"""How many ids one statement asks for: every server takes as many; another trip costs little."""


class SQLSession(abc.ABC):
    """Answers single questions from an open read transaction of an SQL database.

    Each database adds ``_execute``, and says how it quotes names and binds texts.
    """

    source: str
    layout: DatabaseSchema
    dialect = "sqlite"
    """The SQL dialect of the database: ``sqlite``, ``mysql`` or ``postgresql``."""
    placeholder = "%s"
    base64_protos = True

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement."""
        return f'"{name}"'

    def text_placeholder(self, _table: str, _column: str) -> str:
        """Return what stands for a text that a column is compared with."""
        return self.placeholder

    def spellings(self, text: str) -> list[str]:
        """Return all ways in which a text may stand in the database."""
        return [text]

    def select(self, statement: str, parameters: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Return the rows that a statement of ours selects, with texts bound to it."""
        return list(self._execute(statement, parameters))

    @abc.abstractmethod
    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        """Return the rows of a statement with parameters."""

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns."""
        rows: list[tuple[Any, ...]] = []
        for statement, parameters in self._statements(table, where):
            rows += self._execute(statement, parameters)
        rows = _with_keys(table, rows)
        return _typed_properties(rows, self.base64_protos) if table in PROPERTY_TABLES else rows

    def reachable(
        self,
        artifacts: Collection[int],
        first: Collection[int],
        second: Collection[int],
        hops: int,
        most: int,
    ) -> list[int] | None:
        """Return the artifacts to which others lead, as ``Reachability`` says."""
        event, artifact = self.quote(self.layout.spelling["Event"]), self.quote("artifact_id")
        execution, kind = self.quote("execution_id"), self.quote("type")
        begin, one, other = (_listed(values) for values in (artifacts, first, second))
        # In this form every server stops at the number of hops, and none needs a setting changed.
        statement = (
            f"WITH RECURSIVE reached (node, hop) AS (SELECT DISTINCT {artifact}, 0 FROM {event} "  # noqa: S608 - numbers and MLMD's names
            f"WHERE {artifact} IN ({begin}) UNION SELECT there.{artifact}, reached.hop + 1 "
            f"FROM reached JOIN {event} here ON here.{artifact} = reached.node "
            f"AND here.{kind} IN ({one}) JOIN {event} there "
            f"ON there.{execution} = here.{execution} AND there.{kind} IN ({other}) "
            f"WHERE reached.hop < {int(hops)}) SELECT node FROM reached LIMIT {int(most)}"
        )
        found = {int(row[0]) for row in self._execute(statement, ())}
        return sorted(found | set(artifacts))

    def page(  # noqa: PLR0913 - each stands alone
        self,
        table: str,
        column: str,
        *,
        after: tuple[int, int] | None,
        descending: bool,
        limit: int,
        where: Mapping[str, Collection[int]],
    ) -> list[tuple[Any, ...]]:
        """Return the first nodes of a kind by a number, as ``Pageable`` says."""
        if table not in self.layout.columns:
            return []
        if column not in self.layout.columns[table]:
            column = "id"
        by, number = self.quote(column), self.quote("id")
        conditions = [f"{self.quote(c)} IN ({_listed(values)})" for c, values in where.items()]
        if after is not None:
            (value, last), beyond = map(int, after), "<" if descending else ">"
            conditions.append(f"{number} {beyond} {last}")
            if column != "id":
                # The first half is what an index knows.
                conditions[-1] = (
                    f"{by} {beyond}= {value} AND ({by} {beyond} {value} OR {conditions[-1]})"
                )
        direction = "DESC" if descending else "ASC"
        order = f"{by} {direction}" if by == number else f"{by} {direction}, {number} {direction}"
        head = self._head(table)
        end = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return list(self._execute(f"{head}{end} ORDER BY {order} LIMIT {int(limit)}", ()))

    def _statements(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield SELECT statements with the parameters of each.

        The longest list of values is cut into chunks; integers are written into the statement,
        texts are bound. Columns that the store lacks come as NULL.
        """
        columns = self.layout.columns.get(table)
        if columns is None or any(column not in columns for column in where):
            return
        head = self._head(table)
        # The steps of a path have no number: their order is that of insertion.
        order = "" if table == "EventPath" else f" ORDER BY {self.quote(SORT_KEYS[table][0])}"
        if not where:
            yield head + order, ()
            return
        lists = {column: list(values) for column, values in where.items()}
        longest = max(lists, key=lambda column: len(lists[column]))
        if not all(lists.values()):
            return
        for start in range(0, len(lists[longest]), CHUNK):
            part = lists | {longest: lists[longest][start : start + CHUNK]}
            conditions = " AND ".join(
                f"{self.quote(column)} IN ({', '.join(self._shown(table, column, values))})"
                for column, values in part.items()
            )
            texts = tuple(v for values in part.values() for v in values if isinstance(v, str))
            yield f"{head} WHERE {conditions}{order}", texts

    def _head(self, table: str) -> str:
        """Return the beginning of a statement that selects a table's rows."""
        has = self.layout.columns[table]
        listed = ", ".join(self.quote(n) if n in has else "NULL" for n in SCHEMAS[table].names)
        return f"SELECT {listed} FROM {self.layout.from_clause(table, self.quote)}"  # noqa: S608 - no user text

    def _shown(self, table: str, column: str, values: Iterable[int | str]) -> Iterator[str]:
        """Yield how values stand in a statement that compares a column with them."""
        text = self.text_placeholder(table, column)
        for value in values:
            yield text if isinstance(value, str) else str(int(value))


def named(column: str, names: Collection[str]) -> str:
    """Return the condition that a property has one of some names.

    >>> named("name", ["component_id", "zenml-*"])
    "name IN ('component_id') OR name LIKE 'zenml-%'"

    Args:
        column: The column of names, as it stands in a statement.
        names: The names, which this library chose; ``NAME*`` stands for all that begin so.
    """
    exact = ", ".join(literal(name) for name in names if not name.endswith("*"))
    conditions = [f"{column} IN ({exact})"] if exact else []
    conditions += [f"{column} LIKE {literal(n[:-1] + '%')}" for n in names if n.endswith("*")]
    return " OR ".join(conditions) or "1 = 0"


def chosen(table: str, present: Sequence[str], columns: Collection[str] | None) -> Sequence[str]:
    """Return those columns of a table that are read: the keys, and those that are wanted.

    Args:
        table: MLMD's name of the table.
        present: The columns that are there.
        columns: Those that are wanted; None for all.
    """
    if columns is None:
        return present
    return [c for c in present if c in columns or c in SORT_KEYS[table] or is_key(table, c)]


def literal(text: str) -> str:
    """Return a text, which this library chose, as it stands in a statement."""
    return "'" + text.replace("'", "''") + "'"


def _listed(values: Iterable[int]) -> str:
    return ", ".join(str(int(value)) for value in values)


def _with_keys(table: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in which no key is missing, as only tables without constraints let it."""
    keys = [(at, name) for at, name in enumerate(SCHEMAS[table].names) if is_key(table, name)]
    if not keys:
        return rows
    found = operator.itemgetter(keys[0][0], *(at for at, _ in keys))  # of one alone no tuple
    for number, row in enumerate(rows):
        if None in found(row):
            changed = list(row)
            for at, name in keys:
                changed[at] = key_value(name) if row[at] is None else row[at]
            rows[number] = tuple(changed)
    return rows


def _typed_properties(
    rows: list[tuple[Any, ...]],
    base64_protos: bool,  # noqa: FBT001 - as the session has it
) -> list[tuple[Any, ...]]:
    typed = []
    for owner, name, custom, integer, double, string, raw, proto, boolean in rows:
        if proto is not None:
            proto = proto_bytes(proto) if base64_protos else bytes(proto)  # noqa: PLW2901
        if boolean is not None:
            boolean = bool(boolean)  # noqa: PLW2901
        typed.append((owner, name, bool(custom), integer, double, string, raw, proto, boolean))
    return typed
