"""Rows of an archive's Parquet files, found without reading other row groups than theirs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.parquet_footer import check_columns
from mlmd_lineage.readers import archive_limits
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow.parquet as pq

    from mlmd_lineage.readers.archive_blocks import BlockFile, BoundedCache


_TOGETHER = 32
"""How many row groups of a file in object storage are read at once."""


class _Bounds(NamedTuple):
    """The least and the greatest value of a column in each row group that has rows."""

    groups: arrays.Numbers
    least: arrays.Numbers
    greatest: arrays.Numbers


class RowGroups:
    """The rows of one Parquet file, decoded by row groups.

    Args:
        where: How messages call the file.
        file: The file.
        schema: The columns that it has to have; texts may be dictionaries.
        rows: How many rows it has, by the manifest.
        cache: Keeps row groups that were decoded.
        keys: The first and the last number of its first column, by the manifest; None where it
            does not say them.

    Raises:
        pa.ArrowException, OSError: It is damaged.
        DamagedStoreError: It is not what the manifest says, or not plausible.
    """

    def __init__(  # noqa: PLR0913 - what a file is
        self,
        where: str,
        file: BlockFile,
        schema: pa.Schema,
        rows: int,
        cache: BoundedCache[pa.Table],
        *,
        keys: tuple[int, int] | None,
    ) -> None:
        self._where = where
        self._source = file
        self._bytes = file.size()
        texts = [field.name for field in schema if archive_limits.is_text(field.type)]
        self._file = archive_limits.opened(file, texts)
        self._names = schema.names
        archive_limits.check_rows(where, self._file.metadata.num_rows, rows, self._bytes)
        self._cache = cache
        check_columns(self._file, self._bytes)
        metadata = self._file.metadata
        self._groups_said = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        sizes = [group.num_rows for group in self._groups_said]
        self._starts = np.concatenate([[0], np.cumsum(np.array(sizes, np.int64))])
        if min(sizes, default=0) < 0 or self._starts[-1] != rows:
            self._refuse("its row groups do not have the rows that it says")
        self._columns = {metadata.schema.column(n).name: n for n in range(metadata.num_columns)}
        self._bounds: dict[str, _Bounds] = {}
        if keys is not None and rows:
            bounds = self._bounds_of(self._names[0])
            if (bounds.least[0], bounds.greatest[-1]) != keys:
                self._refuse("its rows are others than those that the manifest says")

    @property
    def schema(self) -> pa.Schema:
        """The columns of the file, with its metadata."""
        return self._file.schema_arrow

    def with_values(self, column: str, values: arrays.Numbers) -> pa.Table:
        """Return the rows whose column, by which they are ordered, has one of some numbers.

        Args:
            column: The column.
            values: The numbers, in order and each once.
        """
        bounds = self._bounds_of(column)
        first = bounds.greatest.searchsorted(values)
        end = bounds.least.searchsorted(values, side="right")
        touched = np.zeros(len(bounds.groups) + 1, np.int64)
        np.add.at(touched, first[first < end], 1)
        np.add.at(touched, end[first < end], -1)
        parts = []
        wanted_groups = np.flatnonzero(np.cumsum(touched[:-1])).tolist()
        numbers = bounds.groups[wanted_groups].tolist()
        for at, group in zip(wanted_groups, self._groups(numbers), strict=True):
            keys = arrays.to_numpy(group[column])
            if (
                (np.diff(keys) < 0).any()
                or group[column].null_count
                or keys[0] != bounds.least[at]
                or keys[-1] != bounds.greatest[at]
            ):
                self._refuse(f"its rows are not ordered by {column} as it says")
            low, high = values.searchsorted([keys[0], keys[-1] + 1])
            wanted = values[low:high]
            starts, ends = keys.searchsorted(wanted), keys.searchsorted(wanted, side="right")
            counts = ends - starts
            rows = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
            parts.append(group.take(arrays.from_numpy(rows)))
        return pa.concat_tables(parts) if parts else self.empty()

    def at(self, rows: arrays.Numbers) -> pa.Table:
        """Return rows by their numbers, which are in order."""
        if len(rows) and not 0 <= rows[0] <= rows[-1] < self._starts[-1]:
            self._refuse("an index names rows that it does not have")
        groups = self._starts.searchsorted(rows, side="right") - 1
        parts = []
        numbers = np.unique(groups).tolist()
        for number, group in zip(numbers, self._groups(numbers), strict=True):
            of_group = rows[groups == number] - self._starts[number]
            parts.append(group.take(arrays.from_numpy(of_group)))
        return pa.concat_tables(parts) if parts else self.empty()

    def columns(self, names: list[str]) -> pa.Table:
        """Return some columns of all rows."""
        table = self._file.read(columns=names)
        archive_limits.check_texts(self._where, table, self._bytes)
        return table

    def _groups(self, numbers: list[int]) -> Iterator[pa.Table]:
        """Yield row groups; those that are far away are read several at once."""
        for first in range(0, len(numbers), _TOGETHER):
            some = numbers[first : first + _TOGETHER]
            self._source.prefetch(
                [self._place(n) for n in some if self._cache.used((self._where, n)) is None]
            )
            yield from map(self.group, some)

    def _place(self, number: int) -> tuple[int, int]:
        """Return where a row group begins and ends in its file."""
        group = self._groups_said[number]
        columns = [group.column(n) for n in range(group.num_columns)]
        starts = [
            min(filter(None, (c.dictionary_page_offset, c.data_page_offset)), default=0)
            for c in columns
        ]
        ends = [
            start + column.total_compressed_size
            for start, column in zip(starts, columns, strict=True)
        ]
        return max(min(starts), 0), max(ends)

    def group(self, number: int) -> pa.Table:
        """Return a row group."""
        key = self._where, number
        kept = self._cache.used(key)
        if kept is not None:
            return kept
        table = self._file.read_row_group(number, self._with_values(number), use_threads=False)
        for at, name in enumerate(self._names):
            if name not in table.column_names:
                nulls = pa.nulls(table.num_rows, self._file.schema_arrow.field(name).type)
                table = table.add_column(at, name, nulls)
        if table.num_rows != self._starts[number + 1] - self._starts[number]:
            self._refuse("a row group does not have the rows that it says")
        table.validate(full=True)  # texts are UTF-8
        archive_limits.check_texts(self._where, table, self._bytes)
        return self._cache.keep(key, table, table.nbytes)

    def _with_values(self, number: int) -> list[str]:
        """Return the columns that are not null in all rows of a row group."""
        group = self._groups_said[number]
        found = []
        for name in self._names:
            statistics = self._statistics(group, self._columns[name])
            if (
                statistics is None
                or not statistics.has_null_count
                or statistics.null_count != group.num_rows
            ):
                found.append(name)
        return found or self._names[:1]

    def empty(self) -> pa.Table:
        """Return a table of its columns without rows."""
        schema = self._file.schema_arrow
        return arrays.empty_table(pa.schema([schema.field(name) for name in self._names]))

    def _bounds_of(self, column: str) -> _Bounds:
        if column not in self._bounds:
            at = self._columns[column]
            groups = np.flatnonzero(np.diff(self._starts)).tolist()
            least, greatest = [], []
            for number in groups:
                found = self._statistics(self._groups_said[number], at)
                first = found.min if found is not None and found.has_min_max else None
                if not isinstance(first, int):
                    self._refuse(f"it does not say the bounds of {column}")
                least.append(first)
                greatest.append(found.max)
            made = _Bounds(*(np.array(part, np.int64) for part in (groups, least, greatest)))
            if (made.least > made.greatest).any() or (made.greatest[:-1] > made.least[1:]).any():
                self._refuse(f"its row groups are not ordered by {column}")
            self._bounds[column] = made
        return self._bounds[column]

    def _statistics(self, group: pq.RowGroupMetaData, at: int) -> Any:
        """Return what a row group says of a column; None where it says nothing.

        Where its type is another than the schema's, the process would end: the driver raises in C++
        what nothing catches.
        """
        column = group.column(at)
        if column.physical_type != self._file.metadata.schema.column(at).physical_type:
            self._refuse("a column is of another type than it says")
        return column.statistics

    def _refuse(self, what: str) -> NoReturn:
        message = f"{self._where} is damaged: {what}. Restore the archive from a copy."
        raise errors.DamagedStoreError(message)


class LazyRowGroups:
    """A file of rows, which is opened when some of them may be asked for.

    Args:
        schema: Its columns; by the first of them its rows are ordered where ``keys`` are given.
        rows: How many rows it has.
        keys: The first and the last number of its first column; None where they are not known.
        opened: Opens it.
    """

    def __init__(
        self,
        schema: pa.Schema,
        rows: int,
        keys: tuple[int, int] | None,
        opened: Callable[[], RowGroups],
    ) -> None:
        self.rows = rows
        self._schema = schema
        self._keys = keys
        self._opened = opened

    @functools.cached_property
    def _file(self) -> RowGroups:
        return self._opened()

    def with_values(self, column: str, values: arrays.Numbers) -> pa.Table:
        """Return the rows whose column, by which they are ordered, has one of some numbers."""
        if self._keys is not None and column == self._schema.names[0]:
            first, last = self._keys
            values = values[values.searchsorted(first) : values.searchsorted(last, side="right")]
            if not len(values):
                return arrays.empty_table(self._schema)
        return self._file.with_values(column, values)

    def at(self, rows: arrays.Numbers) -> pa.Table:
        """Return rows by their numbers, which are in order."""
        return self._file.at(rows) if len(rows) else arrays.empty_table(self._schema)

    @property
    def schema(self) -> pa.Schema:
        """Its columns as the file has them, with what is noted there."""
        return self._file.schema

    def columns(self, names: list[str]) -> pa.Table:
        """Return some columns of all rows."""
        return self._file.columns(names)


class TableParts:
    """The rows of a table that is kept in one file or several."""

    def __init__(self, parts: list[LazyRowGroups]) -> None:
        self._parts = parts
        ends = np.cumsum([part.rows for part in parts])
        self.starts: list[int] = [0, *ends[:-1].tolist()]
        """The number of the first row of each file."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of the first file, with its metadata."""
        return self._parts[0].schema

    def with_values(self, column: str, values: arrays.Numbers) -> pa.Table:
        """Return the rows whose column, by which they are ordered, has one of some numbers."""
        return _joined([part.with_values(column, values) for part in self._parts])

    def at(self, rows: arrays.Numbers) -> pa.Table:
        """Return rows by their numbers, which are in order."""
        ends = [*rows.searchsorted(self.starts[1:]).tolist(), len(rows)]
        found, begin = [], 0
        for part, start, end in zip(self._parts, self.starts, ends, strict=True):
            found.append(part.at(rows[begin:end] - start))
            begin = end
        return _joined(found)

    def columns(self, names: list[str]) -> pa.Table:
        """Return some columns of all rows."""
        return pa.concat_tables([part.columns(names) for part in self._parts])


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Return tables as one; the types of those without rows may be other ones."""
    return pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
