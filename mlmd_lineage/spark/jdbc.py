"""Opens MySQL, MariaDB and PostgreSQL databases as Spark DataFrames, by Spark's JDBC source.

The driver is a jar of the user's: MariaDB's Connector/J or MySQL's for the first two, PostgreSQL's
for the other. Each table is read by several statements at once, each for a range of ids.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.database_schema import DatabaseSchema
from mlmd_lineage.snapshot import notes
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS
from mlmd_lineage.spark.packed_rows import ORDINAL, TYPE_TABLES, schema_of, spark_type
from mlmd_lineage.spark.spark_tables import SparkTables
from mlmd_lineage.stores import MySQLMetadataStore, PostgreSQLMetadataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from mlmd_lineage.stores import BaseMetadataStore

# What means something in a JDBC URL: of options that follow, some have drivers load classes or read
# and write files. A comma or a parenthesis in a host is a list of several.
_HOST = re.compile(r"[\w.:-]+")
_NO_DATABASE = re.compile(r"[?&;#%\\/\s]")
_COLUMNS = (
    "SELECT table_name AS table_name, column_name AS column_name "
    "FROM information_schema.columns WHERE table_schema = {}"
)


@dataclasses.dataclass(frozen=True)
class _Database:
    """How a database is asked: its URLs, its options, its own quotes and its current schema."""

    source: str
    url: str
    options: Mapping[str, str] = dataclasses.field(repr=False)
    quote: str
    schema: str
    base64_protos: bool

    def quoted(self, name: str) -> str:
        return f"{self.quote}{name}{self.quote}"


def open_database(
    store: BaseMetadataStore,
    session: SparkSession,
    *,
    partitions: int | None = None,
    options: Mapping[str, str] | None = None,
) -> SparkTables:
    """Return the tables of a database; nothing but the columns that it has is read at once.

    Args:
        store: Where it is.
        session: The Spark session, with the driver's jar.
        partitions: How many statements read a table at once; None for as many as there are cores.
        options: Options for Spark's JDBC source and for the driver, such as for TLS.

    Raises:
        ConfigurationError: It is no such database, cannot be named in a URL of JDBC, or asks for
            TLS that ``options`` must say.
        StoreError: It cannot be read, or holds no MLMD store.
    """
    database = _database(store, dict(options or {}))
    count = partitions or session.sparkContext.defaultParallelism
    source = store.location()

    def asked(query: str) -> list[Any]:
        return _asked(session, database, query)

    found: dict[str, list[str]] = {}
    for table, column in asked(_COLUMNS.format(database.schema)):
        found.setdefault(table, []).append(column)

    def versions(table: str) -> list[int]:
        column = database.quoted("schema_version")
        query = f"SELECT {column} FROM {database.quoted(table)}"  # noqa: S608 - no user text
        return [int(row[0]) for row in asked(query)]

    case = getattr(store, "table_case", None)
    layout = DatabaseSchema.of(found, versions, source, case)
    frames, noted = {}, {}
    for name in ALL_TABLES:
        frames[name] = _frame(session, database, layout, name, count)
        told = (
            layout.absent(name)
            if name not in layout.spelling
            else layout.noted(name, SCHEMAS[name].empty_table())
        )
        noted[name] = notes.notes_of(told)
    return SparkTables(session, frames, source=source, schema_version=layout.version, noted=noted)


def _frame(
    session: SparkSession, database: _Database, layout: DatabaseSchema, name: str, partitions: int
) -> DataFrame:
    from pyspark.sql import functions as f

    ordinal = f", {ORDINAL} bigint" if name == "EventPath" else ""
    if name not in layout.spelling:
        return session.createDataFrame([], schema_of(name) + ordinal)
    has = layout.columns[name]
    listed = ", ".join(map(database.quoted, has))
    origin = layout.from_clause(name, database.quoted)
    table = f"(SELECT {listed} FROM {origin}) AS of_mlmd"  # noqa: S608 - MLMD's own names
    reader = _reader(session, database).option("dbtable", table)
    reader = reader.option("customSchema", schema_of(name, has))
    if name not in TYPE_TABLES and partitions > 1:
        key = SCHEMAS[name].names[0]
        quoted = database.quoted(key)
        bounds_of = f"SELECT MIN({quoted}), MAX({quoted}) FROM {origin}"  # noqa: S608 - likewise
        [(least, greatest)] = _asked(session, database, bounds_of)
        if least is not None and greatest > least:
            bounds = {"partitionColumn": key, "lowerBound": least, "upperBound": greatest + 1}
            for option, value in {**bounds, "numPartitions": partitions}.items():
                reader = reader.option(option, value)
    rows = reader.load()
    columns = []
    for field in SCHEMAS[name]:
        value = f.col(field.name) if field.name in has else f.lit(None)
        if field.name == "proto_value" and field.name in has and database.base64_protos:
            decoded = f.expr("try_to_binary(CAST(proto_value AS STRING), 'BASE64')")
            value = f.coalesce(decoded, value)
        columns.append(value.cast(spark_type(field.type)).alias(field.name))
    made = rows.select(*columns)
    # Each statement gives the steps of a path in the order in which the database has them.
    return made.withColumn(ORDINAL, f.monotonically_increasing_id()) if ordinal else made


def _asked(session: SparkSession, database: _Database, query: str) -> list[Any]:
    """Return the rows of a query; a driver's own message may hold a password, and is not told."""
    try:
        rows: list[Any] = _reader(session, database).option("query", query).load().collect()
    except Exception as error:  # noqa: BLE001 - whatever a driver raises
        failure = _failure(database.source, error)
    else:
        return rows
    raise failure


