"""A response that is too large is given up while it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlite_stores as stores

import mlmd_lineage as ml
from mlmd_lineage.readers.sqlite.session import SQLiteSession
from mlmd_lineage.server import response_size
from mlmd_lineage.server.own_backend import OwnBackend
from mlmd_lineage.server.status import StatusError

if TYPE_CHECKING:
    from pathlib import Path

NODES = 10 * response_size.CHUNK


@pytest.fixture
def store(tmp_path: Path) -> ml.Store:
    path = stores.new_store(tmp_path / "m.db", rows=False)
    with stores.connected(path) as connection:
        connection.execute("INSERT INTO Type (id, name, type_kind) VALUES (1, 'Thing', 1)")
        numbers = [(n, n) for n in range(1, NODES + 1)]
        connection.executemany(
            "INSERT INTO Artifact (id, type_id, uri) VALUES (?, 1, printf('%1000d', ?))", numbers
        )
        connection.executemany(
            "INSERT INTO Event (id, artifact_id, execution_id, type) VALUES (?, ?, 1, 3)", numbers
        )
    return ml.connect(path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each statement returned."""
    counts: list[int] = []
    execute = SQLiteSession._execute

    def counted(self: SQLiteSession, statement: str, parameters: tuple[str, ...]) -> Any:
        rows = list(execute(self, statement, parameters))
        counts.append(len(rows))
        return rows

    monkeypatch.setattr(SQLiteSession, "_execute", counted)
    return counts


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GetArtifacts", {}),
        ("GetArtifactsByType", {"type_name": "Thing"}),
        ("GetArtifactsByID", {"artifact_ids": range(1, NODES + 1)}),
    ],
)
def test_nodes(store: ml.Store, read: list[int], method: str, fields: dict[str, Any]):
    request = ml.message(f"{method}Request")(**fields).SerializeToString()
    backend = OwnBackend(store, read_only=True, max_response=2)
    with pytest.raises(StatusError, match=r"more than 2,097,152 bytes.*max_result_size"):
        backend.call(method, request)
    # 2 MiB are some 2,000 nodes of 1 KB.
    assert 2 * response_size.CHUNK < sum(read) < 4 * response_size.CHUNK
    whole = OwnBackend(store, read_only=True, max_response=20).call(method, request)
    assert len(ml.message(f"{method}Response").FromString(whole).artifacts) == NODES


def test_events(store: ml.Store, read: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(response_size.ResponseSize, "add", _add_a_thousandfold)
    ids = range(1, NODES + 1)
    request = ml.message("GetEventsByArtifactIDsRequest")(artifact_ids=ids).SerializeToString()
    with pytest.raises(StatusError, match="more than"):
        OwnBackend(store, read_only=True, max_response=20).call("GetEventsByArtifactIDs", request)
    assert sum(read) < NODES / 2


def _add_a_thousandfold(
    self: response_size.ResponseSize, size: int, add: Any = response_size.ResponseSize.add
) -> None:
    add(self, 1000 * size)
