"""Writes the files of an archive with indexes, and leaves out those that are there already."""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage import deadline, memory, parallel_tasks
from mlmd_lineage.snapshot import archive_indexes, archive_reuse, arrays
from mlmd_lineage.snapshot.archive_layout import (
    BLOCK_BYTES,
    CHECKSUMS,
    GRAPH_BUILDER,
    GRAPH_SUFFIX,
    INDEXED,
    INDEXES,
    SUFFIX,
    encodings,
    group_rows,
    part_name,
    plausible_rows,
)
from mlmd_lineage.snapshot.table_building import canonical_order
from mlmd_lineage.snapshot.tables import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mlmd_lineage.snapshot.tables import Tables

_MANY = 1 << 19
"""After how many rows the memory is given back that writing them took."""
_LEVEL = 3
"""The level of Zstandard's own default; Arrow's is 1."""
_LZ4_LEVEL = 9
"""A level that takes longer to write, and no longer to read."""
_DIGITS = 12
"""How many digits of its SHA-256 the name of a later generation's file has."""


class Previous(NamedTuple):
    """The generation before the one that is written."""

    tables: Mapping[str, list[str]]
    """The files of each table."""
    files: Mapping[str, dict[str, Any]]
    folder: Path
    is_current: bool
    """Whether it is of the present format; otherwise none of its files are kept."""

    @classmethod
    def of(cls, folder: Path, manifest: Mapping[str, Any]) -> Previous:
        """Return the generation that a manifest describes.

        Raises:
            KeyError, TypeError, ValueError: The manifest lacks what it should have.
        """
        files = dict(manifest["files"])
        for file, described in files.items():
            first, last = described.get("keys", (0, 0))
            is_number = all(isinstance(n, int) for n in (described["rows"], first, last))
            if not is_number or "/" in file or os.sep in file:
                message = "no description of a file"
                raise ValueError(message)
        tables = {table: list(manifest["tables"][table]) for table in ALL_TABLES}
        if not files.keys() >= {file for named in tables.values() for file in named}:
            message = "a table has a file that is not described"
            raise ValueError(message)
        return cls(tables, files, folder, manifest["format_version"] == INDEXED)

    def files_of(self, table: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the files of a table that may be kept, and what the manifest says of them."""
        found = [(name, self.files[name]) for name in self.tables[table]]
        return [(n, described) for n, described in found if self.is_current and "keys" in described]


class ArchiveWriter:
    """Writes tables, their indexes and the graph's index into a folder.

    The files do not depend on one another, and are written two at a time.

    Attributes:
        tables: The files of each table.
        graph: The files of the graph's index.
        files: What the manifest says of each file.
        is_new: Whether a file of a table or its index had to be written.
    """

    def __init__(self, folder: Path, previous: Previous | None = None) -> None:
        self.tables: dict[str, list[str]] = {}
        self.graph: dict[str, str] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.is_new = previous is None
        self._folder = folder
        self._previous = previous
        self._checksums: dict[str, bytes] = {}

    def write(self, tables: Tables) -> None:
        """Write all files but the manifest; no graph where the tables are as they were."""
        tasks = {name: self._tasks(name, tables[name]) for name in ALL_TABLES}
        # What takes the longest begins first, and beside it those that need the least memory.
        graph: Callable[[], _Files] = functools.partial(self._files().write_graph, tables)
        first = [graph] if self._previous is None else []
        order = sorted(ALL_TABLES, key=lambda name: any(name == table for table, _ in INDEXES))
        done = parallel_tasks.results_of(
            [*first, *(task for name in order for task in tasks[name])]
        )
        whole = done.pop(0) if first else None
        parts = {name: [done.pop(0) for _ in tasks[name]] for name in order}
        for name in ALL_TABLES:
            self.tables[name] = [file for part in parts[name] for file in part.names.values()]
            for part in parts[name]:
                self._take(part)
        if self._previous is not None:
            self.is_new |= self.tables != self._previous.tables
        if self.is_new:
            whole = whole or graph()
            self._take(whole)
            self.graph = whole.names

    def write_checksums(self) -> str:
        """Write the checksums of all blocks, and return the name of their file."""
        content = b"".join(self._checksums[name] for name in sorted(self._checksums))
        digest = hashlib.sha256(content).hexdigest()
        name = (
            f"{CHECKSUMS}.bin" if self._previous is None else f"{CHECKSUMS}.{digest[:_DIGITS]}.bin"
        )
        path = self._folder / name
        path.write_bytes(content)
        self.files[name] = {"rows": 0, **kept(path)[0]}
        return name

    def _tasks(self, name: str, table: pa.Table) -> list[Callable[[], _Files]]:
        """Return what writes each file of a table."""
        files = self._previous.files_of(name) if self._previous is not None else []
        return [
            functools.partial(self._files().write_part, name, number, table, bounds)
            for number, bounds in enumerate(archive_reuse.parts(table.column(0), files))
        ]

    def _files(self) -> _Files:
        return _Files(self._folder, self._previous)

    def _take(self, written: _Files) -> None:
        self.files |= written.files
        self._checksums |= written.checksums
        self.is_new |= written.is_new


class _Files:
    """Some files of an archive, which one thread writes.

    Attributes:
        names: The files by what they hold, those of indexes left out.
        files, is_new: As of ``ArchiveWriter``.
        checksums: Those of each file's blocks.
    """

    def __init__(self, folder: Path, previous: Previous | None) -> None:
        self.names: dict[str, str] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.checksums: dict[str, bytes] = {}
        self.is_new = False
        self._folder = folder
        self._previous = previous

    def write_graph(self, tables: Tables) -> _Files:
        """Write the graph's index."""
        module, _, builder = GRAPH_BUILDER.partition(":")
        graph = getattr(importlib.import_module(module), builder)(tables)
        for name, (schema, batches) in graph.items():
            file = f"{name}{GRAPH_SUFFIX}"
            rows = write_batches(schema, batches, self._folder / file)
            self._describe(file, rows)
            self.names[name] = self._named(name, file)
        return self

    def write_part(
        self, name: str, number: int, table: pa.Table, bounds: archive_reuse.FileRows
    ) -> _Files:
        """Write a file of a table, and its indexes."""
        known = self._previous.files if self._previous is not None else {}
        part = table.slice(bounds.start, bounds.end - bounds.start)
        if number:  # the notes on a table are in its first file
            part = part.replace_schema_metadata()
        # Rows are ordered by their owners, so that those of a file are among themselves.
        order = canonical_order(name, part)
        file = self._kept(bounds.file, part, order)
        if file is None:
            file = self._add(part_name(name, number), part, order)
        self.names[name] = file
        self.is_new |= file not in known
        for index in INDEXES.values():
            if index.table == name and not self._keep(index.file(file)):
                self._write_file(index.file(file), archive_indexes.build(index, part), None)
                self.is_new = True
        if part.num_rows > _MANY:
            memory.release()
        return self

    def _kept(self, file: str | None, table: pa.Table, order: arrays.Numbers | None) -> str | None:
        """Take up a file of the generation before if it holds some rows, and return its name."""
        if file is None or self._previous is None:
            return None
        if self._previous.files[file]["rows"] != table.num_rows:
            return None
        if not archive_reuse.holds(self._previous.folder / file, table, order):
            return None
        return file if self._keep(file) else None

    def _add(self, name: str, table: pa.Table, order: arrays.Numbers | None = None) -> str:
        """Write a file unless the generation before has it, and return its name."""
        file = f"{name}{SUFFIX}"
        self._write_file(file, table, order)
        return self._named(name, file)

    def _named(self, name: str, file: str) -> str:
        """Return the name of a file that was written, which is another's where that is equal."""
        if self._previous is None:
            return file
        described, checksums = self.files.pop(file), self.checksums.pop(file)
        known = [n for n, kept_then in self._previous.files.items() if kept_then == described]
        path = self._folder / file
        if known:
            if self._keep(known[0]):
                path.unlink()
            else:  # it was damaged, and gets the bytes back that its manifest says
                path.replace(self._folder / known[0])
                self.files[known[0]], self.checksums[known[0]] = described, checksums
                self.is_new = True
            return known[0]
        file = f"{name}.{described['sha256'][:_DIGITS]}{path.suffix}"
        path.replace(self._folder / file)
        self.files[file], self.checksums[file] = described, checksums
        return file

    def _keep(self, file: str) -> bool:
        """Take up a file of the generation before, if it is there as its manifest says."""
        if self._previous is None or file not in self._previous.files:
            return False
        try:
            found, checksums = digests_of(self._previous.folder / file)
        except OSError:
            return False
        described = self._previous.files[file]
        if any(described.get(name) != value for name, value in found.items()):
            return False
        self.files[file], self.checksums[file] = described, checksums
        return True

    def _write_file(self, file: str, table: pa.Table, order: arrays.Numbers | None) -> None:
        path = self._folder / file
        rows = table.num_rows if order is None else len(order)
        # Where all rows differ by the same, compressed differences take so little space that the
        # file would not be plausible.
        for compression, plain in (("zstd", False), ("none", False), ("zstd", True)):
            write_parquet(table, path, order, compression=compression, plain=plain)
            if rows <= plausible_rows(path.stat().st_size):
                break
        keys = table.column(0)
        if rows and pa.types.is_integer(keys.type):
            first, last = (0, -1) if order is None else order[[0, -1]].tolist()
            self._describe(file, rows, [keys[first].as_py(), keys[last].as_py()])
        else:
            self._describe(file, rows)

    def _describe(self, file: str, rows: int, keys: list[int] | None = None) -> None:
        """Take up what the manifest says of a file, and its checksums."""
        described, self.checksums[file] = kept(self._folder / file)
        first_and_last = {} if keys is None else {"keys": keys}
        self.files[file] = {"rows": rows, **first_and_last, **described}


def kept(path: Path) -> tuple[dict[str, Any], bytes]:
    """Have the disk keep a file; return what the manifest says of its bytes, and its checksums."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    return digests_of(path)


def digests_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what the manifest says of a file's bytes, and the checksums of its blocks."""
    whole, blocks, size = hashlib.sha256(), [], 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            deadline.check()
            whole.update(block)
            blocks.append(hashlib.sha256(block).digest())
            size += len(block)
    return {"bytes": size, "sha256": whole.hexdigest()}, b"".join(blocks)


def write_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write record batches as a file of Arrow's, of which single ones can be read.

    Returns:
        The number of rows.
    """
    rows = 0
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("lz4_frame", _LZ4_LEVEL))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as to:
        for batch in batches:
            deadline.check()
            to.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_parquet(
    table: pa.Table,
    path: Path,
    order: arrays.Numbers | None,
    *,
    compression: str = "zstd",
    plain: bool = False,
) -> None:
    """Write a table as a Parquet file of which single row groups can be read.

    Args:
        table: The table.
        path: The new file.
        order: Which of its rows are written, in their order; None for all in theirs.
        compression: What the pages are compressed with.
        plain: Write numbers as they are, not their differences.
    """
    count = table.num_rows if order is None else len(order)
    rows = group_rows(path.name, count)
    fields = [pa.field(field.name, _plain(field.type)) for field in table.schema]
    schema = pa.schema(fields, table.schema.metadata)
    with pq.ParquetWriter(
        path,
        schema,
        compression=compression,
        compression_level=_LEVEL if compression == "zstd" else None,
        # The row groups of indexes hold one page a column, of which their statistics say the same.
        write_page_index=".by_" not in path.name,
        **encodings(schema, plain=plain),
    ) as writer:
        for start in range(0, count, rows):
            deadline.check()
            part = table.slice(start, rows)
            if order is not None:
                part = table.take(arrays.from_numpy(order[start : start + rows]))
            columns = [arrays.decoded(column).combine_chunks() for column in part.columns]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=rows)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
