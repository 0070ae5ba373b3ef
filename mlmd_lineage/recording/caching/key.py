"""The key by which a step's results are found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class CacheKey:
    """What a step's results depend on, part by part.

    >>> key = CacheKey({"step": "churn.train", "source": "9f86d0...", "parameter lr": "0.01"})
    >>> len(key.digest)
    64

    Attributes:
        parts: For the name of each part a text, best a digest or a short value. The parts are
            recorded with the execution, so that a later miss can be explained part by part.
    """

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The SHA-256 of all parts, in hexadecimal: the name of the ``execution_cache`` context."""
        text = json.dumps(dict(self.parts), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
