"""Limits of the columns of a database server's tables, and checks of values against them."""

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

    def check(self, table: str, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
        """Check the values of columns before they are inserted; texts as they will stand there.

        Raises:
            PutRefusedError: A column cannot hold its value.
        """
        for name, column in zip(columns, values, strict=True):
            limit = self._limits.get((table.lower(), name.lower()))
            if limit is None:
                continue
            said = ""
            if limit.bits is not None:
                said = _beyond(limit.bits, [value for value in column if type(value) is int])
            elif limit.characters is not None or limit.octets is not None:
                said = _too_long(limit, [value for value in column if type(value) is str])
            if said:
                message = f"{self._source} cannot hold this in {table}.{name}: {said}."
                raise PutRefusedError(message)


def _beyond(bits: int, numbers: Sequence[int]) -> str:
    most = 1 << (bits - 1)
    if not numbers or (max(numbers) < most and min(numbers) >= -most):
        return ""
    number = max(numbers, key=abs)
    return f"{number} is beyond {bits} bits"


def _too_long(limit: ColumnLimit, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    longest = max(texts, key=len)
    if limit.characters is not None and len(longest) > limit.characters:
        return f"a text of {len(longest)} characters is longer than {limit.characters}"
    # Whatever the server's letters take: at most four bytes each.
    if limit.octets is not None and 4 * len(longest) > limit.octets:
        octets = max(len(text.encode()) for text in texts)
        if octets > limit.octets:
            return f"a text of {octets} bytes is longer than {limit.octets}"
    return ""


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
