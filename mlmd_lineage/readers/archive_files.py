"""Files of an archive or a bundle: those of a folder, or the members of a zip file.

An untrusted zip file is read with care: only members that are stored, not compressed, as all of
a bundle's are. So no member can be larger in memory than on the disk.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_MEMBERS = 10_000
_MOST_NAME = 1_000
_ENCRYPTED = 0x1
_BLOCK = 512
"""The bytes of the blocks that the operating system counts."""
_CHUNK = 1 << 20
_LARGE = 64 << 20
_BAD_MEMBER = (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError)
_MOST_COMPRESSED = 64
"""How many times smaller a file system that compresses makes a file, at the very most."""


class Place(Protocol):
    """A path or a URL."""

    def __truediv__(self, name: str, /) -> Place: ...


class ArchiveFiles(Protocol):
    """The files of an archive, by their names, whose parts are joined by slashes."""

    is_remote: bool
    """Whether reading takes so long that several parts are asked for at once."""

    @property
    def path(self) -> Place:
        """Where they are."""

    def names(self) -> list[str]:
        """Return all names, in order."""

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            FileNotFoundError: There is none of this name.
            DamagedStoreError: It is no regular file, or is larger than the most that it may be.
        """

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a file, fewer where it ends before.

        Raises:
            FileNotFoundError: There is none of this name.
            DamagedStoreError: It is no regular file.
        """

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several parts of a file, each given by its start and its length."""

    def problems(self) -> list[tuple[str, str]]:
        """Return the names that are no plain file, each with a sentence on what it is."""


