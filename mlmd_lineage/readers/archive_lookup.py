"""Finds single rows of an archive by its indexes, and reads no more than them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_blocks import BlockFile, BoundedCache
from mlmd_lineage.readers.archive_rows import LazyRowGroups, RowGroups, TableParts
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.archive_layout import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    INDEXES,
    ROW,
    is_sorted_by,
    text_key,
)
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.readers.archive_files import ArchiveFiles
    from mlmd_lineage.readers.archive_manifest import FileDescription, Manifest
    from mlmd_lineage.snapshot.archive_layout import TableIndex

_MOST_CHECKSUMS = 1 << 28
_KEPT_BLOCKS = 4 << 20
_KEPT_BLOCKS_OF_SERVERS = 32 << 20
_KEPT_GROUPS = 16 << 20
_FEW = 16


class ArchiveLookup:
    """The rows of an archive with indexes."""

    def __init__(self, files: ArchiveFiles, manifest: Manifest) -> None:
        self._files = files
        self._manifest = manifest
        self._digests: bytes | None = None
        self._blocks: BoundedCache[bytes] = BoundedCache(
            _KEPT_BLOCKS_OF_SERVERS if files.is_remote else _KEPT_BLOCKS
        )
        self._groups: BoundedCache[pa.Table] = BoundedCache(_KEPT_GROUPS)
        self._parts: dict[str, LazyRowGroups] = {}
        self._tables: dict[str, TableParts] = {}

    def rows(self, table: str, where: Mapping[str, Collection[int | str]]) -> pa.Table:
        """Return the rows of a table that have some values in some columns, in their order."""
        by_order = next((column for column in where if is_sorted_by(table, column)), None)
        index = next((INDEXES[table, c] for c in where if (table, c) in INDEXES), None)
        if by_order is not None:
            found = self._table(table).with_values(by_order, _numbers(where[by_order]))
        elif index is not None:
            found = self._table(table).at(self._indexed_rows(index, where))
        else:
            columns = self.columns(table, list(where))
            kept = np.ones(columns.num_rows, bool)
            for column, values in where.items():
                kept &= among(columns[column], values)
            return self._table(table).at(np.flatnonzero(kept))
        for column, values in where.items():
            if column != by_order:
                found = found.filter(arrays.from_numpy(among(found[column], values)))
        return found

    def columns(self, table: str, columns: list[str]) -> pa.Table:
        """Return some columns of a table."""
        return self._table(table).columns(columns)

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table as its first file has them, with what is noted there."""
        return self._table(table).schema

    def graph(self, name: str) -> pa.ipc.RecordBatchFileReader:
        """Return a file of the graph's index."""
        # Arrow's threads would each have to wait for Python to read a file of ours.
        options = pa.ipc.IpcReadOptions(use_threads=False)
        return pa.ipc.open_file(self._block_file(name), options=options)

    def whole_graph(self, name: str) -> pa.ipc.RecordBatchFileReader:
        """Return a file of the graph's index, all of which was read."""
        file = self._block_file(name)
        file.prefetch([(0, file.size())])
        return pa.ipc.open_file(pa.py_buffer(file.read()))

    def at(self, table: str, rows: arrays.Numbers) -> pa.Table:
        """Return rows of a table by their numbers, which are in order."""
        return self._table(table).at(rows)

    def _indexed_rows(
        self, index: TableIndex, where: Mapping[str, Collection[int | str]]
    ) -> arrays.Numbers:
        """Return the numbers of the rows that an index finds, in order."""
        values = where[index.column]
        if index.is_of_text:
            values = {text_key(str(v).encode("utf-8", "surrogatepass")) for v in values}
        keys = _numbers(values)
        found = []
        parts = self._manifest.tables[index.table]
        for part, start in zip(parts, self._table(index.table).starts, strict=True):
            file = self._part(index.file(part), index.schema)
            entries = file.with_values(index.column, keys)
            if index.beside is not None and index.beside in where:
                kept = among(entries[index.beside], where[index.beside])
                entries = entries.filter(arrays.from_numpy(kept))
            found.append(np.unique(arrays.to_numpy(entries[ROW])) + start)
        return np.concatenate(found)

    def _table(self, table: str) -> TableParts:
        if table not in self._tables:
            parts = [self._part(file, SCHEMAS[table]) for file in self._manifest.tables[table]]
            self._tables[table] = TableParts(parts)
        return self._tables[table]

    def _part(self, name: str, schema: pa.Schema) -> LazyRowGroups:
        """Return a file of rows, which is opened when it is needed."""
        if name not in self._parts:
            described = self._described(name)

            def opened() -> RowGroups:
                where = str(self._files.path / name)
                file = self._block_file(name)
                return RowGroups(
                    where, file, schema, described.rows, self._groups, keys=described.keys
                )

            self._parts[name] = LazyRowGroups(schema, described.rows, described.keys, opened)
        return self._parts[name]

    def _described(self, name: str) -> FileDescription:
        described = self._manifest.files.get(name)
        if described is None:
            message = f"{self._files.path} is an archive without {name}. Restore it from a copy."
            raise errors.DamagedStoreError(message)
        return described

    def _block_file(self, name: str) -> BlockFile:
        described = self._described(name)
        count = -(-described.size // BLOCK_BYTES)
        start = described.checksums
        digests = self._checksums()[start : start + count * DIGEST_BYTES]
        return BlockFile(self._files, name, described.size, digests, self._blocks)

    def _checksums(self) -> bytes:
        """Return the SHA-256 of all blocks."""
        if self._digests is None:
            name = self._manifest.checksums
            assert name is not None
            described = self._manifest.files[name]
            raw = self._files.read(name, _MOST_CHECKSUMS)
            if hashlib.sha256(raw).hexdigest() != described.sha256:
                message = (
                    f"{self._files.path / name} is not the file that its manifest describes: "
                    "it was changed or damaged. Restore the archive from a copy."
                )
                raise errors.DamagedStoreError(message)
            self._digests = raw
        return self._digests


def among(column: pa.ChunkedArray, values: Collection[int | str]) -> arrays.Flags:
    """Return which cells of a column have one of some values."""
    kept = set(values)
    if pa.types.is_integer(column.type):
        numbers, found = arrays.to_numpy(column), _numbers(kept)
        if len(found) > _FEW:
            inside = np.isin(numbers, found)
        else:
            inside = np.zeros(len(numbers), bool)
            for number in found.tolist():
                inside |= numbers == number
        return inside & arrays.to_numpy(column.is_valid()) if column.null_count else inside
    parts = [np.empty(0, bool)]
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            # The last one is for null.
            named = np.array([*(v in kept for v in chunk.dictionary.to_pylist()), False], bool)
            parts.append(named[arrays.to_numpy(chunk.indices, -1)])
        else:
            # The values are few, and may be texts or numbers.
            parts.append(np.array([value in kept for value in chunk.to_pylist()], bool))
    return np.concatenate(parts)


def _numbers(values: Collection[int | str]) -> arrays.Numbers:
    """Return numbers in order and each once; a column has none beyond 64 bits."""
    fitting = {v for v in values if not isinstance(v, str) and -(2**63) <= v < 2**63}
    return np.array(sorted(fitting), np.int64)
