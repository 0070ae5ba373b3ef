r"""The files of a bundle: their names, the records with their hashes, and the zip file.

``docs/bundle-format.md`` is the specification.
"""

from __future__ import annotations

import io
import zipfile
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from mlmd_lineage.audit.records import merkle
from mlmd_lineage.audit.records.record_lines import all_records
from mlmd_lineage.audit.records.sha256 import DIGEST_BYTES
from mlmd_lineage.stores.local_paths import ARCHIVE_FOLDER, BUNDLE_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.snapshot.tables import HasTables

FORMAT = "mlmd-lineage bundle"
FORMAT_VERSION = 1
PREDICATE_TYPE = "urn:mlmd-lineage:bundle:v1"
"""The type of the statement that is signed; no standard has one for lineage."""

MANIFEST = BUNDLE_MANIFEST
ENVELOPE = "statement.dsse.json"
TIME_STAMP = "timestamp.tsr"
CHECKSUMS = "SHA256SUMS"
README = "README.txt"
RECORDS = "records.jsonl"
HASHES = "records.sha256"
ARCHIVE = ARCHIVE_FOLDER
OUTSIDE_MANIFEST = (MANIFEST, ENVELOPE, TIME_STAMP, CHECKSUMS)
"""The files that the manifest does not list: itself, and what is made of it."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_ZIP_MODE = 0o100644 << 16
_UNIX = 3


class RecordFiles(NamedTuple):
    """All records as lines, each one's hash, and the root of the tree over them."""

    lines: bytes
    """The file ``records.jsonl``: one record a line."""
    hashes: bytes
    """The file ``records.sha256``: the leaf hash and the key of each record."""
    counts: Mapping[str, int]
    """How many records there are of each kind."""
    root: str
    """The root of the Merkle tree whose leaves are the lines."""


def record_files(tables: HasTables) -> RecordFiles:
    """Return the records of some tables as a bundle has them."""
    lines: list[bytes] = []
    hashes: list[str] = []
    leaves = []
    counts: dict[str, int] = {}
    for records in all_records(tables):
        text, offsets = records.text, records.offsets()
        counts[records.kind] = len(records)
        made = merkle.leaf_hashes(text, offsets)
        leaves.append(made)
        digits = made.tobytes().hex()
        width = 2 * DIGEST_BYTES
        hashes += [
            f"{digits[at * width : (at + 1) * width]}  {key}\n"
            for at, key in enumerate(records.keys())
        ]
        lines.append(bytes(text[offsets[0] : offsets[-1]]))
    root = merkle.root(np.concatenate(leaves)).hex()
    return RecordFiles(b"".join(lines), "".join(hashes).encode(), counts, root)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return some files as a zip file, whose bytes depend on nothing but them.

    They are stored, not compressed: each release of zlib compresses in its own way.
    """
    made = io.BytesIO()
    write_zip(made, {name: (len(raw), (raw,)) for name, raw in files.items()})
    return made.getvalue()


def write_zip(target: IO[bytes], files: Mapping[str, tuple[int, Iterable[bytes]]]) -> None:
    """Write some files as ``zipped()`` does, each given by its size and its bytes in pieces."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _ZIP_TIME)
            member.external_attr = _ZIP_MODE
            member.create_system = _UNIX
            member.file_size, pieces = files[name]
            with file.open(member, "w") as opened:
                for piece in pieces:
                    opened.write(piece)
