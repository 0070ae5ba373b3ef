"""Reads the manifest of an archive."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_limits import MOST_MANIFEST_BYTES
from mlmd_lineage.readers.base import Generation
from mlmd_lineage.snapshot.archive_layout import (
    BLOCK_BYTES,
    CHECKSUMS,
    DIGEST_BYTES,
    FORMAT,
    INDEXED,
    PARQUET_GRAPH,
    SUFFIX,
    TABLES_ONLY,
)
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mlmd_lineage.readers.archive_files import ArchiveFiles


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


class FileDescription(NamedTuple):
    """What a manifest says of a file."""

    rows: int
    sha256: str
    size: int
    checksums: int
    """Where in the file of checksums those of its blocks begin."""
    keys: tuple[int, int] | None
    """The first and the last number of its first column; None where they are not known."""


class Manifest(NamedTuple):
    """What an archive says of itself."""

    schema_version: int
    source: str
    taken_at: dt.datetime
    files: Mapping[str, FileDescription]
    tables: Mapping[str, tuple[str, ...]]
    """The files of each table, in the order of their rows."""
    graph: Mapping[str, str]
    """The files of the graph's index; none where there is none."""
    checksums: str | None
    """The file of checksums; None where the archive has neither those nor indexes."""
    generations: tuple[Generation, ...]
    """This one and all before it."""


def read_manifest(files: ArchiveFiles, name: str = MANIFEST, digest: str = "") -> Manifest:
    """Return the manifest of an archive, or of one of its generations.

    Args:
        files: The files of the archive.
        name: The name of the manifest.
        digest: The SHA-256 that it has to have, if it is known.

    Raises:
        NotAMetadataStoreError: There is none, or it is another's.
        UnsupportedSchemaError: It is of a later format.
        StorePermissionError: It may not be read.
        DamagedStoreError: It is not whole.
    """
    path = files.path / name
    try:
        raw = files.read(name, MOST_MANIFEST_BYTES)
        if digest and hashlib.sha256(raw).hexdigest() != digest:
            message = f"{path} was changed or damaged; restore the archive from a copy."
            raise errors.DamagedStoreError(message)
        content = json.loads(raw)
    except errors.MLMDLineageError:
        raise
    except FileNotFoundError:
        message = f"{files.path} holds no {MANIFEST}; it is no archive of this library."
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
    version = content.get("format_version")
    if version not in (TABLES_ONLY, PARQUET_GRAPH, INDEXED):
        message = (
            f"{files.path} is an archive of format {_shown(version)}; this release reads formats "
            f"{TABLES_ONLY} to {INDEXED}. Use a newer mlmd-lineage."
        )
        raise errors.UnsupportedSchemaError(message)
    try:
        return _manifest(content, indexed=version != TABLES_ONLY, graph=version == INDEXED)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        message = f"{path} lacks what a manifest has; restore the archive from a copy."
        raise errors.DamagedStoreError(message) from None


def _manifest(content: dict[str, Any], *, indexed: bool, graph: bool) -> Manifest:
    described: dict[str, FileDescription] = {}
    start = 0
    for name, file in sorted(content["files"].items()):
        size = int(file.get("bytes", 0))
        described[_checked(name)] = FileDescription(
            int(file.get("rows", 0)), str(file["sha256"]), size, start, _keys(file.get("keys"))
        )
        if not name.startswith(CHECKSUMS):
            start += DIGEST_BYTES * -(-size // BLOCK_BYTES)
    taken_at = _moment(content["taken_at"])
    tables = content["tables"] if indexed else {name: [f"{name}{SUFFIX}"] for name in ALL_TABLES}
    if any(len(set(named)) < len(named) for named in tables.values()):
        message = "a table has a file twice"
        raise ValueError(message)
    earlier = [
        Generation(
            int(of["generation"]),
            _moment(of["taken_at"]),
            _checked(of["manifest"]),
            str(of["sha256"]),
        )
        for of in (content["earlier"] if indexed else ())
    ]
    number = int(content["generation"]) if indexed else 1
    return Manifest(
        int(content["schema_version"]),
        str(content["source"]),
        taken_at,
        described,
        {str(name): tuple(map(_checked, files)) for name, files in tables.items()},
        {str(name): _checked(file) for name, file in content["graph"].items()} if graph else {},
        _checked(content["checksums"]) if indexed else None,
        (*earlier, Generation(number, taken_at, MANIFEST, "")),
    )


def _keys(found: Any) -> tuple[int, int] | None:
    if found is None:
        return None
    first, last = found
    return int(first), int(last)


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=dt.timezone.utc)


def _checked(name: str) -> str:
    """Return the name of a file of an archive, which lies in its folder.

    Raises:
        ValueError: It is no such name.
    """
    if _NAME.fullmatch(name) is None:
        message = "no name of a file"
        raise ValueError(message)
    return name


def _shown(value: object) -> str:
    """Return a value of a manifest as it stands in a message."""
    return repr(value) if isinstance(value, (str, int)) and len(str(value)) < 40 else "unknown"
