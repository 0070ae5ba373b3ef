"""The files in which a ledger keeps the state of a store.

``leaves.parquet`` has the hashes of the records, ``open.jsonl`` the lines of nodes that are still
being written, and ``parts.json`` the digests of the rows, without which all records are hashed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage.audit.ledger.store_parts import Part
from mlmd_lineage.audit.ledger.store_state import KindState
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS
from mlmd_lineage.audit.records.sha256 import DIGEST_BYTES
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

LEAVES, OPEN, PARTS = "leaves.parquet", "open.jsonl", "parts.json"
_HASH = pa.binary(DIGEST_BYTES)
_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("block", pa.int64()),
        ("last_id", pa.int64()),
        ("records", pa.int64()),
        ("hash", _HASH),
    ]
)


def to_files(state: Mapping[str, KindState]) -> dict[str, bytes]:
    """Return the files of a state, by their names."""
    lines = "".join(line for found in state.values() for line in found.open.values())
    parts = {
        kind: [[part.first, part.stop, part.digest] for part in found.parts]
        for kind, found in state.items()
    }
    text = canonical_json.dumps(parts) + "\n"
    return {LEAVES: _leaves(state), OPEN: lines.encode(), PARTS: text.encode()}


def _leaves(state: Mapping[str, KindState]) -> bytes:
    """Return the leaves of a state as a Parquet file."""
    tables = []
    for kind, found in state.items():
        rows = len(found.leaves)
        data = pa.py_buffer(np.ascontiguousarray(found.leaves))
        columns = [
            pa.repeat(arrays.scalar(kind, pa.string()), rows),
            *(arrays.from_numpy(a) for a in (found.blocks, found.last_ids, found.counts)),
            pa.Array.from_buffers(_HASH, rows, [None, data]),
        ]
        tables.append(pa.table(columns, _SCHEMA))
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.concat_tables(tables),
        sink,
        compression={name: "none" if name == "hash" else "zstd" for name in _SCHEMA.names},
        use_dictionary=["kind"],
    )
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def from_files(files: Mapping[str, bytes]) -> dict[str, KindState]:
    """Return the state that some files hold.

    Raises:
        ValueError, KeyError, TypeError: They are not such files.
    """
    table = pq.ParquetFile(pa.BufferReader(files[LEAVES])).read().cast(_SCHEMA)
    opened: dict[str, dict[int, str]] = {}
    for line in files[OPEN].decode().splitlines(keepends=True):
        record = json.loads(line)
        opened.setdefault(record["kind"], {})[record["id"]] = line
    parts: dict[str, Any] = json.loads(files.get(PARTS, b"{}"))
    kinds = table["kind"].combine_chunks().dictionary_encode()
    codes, names = arrays.to_numpy(kinds.indices), kinds.dictionary.to_pylist()
    made = {}
    for kind in RECORD_KINDS:
        rows = arrays.from_numpy(codes == (names.index(kind) if kind in names else -1))
        part = table.filter(rows).combine_chunks()
        blocks, last_ids, counts = (
            arrays.to_numpy(part[name]) for name in ("block", "last_id", "records")
        )
        listed = tuple(Part(*found) for found in parts.get(kind, ()))
        leaves = _digests(part["hash"].combine_chunks())
        made[kind] = KindState(kind, blocks, last_ids, counts, leaves, opened.get(kind, {}), listed)
    return made


def _digests(column: pa.Array) -> Array:
    """Return a column of digests as ``uint8[n, 32]``."""
    if column.null_count:
        message = "a hash is missing"
        raise ValueError(message)
    found = np.frombuffer(column.buffers()[1] or b"", np.uint8).reshape(-1, DIGEST_BYTES)
    return found[column.offset : column.offset + len(column)]
