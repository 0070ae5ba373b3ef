"""Scan of the bytes of artifacts: whether they are there, and have the digests that were recorded.

URIs are followed by the rules of ``ArtifactView.read()``: listed schemes only, and within a root
where one is given. Many are looked at side by side. With a file to resume from, each result is
written to it as one line of JSON at once, so that a scan that was stopped goes on where it was.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.audit.checks.byte_result import ByteResult
from mlmd_lineage.audit.checks.digests import is_digest
from mlmd_lineage.lineage.roles import PENDING, PHANTOM
from mlmd_lineage.post_execution.artifact_files import UnreadableError, files_at
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ArtifactState

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from mlmd_lineage.audit.checks.data import AuditData
    from mlmd_lineage.post_execution.artifact_files import ArtifactFiles

    Progress: TypeAlias = Callable[[int, int], None]

Digests: TypeAlias = "tuple[tuple[str, str], ...]"
"""The digests of an artifact: pairs of an algorithm of hashlib and hexadecimal digits, in order."""

WORKERS = 16
"""How many places are looked at side by side."""
_GONE = (
    ArtifactState.PENDING,
    ArtifactState.MARKED_FOR_DELETION,
    ArtifactState.DELETED,
    ArtifactState.ABANDONED,
)
"""The states of artifacts whose bytes need not be there."""
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_HEX = re.compile(r"(?:(?P<name>[a-z0-9-]+)[:=])?(?P<digits>[0-9a-f]{32,128})", re.IGNORECASE)
_ABSOLUTE = re.compile(r"/|~|[A-Za-z][A-Za-z0-9+.-]*:")


def scan(
    data: AuditData,
    *,
    root: str | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, ByteResult]:
    """Return what is at the URIs of the artifacts that are audited, by their keys, in order.

    Args:
        data: The store's tables.
        root: The folder or bucket in which artifacts have to lie that are looked at.
        resume: A file that keeps the results; what it holds already is not looked at again.
        progress: Called with how many places were looked at, and how many there are.

    Raises:
        ConfigurationError: The file to resume from cannot be read or written.
    """
    wanted = _wanted(data)
    places = dict.fromkeys(wanted.values())
    with _kept(resume) as (known, keep):
        found = {place: known[place] for place in places if place in known}
        waiting = [place for place in places if place not in found]
        if progress is not None:
            progress(len(found), len(places))
        for place, result in _looked_at(waiting, root):
            found[place] = result
            keep(place, result)
            if progress is not None:
                progress(len(found), len(places))
    return {key: found[place] for key, place in wanted.items()}


def _wanted(data: AuditData) -> dict[str, tuple[str, Digests]]:
    """Return the URI and the digests of each artifact whose bytes should be there."""
    places, uris = data.uris
    events = data.events
    announced = (events.roles == PENDING) | (events.roles == PHANTOM)
    asked = data.artifact_in_scope & ~np.isin(data.artifacts.states, _GONE)
    asked &= ~data.flags(data.artifacts, events.artifacts[announced])
    chosen = asked[places]
    digests = _digests(data)
    return {
        key: (uri, digests.get(number, ()))
        for key, number, uri in zip(
            data.artifacts.keys(places[chosen]),
            data.artifacts.ids[places[chosen]].tolist(),
            uris.filter(arrays.from_numpy(chosen)).to_pylist(),
            strict=True,
        )
    }


def _digests(data: AuditData) -> dict[int, Digests]:
    """Return the digests that properties of artifacts hold, by the artifacts' ids."""
    table = data.property_rows("artifact", is_digest).select(["artifact_id", "string_value"])
    found: dict[int, set[tuple[str, str]]] = {}
    for owner, text in zip(*(column.to_pylist() for column in table.columns), strict=True):
        match = _HEX.fullmatch((text or "").strip())
        if match is None or len(match["digits"]) not in _ALGORITHMS:
            continue
        name = (match["name"] or "").lower().replace("-", "")
        if name in {"", *_ALGORITHMS.values()}:
            algorithm = name or _ALGORITHMS[len(match["digits"])]
            found.setdefault(owner, set()).add((algorithm, match["digits"].lower()))
    return {owner: tuple(sorted(pairs)) for owner, pairs in found.items()}


