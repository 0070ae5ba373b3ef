"""One process that answers calls, on a store that it opens for itself."""

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

    from mlmd_lineage.server.dispatch import Answers
    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

READY = ""
_MISSING = "Serving needs {}. Install it with: pip install 'mlmd-lineage[serve]'"


def run(store: Store, settings: ServerSettings, address: tuple[str, int], told: Connection) -> None:
    """Serve until the process is told to stop, or the one that started it is gone.

    Args:
        store: What to serve.
        settings: How.
        address: The address and the port to listen at, which other workers share.
        told: Takes ``READY`` once calls are taken, or the class and the words of an error; when
            its other end is closed, the worker stops.
    """
    stop = threading.Event()
    signal.set_wakeup_fd(-1)  # the supervisor's, who would take our signals for its own
    # Ctrl-C reaches every process of a terminal; what it means is the supervisor's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log.keep_to_ourselves()
    try:
        from mlmd_lineage.server.grpc_server import GRPCServer

        server = GRPCServer(
            answers_for(store, settings), settings, target(*address), log.write_line
        )
    except errors.MLMDLineageError as error:
        told.send((type(error).__name__, str(error)))
        return
    except ImportError as error:
        told.send((errors.MLMDLineageError.__name__, _MISSING.format(error.name)))
        return
    except Exception as error:  # noqa: BLE001 - the supervisor says it
        message = f"The server could not start: {type(error).__name__}: {error}."
        told.send((errors.MLMDLineageError.__name__, message))
        return
    told.send(READY)
    threading.Thread(target=_until_alone, args=(told, stop), daemon=True).start()
    stop.wait()
    server.stop(settings.grace)
    # What is still in hand has had its time; the interpreter would wait for it.
    os._exit(0)


def answers_for(store: Store, settings: ServerSettings) -> Answers:
    """Return what answers for a store: our own readers where it is only read, else MLMD's library.

    Raises:
        MLMDLineageError: The store cannot be opened.
    """
    if settings.read_only:
        from mlmd_lineage.server.reader_backend import ReadingAnswers

        return ReadingAnswers(store)
    from mlmd_lineage.server.native_backend import NativeAnswers

    try:
        return NativeAnswers(store)
    except (errors.NativeLibraryError, errors.ConfigurationError) as error:
        message = f"{error} With --read-only the store is served without ml_metadata."
        raise type(error)(message) from None


def _until_alone(told: Connection, stop: threading.Event) -> None:
    try:
        told.recv_bytes()
    except (EOFError, OSError):
        stop.set()
