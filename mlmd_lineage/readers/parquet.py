"""Reads archives: folders of Parquet files, one for each of MLMD's tables, with a manifest."""

from __future__ import annotations

import datetime as dt
import functools
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.archive_files import (
    ArchiveFiles,
    FilesBelow,
    FolderFiles,
    files_at,
)
from mlmd_lineage.readers.archive_lookup import ArchiveLookup, among
from mlmd_lineage.readers.archive_manifest import Manifest, read_manifest
from mlmd_lineage.readers.bundle_manifest import lineage_bounds
from mlmd_lineage.readers.parquet_file import file_table, reading
from mlmd_lineage.readers.table_rows import TableRows
from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.table_building import finished, is_key, ordered
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables, wanted
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.stores.local_paths import ARCHIVE_FOLDER, BUNDLE_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlmd_lineage.readers.archive_files import Place
    from mlmd_lineage.readers.arrow_file import ArrowFile
    from mlmd_lineage.readers.base import Generation
    from mlmd_lineage.readers.bundle_manifest import Bounds
    from mlmd_lineage.stores import ArchiveMetadataStore, KubeflowArchiveMetadataStore
    from mlmd_lineage.stores.local_paths import LocalStore

    Where = Mapping[str, Collection[int | str]]

T = TypeVar("T")


