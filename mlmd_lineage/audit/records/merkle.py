"""Merkle trees of RFC 6962 (https://www.rfc-editor.org/rfc/rfc6962#section-2.1), over SHA-256.

A leaf's hash is that of a zero byte and the leaf's data, an inner node's that of a byte 1 and the
hashes of its two children. A proof of inclusion shows with a few hashes that one leaf belongs to a
tree of a known root.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from mlmd_lineage.audit.records.sha256 import DIGEST_BYTES, hash_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.audit.records.sha256 import Array

_sha256 = hashlib.sha256
_LEAF, _INNER = 0, 1
"""The byte before what is hashed, of leaves and of inner nodes."""


def leaf_hash(data: bytes | memoryview) -> bytes:
    """Return the hash of a leaf.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return _sha256(b"\0" + data).digest()


def leaf_hashes(data: bytes | memoryview, offsets: Array) -> Array:
    """Return the hashes of many leaves whose data stand in one buffer, ``uint8[n, 32]``.

    Args:
        data: The buffer.
        offsets: Where each leaf begins, and where the last one ends, ``int64[n + 1]``.
    """
    return hash_slices(data, offsets, _LEAF)


def root(leaves: Sequence[bytes] | Array) -> bytes:
    """Return the root of the tree over some leaves' hashes; that of none is SHA-256 of nothing.

    >>> root([]).hex()[:16]
    'e3b0c44298fc1c14'
    """
    level = _level(leaves)
    if not len(level):
        return _sha256().digest()
    while len(level) > 1:
        level = _parents(level)
    found: bytes = level[0].tobytes()
    return found


def _level(hashes: Sequence[bytes] | Array) -> Array:
    if isinstance(hashes, np.ndarray):
        return hashes
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, DIGEST_BYTES)


def _parents(level: Array) -> Array:
    """Return the level above; a node without a sibling rises unchanged, as RFC 6962 has it."""
    pairs = len(level) // 2
    data = np.ascontiguousarray(level[: 2 * pairs]).reshape(-1)
    made = hash_slices(data, np.arange(pairs + 1) * 2 * DIGEST_BYTES, _INNER)
    return np.concatenate([made, level[2 * pairs :]])


def inclusion_proof(leaves: Sequence[bytes] | Array, at: int) -> list[bytes]:
    """Return the audit path of a leaf: the siblings on the way from it to the root.

    Args:
        leaves: The hashes of all leaves.
        at: Where the leaf stands among them, from 0.
    """
    level, path = _level(leaves), []
    while len(level) > 1:
        sibling = at ^ 1
        if sibling < len(level):
            path.append(level[sibling].tobytes())
        level, at = _parents(level), at // 2
    return path


def is_included(leaf: bytes, at: int, size: int, path: Sequence[bytes], tree_root: bytes) -> bool:
    """Return whether a proof shows that a leaf belongs to a tree.

    Args:
        leaf: The leaf's hash.
        at: Where it stands, from 0.
        size: How many leaves the tree has.
        path: The siblings, as ``inclusion_proof()`` gives them.
        tree_root: The tree's root.
    """
    if not 0 <= at < size:
        return False
    found, rest, last = leaf, list(path), size - 1
    while last > 0:
        if at % 2 or at < last:
            if not rest:
                return False
            sibling = rest.pop(0)
            pair = sibling + found if at % 2 else found + sibling
            found = _sha256(b"\1" + pair).digest()
        at, last = at // 2, last // 2
    return not rest and found == tree_root