class FolderFiles:
    """The files of a folder."""

    is_remote = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Return the names of all regular files, in order."""
        return self._listed()[0]

    def problems(self) -> list[tuple[str, str]]:
        """Return links, devices and empty folders."""
        return self._listed()[1]

    def _listed(self) -> tuple[list[str], list[tuple[str, str]]]:
        found: list[str] = []
        odd: list[tuple[str, str]] = []
        for folder, folders, files in os.walk(self.path):
            below = Path(folder).relative_to(self.path)
            for name in (*folders, *files):
                path, shown = Path(folder) / name, (below / name).as_posix()
                mode = path.lstat().st_mode
                if stat.S_ISLNK(mode):
                    odd.append((shown, "it is a link"))
                elif stat.S_ISREG(mode):
                    found.append(shown)
                elif not stat.S_ISDIR(mode):
                    odd.append((shown, "it is no regular file"))
            if not folders and not files and folder != str(self.path):
                odd.append((below.as_posix(), "it is a folder without files"))
            if len(found) > MOST_MEMBERS:
                odd.append(("", f"the folder holds more than {MOST_MEMBERS:,} files"))
                break
        return sorted(found), sorted(odd)

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a regular file."""
        return self._checked(name, most).read_bytes()

    def chunks(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the bytes of a regular file in pieces."""
        with self._checked(name, most).open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece

    def _checked(self, name: str, most: int) -> Path:
        path = self.path / name
        status = path.stat()
        _check_regular(path, status)
        check_size(str(path), status.st_size, most)
        _check_holes(path, status)
        return path

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a regular file."""
        path = self.path / name
        _check_regular(path, path.stat())
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            parts = []
            while length and (part := file.read(length)):
                parts.append(part)
                length -= len(part)
        return b"".join(parts)

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several parts of a file."""
        return [self.read_range(name, *part) for part in ranges]


class ZipFiles:
    """The members of a zip file.

    Raises:
        FileNotFoundError: It is not there.
        DamagedStoreError: It is no whole zip file.
    """

    is_remote = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._problems: list[tuple[str, str]] = []
        size = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as file:
                listed = file.infolist()
        except FileNotFoundError:
            raise
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
            message = f"{path} is no whole zip file: it was truncated or damaged."
            raise errors.DamagedStoreError(message) from None
        if len(listed) > MOST_MEMBERS:
            message = f"{path} has {len(listed):,} members, and may have {MOST_MEMBERS:,}."
            raise errors.DamagedStoreError(message)
        total = 0
        for member in listed:
            problem = _problem(member)
            if member.filename in self._members:
                problem = "it is there twice"
            total += member.compress_size
            if problem is None:
                self._members[member.filename] = member
            else:
                self._problems.append((member.filename[:_MOST_NAME], problem))
        if total > size:
            message = f"{path} has members that overlap or end beyond it; it was damaged."
            raise errors.DamagedStoreError(message)

    def names(self) -> list[str]:
        """Return the names of all members that can be read, in order."""
        return sorted(self._members)

    def problems(self) -> list[tuple[str, str]]:
        """Return the members that are not read, and why."""
        return sorted(self._problems)

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a member."""
        return b"".join(self.chunks(name, most))

    def chunks(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the bytes of a member in pieces."""
        member = self._member(name)
        check_size(f"{name} in {self.path}", member.file_size, most)
        try:
            with zipfile.ZipFile(self.path) as file, file.open(member) as opened:
                while piece := opened.read(_CHUNK):
                    yield piece
        except _BAD_MEMBER:
            raise self._unreadable(name) from None

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a member."""
        member = self._member(name)
        try:
            with zipfile.ZipFile(self.path) as file, file.open(member) as opened:
                opened.seek(start)
                return opened.read(length)
        except _BAD_MEMBER:
            raise self._unreadable(name) from None

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several parts of a file."""
        return [self.read_range(name, *part) for part in ranges]

    def _member(self, name: str) -> zipfile.ZipInfo:
        for odd, problem in self._problems:
            if odd == name:
                message = f"{name} in {self.path} is not read: {problem}."
                raise errors.DamagedStoreError(message)
        if name not in self._members:
            raise FileNotFoundError(name)
        return self._members[name]

    def _unreadable(self, name: str) -> errors.DamagedStoreError:
        message = f"{name} in {self.path} cannot be read: it was changed or damaged."
        return errors.DamagedStoreError(message)


class FilesBelow:
    """The files in a folder of an archive."""

    is_remote = False

    def __init__(self, files: ArchiveFiles, folder: str) -> None:
        self.path = files.path / folder
        self.outer = files
        self._files = files
        self._prefix = f"{folder}/"

    def names(self) -> list[str]:
        """Return all names, in order."""
        every = self._files.names()
        return [name.removeprefix(self._prefix) for name in every if name.startswith(self._prefix)]

    def problems(self) -> list[tuple[str, str]]:
        """Return the names that are no plain file."""
        return [found for found in self._files.problems() if found[0].startswith(self._prefix)]

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file."""
        return self._files.read(self._prefix + name, most)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a file."""
        return self._files.read_range(self._prefix + name, start, length)

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several parts of a file."""
        return [self.read_range(name, *part) for part in ranges]


def files_at(path: Path) -> FolderFiles | ZipFiles:
    """Return the files of a folder, or those in a zip file.

    Raises:
        FileNotFoundError: There is neither.
        DamagedStoreError: It is no whole zip file.
    """
    return FolderFiles(path) if path.is_dir() else ZipFiles(path)


def check_size(what: str, size: int, most: int) -> None:
    """Refuse a file that is larger than the most that it may be.

    Raises:
        DamagedStoreError: It is.
    """
    if size > most:
        told = f"{size:,} bytes, more than the {most:,} that such a file may have"
        message = f"{what} has {told}. Restore the archive from a copy."
        raise errors.DamagedStoreError(message)


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        message = f"{path} is no regular file. Restore the archive from a copy."
        raise errors.DamagedStoreError(message)


def _check_holes(path: Path, status: os.stat_result) -> None:
    """Refuse a large file that takes next to no space on the disk, and would take all memory."""
    blocks = getattr(status, "st_blocks", None)  # Windows does not tell
    if blocks is not None and status.st_size > _LARGE + blocks * _BLOCK * _MOST_COMPRESSED:
        message = (
            f"{path} has {status.st_size:,} bytes, nearly all of them holes without content. "
            "Restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message)


def _problem(member: zipfile.ZipInfo) -> str | None:
    """Return why a member is not read, None where it is a plain stored file."""
    name, kind = member.filename, member.external_attr >> 16
    parts = name.split("/")
    leads_out = name.startswith("/") or ".." in parts or "\\" in name or ":" in name
    compressed = (
        f"it is compressed, {member.file_size:,} bytes in {member.compress_size:,}, and a bundle's "
        "files are not; unpack the zip file with a tool of yours and open the folder"
    )
    for found, problem in (
        (leads_out or "" in parts[:-1], "its path leads out of the bundle"),
        (len(name) > _MOST_NAME, f"its name has more than {_MOST_NAME:,} characters"),
        (name.endswith("/"), "it is a folder of its own"),
        (stat.S_ISLNK(kind), "it is a link"),
        (bool(member.flag_bits & _ENCRYPTED), "it is encrypted"),
        (member.compress_type != zipfile.ZIP_STORED, compressed),
        (member.file_size != member.compress_size, compressed),
    ):
        if found:
            return problem
    return None