class ArchiveReader:
    """Reads an archive; it keeps what it has read, as an archive does not change."""

    def __init__(
        self, store: ArchiveMetadataStore | KubeflowArchiveMetadataStore | LocalStore
    ) -> None:
        self._path = store.path
        self._url: str | None = getattr(store, "url", None)
        self._as_of: dt.datetime | None = getattr(store, "as_of", None)
        self._lock = threading.RLock()
        self.kept: dict[str, Any] = {}
        self._held: dict[str, pa.Table] = {}
        self._rows = TableRows(self.table)

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables."""
        manifest = self.manifest
        with self._lock:
            return Tables(
                {name: self.table(name) for name in wanted(tables)},
                schema_version=manifest.schema_version,
                source=manifest.source,
                taken_at=manifest.taken_at,
            )

    def ask(self, question: Callable[[ArchiveSession], T]) -> T:
        """Answer a question."""
        source = self.manifest.source
        with self._lock:
            return question(ArchiveSession(self, source))

    @functools.cached_property
    def files(self) -> ArchiveFiles:
        """The files of the archive: those of its folder, those in a bundle, or those at a URL."""
        if self._url is not None:
            from mlmd_lineage.readers.remote_archive_files import RemoteArchiveFiles

            return RemoteArchiveFiles(self._url)
        if not os.path.isfile(self._path) and not os.path.isfile(self._path / BUNDLE_MANIFEST):  # noqa: PTH113 - a folder that may not be read is no error yet
            return FolderFiles(self._path)
        return FilesBelow(files_at(self._path), ARCHIVE_FOLDER)

    @functools.cached_property
    def manifest(self) -> Manifest:
        """The manifest of the generation that is read: the newest, unless a moment was given."""
        newest = read_manifest(self.files)
        moment = self._as_of
        # A moment that is given is told to the millisecond.
        fitting = [
            found
            for found in newest.generations
            if moment is None or found.taken_at - moment < dt.timedelta(milliseconds=1)
        ]
        if fitting and not fitting[-1].sha256:
            return newest
        if moment is not None and not fitting:
            message = (
                f"{self.files.path} holds no generation of {moment.isoformat()} or before; its "
                f"oldest is of {newest.generations[0].taken_at.isoformat()}."
            )
            raise errors.NotFoundError(message)
        return read_manifest(self.files, fitting[-1].manifest, fitting[-1].sha256)

    def lineage_bounds(self) -> Bounds:
        """Return what bounds the lineage of a bundle; of an archive nothing does."""
        return self._bounds

    @functools.cached_property
    def _bounds(self) -> Bounds:
        files = self.files
        return lineage_bounds(files.outer) if isinstance(files, FilesBelow) else {}

    def generations(self) -> tuple[Generation, ...]:
        """Return the states of the store that the archive holds, oldest first."""
        return read_manifest(self.files).generations

    def table_notes(self) -> dict[str, list[notes.Note]]:
        """Return what was noted on each table, for which its rows are not read."""
        if self._lookup is None:  # of such an archive each file is read whole
            return {name: notes.notes_of(self.table(name)) for name in self.manifest.tables}
        found = {}
        for name in self.manifest.tables:
            with reading(self.files.path / f"{name}.parquet"):
                found[name] = notes.notes_of(self._lookup.schema(name).empty_table())
        return found

    @functools.cached_property
    def _lookup(self) -> ArchiveLookup | None:
        """What finds single rows; None where the archive has no indexes."""
        manifest = self.manifest
        return ArchiveLookup(self.files, manifest) if manifest.checksums else None

    def table(self, name: str) -> pa.Table:
        """Return a table as its schema says.

        Raises:
            DamagedStoreError: Its file is not what the manifest describes, or would need far more
                memory than a file of its size can hold rows.
        """
        deadline.check()
        if name not in self._held:
            files = self.manifest.tables.get(name, ())
            parts = [self._read_file(name, file) for file in files]
            if not parts:
                message = f"{self.files.path} is an archive without {name}. Restore it from a copy."
                raise errors.DamagedStoreError(message)
            with reading(self.files.path / files[0]):
                whole = pa.concat_tables(parts).replace_schema_metadata(parts[0].schema.metadata)
                self._held[name] = as_schema(name, whole)
        return self._held[name]

    def _read_file(self, table: str, file: str) -> pa.Table:
        """Return the rows of one file of a table."""
        described = self.manifest.files.get(file)
        return file_table(self.files, file, table, described, is_remote=self.is_remote)

    def rows(self, name: str, where: Where) -> pa.Table:
        """Return the rows of a table that have some values in some columns, in their order."""
        if not where:
            return self.table(name)
        if name not in self._held and self._lookup is not None:
            with reading(self.files.path / f"{name}.parquet"):
                return self._as_schema(name, self._lookup.rows(name, where))
        return self._rows.rows(name, where)

    def columns(self, name: str, columns: Collection[str]) -> pa.Table:
        """Return some columns of a table."""
        wanted_columns = [column for column in SCHEMAS[name].names if column in columns]
        if name not in self._held and self._lookup is not None:
            with reading(self.files.path / f"{name}.parquet"):
                return self._lookup.columns(name, wanted_columns)
        return self.table(name).select(wanted_columns)

    def rows_with(self, table: str, where: Where) -> pa.Table:
        """Return the rows that have some values in some columns, with their schema's types."""
        with self._lock:
            found = self.rows(table, where)
            with reading(self.files.path / f"{table}.parquet"):
                return _typed(table, found).combine_chunks()

    def rows_at(self, table: str, rows: arrays.Numbers) -> pa.Table:
        """Return some rows of a table by their numbers, which may be in any order."""
        with self._lock:
            if table in self._held or self._lookup is None:
                return self.table(table).take(arrays.from_numpy(rows))
            with reading(self.files.path / f"{table}.parquet"):
                order = np.argsort(rows)
                found = self._as_schema(table, self._lookup.at(table, rows[order]))
                return found.take(arrays.from_numpy(np.argsort(order)))

    @property
    def is_remote(self) -> bool:
        """Whether the archive is read over a network."""
        return self._url is not None

    def stored_graph(self) -> dict[str, ArchiveGraphFile] | None:
        """Return the files of the graph's index; None where the archive does not hold them."""
        with self._lock:
            if self._lookup is None or not self.manifest.graph:
                return None
            found = {}
            for name, file in self.manifest.graph.items():
                path = self.files.path / file
                with reading(path):
                    found[name] = ArchiveGraphFile(path, self._lookup.graph(file), self._lock)
            return found

    @staticmethod
    def _as_schema(name: str, part: pa.Table) -> pa.Table:
        """Return rows as their schema has them; an archive of ours holds them so."""
        for field in SCHEMAS[name]:
            held = part.schema.field(field.name).type
            plain = held.value_type if pa.types.is_dictionary(held) else held
            kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
            key = is_key(name, field.name)
            if plain != kind or (key and part[field.name].null_count):
                return as_schema(name, part)
        return part