def _failure(source: str, error: Exception) -> errors.MLMDLineageError:
    text = str(error)
    if "ClassNotFoundException" in text or "No suitable driver" in text:
        return errors.ConfigurationError(
            f"The JDBC driver for {source} is not among the jars of the Spark session: give jars= "
            "(on the command line --jar) its file; see docs/spark.md."
        )
    return errors.StoreError(
        f"{source} cannot be read by JDBC ({type(error).__name__}); check that this machine "
        "reaches it, and the user's rights."
    )


def _reader(session: SparkSession, database: _Database) -> Any:
    return session.read.format("jdbc").option("url", database.url).options(**database.options)


def _database(store: BaseMetadataStore, options: dict[str, str]) -> _Database:
    if not isinstance(store, (MySQLMetadataStore, PostgreSQLMetadataStore)):
        message = (
            f"Spark reads archives, folders of Parquet files, MySQL, MariaDB and PostgreSQL; "
            f"{store.location()} is none of them. Save it as an archive: 'mlmd-lineage snapshot'."
        )
        raise errors.ConfigurationError(message)
    if not _HOST.fullmatch(store.host) or _NO_DATABASE.search(store.database):
        message = (
            f"{store.location()} cannot be named in a URL of JDBC: a host is a name or an address, "
            "and a database is a name without blanks and without ?, &, ;, #, % and slashes."
        )
        raise errors.ConfigurationError(message)
    host = f"[{store.host}]" if ":" in store.host else store.host
    place = f"{host}:{store.port}/{store.database}"
    own = {"user": store.username, "fetchsize": "10000"}
    if store.password is not None:
        own["password"] = store.password.get_secret_value()
    if isinstance(store, PostgreSQLMetadataStore):
        own |= {"driver": "org.postgresql.Driver", "sslmode": store.effective_sslmode}
        files = {"sslrootcert": store.ssl_ca, "sslcert": store.ssl_cert, "sslkey": store.ssl_key}
        own |= {name: str(path) for name, path in files.items() if path is not None}
        url = f"jdbc:postgresql://{place}"
        return _Database(
            store.location(), url, {**own, **options}, '"', "CURRENT_SCHEMA()", base64_protos=False
        )
    if store.tls and not any(name.lower().startswith(("ssl", "usessl")) for name in options):
        message = (
            f"{store.location()} asks for TLS, which each JDBC driver is told in its own way: give "
            "its options, such as options={'sslMode': 'VERIFY_IDENTITY'} for MySQL's driver or "
            "{'useSsl': 'true', 'serverSslCert': 'ca.pem'} for MariaDB's."
        )
        raise errors.ConfigurationError(message)
    own["driver"] = "org.mariadb.jdbc.Driver"
    own["allowLocalInfile"] = "false"
    # Spark writes names as standard SQL has them, which MySQL takes for texts unless told.
    own["sessionVariables"] = "sql_mode='ANSI_QUOTES'"
    url = f"jdbc:mysql://{place}"
    return _Database(
        store.location(), url, {**own, **options}, "`", "DATABASE()", base64_protos=True
    )
