"""SHA-256 digests of files, of folders and of what lies at any URL of fsspec.

A file's digest is that of its bytes. A folder's is that of one line for each file in it, sorted by
name: the digest of the file, two spaces and its name in the folder, as ``sha256sum`` prints them.
Files are read in parts, never whole. A local file that has the size, the times and the inode that
it had before is not read again.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config import filesystem_schemes
from mlmd_lineage.recording.files import digest_cache
from mlmd_lineage.recording.files.uris import is_local, local_path, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_CHUNK = 1 << 20
# Without O_NONBLOCK, opening a named pipe waits for its writer; Windows alone has O_BINARY.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_TRIES = 3
"""How often a file is read that changes meanwhile."""


class DigestError(errors.MLMDLineageError):
    """The digest of an artifact's contents cannot be taken.

    Attributes:
        reason: Of an input of a step, why, without what its code can do about it.
    """

    reason: str = ""


def sha256(uri: str) -> str:
    """Return the digest of what lies at a URI, in hexadecimal.

    >>> sha256("train.csv")
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

    Args:
        uri: A path, or a URL of a filesystem that fsspec knows, of a file or a folder.

    Raises:
        DigestError: There is nothing, it cannot be read, or the filesystem's package is missing.
    """
    try:
        return _local(local_path(uri)) if is_local(uri) else _remote(uri)
    except errors.MLMDLineageError:
        raise
    except FileNotFoundError:
        message = f"There is nothing at {uri}."
    except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own
        message = f"What lies at {uri} cannot be read: {type(error).__name__}: {error}."
    raise DigestError(message)


def _local(path: str) -> str:
    status = os.stat(path)  # noqa: PTH116 - a text
    if not stat.S_ISDIR(status.st_mode):
        return _local_file(path)
    found = []
    for folder, folders, names in os.walk(path, onerror=_raise):
        folders.sort()
        for name in names:
            whole = os.path.join(folder, name)  # noqa: PTH118 - a text
            relative = os.path.relpath(whole, path).replace(os.sep, "/")
            found.append((relative, _local_file(whole)))
    return _folder(found)


def _raise(error: OSError) -> None:
    raise error


def _local_file(path: str) -> str:
    status = os.stat(path)  # noqa: PTH116 - a text
    if not stat.S_ISREG(status.st_mode):
        message = f"{path} is no regular file, and has no digest. Give a file or a folder."
        raise DigestError(message)
    known = digest_cache.known(path, status)
    if known is not None:
        return known
    for _ in range(_TRIES):
        found, is_whole = _read(path)
        if is_whole:
            return found
    message = f"{path} was changed each time that it was read. Let what writes it end first."
    raise DigestError(message)


def _read(path: str) -> tuple[str, bool]:
    """Return the digest of a file, and whether the file stayed as it was while it was read."""
    digest = hashlib.sha256()
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        left = before.st_size + 1 if stat.S_ISREG(before.st_mode) else 0
        # A file that grows as fast as it is read has no end.
        while left and (part := file.read(min(_CHUNK, left))):
            digest.update(part)
            left -= len(part)
        after = os.fstat(descriptor)
    there = os.stat(path)  # noqa: PTH116 - a text
    is_whole = _same(before, after) and _same(before, there) and stat.S_ISREG(there.st_mode)
    found = digest.hexdigest()
    if is_whole:
        digest_cache.keep(path, after, found)
    return found, is_whole


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return digest_cache.identity(before) == digest_cache.identity(after)


def _folder(files: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, found in sorted(files):
        digest.update(f"{found}  {name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _remote(uri: str) -> str:
    files, root = _filesystem(uri)
    if files.isfile(root):
        return _remote_file(files, root)
    if not files.isdir(root):
        raise FileNotFoundError(uri)
    start = root.rstrip("/")
    found = [
        (posixpath.relpath(str(path), start), _remote_file(files, str(path)))
        for path in sorted(files.find(root))
    ]
    return _folder(found)


def _filesystem(uri: str) -> tuple[Any, str]:
    """Return fsspec's filesystem for a URI, and its path there."""
    import fsspec

    scheme = scheme_of(uri)
    listed = filesystem_schemes.filesystem_scheme(scheme, uri)
    try:
        if listed is None:
            return fsspec.core.url_to_fs(uri)  # type: ignore[no-any-return]  # fsspec has no types
        files = fsspec.filesystem(listed.protocol, **listed.options)
    except (ImportError, ValueError) as error:
        extra = f": pip install 'mlmd-lineage[{listed.extra}]'" if listed and listed.extra else ""
        message = f"{scheme}:// cannot be read here{extra or f': {error}'}."
        raise DigestError(message) from None
    path = uri.partition("://")[2]
    return files, files._strip_protocol(f"{listed.protocol}://{path}")  # noqa: SLF001


def _remote_file(files: Any, path: str) -> str:
    digest = hashlib.sha256()
    with files.open(path, "rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()
