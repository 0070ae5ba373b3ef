"""Calls of a backend in threads, for the gRPC server's event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mlmd_lineage.deadline import Deadline

if TYPE_CHECKING:
    from mlmd_lineage.server.backend import Backend


class ThreadBackend:
    """Answers several calls at a time, each in a thread; further calls wait.

    A call that is cancelled while it waits is never started; while it reads, the reader stops.
    """

    def __init__(self, backend: Backend, threads: int) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="call")

    async def call(self, method: str, request: bytes) -> bytes:
        """Return the backend's response; see ``AsyncBackend``."""
        deadline = Deadline()

        def answer() -> bytes:
            with deadline:
                return self._backend.call(method, request)

        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, answer)
        except asyncio.CancelledError:
            # Some readers connect to their server once more to end a statement there.
            loop.run_in_executor(None, deadline.cancel)
            raise
