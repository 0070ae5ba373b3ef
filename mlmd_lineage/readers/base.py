"""The interface of readers: ``Reader``, ``Session``, and what some of them can do beyond that.

A reader is made for one metadata store and opens nothing before it is asked. There is one for
each way of reaching MLMD; any object with these methods can take its place. Optional abilities
are protocols of their own, which callers test with ``isinstance``::

    Session             rows by their columns' values; all sessions
    SQLQueryable        SELECT statements of ours, in the database's SQL
    TableProvider       whole tables in memory
    Reachability        the artifacts within some hops, in one statement
    Pageable            a page of nodes in an order, without reading the others
    Newest              the newest nodes, without reading the others

    Reader              whole tables, and sessions; all readers
    Selector            chosen properties and columns of tables, and counts
    ConnectionKeeper    connections that stay open between questions
    GraphProvider       the index of the lineage graph, as it was saved
    GenerationKeeper    several states of the store over time
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping

    import pyarrow as pa

    from mlmd_lineage.snapshot.tables import TableCounts, Tables

T = TypeVar("T")


class Session(Protocol):
    """One consistent read of a store, for questions that need only a few of its rows."""

    source: str
    """Where the store is, without any secret."""

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns, in the order of their ids.

        Args:
            table: MLMD's name of the table.
            where: For each column the values that it may have; all must fit. The longest list
                may have any length, and is asked for in batches.
        """


class StoreLayout(Protocol):
    """The tables and columns that a database has."""

    @property
    def spelling(self) -> Mapping[str, str]:
        """The name in the database of each of MLMD's tables that is there."""

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """The columns of each of those tables that are there."""


@runtime_checkable
class SQLQueryable(Session, Protocol):
    """A session that runs SELECT statements, written by this library for its database."""

    dialect: str
    """The database's SQL: ``sqlite``, ``mysql`` or ``postgresql``."""
    placeholder: str
    """What stands for a text that is bound to a statement."""

    @property
    def layout(self) -> StoreLayout:
        """The tables and columns that the database has."""

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement."""

    def text_placeholder(self, table: str, column: str, /) -> str:
        """Return what stands for a text that a column is compared with."""

    def spellings(self, text: str) -> list[str]:
        """Return all ways in which a text may stand in the database."""

    def select(self, statement: str, parameters: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Return the rows that a statement selects.

        Args:
            statement: The statement; ``placeholder`` stands for each text.
            parameters: The texts.
        """


@runtime_checkable
class TableProvider(Session, Protocol):
    """A session that has whole tables at hand, such as an archive's."""

    def table(self, name: str) -> pa.Table:
        """Return a table as its schema has it."""


@runtime_checkable
class Reachability(Session, Protocol):
    """A session that finds the artifacts within some hops at once."""

    def reachable(
        self,
        artifacts: Collection[int],
        first: Collection[int],
        second: Collection[int],
        hops: int,
        most: int,
    ) -> list[int] | None:
        """Return the artifacts to which some others lead within some hops, themselves included.

        Args:
            artifacts: Where to begin.
            first: The types of the events that lead from an artifact to an execution.
            second: The types of those that lead on to an artifact.
            hops: How many hops, from artifacts to artifacts, to go.
            most: How many rows to look at; an answer as long as that is not whole.

        Returns:
            Their ids in order, or None where this store's server cannot answer that.
        """


@runtime_checkable
class Pageable(Session, Protocol):
    """A session that lists nodes page by page."""

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
        """Return the first nodes of a kind by a number and then by their ids.

        Args:
            table: MLMD's name of the nodes' table.
            column: What orders them; where the store lacks it, their ids do.
            after: The number and the id of the node before the first one.
            descending: Whether the greatest come first.
            limit: How many to return.
            where: For each column the few values that it may have.
        """


@runtime_checkable
class Newest(Session, Protocol):
    """A session that finds the newest nodes."""

    def newest(self, table: str, limit: int) -> list[tuple[Any, ...]]:
        """Return some of the newest nodes of a kind, in the order of their ids.

        Args:
            table: MLMD's name of the nodes' table.
            limit: How many to return at most.
        """


