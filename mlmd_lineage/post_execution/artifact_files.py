"""The files of artifacts, read from their URIs within bounds.

A URI in a store was written by somebody else. It is followed only where its scheme is listed, to
regular files of a bounded size, and within the artifact store's root where one is given.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage.config import filesystem_schemes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BYTES = 1 << 30
"""How many bytes are read at most where nothing else is said: 1 GiB."""
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_NO_FILES = ("/proc", "/sys", "/dev")
_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - below /dev, but a place of ordinary files in memory
_LISTED = 10
_CHUNK = 1 << 20


class UnreadableError(Exception):
    """The reason why a URI is not read, in words."""


class ArtifactFiles(Protocol):
    """The file, or the folder of files, at a URI."""

    def names(self) -> Sequence[str] | None:
        """Return the names of the files in a folder, in order; None for a single file."""

    def read(self, name: str | None) -> bytes:
        """Return what a file of the folder holds, or the single file."""

    def chunks(self, name: str | None) -> Iterator[bytes]:
        """Yield the same in pieces, so that a large file needs little memory."""

    def path(self, name: str | None) -> str:
        """Return the path of a file, to be shown."""


def files_at(
    uri: str,
    *,
    root: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> ArtifactFiles:
    """Return the files at a URI.

    Args:
        uri: A path, or a URI of a listed scheme; see ``filesystem_schemes``.
        root: The path or URI of a folder in which it has to lie.
        max_bytes: How many bytes a file may have.

    Raises:
        UnreadableError: It is not to be followed.
    """
    if "::" in uri:
        message = "its URI is a chain of filesystems (::), which is never followed"
        raise UnreadableError(message)
    if "\0" in uri:
        message = "its URI holds a NUL character"
        raise UnreadableError(message)
    scheme, path = _split(uri)
    if scheme == "file":
        return LocalFiles(path, None if root is None else _local_root(root), max_bytes)
    found = filesystem_schemes.filesystem_scheme(scheme, uri)
    if found is None:
        raise UnreadableError(filesystem_schemes.how_to_list(scheme))
    if root is not None:
        _check_within(uri, root)
    return RemoteFiles(f"{found.protocol}://{path}", _filesystem(found, scheme), max_bytes)


def _filesystem(scheme: filesystem_schemes.FilesystemScheme, name: str) -> Any:
    import fsspec

    try:
        return fsspec.get_filesystem_class(scheme.protocol)(**scheme.options)
    except (ImportError, ValueError) as error:
        how = (
            f"pip install 'mlmd-lineage[{scheme.extra}]'"
            if scheme.extra
            else f"install the package that fsspec needs for {scheme.protocol!r}"
        )
        message = f"{name}:// cannot be read here: {how}"
        raise UnreadableError(message) from error


def _split(uri: str) -> tuple[str, str]:
    """Return the scheme and the rest of a URI; a path has the scheme ``file``."""
    match = _SCHEME.match(uri)
    if match is None:
        return "file", uri.removeprefix("file:")
    return match[1].lower(), uri[match.end() :]


def _local_root(root: str) -> str:
    scheme, path = _split(root)
    if scheme == "file":
        return path
    message = f"it is a local path, and the artifact store's root is {root}"
    raise UnreadableError(message)


def _check_within(uri: str, root: str) -> None:
    (scheme, path), (root_scheme, root_path) = _split(uri), _split(root)
    inside = posixpath.normpath(path)
    folder = posixpath.normpath(root_path)
    if scheme != root_scheme or not (inside == folder or inside.startswith(f"{folder}/")):
        message = f"it lies outside of the artifact store's root {root}"
        raise UnreadableError(message)


def _check_name(name: str) -> None:
    if posixpath.isabs(name) or ".." in name.split("/") or "\\" in name or "::" in name:
        message = f"{name!r} is no file in its folder"
        raise UnreadableError(message)


def _too_large(path: str, size: int | None, limit: int) -> UnreadableError:
    held = "more" if size is None else f"{size:,} bytes"
    message = (
        f"{path} holds {held}, and {limit:,} are read at most. Use read(max_bytes=...) for more"
    )
    return UnreadableError(message)


class LocalFiles:
    """Regular files of this machine."""

    def __init__(self, path: str, root: str | None, max_bytes: int) -> None:
        self._path = os.path.realpath(os.path.expanduser(path))  # noqa: PTH111 - a text
        self._root = None if root is None else os.path.realpath(os.path.expanduser(root))  # noqa: PTH111
        self._max_bytes = max_bytes
        self._check(self._path)

    def names(self) -> Sequence[str] | None:
        """Return the names of the files in a folder, in order; None for a single file."""
        if not os.path.isdir(self._path):  # noqa: PTH112 - a text
            return None
        found = []
        for folder, _, names in os.walk(self._path):
            inner = os.path.relpath(folder, self._path)
            found += [name if inner == "." else f"{inner}/{name}" for name in names]
        return sorted(found)

    def path(self, name: str | None) -> str:
        """Return the path of a file."""
        return self._path if name is None else f"{self._path}/{name}"

    def read(self, name: str | None) -> bytes:
        """Return what a file holds."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str | None) -> Iterator[bytes]:
        """Yield what a file holds in pieces."""
        if name is not None:
            _check_name(name)
        path = os.path.realpath(self.path(name))
        self._check(path)
        # Without waiting for a writer, where it is a FIFO after all.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                message = f"{path} is no regular file"
                raise UnreadableError(message)
            if status.st_size > self._max_bytes:
                raise _too_large(path, status.st_size, self._max_bytes)
            yield from _bounded(file, path, self._max_bytes)

    def _check(self, path: str) -> None:
        system = any(path == folder or path.startswith(f"{folder}/") for folder in _NO_FILES)
        if system and not path.startswith(_SHARED_MEMORY):
            message = f"{path} is no file of data, but a device or the system's own"
            raise UnreadableError(message)
        if self._root is not None and not (
            path == self._root or path.startswith(f"{self._root.rstrip('/')}/")
        ):
            message = f"it lies outside of the artifact store's root {self._root}"
            raise UnreadableError(message)


