"""Files of an archive in object storage or on a web server, read in ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_files import check_size
from mlmd_lineage.stores import object_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_BOUNDED = 1 << 28
"""Up to this size no more is asked for than a file may have."""


class RemotePath(str):
    """A URL, to which names are added as to a path."""

    __slots__ = ()

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self}/{name}")


class RemoteArchiveFiles:
    """The files below a URL."""

    is_remote = True

    def __init__(self, url: str) -> None:
        self.path = RemotePath(url)
        self._filesystem, self._root = object_storage.filesystem(url)

    def names(self) -> list[str]:
        """Return all names, in order."""
        start = len(self._root.rstrip("/")) + 1
        found = self._asked(self.path, lambda: self._filesystem.find(self._root))
        return sorted(str(path)[start:] for path in found)

    def problems(self) -> list[tuple[str, str]]:
        """Return none: object storage holds nothing but files."""
        return []

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file."""
        where = self.path / name
        bounds = {"start": 0, "end": most + 1} if most <= _BOUNDED else {}
        raw: bytes = self._asked(
            where, lambda: self._filesystem.cat_file(self._path(name), **bounds)
        )
        check_size(where, len(raw), most)
        return raw

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a file."""
        return self.read_ranges(name, [(start, length)])[0]

    def read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return several parts of a file, which are asked for at the same time.

        Raises:
            UnreachableError: The server does not answer, or not with ranges.
        """
        where, path = self.path / name, self._path(name)
        starts = [start for start, _ in ranges]
        ends = [start + length for start, length in ranges]
        found: list[bytes] = self._asked(
            where,
            lambda: self._filesystem.cat_ranges(
                [path] * len(ranges), starts, ends, on_error="raise"
            ),
        )
        for part, (_, length) in zip(found, ranges, strict=True):
            if len(part) > length:
                message = (
                    f"{where} cannot be read in parts, as its server sends all of it; copy the "
                    "archive to this machine."
                )
                raise errors.UnreachableError(message)
        return found

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @staticmethod
    def _asked(where: str, ask: Callable[[], Any]) -> Any:
        """Return what a filesystem answers, or say why it does not.

        Raises:
            FileNotFoundError: There is no such file.
            StorePermissionError: It may not be read.
            AuthenticationError: There are no credentials, or wrong ones.
            UnreachableError: The server does not answer.
        """
        try:
            return ask()
        except FileNotFoundError:
            failure: Exception = FileNotFoundError(2, "No such file", str(where))
        except PermissionError:
            message = f"{where} may not be read with these credentials."
            failure = errors.StorePermissionError(message)
        except object_storage.OtherServerError:
            message = (
                f"{where} is not read: its server redirects to another one, which may not get what "
                "register_scheme() was given for the first. Give the URL that it redirects to."
            )
            failure = errors.UnreachableError(message)
        except Exception as error:  # noqa: BLE001 - each filesystem has errors of its own
            what = type(error).__name__
            if "Credential" in what or "Auth" in what:
                message = (
                    f"{where} cannot be read ({what}): give credentials where its filesystem "
                    "looks for them, or by register_scheme()."
                )
                failure = errors.AuthenticationError(message)
            else:
                message = f"{where} cannot be read: its server does not answer as asked ({what})."
                failure = errors.UnreachableError(message)
        # Outside of the clauses, so that no error of a filesystem, which may hold secrets, is kept.
        raise failure
