"""SHA-256 of many slices of one buffer.

Records are short, so that calling hashlib takes longer than the hash itself. ``_sha256.c``, which
is compiled when the package is built, hashes all slices in one call and without Python's lock.
Where there was no compiler, hashlib gives the same digests, slower.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlmd_lineage.compiled import compiled_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

DIGEST_BYTES = 32


def hash_slices(
    data: bytes | memoryview | Array,
    offsets: Array,
    prefix: int,
    way: Literal["compiled", "portable", "hashlib"] = "compiled",
) -> Array:
    """Return the SHA-256 of each slice after a byte, ``uint8[n, 32]``.

    >>> hash_slices(b"ab", np.array([0, 1, 2]), 0)[0].tobytes().hex()[:16]
    '022a6979e6dab7aa'

    Args:
        data: What the slices are of.
        offsets: Where each begins, and where the last one ends, ``int64[n + 1]``.
        prefix: The byte that is hashed before each slice.
        way: ``"portable"`` uses none of the processor's own instructions for SHA-256, and
            ``"hashlib"`` not what was compiled.

    Raises:
        ValueError: A slice does not lie in the data.
    """
    raw = np.frombuffer(data, np.uint8) if len(data) else np.empty(0, np.uint8)
    starts = np.ascontiguousarray(offsets, np.int64)
    slices = len(starts) - 1
    if slices < 0 or starts[0] < 0 or starts[-1] > len(raw) or (starts[1:] < starts[:-1]).any():
        message = "the slices do not lie in the data, one after the other"
        raise ValueError(message)
    made = np.empty((slices, DIGEST_BYTES), np.uint8)
    compiled = None if way == "hashlib" else _compiled()
    if compiled is None:
        before, view, places = bytes([prefix]), raw.data, starts.tolist()
        for at, (start, stop) in enumerate(itertools.pairwise(places)):
            digest = hashlib.sha256(before + view[start:stop]).digest()
            made[at] = np.frombuffer(digest, np.uint8)
    else:
        addresses = raw.ctypes.data, starts.ctypes.data
        compiled(*addresses, slices, prefix, made.ctypes.data, int(way == "portable"))
    return made


@functools.cache
def _compiled() -> Callable[..., None] | None:
    """Return the function of ``_sha256.c``, or None where it was not compiled."""
    library = compiled_library(__file__, "_sha256")
    function = getattr(library, "hash_slices", None)
    if function is None:
        return None
    address, number = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = (address, address, number, ctypes.c_uint8, address, ctypes.c_int32)
    function.restype = None
    found: Callable[..., None] = function
    return found
