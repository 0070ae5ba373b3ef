"""What the columns of a database server's tables can hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.errors import PutRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "integer": 32, "bigint": 64}


class ColumnLimit(NamedTuple):
    """What one column can hold.

    Attributes:
        bits: How many bits an integer may have, or None where it is none.
        characters: How many characters a text may have, or None where they are not counted.
        octets: How many bytes a text may have, or None where they are not counted.
    """

    bits: int | None
    characters: int | None
    octets: int | None

    @classmethod
    def of(cls, kind: str, characters: int | None, octets: int | None) -> ColumnLimit:
        """Return the limits of a column, from what ``information_schema`` says of it."""
        return cls(_BITS.get(kind.lower()), characters, octets)


class Limits:
    """What the columns of all tables can hold.

    Args:
        source: The store's name for messages.
        columns: A table, a column and its limit each.
    """

    def __init__(self, source: str, columns: Iterable[tuple[str, str, ColumnLimit]]) -> None:
        self._source = source
        self._limits = {(table.lower(), name.lower()): limit for table, name, limit in columns}

    def check(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Check rows before they are inserted; each text as it will stand in the database.

        Raises:
            PutRefusedError: A column cannot hold its value.
        """
        limits = [self._limits.get((table.lower(), name.lower())) for name in columns]
        for row in rows:
            for limit, value in zip(limits, row, strict=True):
                if limit is None or value is None:
                    continue
                if type(value) is int:
                    if limit.bits is not None and not -(1 << limit.bits - 1) <= value < (
                        1 << limit.bits - 1
                    ):
                        self._refuse(table, columns, row, f"{value} is beyond {limit.bits} bits")
                elif type(value) is str:
                    self._check_text(table, columns, row, limit, value)

    def _check_text(
        self, table: str, columns: Sequence[str], row: Sequence[Any], limit: ColumnLimit, text: str
    ) -> None:
        if limit.characters is not None and len(text) > limit.characters:
            said = f"a text of {len(text)} characters is longer than {limit.characters}"
            self._refuse(table, columns, row, said)
        # Whatever the server's letters take: at most four bytes each.
        if limit.octets is not None and 4 * len(text) > limit.octets:
            octets = len(text.encode())
            if octets > limit.octets:
                said = f"a text of {octets} bytes is longer than {limit.octets}"
                self._refuse(table, columns, row, said)

    def _refuse(self, table: str, columns: Sequence[str], row: Sequence[Any], said: str) -> None:
        named = dict(zip(columns, row, strict=True)).get("name")
        of = f" of {named!r}" if isinstance(named, str) else ""
        message = f"{self._source} cannot hold this in its table {table}: {said}{of}. Shorten it."
        raise PutRefusedError(message)


def check_doubles(rows: Iterable[tuple[str, Any]], source: str, *, infinite: bool) -> None:
    """Check doubles, each with the name of its property.

    Raises:
        PutRefusedError: One is NaN, or infinite where that cannot be.
    """
    for name, value in rows:
        if isinstance(value, float) and (math.isnan(value) or (infinite and math.isinf(value))):
            message = (
                f"The property {name!r} is {value}, which {source} cannot hold as a number. Put it "
                "as a text, or leave it out."
            )
            raise PutRefusedError(message)
