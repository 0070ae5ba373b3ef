"""Finds the nodes that a filter selects: the entry point of this package.

``find_ids(read, kind, where)`` takes an open ``Session``, such as ``Reader.ask`` gives, or
``Tables`` that were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.filters import memory_database, sql_statements
from mlmd_lineage.filters.candidates import candidates
from mlmd_lineage.filters.semantics import analyze
from mlmd_lineage.readers.base import SQLQueryable, TableProvider
from mlmd_lineage.snapshot.tables import KINDS, Tables

if TYPE_CHECKING:
    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeKind


def find_ids(read: Session | Tables, kind: NodeKind, where: str) -> list[int]:
    """Return the ids of the nodes that a filter finds, in their order.

    >>> reader.ask(lambda session: find_ids(session, "artifact", "type = 'Model'"))
    [4, 15, 20, 25, 35]

    Args:
        read: An open read of the store, or tables that were read: those of the kind's nodes, and
            of whatever the filter mentions.
        kind: Which nodes: ``artifact``, ``execution`` or ``context``.
        where: The filter.

    Raises:
        FilterError: The filter cannot be understood; the message says where in it, and why.
        StoreError: The store cannot be read.
    """
    condition = analyze(where, kind)
    if isinstance(read, Tables):
        return sorted(
            memory_database.find(memory_database.from_tables(read.__getitem__), kind, condition)
        )
    if isinstance(read, SQLQueryable):
        return _with_sql(read, kind, condition)
    if isinstance(read, TableProvider):
        source = memory_database.from_tables(read.table)
        return sorted(memory_database.find(source, kind, condition))
    few = candidates(read, KINDS[kind], condition)
    if few is not None and not few:
        return []
    return sorted(memory_database.find(memory_database.from_session(read), kind, condition, few))


def _with_sql(session: SQLQueryable, kind: NodeKind, condition: Expression) -> list[int]:
    """Return the ids that a statement finds, checked in memory where it cannot be exact."""
    if KINDS[kind].table not in session.layout.spelling:
        return []
    found = sql_statements.statement(session, kind, condition)
    ids = {int(number) for (number,) in session.select(found.text, found.parameters)}
    if not found.exact and ids:
        ids = memory_database.find(memory_database.from_session(session), kind, condition, ids)
    return sorted(ids)