def _looked_at(
    places: list[tuple[str, Digests]], root: str | None
) -> Iterator[tuple[tuple[str, Digests], ByteResult]]:
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = {pool.submit(look_at, *place, root=root): place for place in places}
        try:
            for job in concurrent.futures.as_completed(jobs):
                yield jobs[job], job.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def look_at(uri: str, digests: Digests, *, root: str | None = None) -> ByteResult:
    """Return what is at a URI.

    >>> look_at("s3://bucket/model/7", (("sha256", "9f86d0..."),)).status
    'same'

    Args:
        uri: The URI of an artifact.
        digests: The digests that were recorded of it.
        root: The folder or bucket in which it has to lie.
    """
    try:
        return _read(uri, digests, files_at(uri, root=root, max_bytes=sys.maxsize))
    except FileNotFoundError:
        if _ABSOLUTE.match(uri) is None:
            detail = "its URI is relative to a folder that the store does not name"
            return ByteResult(uri, "unchecked", detail)
        return ByteResult(uri, "missing", "there is nothing at its URI")
    except (UnreadableError, errors.MLMDLineageError) as error:
        return ByteResult(uri, "unchecked", str(error).rstrip("."))
    except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own
        return ByteResult(uri, "unchecked", f"{type(error).__name__}: {error}".rstrip(". "))


def _read(uri: str, digests: Digests, files: ArtifactFiles) -> ByteResult:
    names = files.names()
    if names is not None and not names:
        return ByteResult(uri, "missing", "there is an empty folder at its URI")
    first = files.chunks(names[0] if names else None)
    if digests and (names is None or len(names) == 1):
        hashers = {algorithm: hashlib.new(algorithm) for algorithm, _ in digests}
        for part in first:
            for hasher in hashers.values():
                hasher.update(part)
        return _compared(uri, digests, {n: h.hexdigest() for n, h in hashers.items()})
    next(first, None)  # the first piece is enough to see that it can be read
    if digests:
        detail = f"its digest is not that of one file, and there are {len(names or ()):,}"
        return ByteResult(uri, "present", detail)
    return ByteResult(uri, "present", "it is there, and no digest was recorded")


def _compared(uri: str, recorded: Digests, found: Mapping[str, str]) -> ByteResult:
    for algorithm, digits in recorded:
        if found[algorithm] != digits:
            detail = f"its {algorithm} is {found[algorithm]}, and {digits} was recorded"
            return ByteResult(uri, "changed", detail)
    told = ", ".join(algorithm for algorithm, _ in recorded)
    return ByteResult(uri, "same", f"it has the {told} that was recorded")


@contextlib.contextmanager
def _kept(
    resume: str | os.PathLike[str] | None,
) -> Iterator[
    tuple[dict[tuple[str, Digests], ByteResult], Callable[[tuple[str, Digests], ByteResult], None]]
]:
    """Give the results that a file holds, and a function that adds one to it."""
    if resume is None:
        yield {}, lambda _place, _result: None
        return
    path = Path(resume)
    try:
        known = dict(_lines(path)) if path.exists() else {}
        file = path.open("a", encoding="utf-8")
    except (OSError, ValueError) as error:
        message = f"The file to resume from, {path}, cannot be used: {error}."
        raise errors.ConfigurationError(message) from error
    with file:

        def keep(place: tuple[str, Digests], result: ByteResult) -> None:
            line = {"uri": place[0], "digests": place[1], **result._asdict()}
            file.write(json.dumps(line) + "\n")
            file.flush()

        yield known, keep


def _lines(path: Path) -> Iterator[tuple[tuple[str, Digests], ByteResult]]:
    """Yield the results in a file; its last line may be cut, where the scan was stopped."""
    for line in path.read_text(encoding="utf-8").splitlines():
        held: Any = None
        with contextlib.suppress(ValueError):
            held = json.loads(line)
        if isinstance(held, dict) and {"uri", "digests", "status", "detail"} <= set(held):
            digests = tuple((str(name), str(digits)) for name, digits in held["digests"])
            if held["status"] in {"present", "same", "missing", "changed"}:
                result = ByteResult(held["uri"], held["status"], held["detail"])
                yield (held["uri"], digests), result
