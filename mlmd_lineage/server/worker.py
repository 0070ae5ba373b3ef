"""The worker process: opens the store and serves calls until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.server import log
from mlmd_lineage.server.settings import target

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mlmd_lineage.server.backend import Backend
    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

READY = ""
_MISSING = "Serving needs {}. Install it with: pip install 'mlmd-lineage[serve]'"


def run(store: Store, settings: ServerSettings, address: tuple[str, int], pipe: Connection) -> None:
    """Serve until the process is told to stop, or the one that started it is gone.

    Args:
        store: The store to serve.
        settings: The server's settings.
        address: The address and the port to listen at, which other workers share.
        pipe: Receives ``READY`` once calls are accepted, or the class and the message of an
            error; when its other end is closed, the worker stops.
    """
    stop = threading.Event()
    signal.set_wakeup_fd(-1)  # inherited from the supervisor, which would read our signals
    # Ctrl-C reaches every process of a terminal; only the supervisor acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log.discard_library_output()
    try:
        from mlmd_lineage.server.grpc_server import GRPCServer

        server = GRPCServer(
            open_backend(store, settings), settings, target(*address), log.write_line
        )
    except errors.MLMDLineageError as error:
        pipe.send((type(error), str(error)))
        return
    except ImportError as error:
        pipe.send((errors.MLMDLineageError, _MISSING.format(error.name)))
        return
    except Exception as error:  # noqa: BLE001 - the supervisor reports it
        message = f"The server could not start: {type(error).__name__}: {error}."
        pipe.send((errors.MLMDLineageError, message))
        return
    pipe.send(READY)
    threading.Thread(target=_wait_for_end, args=(pipe, stop), daemon=True).start()
    stop.wait()
    server.stop(settings.grace)
    # At its end the interpreter would wait for calls that did not end within the grace.
    os._exit(0)


def open_backend(store: Store, settings: ServerSettings) -> Backend:
    """Return the backend for a store: our readers where it is only read, else MLMD's library.

    Raises:
        MLMDLineageError: The store cannot be opened.
    """
    if settings.read_only:
        from mlmd_lineage.server.reader_backend import ReaderBackend

        return ReaderBackend(store)
    from mlmd_lineage.server.native_backend import NativeBackend

    try:
        return NativeBackend(store)
    except (errors.NativeLibraryError, errors.ConfigurationError) as error:
        message = f"{error} With --read-only the store is served without ml_metadata."
        raise type(error)(message) from None


def _wait_for_end(pipe: Connection, stop: threading.Event) -> None:
    try:
        pipe.recv_bytes()
    except (EOFError, OSError):
        stop.set()
