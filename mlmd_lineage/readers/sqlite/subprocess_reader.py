"""Reads an SQLite file in another process, where this one may have the file open itself.

Two copies of SQLite in one process defeat each other's locks (see ``locks``); in two
processes they respect them. Whole tables are passed as Arrow columns in a file that has no
name.
"""

from __future__ import annotations

import mmap
import tempfile
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from mlmd_lineage.readers.sqlite import subprocess_client
from mlmd_lineage.readers.sqlite.session import SQLiteStatements
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.readers.database_schema import DatabaseSchema
    from mlmd_lineage.readers.sqlite.subprocess_client import SubprocessClient

T = TypeVar("T")


class SubprocessReader:
    """Reads one SQLite file in a process of its own."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout

    def read(self, names: Collection[str]) -> Tables:
        """Read whole tables in one transaction.

        The columns lie in a file mapped into memory, not in memory of this process.
        """
        # It has a name only until it is open, and goes when the last of its columns does.
        with tempfile.TemporaryFile(prefix="mlmd-lineage-") as file:
            with subprocess_client.client_for(self._path) as client:
                client.send(("read", self._path, self._busy_timeout, tuple(names)))
                client.send_fd(file.fileno())
                _, loaded, version, taken_at = client.answer()
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if loaded else b""
        columns = pa.BufferReader(pa.py_buffer(mapped))
        return Tables(
            {name: pa.ipc.open_stream(columns).read_all() for name in loaded},
            schema_version=version,
            source=str(self._path),
            taken_at=taken_at,
        )

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it is asked again if the file changed."""
        with subprocess_client.client_for(self._path) as client:
            message = client.ask("ask", self._path, self._busy_timeout)
            while True:
                _, layout, source = message
                answer: list[T] = []
                failure: Exception | None = None
                try:
                    answer.append(question(_Session(client, layout, source)))
                except Exception as error:  # noqa: BLE001 - it is raised when the worker agrees
                    failure = error
                message = client.ask("end", failure is not None)
                if message[0] == "session":
                    continue
                if failure is not None:
                    raise failure
                return answer[0]


class _Session(SQLiteStatements):
    """An open transaction of the worker, as the parent sees it."""

    def __init__(self, client: SubprocessClient, layout: DatabaseSchema, source: str) -> None:
        self._client = client
        self.layout = layout
        self.source = source

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._client.ask("select", statement, parameters)[1]
        return rows

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns."""
        plain = {column: list(values) for column, values in where.items()}
        rows: list[tuple[Any, ...]] = self._client.ask("fetch", table, plain)[1]
        return rows
