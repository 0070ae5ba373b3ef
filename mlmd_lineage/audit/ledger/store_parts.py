"""Parts of a store's records, by ranges of ids, and digests of the rows that they are made of.

The digest of a part is that of its rows as Arrow holds them, which takes far less time than the
hashes of its records do. Where a part has the digest that it had at the last entry of a ledger, its
records have the hashes that they had, so that an entry costs little more than reading the store,
and what is new in it. The same rows may have another digest, as where they stand in another order:
then their records are hashed again, and are found to be the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.audit.records.record_lines import TABLES
from mlmd_lineage.audit.records.text_columns import whole
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

BLOCK = 64
SINGLE = ("type", "artifact", "execution", "context")
"""The kinds of which each record is a leaf."""
_ROWS = 1 << 15
"""How many rows of a kind's first table a part has."""
_DIGEST_OF = "mlmd-lineage ledger part 1"
"""What a digest begins with; another number where the same rows make other records."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A range of the ids of one kind of records.

    Attributes:
        first: The first id, with which a leaf begins; None where there is none before it.
        stop: The id at which the next part begins; None where there is none.
        digest: The digest of the rows, in hexadecimal.
    """

    first: int | None
    stop: int | None
    digest: str = ""

    def blocks(self, kind: str) -> tuple[int | None, int | None]:
        """Return the number of the first leaf, and that of the one at which the next begins."""
        if kind in SINGLE:
            return self.first, self.stop
        first, stop = (None if at is None else at // BLOCK for at in (self.first, self.stop))
        return first, stop

    def rows(self, owners: Array) -> slice:
        """Return where its rows stand among some that are in the order of their owners."""
        return places(owners, self.first, self.stop)


def places(numbers: Array, first: int | None, stop: int | None) -> slice:
    """Return where the numbers stand, of some in ascending order, that lie in a range."""
    return slice(
        0 if first is None else int(numbers.searchsorted(first)),
        len(numbers) if stop is None else int(numbers.searchsorted(stop)),
    )


def parts_of(tables: HasTables, kind: str) -> Iterator[tuple[Part, dict[str, pa.Table]]]:
    """Yield the parts of a kind of records, each with its rows.

    Where rows are added at the end, the parts before stay as they were. Tables that are not in the
    order of their ids make one part.
    """
    found = {name: _with_one_dictionary(tables[name]) for name in TABLES[kind]}
    owners = {name: owners_of(table) for name, table in found.items()}
    first = owners[TABLES[kind][0]]
    size = 1 if kind in SINGLE else BLOCK  # a leaf belongs to one part
    cuts = np.unique(first[_ROWS::_ROWS] // size * size)
    cuts = cuts[cuts > first[:1]] if len(first) else cuts
    if any((numbers[1:] < numbers[:-1]).any() for numbers in owners.values()):
        cuts = cuts[:0]
    bounds = [None, *cuts.tolist(), None]
    for start, stop in itertools.pairwise(bounds):
        part = Part(start, stop)
        rows = {name: part.rows(numbers) for name, numbers in owners.items()}
        yield part, {name: found[name][rows[name]] for name in found}


def owners_of(table: pa.Table) -> Array:
    """Return the ids that the rows of a table belong to."""
    return arrays.to_numpy(table.column(0)).astype(np.int64, copy=False)


def _with_one_dictionary(table: pa.Table) -> pa.Table:
    """Return a table each of whose columns of names has one dictionary."""
    many = any(
        pa.types.is_dictionary(column.type) and column.num_chunks > 1 for column in table.columns
    )
    return table.unify_dictionaries() if many else table


def digest_of(tables: Mapping[str, pa.Table]) -> str:
    """Return the digest of some rows, in hexadecimal."""
    hasher = hashlib.sha256(_DIGEST_OF.encode())
    for name, table in tables.items():
        for column_name, column in zip(table.column_names, table.columns, strict=True):
            label = json.dumps([name, column_name, str(column.type), len(column)])
            for piece in (label.encode(), *_pieces(whole(column))):
                data = memoryview(piece)
                hasher.update(data.nbytes.to_bytes(8, "little"))
                hasher.update(data)
    return hasher.hexdigest()


def _pieces(column: pa.Array) -> Iterator[Any]:
    """Yield what a column holds, as buffers of bytes: which values are there, and the values."""
    kind = column.type
    if column.null_count:
        yield np.packbits(arrays.to_numpy(column.is_valid()))
    else:
        yield b""
    if pa.types.is_dictionary(kind):
        codes = arrays.to_numpy(column.indices)
        used = np.unique(codes[arrays.to_numpy(column.is_valid())])
        yield np.ascontiguousarray(codes)
        names = column.dictionary.take(arrays.from_numpy(used)).to_pylist()
        yield json.dumps([used.tolist(), names]).encode()
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        yield np.ascontiguousarray(arrays.to_numpy(column))
    else:
        yield from _texts(column)


def _texts(column: pa.Array) -> Iterator[Any]:
    """Yield the lengths and the content of texts or bytes."""
    large = column.cast(pa.large_binary())
    _, starts, data = large.buffers()
    if starts is None or not len(large):
        return
    offsets = np.frombuffer(starts, np.int64)[large.offset : large.offset + len(large) + 1]
    yield offsets - offsets[0]
    yield memoryview(data or b"")[int(offsets[0]) : int(offsets[-1])]
