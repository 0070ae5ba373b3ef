"""The pool of native processes of a gRPC worker.

One process more than may answer at a time is kept ready, so that another call need not wait while
a process that ended is replaced.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mlmd_lineage.server.backend import methods
from mlmd_lineage.server.native_process import PRIVATE, REQUEST, RESPONSE
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

KILL_SECONDS = 2.0
"""How long a call may take after its start before its process is killed, once it has to end.

A client that leaves early thus ends no more than one process in this time."""


class _NativeProcess:
    """A native process, as seen from the worker."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self._reader = reader
        self._writer = writer

    @property
    def has_ended(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def call(self, method: int, request: bytes) -> tuple[int, bytes, bytes]:
        """Return the status code, its message and the response."""
        self._writer.write(REQUEST.pack(method, len(request)))
        self._writer.write(request)
        header = await self._reader.readexactly(RESPONSE.size)
        code, message_size, response_size = RESPONSE.unpack(header)
        message = await self._reader.readexactly(message_size)
        return code, message, await self._reader.readexactly(response_size)

    def close(self) -> None:
        self._writer.close()


class NativeProcessPool:
    """Answers calls by native processes, each call by one that is idle."""

    def __init__(self, processes: int, kill: Callable[[int], None]) -> None:
        """Make a pool without processes; made within an event loop.

        Args:
            processes: How many calls are answered at a time.
            kill: Ends the process of an id; another one will be added for it.
        """
        self._slots = asyncio.Semaphore(processes)
        self._idle: asyncio.Queue[_NativeProcess] = asyncio.Queue()
        self._kill = kill
        self._indexes = {method: index for index, method in enumerate(methods())}

    async def add(self, pid: int, channel: socket.socket) -> None:
        """Add a process that is ready."""
        reader, writer = await asyncio.open_connection(sock=channel)
        self._idle.put_nowait(_NativeProcess(pid, reader, writer))

    async def call(self, method: str, request: bytes) -> bytes:
        """Return the library's response; see ``AsyncBackend``.

        Where the caller is cancelled, the process goes on with the call for ``KILL_SECONDS`` from
        its start, and is then killed.
        """
        await self._slots.acquire()
        try:
            process = await self._take()
        except BaseException:
            self._slots.release()
            raise
        started = time.monotonic()
        call = asyncio.ensure_future(self._call(process, method, request))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            call.add_done_callback(_ignore_result)
            wait = max(0.0, started + KILL_SECONDS - time.monotonic())
            asyncio.get_running_loop().call_later(wait, self._end, process, call)
            raise

    async def _take(self) -> _NativeProcess:
        while True:
            process = await self._idle.get()
            if not process.has_ended:
                return process
            process.close()

    async def _call(self, process: _NativeProcess, method: str, request: bytes) -> bytes:
        try:
            code, message, response = await process.call(self._indexes[method], request)
        except (asyncio.IncompleteReadError, OSError):
            process.close()
            text = (
                f"The process that answered {method} ended, or was ended as the call took too "
                "long. Other calls are not affected."
            )
            raise StatusError(StatusCode.UNAVAILABLE, text) from None
        else:
            self._idle.put_nowait(process)
        finally:
            self._slots.release()
        if code:
            text = message.decode(errors="replace")
            raise StatusError(code & ~PRIVATE, text, public=not code & PRIVATE)
        return response

    def _end(self, process: _NativeProcess, call: asyncio.Future[bytes]) -> None:
        if not call.done():
            self._kill(process.pid)


def _ignore_result(call: asyncio.Future[bytes]) -> None:
    """Retrieve the result of a call that nobody waits for, which asyncio would complain about."""
    if not call.cancelled():
        call.exception()
