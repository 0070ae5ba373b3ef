"""The generated stores, made once and kept; and questions whose answers have a known size."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from typing import TYPE_CHECKING

import mariadb_server
import shape
import sinks
from service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANSWER_NODES = 400
CANDIDATES = 400  # of the newest models

_MODELS = "FROM Artifact WHERE type_id = (SELECT id FROM Type WHERE name = 'Model')"
# Events 3 and 4 are INPUT and OUTPUT; an execution in state 5, CACHED, is no producer.
_UPSTREAM = """
WITH RECURSIVE seen(is_execution, id) AS (
    VALUES (0, ?)
    UNION
    SELECT 1, Event.execution_id FROM seen
    JOIN Event ON Event.artifact_id = seen.id AND Event.type = 4
    JOIN Execution ON Execution.id = Event.execution_id
     AND Execution.last_known_state <> 5
    WHERE NOT is_execution
    UNION
    SELECT 0, Event.artifact_id FROM seen
    JOIN Event ON Event.execution_id = seen.id AND Event.type = 3
    WHERE is_execution
)
SELECT COUNT(*) FROM seen
"""


class Stores:
    """Generated stores of every size, on SQLite and on a MariaDB server."""

    def __init__(self, cache: Path, say: Callable[[str], None]) -> None:
        """Keep the stores in a folder; ``say`` is told what takes long."""
        self._cache = cache
        self._say = say
        self._server: mariadb_server.Server | None = None
        self._services: dict[str, Service] = {}

    def sqlite(self, size: str) -> Path:
        """Return the SQLite store of a size, made where it is missing."""
        path = self._cache / f"{_name(size)}.db"
        if not path.exists():
            self._say(f"generating {size} for SQLite")
            self._cache.mkdir(parents=True, exist_ok=True)
            sinks.load_sqlite(path, shape.SIZES[size])
        return path

    def mariadb(self, size: str, given: str | None) -> str:
        """Return the URL of the MariaDB store of a size, on a server given or of our own."""
        if given is not None:
            url = f"{given.rstrip('/')}/{_name(size)}"
        else:
            if self._server is None:
                self._say("starting a MariaDB server")
                self._server = mariadb_server.start(
                    self._cache / "mariadb", [_name(s) for s in shape.SIZES]
                )
            url = self._server.url(_name(size))
        if not sinks.holds_rows(url, shape.SIZES[size]):
            self._say(f"generating {size} for MariaDB")
            sinks.load_mariadb(url, shape.SIZES[size])
        return url

    def service(self, size: str) -> str:
        """Return the URL of a service over the SQLite store of a size."""
        if size not in self._services:
            self._say(f"starting a service over {size}")
            self._services[size] = Service(self.sqlite(size))
        return self._services[size].url

    def close(self) -> None:
        """Stop the servers that were started."""
        while self._services:
            self._services.popitem()[1].stop()
        if self._server is not None:
            self._server.stop()
            self._server = None


def _name(size: str) -> str:
    return f"mlmd_{size}_v{shape.VERSION}"


def models_with_answers(path: Path, count: int = 5) -> tuple[int, ...]:
    """Return newest models whose upstream, with us, holds as nearly as possible 400 nodes."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        newest = store.execute(
            f"SELECT id {_MODELS} ORDER BY id DESC LIMIT ?",
            (CANDIDATES,),
        ).fetchall()
        sizes = [(store.execute(_UPSTREAM, row).fetchone()[0], row[0]) for row in newest]
    nearest = sorted(sizes, key=lambda pair: (abs(pair[0] - ANSWER_NODES), pair[1]))
    return tuple(number for _, number in nearest[:count])


def random_artifacts(path: Path, count: int) -> tuple[int, ...]:
    """Return artifacts drawn at random, the same ones every time."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        last = store.execute("SELECT MAX(id) FROM Artifact").fetchone()[0]
    return tuple(random.Random(11).sample(range(1, last + 1), count))  # noqa: S311 - dice


def random_models(path: Path, count: int) -> tuple[int, ...]:
    """Return models drawn at random, the same ones every time; all of them where they are fewer."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as store:
        models = [row[0] for row in store.execute(f"SELECT id {_MODELS} ORDER BY id")]
    return tuple(random.Random(11).sample(models, min(count, len(models))))  # noqa: S311 - dice