class Reader(Protocol):
    """Reads one metadata store, and never changes it."""

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction; all of them where None is given."""

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it may be asked again if the store changed."""


class Selection(NamedTuple):
    """What of a store to read.

    >>> Selection(("Type", "Execution"), counted=("Artifact", "Event"))
    """

    tables: Collection[str]
    """MLMD's names of the tables of which rows are wanted."""
    properties: Mapping[str, Collection[str]] = MappingProxyType({})
    """For tables of properties the names of those that are wanted: ``NAME*`` stands for all that
    begin so. Of tables that are not here, all are."""
    columns: Mapping[str, Collection[str]] = MappingProxyType({})
    """For some tables the columns that are wanted beside the keys; the others may be null."""
    counted: Collection[str] = ()
    """Tables of nodes or events of which counts are wanted."""
    texts: Collection[str] = ()
    """Those tables of properties by name of which only texts are wanted."""


class Selected(NamedTuple):
    """What was read of a store in one transaction."""

    tables: Tables
    """The tables; there may be more rows and columns than were wanted."""
    counts: Mapping[str, TableCounts]
    """The counts. A table that could not be counted is not here, but among the tables."""


@runtime_checkable
class Selector(Reader, Protocol):
    """A reader that reads less than whole tables."""

    def read_selected(
        self, selection: Selection, meanwhile: Callable[[Tables], object] | None = None
    ) -> Selected:
        """Read a selection in one transaction.

        Args:
            selection: What to read.
            meanwhile: Is given the tables when they are there, perhaps while counting goes on; it
                is called again where the store changed and is read again.
        """


@runtime_checkable
class ConnectionKeeper(Reader, Protocol):
    """A reader whose connections can stay open between questions, as a server wants it."""

    def keep_connections(self) -> None:
        """Keep connections open from one question to the next."""


class GraphFile(Protocol):
    """A file of the index of a lineage graph, divided into record batches."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""

    def batch(self, number: int) -> pa.RecordBatch:
        """Return one of its record batches, which count from 0."""

    def all(self) -> pa.Table:
        """Return all of them."""


@runtime_checkable
class GraphProvider(Reader, Protocol):
    """A reader whose store holds the index of its lineage graph."""

    kept: dict[str, Any]
    """What is made of the store, which does not change, to be used again."""

    @property
    def is_remote(self) -> bool:
        """Whether reading takes so long that the least should be read."""

    def stored_graph(self) -> Mapping[str, GraphFile] | None:
        """Return the index's files; None where the store does not hold them."""

    def rows_with(self, table: str, where: Mapping[str, Collection[int | str]]) -> pa.Table:
        """Return the rows of a table that have some values in some columns, in their order."""

    def rows_at(self, table: str, rows: Any) -> pa.Table:
        """Return rows of a table by their numbers: an array of integers, in any order."""

    def columns(self, name: str, columns: Collection[str]) -> pa.Table:
        """Return some columns of a table, all of its rows."""


@runtime_checkable
class LineageHolder(Reader, Protocol):
    """A reader whose store may hold a lineage that was cut, as a bundle does."""

    def lineage_bounds(self) -> Mapping[str, Mapping[str, Collection[str]]]:
        """Return the nodes at which more was left out, by directions and arguments."""


class Generation(NamedTuple):
    """One of the states of a store that an archive holds."""

    number: int
    """Its number, from 1."""
    taken_at: dt.datetime
    """When the snapshot was taken, in UTC."""
    manifest: str
    """The file that describes it."""
    sha256: str
    """The SHA-256 of that file; empty for the newest, which no other file names."""


@runtime_checkable
class GenerationKeeper(Reader, Protocol):
    """A reader whose store holds several states of itself."""

    def generations(self) -> tuple[Generation, ...]:
        """Return them, oldest first."""
