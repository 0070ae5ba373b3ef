"""Comparison of a bundle's records with their hashes and with its archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.audit.bundle import layout
from mlmd_lineage.audit.records import merkle
from mlmd_lineage.audit.records.differences import differences, value_text
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.stores.archive import ArchiveMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


_SHORTEST = 20
"""How many bytes a record has at least, so that a file of line ends needs no memory."""
_HEX_DIGITS = 64


def findings(
    content: Mapping[str, bytes], manifest: Mapping[str, Any], path: Path
) -> Iterator[tuple[str, str, str, str]]:
    """Yield what is wrong with the records of a bundle: kind, file, message and record.

    Args:
        content: The files of the bundle.
        manifest: Its manifest.
        path: The bundle.
    """
    root = manifest["records"]["merkle_root"]
    expected = _hashes(content.get(layout.HASHES), root)
    archived = _archived(path, root)
    lines = content.get(layout.RECORDS)
    if archived is None:
        message = "its records are not those of the manifest's Merkle root"
        yield "changed", f"{layout.ARCHIVE}/", message, ""
    if lines is not None and lines.count(b"\n") * _SHORTEST > len(lines) + _SHORTEST:
        yield "changed", layout.RECORDS, "its lines are too short to be records", ""
    elif lines is not None and not _is_root(lines, root):
        before = dict(_keyed(archived.lines)) if archived is not None else {}
        yield from _changed_lines(lines, before, expected)
    if expected is None and content.get(layout.HASHES) is not None:
        yield "changed", layout.HASHES, "its hashes do not make the manifest's Merkle root", ""


def _is_root(lines: bytes, root: str) -> bool:
    leaves = [merkle.leaf_hash(line) for line in _split(lines)]
    return merkle.root(leaves).hex() == root


def _split(lines: bytes) -> list[bytes]:
    found = lines.split(b"\n")
    return [line + b"\n" for line in found[:-1]] + ([found[-1]] if found[-1] else [])


def _hashes(raw: bytes | None, root: str) -> dict[str, str] | None:
    """Return each record's hash by its key, None where they are not those of the root."""
    if raw is None or raw.count(b"\n") * _HEX_DIGITS > len(raw):
        return None
    pairs = [line.partition("  ") for line in raw.decode(errors="replace").splitlines()]
    try:
        leaves = [bytes.fromhex(digest) for digest, _, _ in pairs]
    except ValueError:
        return None
    if merkle.root(leaves).hex() != root:
        return None
    return {key: digest for digest, _, key in pairs}


def _archived(path: Path, root: str) -> layout.RecordFiles | None:
    """Return the records that the archive holds, None where they are not those of the root."""
    try:
        made = layout.record_files(ArchiveReader(ArchiveMetadataStore(uri=str(path))).read())
    except (errors.MLMDLineageError, OSError):
        return None
    return made if made.root == root else None


def _keyed(lines: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the line of each record; of a line that is none, its number."""
    for number, line in enumerate(_split(lines), 1):
        yield _key(line) or f"line {number}", line


def _key(line: bytes) -> str | None:
    try:
        record = json.loads(line)
        kind = record["kind"]
        if kind == "parent_type":
            return f"{kind}/{record['type_id']}/{record['parent_type_id']}"
        if kind == "parent_context":
            return f"{kind}/{record['context_id']}/{record['parent_context_id']}"
        return f"{kind}/{record['id']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _changed_lines(
    lines: bytes, before: Mapping[str, bytes], expected: Mapping[str, str] | None
) -> Iterator[tuple[str, str, str, str]]:
    """Yield each record of the lines that is not as the hashes or the archive have it."""
    after = list(_keyed(lines))
    keys = list(expected if expected is not None else before)
    if not keys:
        yield (
            "changed",
            layout.RECORDS,
            "its records cannot be told apart: all copies were changed",
            "",
        )
        return
    seen: set[str] = set()
    at_byte = 0
    for number, (key, line) in enumerate(after, 1):
        start, at_byte = at_byte, at_byte + len(line)
        digest = merkle.leaf_hash(line).hex()
        known = expected.get(key) == digest if expected is not None else before.get(key) == line
        if key in seen:
            yield "added", layout.RECORDS, f"line {number} repeats {key}", key
        elif (
            key not in keys
            and number <= len(keys)
            and keys[number - 1] not in dict(after[: number - 1])
            and key.startswith("line ")
        ):
            broken = keys[number - 1]
            yield (
                "changed",
                layout.RECORDS,
                f"line {number} (byte {start:,}), {broken}, cannot be read any more",
                broken,
            )
            key = broken  # noqa: PLW2901 - it is that record
        elif key not in keys:
            yield "added", layout.RECORDS, f"line {number} is {key}, which was not there", key
        elif not known:
            told = _difference(before.get(key), line)
            place = f"line {number} (bytes {start:,} to {at_byte - 1:,})"
            yield "changed", layout.RECORDS, f"{place}, {key}, was changed{told}", key
        seen.add(key)
    for key in keys:
        if key not in seen:
            yield "missing", layout.RECORDS, f"{key} was removed", key
    order = [key for key, _ in after if key in set(keys)]
    if sorted(order) == sorted(keys) and order != keys:
        first = next(
            n for n, (one, other) in enumerate(zip(order, keys, strict=True), 1) if one != other
        )
        yield (
            "changed",
            layout.RECORDS,
            f"its lines were reordered, from line {first} ({order[first - 1]})",
            order[first - 1],
        )


def _difference(before: bytes | None, after: bytes) -> str:
    """Return what differs between two lines of one record, where both can be read."""
    if before is None:
        return ""
    found = differences(json.loads(before), json.loads(after))
    told = "; ".join(
        f"{field}: {value_text(old)} became {value_text(new)}" for field, old, new in found[:3]
    )
    return f": {told}" if told else ""
