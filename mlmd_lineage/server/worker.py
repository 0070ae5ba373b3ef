"""The worker process: runs the gRPC server until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from multiprocessing import reduction
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.server import log
from mlmd_lineage.server.process_messages import Failed, Kill, Ready
from mlmd_lineage.server.settings import target

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mlmd_lineage.server.backend import AsyncBackend
    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

_MISSING = "Serving needs {}. Install it with: pip install 'mlmd-lineage[serve]'"


def run(store: Store, settings: ServerSettings, address: tuple[str, int], pipe: Connection) -> None:
    """Serve until the process is told to stop, or the one that started it is gone.

    Args:
        store: The store to serve.
        settings: The server's settings.
        address: The address and the port to listen at, which other workers share.
        pipe: Receives ``Ready`` once calls are accepted or else ``Failed``, and sends native
            processes; when its other end is closed, the worker stops.
    """
    signal.set_wakeup_fd(-1)  # inherited from the supervisor, which would read our signals
    # Ctrl-C reaches every process of a terminal; only the supervisor acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until the event loop handles it
    log.discard_library_output()
    try:
        asyncio.run(_serve(store, settings, address, pipe))
    except errors.MLMDLineageError as error:
        pipe.send(Failed(type(error), str(error)))
        return
    except ImportError as error:
        pipe.send(Failed(errors.MLMDLineageError, _MISSING.format(error.name)))
        return
    except Exception as error:  # noqa: BLE001 - the supervisor reports it
        message = f"The server could not start: {type(error).__name__}: {error}."
        pipe.send(Failed(errors.MLMDLineageError, message))
        return
    # At its end the interpreter would wait for calls that did not end within the grace.
    os._exit(0)


async def _serve(
    store: Store, settings: ServerSettings, address: tuple[str, int], pipe: Connection
) -> None:
    from mlmd_lineage.server.grpc_server import GRPCServer

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    backend = _open_backend(store, settings, pipe, stop)
    server = GRPCServer(backend, settings, target(*address), log.write_line)
    await server.start()
    pipe.send(Ready())
    await stop.wait()
    await server.stop(settings.grace)


def _open_backend(
    store: Store, settings: ServerSettings, pipe: Connection, stop: asyncio.Event
) -> AsyncBackend:
    """Return what answers calls, and stop when the supervisor is gone.

    Raises:
        MLMDLineageError: The store cannot be opened.
    """
    loop = asyncio.get_running_loop()
    if not settings.is_native:
        from mlmd_lineage.server.own_backend import OwnBackend
        from mlmd_lineage.server.thread_backend import ThreadBackend

        loop.add_reader(pipe.fileno(), stop.set)  # nothing comes but the end
        own = OwnBackend(store, read_only=settings.read_only, max_response=settings.max_response)
        return ThreadBackend(own, settings.threads)
    from mlmd_lineage.server.native_pool import NativeProcessPool

    pool = NativeProcessPool(settings.workers, lambda pid: pipe.send(Kill(pid)))
    additions: set[Any] = set()

    def receive() -> None:
        try:
            message = pipe.recv()
            descriptor = reduction.recv_handle(pipe)
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            stop.set()
            return
        addition = loop.create_task(pool.add(message.pid, socket.socket(fileno=descriptor)))
        additions.add(addition)  # the event loop holds tasks by weak references only
        addition.add_done_callback(additions.discard)

    loop.add_reader(pipe.fileno(), receive)
    return pool
