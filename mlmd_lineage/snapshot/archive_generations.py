"""Generations of an archive: states of one store over time, which share the files that are equal.

Each generation has a manifest of its own, which lists all of its files. That of the newest is
``manifest.json``; it names those before it. Files of a later generation have a part of their
SHA-256 in their names, so that two processes that write the same file write the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors, termination
from mlmd_lineage.snapshot import archive, archive_source
from mlmd_lineage.snapshot.archive_layout import FORMAT, INDEXED, PARQUET_GRAPH
from mlmd_lineage.snapshot.archive_writer import Previous
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from mlmd_lineage.snapshot.tables import Tables


def update(
    tables: Tables, directory: str | os.PathLike[str], *, other_source: bool = False
) -> Path:
    """Add tables to an archive as its newest generation; see ``Snapshot.save``.

    What can be read changes at once, when the manifest is replaced as the last step. An update
    that was interrupted before may leave files that no manifest names.

    Args:
        tables: The tables.
        directory: The archive, or a new folder.
        other_source: They may be of another store than those in the archive.

    Raises:
        ConfigurationError: The folder is no archive with generations, or one of another store, or
            cannot be written, or another process added a generation meanwhile.
    """
    target = Path(directory).expanduser().absolute()
    try:
        is_new = not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir()))
        if is_new:
            return archive.save(tables, directory)
        raw, previous, earlier, source = _newest(target)
        if not other_source:
            archive_source.check(tables, target, previous, source)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror}."
        raise errors.ConfigurationError(message) from None
    try:
        with termination.as_exception():
            if archive.write_generation(tables, draft, (previous, earlier)):
                _publish(draft, target, raw, earlier[-1]["manifest"])
    except OSError as error:
        message = f"The archive {target} could not be written: {error.strerror or error}."
        raise errors.ConfigurationError(message) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _newest(target: Path) -> tuple[bytes, Previous, list[dict[str, Any]], str]:
    """Return the newest generation: its manifest, its files, what names it and those before.

    The last is the store of which it was taken.
    """
    content: Any = None
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        raw = (target / MANIFEST).read_bytes()
        content = json.loads(raw)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        message = f"{target} is no archive, and not empty; give a new folder or an archive."
        raise errors.ConfigurationError(message)
    if content.get("format_version") not in (PARQUET_GRAPH, INDEXED):
        message = (
            f"{target} is an archive of format {content.get('format_version')!r}, to which no "
            "generations are added; save the snapshot in a new folder."
        )
        raise errors.ConfigurationError(message)
    try:
        number = int(content["generation"])
        named = {
            "generation": number,
            "taken_at": str(content["taken_at"]),
            "manifest": f"manifest.{number:06}.json",
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
        source = str(content["source"])
        return raw, Previous.of(target, content), [*content["earlier"], named], source
    except (KeyError, TypeError, ValueError, AttributeError, FileNotFoundError):
        message = f"{target / MANIFEST} lacks what a manifest has; restore the archive from a copy."
        raise errors.ConfigurationError(message) from None


def _publish(draft: Path, target: Path, before: bytes, kept_as: str) -> None:
    """Move the files of a generation into the archive, its manifest as the last."""
    for path in sorted(draft.iterdir()):
        if path.name != MANIFEST:
            path.replace(target / path.name)
    copy = draft / kept_as
    with copy.open("wb") as file:
        file.write(before)
        file.flush()
        os.fsync(file.fileno())
    copy.replace(target / kept_as)
    if (target / MANIFEST).read_bytes() != before:
        message = f"Another process added a generation to {target} meanwhile; save it again."
        raise errors.ConfigurationError(message)
    (draft / MANIFEST).replace(target / MANIFEST)
