"""The digests of transfer archives, which show whether a file was edited.

- ``tools/run-history`` takes the SHA-256 of its JSON with sorted keys and without spaces, without
  the digest itself and without the time of an experiment's last run (``archive_digest`` in
  ``history.py`` of kubeflow/pipelines).
- The namespace transfer takes that of the bytes that it writes, with an empty text for the digest
  (``hash`` in ``backend/src/apiserver/transfer``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from typing import IO, TYPE_CHECKING, Any

from mlmd_lineage.readers.kubeflow_archive.json_stream import damaged, events_of, explained, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20
_SPOOLED = 4 << 20
_FILED_DEPTH = 2
_EXPERIMENTS, _ACTIVITY = ".tables.experiments", "LastRunCreatedAtInSec"


def check_digest(path: Path, digest: object, *, is_canonical: bool) -> None:
    """Fail where a file is not what its digest says.

    Args:
        path: The file.
        digest: The digest in it.
        is_canonical: Whether it is that of sorted JSON, as ``tools/run-history`` makes it.

    Raises:
        DamagedStoreError: The digest is another, or none.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise damaged(path, "it has no digest")
    found = _canonical_digest(path) if is_canonical else _bytes_digest(path, digest)
    if found != digest:
        why = "it is not what its digest says: it was edited, damaged or written in another form"
        raise damaged(path, why)


def _bytes_digest(path: Path, digest: str) -> str:
    """Return the SHA-256 of a file's bytes with an empty digest, without spaces at its end."""
    found = hashlib.sha256()
    given, empty = f'"digest":"{digest}"'.encode(), b'"digest":""'
    with path.open("rb") as file:
        kept = b""
        while chunk := file.read(_CHUNK):
            kept = (kept + chunk).replace(given, empty)
            # What may be the beginning of the digest, or the spaces at the end, waits.
            found.update(kept[: -len(given)])
            kept = kept[-len(given) :]
        found.update(kept.rstrip())
    return found.hexdigest()


def _canonical_digest(path: Path) -> str:
    """Return the SHA-256 of a file's JSON with sorted keys, of which one row is in memory."""
    with contextlib.ExitStack() as open_files, explained(path), path.open("rb") as file:
        events = events_of(file)
        next(events, None)
        writer = _SortedJSON(events, path, open_files)
        found = hashlib.sha256()
        for piece in writer.object(0, ""):
            found.update(piece)
        return found.hexdigest()


class _SortedJSON:
    """Writes JSON with sorted keys, from the events of JSON in any order.

    The members of the outermost object, and of objects in it, wait in temporary files.
    """

    def __init__(
        self, events: Iterator[tuple[str, Any]], path: Path, open_files: contextlib.ExitStack
    ) -> None:
        self._events = events
        self._path = path
        self._open_files = open_files

    def object(self, depth: int, name: str) -> Iterator[bytes]:
        """Yield the JSON of an object whose beginning was taken."""
        members: dict[str, IO[bytes]] = {}
        for kind, value in self._events:
            if kind == "end_map":
                break
            member = self._open_files.enter_context(tempfile.SpooledTemporaryFile(_SPOOLED))  # noqa: SIM115 - closed by the stack
            for piece in self._value(depth + 1, f"{name}.{value}"):
                member.write(piece)
            members[value] = member
        if not depth:
            members.pop("digest", None)
        yield b"{"
        for number, key in enumerate(sorted(members)):
            yield b"," * bool(number) + _text(key) + b":"
            members[key].seek(0)
            while chunk := members[key].read(_CHUNK):
                yield chunk
        yield b"}"

    def _value(self, depth: int, name: str) -> Iterator[bytes]:
        kind, value = next(self._events)
        if kind == "start_map" and depth < _FILED_DEPTH:
            yield from self.object(depth, name)
        elif kind == "start_array":
            yield b"["
            for number, (part, inner) in enumerate(self._events):
                if part == "end_array":
                    break
                row = whole(part, inner, self._events, self._path)
                if name == _EXPERIMENTS and isinstance(row, dict):
                    row.pop(_ACTIVITY, None)
                yield b"," * bool(number) + _text(row)
            yield b"]"
        else:
            yield _text(whole(kind, value, self._events, self._path))


def _text(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", errors="surrogatepass")
