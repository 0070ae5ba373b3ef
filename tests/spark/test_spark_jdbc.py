"""Stores in databases, which Spark reads by JDBC with the drivers that Debian has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import spark_session as system_spark
from server_stores import Database

import mlmd_lineage as ml
from mlmd_lineage import errors, spark
from mlmd_lineage.spark import jdbc
from mlmd_lineage.stores import MySQLMetadataStore, SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import servers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support"),
]


@pytest.mark.long
@pytest.mark.parametrize(
    ("fixture", "jar"),
    [("mariadb_server", "mariadb-java-client.jar"), ("postgresql_server", "postgresql.jar")],
)
def test_a_database(  # noqa: PLR0913, PLR0917 - fixtures
    request: pytest.FixtureRequest,
    spark_session: Any,
    shared_store: Callable[[str], Path],
    tmp_path: Path,
    fixture: str,
    jar: str,
):
    if jar not in {path.name for path in system_spark.drivers()}:
        pytest.skip(f"no {jar} (Debian: libmariadb-java, libpostgresql-jdbc-java)")
    server: servers.Server = request.getfixturevalue(fixture)
    name = server.new_database()
    Database(server, name).create(version=10).copy(shared_store("kfp2_emulated.db"))
    store = spark.connect(server.url(name), session=spark_session, partitions=3)
    assert server.password not in repr(store)
    expected = ml.connect(server.url(name))
    saved = ml.connect(store.save(tmp_path / "archive")).snapshot()
    held = ml.connect(expected.snapshot().save(tmp_path / "expected")).snapshot()
    for table in held.names:
        assert saved[table].equals(held[table]), table
    last = f"artifact/{held['Artifact']['id'][-1].as_py()}"
    found = store.upstream(last).toArrow()["node"].to_pylist()
    assert sorted(found) == sorted(expected.upstream(last))
    with pytest.raises(errors.StoreError, match="cannot be read by JDBC") as refused:
        spark.connect(server.url("no_such_database"), session=spark_session)
    assert server.password not in str(refused.value)
    assert refused.value.__context__ is None


def test_what_cannot_be_read_by_jdbc():
    session: Any = None
    with pytest.raises(errors.ConfigurationError, match="Save it as an archive"):
        jdbc.open_database(SQLiteMetadataStore(uri="metadata.db"), session)
    place = MySQLMetadataStore(host="db", database="m", username="reader", password="pw", ssl=True)
    with pytest.raises(errors.ConfigurationError, match="asks for TLS"):
        jdbc.open_database(place, session)
