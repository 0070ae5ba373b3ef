"""Reads the runs of Kubeflow Pipelines from PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage.readers.answer_size import ROW, AnswerSize
from mlmd_lineage.readers.postgresql import connection
from mlmd_lineage.readers.postgresql.reader import PostgreSQLReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from adbc_driver_postgresql.dbapi import Connection

    from mlmd_lineage.stores import PostgreSQLMetadataStore

T = TypeVar("T")

_COLUMNS = """
    SELECT table_name::text, column_name::text FROM information_schema.columns
    WHERE table_schema = current_schema()
"""


class PostgreSQLRunsReader(PostgreSQLReader):
    """Reads a database of runs; it connects, and explains errors, as the reader of MLMD does."""

    def answer(self, question: Callable[[PostgreSQLRunsSession], T]) -> T:
        """Answer a question in one transaction."""
        return self._answered(question)  # type: ignore[arg-type]  # its sessions are others

    def _session(self, link: Connection) -> Any:
        self._begin(link)
        return PostgreSQLRunsSession(link, self._store)


class PostgreSQLRunsSession:
    """An open transaction: ``RunsSession``."""

    def __init__(self, link: Connection, store: PostgreSQLMetadataStore) -> None:
        self._link = link
        self._seconds = store.read_timeout
        self._size = AnswerSize(store.location(), store.max_answer)

    def columns(self) -> list[tuple[str, str]]:
        """Return all columns, each with its table before it."""
        return [(table, column) for table, column in self._selected(_COLUMNS)]

    def rows(self, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        """Return some columns of a table."""
        listed = ", ".join(map(_quoted, columns))
        statement = f"SELECT {listed} FROM {_quoted(table)}"  # noqa: S608 - names of the database
        return self._selected(statement)

    def _selected(self, statement: str) -> list[tuple[Any, ...]]:
        found = connection.fetched(
            self._link,
            statement,
            (),
            self._seconds,
            lambda batch: self._size.add(batch.nbytes + ROW * batch.num_rows),
        )
        columns = [column.to_pylist() for column in found.columns]
        return list(zip(*columns, strict=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
