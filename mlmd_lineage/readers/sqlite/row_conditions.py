"""Conditions by which parts of SQLite tables are read: by row numbers, by properties' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adbc_driver_manager import Error

from mlmd_lineage.readers import sql
from mlmd_lineage.readers.sqlite.typed_values import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlmd_lineage.readers.sqlite.arrow_connections import Connection


def of_names(
    connection: Connection, table: str, names: Collection[str], number: str | None, *, texts: bool
) -> str:
    """Return the condition that a property has one of some names.

    Args:
        connection: An open transaction.
        table: The table's name in the database.
        names: The names, or ``NAME*`` for all that begin so.
        number: What the table's row numbers are called, if it has any.
        texts: Whether only texts are wanted.
    """
    conditions = _named(names)
    if number is None:
        return " OR ".join(conditions)
    index = _text_index(connection, table) if texts else None
    if index is None:
        # The names alone are found in the index of the primary key.
        return _among(number, quoted(table), [" OR ".join(conditions)])
    source = f"{quoted(table)} INDEXED BY {quoted(index)}"
    having = [f"string_value IS NOT NULL AND {condition}" for condition in conditions]
    return _among(number, source, having)


def _among(number: str, source: str, conditions: Sequence[str]) -> str:
    """Return the condition that a row's number is among those that fit one of some conditions."""
    found = [f"SELECT {number} FROM {source} WHERE {condition}" for condition in conditions]  # noqa: S608
    return f"{number} IN ({' UNION '.join(found)})"


def _text_index(connection: Connection, table: str) -> str | None:
    """Return the index by name of those properties that have a text, as MLMD makes it."""
    literal = sql.literal(table)
    found = connection.rows(
        f"SELECT l.name FROM pragma_index_list({literal}) l "  # noqa: S608 - a quoted literal
        "JOIN pragma_index_info(l.name) i ON i.seqno = 0 AND i.name = 'name' "
        "JOIN sqlite_master m ON m.type = 'index' AND m.name = l.name "
        "WHERE l.partial = 1 AND replace(lower(m.sql), '`', '') "
        "LIKE '%where string_value is not null%'"
    )
    return found[0][0] if found else None


def _named(names: Collection[str]) -> list[str]:
    """Return the conditions of which a property with one of some names fits one.

    Without a call of a function for each row. A name that is no text, as in a damaged store, fits:
    bytes are greater than all texts (https://www.sqlite.org/datatype3.html#comparisons).
    """
    exact = ", ".join(sql.literal(name) for name in names if not name.endswith("*"))
    conditions = ["name >= x''", *([f"name IN ({exact})"] if exact else ())]
    for beginning in (name[:-1] for name in names if name.endswith("*")):
        after = beginning[:-1] + chr(ord(beginning[-1]) + 1)
        conditions.append(f"name >= {sql.literal(beginning)} AND name < {sql.literal(after)}")
    return conditions


def row_bounds(connection: Connection, table: str) -> tuple[str, int, int] | None:
    """Return the name of a table's row numbers, the least of them and the greatest.

    None where there are no rows, or no numbers: a table WITHOUT ROWID, or one whose columns have
    all three names (https://www.sqlite.org/rowidtable.html).
    """
    literal = table.replace("'", "''")
    columns = connection.rows(f"SELECT lower(name) FROM pragma_table_info('{literal}')")  # noqa: S608
    taken = {name for (name,) in columns}
    number = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)
    if number is None:
        return None
    try:
        # Each of the two is a look-up; asked for at once they would be a scan.
        ((low,),) = connection.rows(f"SELECT MIN({number}) FROM {quoted(table)}")  # noqa: S608
        ((high,),) = connection.rows(f"SELECT MAX({number}) FROM {quoted(table)}")  # noqa: S608
    except Error as error:
        if "no such column" not in str(error):
            raise
        return None
    return None if low is None else (number, low, high)
