"""ByteResult: what was found at an artifact's URI."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

ByteStatus: TypeAlias = Literal["present", "same", "missing", "changed", "unchecked"]


class ByteResult(NamedTuple):
    """What was found at an artifact's URI.

    Attributes:
        uri: The URI.
        status: ``present`` (there, and nothing to compare it with), ``same`` (it has the digest
            that was recorded), ``missing``, ``changed`` or ``unchecked``.
        detail: A sentence for people.
    """

    uri: str
    status: ByteStatus
    detail: str
