"""Reads archives: folders of Parquet files, one for each of MLMD's tables, with a manifest."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.archive_files import ArchiveFiles, FilesBelow, FolderFiles, files_at
from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.archive import FORMAT, FORMAT_VERSION
from mlmd_lineage.snapshot.table_building import finished, is_key, ordered
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables, wanted
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.stores.archive import ARCHIVE_FOLDER, BUNDLE_MANIFEST, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from mlmd_lineage.stores import ArchiveMetadataStore, KubeflowArchiveMetadataStore

T = TypeVar("T")

# What an archive of this library never has; docs/snapshots.md names these limits.
_MOST_MANIFEST_BYTES = 1 << 20
_MOST_TABLE_BYTES = 1 << 38
_MOST_FOOTER_BYTES = 64 << 20
_MOST_FOOTER_ITEMS = 1 << 20
_FEW_ROWS = 100_000
_MOST_ROWS_PER_BYTE = 8
_FEW_BYTES = 64 << 20
_MOST_RATIO = 200
"""How many times as many bytes as a file has its texts may take in memory."""


class ArchiveReader:
    """Reads an archive; it keeps what it has read, as an archive does not change."""

    def __init__(self, store: ArchiveMetadataStore | KubeflowArchiveMetadataStore) -> None:
        self._path = store.path
        self._lock = threading.RLock()
        self._held: dict[str, pa.Table] = {}
        self._orders: dict[tuple[str, str], tuple[Any, Any]] = {}

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables."""
        manifest = self._manifest()
        with self._lock:
            return Tables(
                {name: self.table(name) for name in wanted(tables)},
                schema_version=manifest.schema_version,
                source=manifest.source,
                taken_at=manifest.taken_at,
            )

    def ask(self, question: Callable[[ArchiveSession], T]) -> T:
        """Answer a question."""
        source = self._manifest().source
        with self._lock:
            return question(ArchiveSession(self, source))

    @functools.cached_property
    def _files(self) -> ArchiveFiles:
        """The files of the archive: those of its folder, or those in a bundle."""
        if not os.path.isfile(self._path) and not os.path.isfile(self._path / BUNDLE_MANIFEST):  # noqa: PTH113 - a folder that may not be read is no error yet
            return FolderFiles(self._path)
        files = FilesBelow(files_at(self._path), ARCHIVE_FOLDER)
        self._path = files.path
        return files

    def _manifest(self) -> _Manifest:
        path = self._path / MANIFEST
        try:
            content = json.loads(self._files.read(MANIFEST, _MOST_MANIFEST_BYTES))
        except FileNotFoundError:
            message = f"{self._path} holds no {MANIFEST}; it is no archive of this library."
            raise errors.NotAMetadataStoreError(message) from None
        except PermissionError:
            message = f"{path} may not be read by this user."
            raise errors.StorePermissionError(message) from None
        except (OSError, ValueError, RecursionError):
            message = f"{path} cannot be read as JSON; restore the archive from a copy."
            raise errors.DamagedStoreError(message) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            message = f"{path} is not the manifest of an archive of this library."
            raise errors.NotAMetadataStoreError(message)
        if content.get("format_version") != FORMAT_VERSION:
            message = (
                f"{self._path} is an archive of format {_shown(content.get('format_version'))}; "
                f"this release reads format {FORMAT_VERSION}. Use a newer mlmd-lineage."
            )
            raise errors.UnsupportedSchemaError(message)
        try:
            return _Manifest(
                int(content["schema_version"]),
                str(content["source"]),
                dt.datetime.fromisoformat(content["taken_at"]),
                {
                    str(name): (int(file["rows"]), str(file["sha256"]))
                    for name, file in content["files"].items()
                },
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            message = f"{path} lacks what a manifest has; restore the archive from a copy."
            raise errors.DamagedStoreError(message) from None

    def table(self, name: str) -> pa.Table:
        """Return a table as its schema says.

        Raises:
            DamagedStoreError: Its file is not what the manifest describes, or would need far more
                memory than a file of its size can hold rows.
        """
        deadline.check()
        if name not in self._held:
            path = self._path / f"{name}.parquet"
            rows, digest = self._manifest().files.get(path.name, (0, ""))
            try:
                raw = self._files.read(path.name, _MOST_TABLE_BYTES)
                if hashlib.sha256(raw).hexdigest() != digest:
                    message = (
                        f"{path} is not the file that its manifest describes: it was changed or "
                        "damaged. Restore the archive from a copy."
                    )
                    raise errors.DamagedStoreError(message)
                self._held[name] = as_schema(name, _parquet_table(path, raw, name, rows))
            except FileNotFoundError:
                message = f"{path} is missing from the archive. Restore it from a copy."
                raise errors.DamagedStoreError(message) from None
            except PermissionError:
                message = f"{path} may not be read by this user."
                raise errors.StorePermissionError(message) from None
            except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
                if isinstance(error, errors.MLMDLineageError):
                    raise
                what = type(error).__name__
                message = f"{path} cannot be read ({what}). Restore the archive from a copy."
                raise errors.DamagedStoreError(message) from None
        return self._held[name]

    def order(self, name: str, column: str) -> tuple[Any, Any]:
        """Return a column's values in order, and the rows in which they stand."""
        if (name, column) not in self._orders:
            values = self.table(name)[column]
            rows = np.flatnonzero(arrays.to_numpy(values.is_valid()))
            values = values.drop_null()
            if pa.types.is_integer(values.type):
                keys = arrays.to_numpy(values)
            else:
                keys = np.array(values.cast(pa.string()).to_pylist(), object)
            by_key = np.argsort(keys, kind="stable")
            self._orders[name, column] = keys[by_key], rows[by_key]
        return self._orders[name, column]


class _Manifest(NamedTuple):
    schema_version: int
    source: str
    taken_at: dt.datetime
    files: Mapping[str, tuple[int, str]]
    """The number of rows and the SHA-256 of each file."""


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
        whole = self._reader.table(table)
        if not where:
            return list(rows_of(whole))
        first, *others = where
        keys, rows = self._reader.order(table, first)
        # A number beyond the column's own could not be compared, and no row has it.
        values = np.array(sorted(v for v in set(where[first]) if _fits(v)), keys.dtype)
        starts, ends = keys.searchsorted(values), keys.searchsorted(values, side="right")
        counts = ends - starts
        at = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        part = whole.take(arrays.from_numpy(np.sort(rows[at])))
        for column in others:
            # Not by pc.is_in: the values are few, and may be texts or numbers.
            kept = set(where[column])
            inside = [value in kept for value in part[column].to_pylist()]
            part = part.filter(arrays.from_values(inside, pa.bool_()))
        return list(rows_of(part))

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
        whole = self._reader.table(table)
        for name, values in where.items():
            whole = whole.filter(
                pc.is_in(whole[name], arrays.from_values(sorted(values), pa.int64()))
            )
        ids = arrays.to_numpy(whole["id"])
        values = ids if whole[column].null_count else arrays.to_numpy(whole[column])
        if after is not None:
            value, last = after[0] if values is not ids else after[1], after[1]
            same = (values == value) & ((ids < last) if descending else (ids > last))
            kept = np.flatnonzero(same | ((values < value) if descending else (values > value)))
        else:
            kept = np.arange(len(ids))
        order = np.lexsort((ids[kept], values[kept]))
        first = order[::-1][:limit] if descending else order[:limit]
        return list(rows_of(whole.take(arrays.from_numpy(kept[first]))))


def _fits(value: int | str) -> bool:
    return isinstance(value, str) or -(2**63) <= value < 2**63


def _shown(value: object) -> str:
    """Return a value of a manifest as it stands in a message."""
    return repr(value) if isinstance(value, (str, int)) and len(str(value)) < 40 else "unknown"


def _parquet_table(path: Path, raw: bytes, name: str, rows: int) -> pa.Table:
    """Decode a Parquet file after a look at its footer, which tells what that needs.

    Raises:
        pa.ArrowException, OSError: It is damaged.
        errors.DamagedStoreError: Its number of rows is not the manifest's, or not plausible.
    """
    texts = [field.name for field in SCHEMAS[name] if _is_text(field.type)]
    file = pq.ParquetFile(
        pa.BufferReader(raw),
        read_dictionary=texts,
        thrift_string_size_limit=_MOST_FOOTER_BYTES,
        thrift_container_size_limit=_MOST_FOOTER_ITEMS,
    )
    found = file.metadata.num_rows
    if found != rows:
        message = (
            f"{path} has {found:,} rows, and the archive's manifest says {rows:,}. Restore the "
            "archive from a copy."
        )
        raise errors.DamagedStoreError(message)
    # The ids of a table are all different, so that its rows take some space.
    if rows > _FEW_ROWS + _MOST_ROWS_PER_BYTE * len(raw):
        message = (
            f"{path} has {len(raw):,} bytes, in which there cannot be {rows:,} rows of MLMD's. "
            "Restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message)
    table = file.read(columns=SCHEMAS[name].names)
    table.validate(full=True)  # texts are UTF-8
    size = sum(_decoded_bytes(table[column]) for column in texts)
    if size > _FEW_BYTES + _MOST_RATIO * len(raw):
        message = (
            f"The texts of {path} would take {size:,} bytes of memory, which is not plausible for "
            f"a file of {len(raw):,}. Restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message)
    return table


def _is_text(kind: pa.DataType) -> bool:
    of = (pa.types.is_dictionary, pa.types.is_string, pa.types.is_large_string)
    return any(test(kind) for test in of)


def _decoded_bytes(column: pa.ChunkedArray) -> int:
    """Return how many bytes the texts of a column take when each stands for itself."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type) and len(chunk.dictionary):
            lengths = arrays.to_numpy(pc.binary_length(chunk.dictionary)).astype(np.int64)
            indices = arrays.to_numpy(chunk.indices.drop_null())
            total += int(lengths[indices].sum())
    return total


def as_schema(name: str, table: pa.Table) -> pa.Table:
    """Return a table with its schema's types, names as dictionaries, and the notes on it."""
    found = notes.notes_of(table)
    columns = {}
    for field in SCHEMAS[name]:
        column = table[field.name]
        if not pa.types.is_dictionary(field.type):
            column = arrays.decoded(column)
        elif not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        columns[field.name] = column.cast(field.type)
    made = pa.table(columns, schema=SCHEMAS[name])
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
