"""MLMD's own library behind the service: its test-suite passes against it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import mlmd_suite
import pytest
import server_stores
import service_requests
from metadata_service import served

import mlmd_lineage as ml
from mlmd_lineage._proto import only_ours

if TYPE_CHECKING:
    from pathlib import Path

    import servers

EMPTY = """
import sys
from google.protobuf import json_format
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
MetadataStore(json_format.Parse(sys.stdin.read(), metadata_store_pb2.ConnectionConfig()))
"""


def make_empty(store: ml.BaseMetadataStore) -> None:
    """Have ``ml_metadata`` make its tables in a database."""
    from google.protobuf import json_format

    with only_ours():
        config = store.connection_config()
    if store.FLAVOR == "sqlite":
        config.sqlite.connection_mode = 3
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EMPTY],
        input=json_format.MessageToJson(config),
        text=True,
        check=True,
    )


@pytest.mark.slow
@pytest.mark.native
def test_the_librarys_own_suite_passes_over_sqlite(tmp_path: Path):
    store = ml.SQLiteMetadataStore(uri=tmp_path / "empty.db")
    make_empty(store)
    with served(store.path, "--engine", "native", "--workers", "2") as service:
        assert mlmd_suite.passes(tmp_path, service.host, service.port)


@pytest.mark.slow
@pytest.mark.native
def test_the_librarys_own_suite_passes_over_mariadb(tmp_path: Path, mariadb_server: servers.Server):
    database = server_stores.Database(mariadb_server, mariadb_server.new_database())
    make_empty(database.store())
    url = mariadb_server.url(database.name)
    with served(url, "--engine", "native", "--workers", "2") as service:
        assert mlmd_suite.passes(tmp_path, service.host, service.port)
        assert mariadb_server.password not in service.log


@pytest.mark.native
def test_the_methods_that_the_library_lacks(tmp_path: Path):
    path = tmp_path / "metadata.db"
    with only_ours():
        server_stores.fill_natively(ml.SQLiteMetadataStore(uri=path), 10)
    with (
        served(path, "--engine", "native") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        status, found = call("GetParentContextsByContexts", context_ids=[1, 2, 3, 999])
        assert status == 0
        assert {c: [p.id for p in held.parent_contexts] for c, held in found.contexts.items()} == {
            2: [1]
        }
        status, found = call("GetChildrenContextsByContexts", context_ids=[1, 1])
        held = found.contexts[1].children_contexts
        assert [(c.id, c.name) for c in held] == [(2, "контекст-1")]
        assert call("GetParentContextsByContexts", raw=b"\xff")[0] == 3
        assert call("GetLineageGraph")[0] == 12
        assert call("GetArtifacts", raw=b"\xff\xff")[0] == 3
        assert "GetArtifacts INVALID_ARGUMENT" in service.log
