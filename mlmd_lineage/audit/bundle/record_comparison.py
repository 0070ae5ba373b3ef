"""Comparison of a bundle's records with their hashes and with its archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.audit.bundle import layout
from mlmd_lineage.audit.records import merkle
from mlmd_lineage.audit.records.differences import differences, value_text
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS, TABLES, records_of
from mlmd_lineage.audit.records.sha256 import DIGEST_BYTES
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.stores.archive import ArchiveMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path


Pieces: TypeAlias = "Callable[[], Iterable[bytes]]"
"""The bytes of a file in pieces, as often as it is called."""

_SHORTEST = 20
"""How many bytes a record has at least, so that a file of line ends needs no memory."""
_HEX_DIGITS = 64


def findings(
    content: Mapping[str, Pieces], manifest: Mapping[str, Any], path: Path
) -> Iterator[tuple[str, str, str, str]]:
    """Yield what is wrong with the records of a bundle: kind, file, message and record.

    Where nothing is, no file is held in memory: only the hashes of the records, and one kind of the
    archive's at a time.

    Args:
        content: The files of the records and of their hashes.
        manifest: The bundle's manifest.
        path: The bundle.
    """
    root = manifest["records"]["merkle_root"]
    lines, hashes = content.get(layout.RECORDS), content.get(layout.HASHES)
    archive_is_whole = _archive_root(path) == root
    if not archive_is_whole:
        message = "its records are not those of the manifest's Merkle root"
        yield "changed", f"{layout.ARCHIVE}/", message, ""
    hashes_are_whole = hashes is not None and _root_of_hashes(hashes()) == root
    if lines is not None:
        made, are_records = _root_of_lines(lines())
        if not are_records:
            yield "changed", layout.RECORDS, "its lines are too short to be records", ""
        elif made != root:
            before = dict(_keyed(_archived(path).lines)) if archive_is_whole else {}
            expected = _hashes(hashes()) if hashes is not None and hashes_are_whole else None
            yield from _changed_lines(b"".join(lines()), before, expected)
    if hashes is not None and not hashes_are_whole:
        yield "changed", layout.HASHES, "its hashes do not make the manifest's Merkle root", ""


def _root_of_lines(pieces: Iterable[bytes]) -> tuple[str, bool]:
    """Return the root over the lines of a file, and whether they are long enough for records."""
    leaves, count, size = [], 0, 0
    for lines in whole_lines(pieces):
        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
        size += len(lines)
        count += len(ends)
        if count * _SHORTEST > size + _SHORTEST:
            return "", False
        offsets = np.r_[0, ends] if lines.endswith(b"\n") else np.r_[0, ends, len(lines)]
        leaves.append(merkle.leaf_hashes(lines, offsets))
    return merkle.root(np.concatenate(leaves) if leaves else []).hex(), True


def _root_of_hashes(pieces: Iterable[bytes]) -> str | None:
    """Return the root over the hashes in a file, None where it is none of hashes."""
    leaves = []
    for lines in whole_lines(pieces):
        if lines.count(b"\n") * _HEX_DIGITS > len(lines):
            return None
        digests = [line.partition(b"  ")[0] for line in lines.splitlines()]
        try:
            leaves += [bytes.fromhex(digest.decode()) for digest in digests]
        except ValueError:
            return None
    if any(len(leaf) != DIGEST_BYTES for leaf in leaves):
        return None
    return merkle.root(leaves).hex()


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    r"""Yield the bytes of a file in pieces that end with a line, but for the last one.

    >>> list(whole_lines([b"a\nb", b"c", b"d\ne"]))
    [b'a\n', b'bcd\n', b'e']
    """
    rest: list[bytes] = []
    for piece in pieces:
        end = piece.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, piece[:end]])
            rest = []
        rest.append(piece[end:])
    last = b"".join(rest)
    if last:
        yield last


def _split(lines: bytes) -> list[bytes]:
    found = lines.split(b"\n")
    return [line + b"\n" for line in found[:-1]] + ([found[-1]] if found[-1] else [])


def _hashes(pieces: Iterable[bytes]) -> dict[str, str]:
    """Return each record's hash by its key."""
    text = b"".join(pieces).decode(errors="replace")
    pairs = [line.partition("  ") for line in text.splitlines()]
    return {key: digest for digest, _, key in pairs}


def _archive_root(path: Path) -> str | None:
    """Return the root over the records that the archive holds, None where it cannot be read."""
    store = ArchiveMetadataStore(uri=str(path))
    leaves = []
    try:
        for kind in RECORD_KINDS:
            records = records_of(ArchiveReader(store).read(TABLES[kind]), kind)
            leaves.append(merkle.leaf_hashes(records.text, records.offsets()))
    except (errors.MLMDLineageError, OSError):
        return None
    return merkle.root(np.concatenate(leaves)).hex()


def _archived(path: Path) -> layout.RecordFiles:
    """Return the records that the archive holds."""
    return layout.record_files(ArchiveReader(ArchiveMetadataStore(uri=str(path))).read())


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
