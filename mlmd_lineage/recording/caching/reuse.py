"""Check that the results of an earlier execution can be reused, or the reason why not."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.recording.caching import lookup
from mlmd_lineage.recording.files import digests

if TYPE_CHECKING:
    from mlmd_lineage.recording.caching.key import CacheKey
    from mlmd_lineage.recording.caching.lookup import CachedResult
    from mlmd_lineage.recording.store_access import StoreAccess


@dataclasses.dataclass(frozen=True, slots=True)
class CacheAnswer:
    """What a look-up found.

    Attributes:
        key: The key that was looked up.
        hit: The execution whose results are reused; None for a miss.
        reason: Why, in words.
    """

    key: CacheKey
    hit: CachedResult | None
    reason: str


def look_up(access: StoreAccess, key: CacheKey) -> CacheAnswer:
    """Return the newest execution that completed with a key, and whose outputs are unchanged.

    Raises:
        StoreError: The store cannot be read.
    """
    digest = key.digest
    found = access.ask(lambda session: lookup.results(session, digest))
    reasons = []
    for result in found:
        problem = problem_of(result)
        if problem is None:
            return CacheAnswer(key, result, f"execution/{result.execution_id} has this key")
        reasons.append(problem)
    return CacheAnswer(key, None, "; ".join(reasons) or "no completed execution has this key")


def problem_of(result: CachedResult) -> str | None:
    """Return why an execution's outputs cannot be reused; None where they can."""
    for key, several in result.outputs.items():
        for artifact in several:
            if not artifact.uri:
                continue
            what = f"the output {key!r} of execution/{result.execution_id}"
            if artifact.sha256 is None:
                return f"{what} was recorded without a digest"
            try:
                now = digests.sha256(artifact.uri)
            except digests.DigestError as error:
                return f"{what} is gone: {error}".rstrip(".")
            if now != artifact.sha256:
                return f"{what} at {artifact.uri} has changed since"
    return None
