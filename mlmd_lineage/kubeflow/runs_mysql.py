"""Reads the runs of Kubeflow Pipelines from MySQL or MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage.readers.mysql import connection
from mlmd_lineage.readers.mysql.reader import MySQLReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymysql.connections import Connection

T = TypeVar("T")

_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE()
"""


class MySQLRunsReader(MySQLReader):
    """Reads a database of runs; it connects, and explains errors, as the reader of MLMD does."""

    def answer(self, question: Callable[[MySQLRunsSession], T]) -> T:
        """Answer a question in one transaction."""
        return self._answered(question)  # type: ignore[arg-type]  # its sessions are others

    def _session(self, link: Connection[Any]) -> Any:
        with connection.protocol_errors(self._store):
            self._begin(link)
        return MySQLRunsSession(link, self)

    def selected(self, link: Connection[Any], statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement of ours."""
        with connection.protocol_errors(self._store), link.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


class MySQLRunsSession:
    """An open transaction: ``RunsSession``."""

    def __init__(self, link: Connection[Any], reader: MySQLRunsReader) -> None:
        self._link = link
        self._reader = reader

    def columns(self) -> list[tuple[str, str]]:
        """Return all columns, each with its table before it."""
        found = self._reader.selected(self._link, _COLUMNS)
        return [(_text(table), _text(column)) for table, column in found]

    def rows(self, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        """Return some columns of a table."""
        listed = ", ".join(map(_quoted, columns))
        statement = f"SELECT {listed} FROM {_quoted(table)}"  # noqa: S608 - names of the database
        return self._reader.selected(self._link, statement)


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
