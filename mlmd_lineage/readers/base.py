"""The reader: the small transport by which a store's rows reach everything else.

A reader is made for one metadata store and opens nothing before it is asked. There is one for
each way of reaching MLMD; anything with these methods can take its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlmd_lineage.snapshot.tables import Tables

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


class Reader(Protocol):
    """What reads one metadata store, and never changes it."""

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction; all of them where None is given."""

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it may be asked again if the store changed."""
