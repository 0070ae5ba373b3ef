"""Reads archives: folders of Parquet files, one for each of MLMD's tables, with a manifest."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.archive import FORMAT, FORMAT_VERSION
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables, wanted
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.stores.archive import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlmd_lineage.stores import ArchiveMetadataStore

T = TypeVar("T")


class ArchiveReader:
    """Reads an archive; it keeps what it has read, as an archive does not change."""

    def __init__(self, store: ArchiveMetadataStore) -> None:
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

    def _manifest(self) -> _Manifest:
        path = self._path / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            message = f"{self._path} holds no {MANIFEST}; it is no archive of this library."
            raise errors.NotAMetadataStoreError(message) from None
        except PermissionError:
            message = f"{path} may not be read by this user."
            raise errors.StorePermissionError(message) from None
        except (OSError, ValueError):
            message = f"{path} cannot be read as JSON; restore the archive from a copy."
            raise errors.DamagedStoreError(message) from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            message = f"{path} is not the manifest of an archive of this library."
            raise errors.NotAMetadataStoreError(message)
        if content.get("format_version") != FORMAT_VERSION:
            message = (
                f"{self._path} is an archive of format {content.get('format_version')}; this "
                f"release reads format {FORMAT_VERSION}. Use a newer mlmd-lineage."
            )
            raise errors.UnsupportedSchemaError(message)
        try:
            return _Manifest(
                int(content["schema_version"]),
                str(content["source"]),
                dt.datetime.fromisoformat(content["taken_at"]),
                {str(name): str(file["sha256"]) for name, file in content["files"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            message = f"{path} lacks what a manifest has; restore the archive from a copy."
            raise errors.DamagedStoreError(message) from None

    def table(self, name: str) -> pa.Table:
        """Return a table as its schema says."""
        if name not in self._held:
            path = self._path / f"{name}.parquet"
            expected = self._manifest().digests.get(path.name)
            try:
                raw = path.read_bytes()
                if hashlib.sha256(raw).hexdigest() != expected:
                    message = (
                        f"{path} is not the file that its manifest describes: it was changed or "
                        "damaged. Restore the archive from a copy."
                    )
                    raise errors.DamagedStoreError(message)
                self._held[name] = as_schema(name, pq.ParquetFile(pa.BufferReader(raw)).read())
            except FileNotFoundError:
                message = f"{path} is missing from the archive. Restore it from a copy."
                raise errors.DamagedStoreError(message) from None
            except PermissionError:
                message = f"{path} may not be read by this user."
                raise errors.StorePermissionError(message) from None
            except (OSError, KeyError, pa.ArrowException) as error:
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
    digests: Mapping[str, str]


class ArchiveSession:
    """Answers single questions from an archive."""

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


def as_schema(name: str, table: pa.Table) -> pa.Table:
    """Return a table with its schema's types, names as dictionaries, and the notes on it."""
    found = notes.notes_of(table)
    for number, field in enumerate(SCHEMAS[name]):
        if pa.types.is_dictionary(field.type):
            encoded = table[field.name].cast(pa.string()).dictionary_encode()
            table = table.set_column(number, field.name, encoded)
    return notes.noted(table.select(SCHEMAS[name].names).cast(SCHEMAS[name]), found)
