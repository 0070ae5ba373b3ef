"""Our readers answer for MySQL and PostgreSQL as for SQLite, on connections that they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import server_stores
import service_requests

import mlmd_lineage as ml

if TYPE_CHECKING:
    import servers


@pytest.fixture(scope="module", params=["mariadb_server", "postgresql_server"])
def database(request: pytest.FixtureRequest) -> server_stores.Database:
    server: servers.Server = request.getfixturevalue(request.param)
    made = server_stores.Database(server, server.new_database())
    return made.create().copy(service_requests.DEMO_STORE)


def test_the_answers_are_those_of_sqlite(database: server_stores.Database):
    theirs, ours = (
        service_requests.reader_client(database.store()),
        service_requests.reader_client(service_requests.DEMO_STORE),
    )
    tables = ml.connect(service_requests.DEMO_STORE).snapshot()
    requests = [
        *service_requests.requests_about(tables),
        *service_requests.filter_requests(tables),
        *service_requests.lineage_requests(tables),
    ]
    for method, fields in requests[::8]:
        expected, found = ours(method, **fields), theirs(method, **fields)
        assert found == expected, (method, fields)


def test_connections_are_kept_and_made_anew_when_they_are_lost(database: server_stores.Database):
    call = service_requests.reader_client(database.store())
    user = database.server.user
    before = database.connections(user)
    for _ in range(20):
        assert call("GetArtifactTypes")[0] == 0
        assert call("GetArtifactType", type_name="none")[0] == 5
    assert database.connections(user) <= before  # one that is closed may go late
    database.end_connections()
    status, found = call("GetArtifactTypes")
    assert (status, len(found.artifact_types)) == (0, 11)


def test_what_was_written_is_read(database: server_stores.Database):
    call = service_requests.reader_client(database.store())
    _, before = call("GetArtifacts")
    database.run("UPDATE Artifact SET uri = 'changed' WHERE id = 4")
    _, after = call("GetArtifactsByID", artifact_ids=[4])
    assert after.artifacts[0].uri == "changed" != before.artifacts[3].uri
    uri = before.artifacts[3].uri
    database.run(f"UPDATE Artifact SET uri = '{uri}' WHERE id = 4")  # noqa: S608
