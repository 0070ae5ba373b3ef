"""The local folder that keeps what could not be written to a store, until it is sent.

Each recorder has a folder of its own below that of its store. An entry is a file: a
``PutBatchRequest`` as bytes, or the JSON of how a run ended. They are numbered in their order,
written whole, and removed once they are in the store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import write_whole
from mlmd_lineage.config.folders import config_folder, private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER = "spool"
_LOCATION = "store.json"
_BATCH, _STATE = ".batch", ".state"
_PRIVATE = 0o600
_DIGITS = 20
"""How many digits the time in a folder's name has, in nanoseconds since 1970-01-01 UTC."""
_LONGEST_LOCATION = 100_000
_LARGEST_ENTRY = 2**31 - 1
"""A protobuf message is smaller than that."""


class Spool:
    """Where one recorder keeps what it cannot write; nothing is made before that is needed."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._name = f"{time.time_ns():0{_DIGITS}}-{uuid.uuid4().hex[:8]}"
        self._count = 0

    @property
    def folder(self) -> Path:
        """The recorder's folder."""
        return config_folder() / FOLDER / _store_folder(self._location) / self._name

    def append(self, request: Any) -> None:
        """Keep a ``PutBatchRequest``."""
        self._write(_BATCH, request.SerializeToString())

    def append_state(self, state: Mapping[str, Any]) -> None:
        """Keep how a run ended."""
        self._write(_STATE, json.dumps(dict(state)).encode())

    def _write(self, ending: str, data: bytes) -> None:
        folder = private_folder(FOLDER, _store_folder(self._location), self._name)
        if not self._count:
            said = json.dumps({"location": self._location}).encode()
            write_whole(folder.parent / _LOCATION, said, mode=_PRIVATE)
        self._count += 1
        write_whole(folder / f"{self._count:08}{ending}", data, mode=_PRIVATE)


@dataclasses.dataclass(frozen=True, slots=True)
class SpooledRun:
    """What one recorder kept.

    Attributes:
        location: Where the store is, without any secret.
        folder: Its folder.
        since: When it was begun, in milliseconds since 1970-01-01 UTC.
        entries: Its files, in their order.
    """

    location: str
    folder: Path
    since: int
    entries: tuple[Path, ...]


def spooled(location: str | None = None) -> list[SpooledRun]:
    """Return what is kept, of one store or of all, the oldest first."""
    return sorted(_found(location), key=lambda run: (run.since, run.folder))


def _found(location: str | None) -> Iterator[SpooledRun]:
    root = config_folder() / FOLDER
    for store in sorted(root.iterdir()) if root.is_dir() else ():
        there = _location_of(store)
        if there is None or (location is not None and there != location):
            continue
        for folder in sorted(store.iterdir()):
            begun = folder.name.partition("-")[0]
            is_time = len(begun) == _DIGITS and begun.isascii() and begun.isdecimal()
            if folder.is_dir() and not folder.is_symlink() and is_time:
                entries = sorted(p for p in folder.iterdir() if p.suffix in {_BATCH, _STATE})
                yield SpooledRun(there, folder, int(begun) // 1_000_000, tuple(entries))


def _location_of(folder: Path) -> str | None:
    """Return of which store a folder is; None for what the spool did not make.

    Raises:
        ConfigurationError: The file that says it is damaged.
    """
    named = folder / _LOCATION
    if folder.is_symlink() or named.is_symlink() or not named.is_file():
        return None
    said: Any = None
    if named.stat().st_size <= _LONGEST_LOCATION:
        with contextlib.suppress(ValueError, RecursionError):
            said = json.loads(named.read_bytes())
    if not isinstance(said, dict) or not isinstance(said.get("location"), str):
        message = (
            f"{named} is damaged, and does not say for which store the runs beside it are kept. "
            'Write {"location": STORE} into it, where STORE is what describe calls the store.'
        )
        raise errors.ConfigurationError(message)
    return str(said["location"])


def read_entry(entry: Path) -> bytes:
    """Return what a file of the spool holds.

    Raises:
        ConfigurationError: It is a link, no file, or larger than MLMD takes at once.
    """
    if entry.is_symlink() or not entry.is_file() or entry.stat().st_size > _LARGEST_ENTRY:
        message = f"{entry} is nothing that was kept here: a link, no file, or far too large."
        raise errors.ConfigurationError(message)
    return entry.read_bytes()


def _store_folder(location: str) -> str:
    return hashlib.sha256(location.encode()).hexdigest()[:16]
