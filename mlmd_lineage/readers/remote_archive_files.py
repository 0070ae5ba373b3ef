"""Files of an archive in object storage or on a web server, read in ranges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.answer_size import memory
from mlmd_lineage.readers.archive_files import check_size
from mlmd_lineage.stores import object_storage
from mlmd_lineage.stores.object_storage import SILENCE

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        found = self._asked(self.path, "find", self._root)
        return sorted(str(path)[start:] for path in found)

    def problems(self) -> list[tuple[str, str]]:
        """Return none: object storage holds nothing but files."""
        return []

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file."""
        where = self.path / name
        most = min(most, memory() // 2)
        raw: bytes = self._asked(where, "cat_file", self._path(name), start=0, end=most + 1)
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
            where, "cat_ranges", [path] * len(ranges), starts, ends, on_error="raise"
        )
        for part, (_, length) in zip(found, ranges, strict=True):
            if len(part) > length:
                raise _sends_all(where)
        return found

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _asked(self, where: str, method: str, *arguments: Any, **options: Any) -> Any:
        """Return what a method of the filesystem answers, or say why it does not.

        Args:
            where: What is asked for, for the message.
            method: The name of the method.
            arguments: Its arguments.
            options: Its named arguments.

        Raises:
            FileNotFoundError: There is no such file.
            StorePermissionError: It may not be read.
            AuthenticationError: There are no credentials, or wrong ones.
            UnreachableError: The server does not answer.
            DeadlineExceededError, CancelledError: The question has to end.
        """
        try:
            return _called(self._filesystem, method, *arguments, **options)
        except errors.MLMDLineageError:
            raise
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
        except object_storage.TooMuchSentError:
            failure = _sends_all(where)
        except TimeoutError:
            message = f"{where} cannot be read: its server sent nothing for {SILENCE:g} seconds."
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


def _sends_all(where: str) -> errors.UnreachableError:
    return errors.UnreachableError(
        f"{where} cannot be read in parts, as its server sends more than it is asked for; copy the "
        "archive to this machine."
    )


class _EndedError(Exception):
    """A call was ended because its question has to end."""


def _called(filesystem: Any, method: str, *arguments: Any, **options: Any) -> Any:
    """Call a method of a filesystem, which ends with the question that it is called for.

    Raises:
        DeadlineExceededError, CancelledError: The question has to end.
    """
    if not getattr(filesystem, "async_impl", False):
        with deadline.stopping(lambda: None):
            return getattr(filesystem, method)(*arguments, **options)
    from fsspec.asyn import sync

    tasks: list[Any] = []

    async def ask() -> Any:
        tasks.append(asyncio.current_task())
        try:
            return await getattr(filesystem, f"_{method}")(*arguments, **options)
        except asyncio.CancelledError:
            raise _EndedError from None

    def end() -> None:
        for task in tasks:
            filesystem.loop.call_soon_threadsafe(task.cancel)

    try:
        with deadline.stopping(end):
            return sync(filesystem.loop, ask)
    except KeyboardInterrupt:
        end()
        raise
