"""Reads the database in which Kubeflow Pipelines keeps its runs, in one transaction.

It is called ``mlpipeline``, and lies in MySQL or, since 2.15, in PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import errors
from mlmd_lineage.kubeflow.run_tables import RUN_SCHEMAS, RunTables, run_table
from mlmd_lineage.stores import (
    BaseMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
    metadata_store_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

_EXAMPLE = "mysql://user@host:3306/mlpipeline"
_NEEDED = "run_details"


class RunsSession(Protocol):
    """An open transaction of a database of runs."""

    def columns(self) -> Iterable[tuple[str, str]]:
        """Return all columns, each with its table before it."""

    def rows(self, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
        """Return some columns of a table."""


def runs_store(target: object) -> BaseMetadataStore:
    """Return where a database of runs is, by its URL.

    >>> runs_store("mysql://reader@127.0.0.1/mlpipeline").location()
    'mysql://reader@127.0.0.1:3306/mlpipeline'

    Raises:
        ConfigurationError: It is no URL of MySQL or PostgreSQL.
    """
    store = metadata_store_from(target)
    if not isinstance(store, (MySQLMetadataStore, PostgreSQLMetadataStore)):
        message = (
            f"{store.location()} is no database of runs of Kubeflow Pipelines: these are in MySQL "
            f"or PostgreSQL. Give its URL, such as {_EXAMPLE}."
        )
        raise errors.ConfigurationError(message)
    return store


def read_runs(store: BaseMetadataStore) -> RunTables:
    """Read the tables of a database of runs, as they are at one moment.

    Raises:
        NotAMetadataStoreError: It has no table ``run_details``.
        StoreError: It cannot be read.
    """
    where = store.location()
    reader = _reader(store)
    tables: dict[str, pa.Table] = reader(lambda session: _tables(session, where))
    return RunTables(tables, where)


def _reader(store: BaseMetadataStore) -> Callable[[Callable[[RunsSession], Any]], Any]:
    # Imported where they are needed: each brings its driver.
    if isinstance(store, PostgreSQLMetadataStore):
        from mlmd_lineage.kubeflow.runs_postgresql import PostgreSQLRunsReader

        return PostgreSQLRunsReader(store).answer
    from mlmd_lineage.kubeflow.runs_mysql import MySQLRunsReader

    assert isinstance(store, MySQLMetadataStore)  # runs_store() makes no other
    return MySQLRunsReader(store).answer


def _tables(session: RunsSession, where: str) -> dict[str, pa.Table]:
    there: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    for table, column in session.columns():
        spelled.setdefault(table.lower(), table)
        there.setdefault(table.lower(), {})[column.lower()] = column
    if "uuid" not in there.get(_NEEDED, {}):
        message = (
            f"{where} has no table {_NEEDED} with a column UUID that this user may read, so it is "
            f"no database of runs of Kubeflow Pipelines. Give its URL, such as {_EXAMPLE}."
        )
        raise errors.NotAMetadataStoreError(message)
    made = {}
    for name, schema in RUN_SCHEMAS.items():
        held = there.get(name, {})
        wanted = [field for field in schema.names if field.lower() in held]
        if "UUID" in wanted:
            found = session.rows(spelled[name], [held[field.lower()] for field in wanted])
            made[name] = run_table(name, (dict(zip(wanted, row, strict=True)) for row in found))
    return made
