"""Conversions between Arrow, numpy and Python's own values, without pandas.

Arrow's ``pa.array()``, ``pa.scalar()``, ``to_numpy()``, ``empty_table()`` and plain values among
the arguments of ``pyarrow.compute`` import pandas to see whether they are given some of it. That
takes longer than most questions do, so whatever reads a store or walks a graph comes here instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeAlias

    Numbers: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


class _Compute:
    """``pyarrow.compute``, imported when a function of it is first used.

    Its import takes as long as many an answer, and small answers use none.
    """

    def __getattr__(self, name: str) -> Any:
        import pyarrow.compute

        found = self.__dict__[name] = getattr(pyarrow.compute, name)
        return found


pc = _Compute()

_FEW_TEXTS = 1024
"""Of how many texts the import of ``pyarrow.compute`` would take longer than they do."""
_BYTES = 8
_FEWEST = 1024
"""Fewer numbers take so little memory that they are not looked at."""
_FEW_BYTES = 1024
"""How long names may be on average for Arrow to estimate the size of many."""


def to_numpy(column: pa.Array | pa.ChunkedArray, null: float = 0) -> Numbers:
    """Return a column of numbers or truth values.

    >>> to_numpy(from_numpy(np.array([5, 6])))
    array([5, 6])

    Args:
        column: The column; it is not copied where it is one piece of numbers without a null.
        null: What stands for null.
    """
    if isinstance(column, pa.Array):
        return _plain(column, null)
    dtype = dtype_of(column.type)
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if len(chunks) == 1:
        return _plain(chunks[0], null)
    made = np.empty(len(column), dtype)
    start = 0
    for chunk in chunks:
        made[start : start + len(chunk)] = _plain(chunk, null)
        start += len(chunk)
    return made


def from_numpy(values: Numbers, null: Flags | None = None) -> pa.Array:
    """Return numbers or truth values as an Arrow array.

    Args:
        values: One for each row; they are not copied.
        null: Which of them are null, if any.
    """
    if values.dtype == bool:
        kind, data = pa.bool_(), _bits(values)
    else:
        kind, data = pa.from_numpy_dtype(values.dtype), pa.py_buffer(np.ascontiguousarray(values))
    valid = _bits(~null) if null is not None and null.any() else None
    return pa.Array.from_buffers(kind, len(values), [valid, data])


def from_values(values: Collection[Any], kind: pa.DataType) -> pa.Array:
    """Return Python's own values, with None for null, as an Arrow array of a type.

    Raises:
        TypeError, ValueError, OverflowError: One of them is no such value.
    """
    null = np.fromiter((value is None for value in values), bool, len(values))
    if pa.types.is_null(kind) or null.all():
        return pa.nulls(len(values), kind)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _from_bytes([value or b"" for value in values], kind, null)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _from_bytes([(value or "").encode() for value in values], kind, null)
    plain = [0 if value is None else value for value in values]
    return from_numpy(np.fromiter(plain, dtype_of(kind), len(plain)), null)


def nulls(length: int, kind: pa.DataType) -> pa.Array:
    """Return an array of nulls.

    All such arrays share one buffer of zeros, where Arrow's own have one each: of the columns of
    values in MLMD's tables of properties, most hold nothing.
    """
    if pa.types.is_dictionary(kind):
        return pa.nulls(length, kind)
    valid = _zeros.of((length + 7) // 8)
    if _has_offsets(kind):
        size = 8 if _is_large(kind) else 4
        buffers = [valid, _zeros.of(size * (length + 1)), pa.py_buffer(b"")]
    else:
        buffers = [valid, _zeros.of((length * kind.bit_width + 7) // 8)]
    return pa.Array.from_buffers(kind, length, buffers, null_count=length)


class _Zeros:
    """A buffer of zeros, which grows."""

    def __init__(self) -> None:
        self._buffer = pa.py_buffer(b"")

    def of(self, size: int) -> pa.Buffer:
        """Return a buffer of so many bytes; when it is pickled, no others are."""
        buffer = self._buffer
        if buffer.size < size:
            buffer = self._buffer = pa.py_buffer(bytes(size))
        return buffer.slice(0, size)


_zeros = _Zeros()


class SharedBuffers:
    """Numbers that stand in many columns of some tables, and are held in memory once.

    Ids count without a gap where nobody deleted anything, so that the rows of several tables have
    the same ones; the states of nodes are the same in very many rows. Threads may share them.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, bool], pa.Buffer] = {}

    def shared(self, column: pa.Array) -> pa.Array | None:
        """Return a column of integers whose numbers are held already; None where they are not."""
        key = _counting(column)
        known = self._held.get(key) if key is not None else None
        size = len(column) * _BYTES
        if known is None or known.size < size:
            return None
        return pa.Array.from_buffers(column.type, len(column), [None, known.slice(0, size)])

    def keep(self, column: pa.Array) -> None:
        """Let columns that come later share the numbers of this one, which are not copied."""
        key = _counting(column)
        if key is None:
            return
        known, size = self._held.get(key), len(column) * _BYTES
        if known is None or known.size < size:
            self._held[key] = column.buffers()[1].slice(column.offset * _BYTES, size)