class ArchiveGraphFile:
    """A file of the graph's index.

    Args:
        path: Where it is.
        file: The file.
        lock: Held while it is read, as the blocks that are kept belong to all files.
    """

    def __init__(self, path: Place, file: ArrowFile, lock: threading.RLock) -> None:
        self._path = path
        self._file = file
        self._lock = lock

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._file.schema

    def batch(self, number: int) -> pa.RecordBatch:
        """Return one of its record batches.

        Raises:
            DamagedStoreError: It is not what the archive's checksums say, or no such batch.
        """
        with self._lock, reading(self._path):
            found = self._file.batch(number)
            found.validate(full=True)
            return found

    def all(self) -> pa.Table:
        """Return all of its record batches.

        Raises:
            DamagedStoreError: They are not what the archive's checksums say.
        """
        with self._lock, reading(self._path):
            found = self._file.all()
            found.validate(full=True)
            return found


class ArchiveSession:
    """Answers single questions from an archive.

    Attributes:
        holds_imported: Whether it is known that nodes were imported, whatever they are called.
    """

    holds_imported = False

    def __init__(self, reader: ArchiveReader, source: str) -> None:
        self._reader = reader
        self.source = source

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows."""
        return list(rows_of(self._reader.rows(table, where)))

    def page(  # noqa: PLR0913 - each stands alone
        self,
        table: str,
        column: str,
        *,
        after: tuple[int, int] | None,
        descending: bool,
        limit: int,
        where: Mapping[str, Collection[int]],
    ) -> list[tuple[Any, ...]]:
        """Return the first nodes of a kind by a number and then by their ids, as SQL does."""
        numbers = self._reader.columns(table, {"id", column, *where})
        kept = np.ones(numbers.num_rows, bool)
        for name, wanted_values in where.items():
            kept &= among(numbers[name], wanted_values)
        ids = arrays.to_numpy(numbers["id"])
        missing = ~arrays.to_numpy(numbers[column].is_valid()) & kept
        values = ids if missing.any() else arrays.to_numpy(numbers[column])
        if after is not None:
            value, last = after[0] if values is not ids else after[1], after[1]
            same = (values == value) & ((ids < last) if descending else (ids > last))
            kept &= same | ((values < value) if descending else (values > value))
        rows = np.flatnonzero(kept)
        order = np.lexsort((ids[rows], values[rows]))
        first = order[::-1][:limit] if descending else order[:limit]
        return list(rows_of(self._reader.rows_at(table, rows[first])))


def as_schema(name: str, table: pa.Table) -> pa.Table:
    """Return a table with its schema's types, names as dictionaries, and the notes on it."""
    found = notes.notes_of(table)
    made = _typed(name, table)
    for field in SCHEMAS[name]:
        if is_key(name, field.name) and made[field.name].null_count:
            names, whole = made.column_names, made.combine_chunks()
            parts = [
                finished(name, dict(zip(names, part.columns, strict=True)), part.num_rows)
                for part in whole.to_batches()
            ]
            made = notes.joined(parts)
            break
    return ordered(name, notes.noted(made, found))


def _typed(name: str, table: pa.Table) -> pa.Table:
    """Return a table with its schema's types."""
    columns = {}
    for field in SCHEMAS[name]:
        column = table[field.name]
        if not pa.types.is_dictionary(field.type):
            column = arrays.decoded(column)
        elif not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        columns[field.name] = column if column.type == field.type else column.cast(field.type)
    return pa.table(columns, schema=SCHEMAS[name])