class RemoteFiles:
    """Files of a filesystem that fsspec reaches."""

    def __init__(self, uri: str, filesystem: Any, max_bytes: int) -> None:
        self._files = filesystem
        self._root: str = filesystem._strip_protocol(uri)  # noqa: SLF001
        self._max_bytes = max_bytes

    def names(self) -> Sequence[str] | None:
        """Return the names of the files in a folder, in order; None for a single file."""
        if not self._files.isdir(self._root):
            return None
        start = len(self._root.rstrip("/")) + 1
        return sorted(str(path)[start:] for path in self._files.find(self._root))

    def path(self, name: str | None) -> str:
        """Return the path of a file."""
        return self._root if name is None else f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str | None) -> bytes:
        """Return what a file holds."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str | None) -> Iterator[bytes]:
        """Yield what a file holds in pieces."""
        if name is not None:
            _check_name(name)
        path = self.path(name)
        size = self._files.info(path).get("size")
        if size is not None and size > self._max_bytes:
            raise _too_large(path, size, self._max_bytes)
        with self._files.open(path, "rb") as file:
            yield from _bounded(file, path, self._max_bytes)


def _bounded(file: Any, path: str, limit: int) -> Iterator[bytes]:
    """Yield a file's bytes; one that is longer than it said is refused."""
    left = limit + 1
    while left > 0 and (part := file.read(min(left, _CHUNK))):
        left -= len(part)
        if left <= 0:
            raise _too_large(path, None, limit)
        yield part


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, to be shown."""
    return ", ".join(map(repr, names[:_LISTED])) + (", ..." if len(names) > _LISTED else "")