def _counting(column: pa.Array) -> tuple[int, bool] | None:
    """Return what tells all numbers of a column: the first, and whether they count up from there.

    None where they neither do so nor are all the same.
    """
    if column.type != pa.int64() or column.null_count or len(column) < _FEWEST:
        return None
    numbers = to_numpy(column)
    first, last = int(numbers[0]), int(numbers[-1])
    step = 0 if first == last else 1
    if last - first != step * (len(numbers) - 1) or (np.diff(numbers) != step).any():
        return None
    return first, bool(step)


def in_one_buffer(integers: pa.Array, doubles: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return integers and doubles of 64 bits that share a buffer, as no row has both.

    Where a row does, they are returned as they are.
    """
    if not 0 < integers.null_count < len(integers) or not 0 < doubles.null_count < len(doubles):
        return integers, doubles
    is_integer, is_double = to_numpy(integers.is_valid()), to_numpy(doubles.is_valid())
    if (is_integer & is_double).any():
        return integers, doubles
    values = to_numpy(doubles).view(np.int64)
    values[is_integer] = to_numpy(integers)[is_integer]
    data = pa.py_buffer(values)
    return (
        pa.Array.from_buffers(integers.type, len(values), [_bits(is_integer), data]),
        pa.Array.from_buffers(doubles.type, len(values), [_bits(is_double), data]),
    )


def spread(values: pa.Array, places: Numbers, length: int) -> pa.Array:
    """Return an array with values in some places, in ascending order, and null elsewhere.

    >>> spread(from_numpy(np.array([5, 6])), np.array([0, 2]), 3).to_pylist()
    [5, None, 6]

    Arrow's ``take()`` would reserve memory for texts as if those of all places were as long.
    """
    null = np.ones(length, bool)
    null[places] = values.null_count > 0 and ~to_numpy(values.is_valid())
    kind = values.type
    if not _has_offsets(kind):
        made = np.zeros(length, dtype_of(kind))
        made[places] = to_numpy(values)
        return from_numpy(made, null)
    size = np.int64 if _is_large(kind) else np.int32
    _, starts, data = values.buffers()
    lengths = np.zeros(length, np.int64)
    first = 0
    if starts is not None and len(values):
        offsets = np.frombuffer(starts, size)[values.offset : values.offset + len(values) + 1]
        first = int(offsets[0])
        lengths[places] = np.diff(offsets)
    made_offsets = np.full(length + 1, first, np.int64)
    made_offsets[1:] += np.cumsum(lengths)
    buffers = [_bits(~null), pa.py_buffer(made_offsets.astype(size)), data or pa.py_buffer(b"")]
    return pa.Array.from_buffers(kind, length, buffers)


def decoded(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the texts of a column of names, which is a dictionary array.

    Arrow's ``cast()`` would reserve memory for them as if all names stood in equally many rows.
    """
    if not pa.types.is_dictionary(column.type):
        return column
    if isinstance(column, pa.ChunkedArray):
        kind = column.type.value_type
        return pa.chunked_array([decoded(chunk) for chunk in column.chunks], kind)
    names = column.dictionary
    starts = _offsets(names)
    needed = int(starts[-1]) - int(starts[0])
    if len(column) > _FEW_TEXTS and needed <= _FEW_BYTES * max(len(names), 1):
        return column.cast(names.type)
    texts = names.to_pylist()
    return from_values(
        [None if at is None else texts[at] for at in column.indices.to_pylist()], names.type
    )


def longest(texts: pa.Array) -> int:
    """Return how many bytes the longest of some texts has.

    >>> longest(from_values(["a", None, "abc"], pa.string()))
    3
    """
    starts = _offsets(texts)
    return int(np.diff(starts).max(initial=0))


def with_one_dictionary(tables: list[pa.Table]) -> list[pa.Table]:
    """Return tables of one schema whose dictionary columns share one dictionary each.

    Nobody else may use the tables: their numbers of texts are changed where they lie, where Arrow's
    ``unify_dictionaries()`` makes new ones of all tables before it lets go of the old.
    """
    if not tables:
        return []
    places = [at for at, field in enumerate(tables[0].schema) if pa.types.is_dictionary(field.type)]
    found: dict[int, dict[str, int]] = {at: {} for at in places}
    for table in tables:
        for at in places:
            for chunk in table.column(at).chunks:
                for text in chunk.dictionary.to_pylist():
                    found[at].setdefault(text, len(found[at]))
    kinds = {at: tables[0].schema.field(at).type for at in places}
    texts = {at: from_values(list(known), kinds[at].value_type) for at, known in found.items()}
    made = []
    tables.reverse()
    while tables:
        table = tables.pop()
        for at in places:
            chunks = [_renumbered(c, found[at], texts[at]) for c in table.column(at).chunks]
            table = table.set_column(at, table.field(at), pa.chunked_array(chunks, kinds[at]))
        made.append(table)
    return made


def _renumbered(names: pa.Array, known: dict[str, int], texts: pa.Array) -> pa.Array:
    """Return an array of a dictionary with another one that has all of its texts."""
    own = names.dictionary.to_pylist()
    numbers = [known[text] for text in own]
    indices = names.indices
    if numbers != list(range(len(numbers))):
        new = np.array(numbers, dtype_of(indices.type))
        data = indices.buffers()[1]
        if data is not None and data.is_mutable and not indices.null_count:
            held = np.frombuffer(data, new.dtype)[indices.offset : indices.offset + len(indices)]
            held[:] = new[held]
        else:
            null = ~to_numpy(indices.is_valid()) if indices.null_count else None
            indices = from_numpy(new[to_numpy(indices)], null)
    return pa.DictionaryArray.from_arrays(indices, texts)


def scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return a plain value as ``pyarrow.compute`` takes it beside a column."""
    return from_values([value], kind)[0]


def empty_table(schema: pa.Schema) -> pa.Table:
    """Return a table without rows."""
    return pa.table([pa.nulls(0, field.type) for field in schema], schema=schema)


def dtype_of(kind: pa.DataType) -> np.dtype[Any]:
    """Return how numpy spells the numbers or truth values of an Arrow type.

    Raises:
        TypeError: It has none.
    """
    if pa.types.is_boolean(kind):
        return np.dtype(bool)
    if pa.types.is_integer(kind):
        unsigned = "u" if pa.types.is_unsigned_integer(kind) else ""
        return np.dtype(f"{unsigned}int{kind.bit_width}")
    if pa.types.is_floating(kind):
        return np.dtype(f"float{kind.bit_width}")
    message = f"{kind} is neither a number nor a truth value"
    raise TypeError(message)


def _plain(column: pa.Array, null: float) -> Numbers:
    dtype = dtype_of(column.type)
    data = column.buffers()[1]
    if data is None:  # nothing but nulls, or no rows
        return np.full(len(column), null, dtype)
    values: Numbers
    if pa.types.is_boolean(column.type):
        values = _flags(data, column.offset, len(column))
    else:
        values = np.frombuffer(data, dtype, len(column), column.offset * dtype.itemsize)
    if column.null_count:
        valid = _flags(column.buffers()[0], column.offset, len(column))
        values = np.where(valid, values, np.array(null, dtype))
    return values


def _flags(bits: pa.Buffer, offset: int, length: int) -> Flags:
    first = offset // 8
    part = np.frombuffer(bits, np.uint8)[first : (offset + length + 7) // 8]
    return np.unpackbits(part, bitorder="little")[offset - 8 * first :][:length].view(bool)


def _bits(flags: Flags) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _offsets(texts: pa.Array) -> Numbers:
    """Return where each of some texts begins among their bytes, and where the last one ends."""
    starts = texts.buffers()[1]
    if starts is None:
        return np.zeros(1, np.int64)
    size = np.int64 if _is_large(texts.type) else np.int32
    return np.frombuffer(starts, size)[texts.offset : texts.offset + len(texts) + 1]


def _has_offsets(kind: pa.DataType) -> bool:
    return _is_large(kind) or bool(pa.types.is_binary(kind) or pa.types.is_string(kind))


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_binary(kind) or pa.types.is_large_string(kind))


def _from_bytes(values: list[bytes], kind: pa.DataType, null: Flags) -> pa.Array:
    large = _is_large(kind)
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if not large and offsets[-1] >= 2**31:
        message = "texts of more than 2 GiB in one column"
        raise ValueError(message)
    valid = _bits(~null) if null.any() else None
    starts = pa.py_buffer(offsets if large else offsets.astype(np.int32))
    return pa.Array.from_buffers(kind, len(values), [valid, starts, pa.py_buffer(b"".join(values))])
