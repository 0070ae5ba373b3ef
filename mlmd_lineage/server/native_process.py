"""The process that calls MLMD's own library for a gRPC worker, one call after the other.

The library holds the interpreter's lock for the length of a call and can end the whole process, so
it has a process to itself. Request and response are framed by ``REQUEST`` and ``RESPONSE``.
"""

from __future__ import annotations

import os
import signal
import struct
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.server import log
from mlmd_lineage.server.backend import methods
from mlmd_lineage.server.process_messages import Failed, Ready
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    import socket
    from multiprocessing.connection import Connection

    from mlmd_lineage.server.backend import Backend
    from mlmd_lineage.store import Store

REQUEST = struct.Struct("!HQ")
"""The index of the method in ``methods()``, and the number of bytes of the request that follows."""
RESPONSE = struct.Struct("!BIQ")
"""The status code, and the number of bytes of its message and of the response that follow."""


def run(store: Store, pipe: Connection, channel: socket.socket) -> None:
    """Answer the calls that arrive on a socket, until its other end is closed.

    Args:
        store: The store to open.
        pipe: Receives ``Ready`` or ``Failed``.
        channel: The socket.
    """
    signal.set_wakeup_fd(-1)  # inherited from the supervisor, which would read our signals
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the worker's end is what ends this process
    log.discard_library_output()
    try:
        from mlmd_lineage.server.native_backend import NativeBackend

        backend = NativeBackend(store)
    except errors.MLMDLineageError as error:
        message = f"{error} Without --engine native it is served without ml_metadata."
        pipe.send(Failed(type(error), message))
        return
    pipe.send(Ready())
    names = methods()
    with channel.makefile("rb") as requests:
        while header := requests.read(REQUEST.size):
            method, size = REQUEST.unpack(header)
            channel.sendall(_answer(backend, names[method], requests.read(size)))
    os._exit(0)  # the library's own threads need not be waited for


def _answer(backend: Backend, method: str, request: bytes) -> bytes:
    try:
        response = backend.call(method, request)
    except StatusError as error:
        message = error.message.encode()
        # The sign of the code's byte says whether clients may see the message.
        code = error.code if error.public else error.code | PRIVATE
        return RESPONSE.pack(code, len(message), 0) + message
    return RESPONSE.pack(StatusCode.OK, 0, len(response)) + response


PRIVATE = 0x80
"""Set in a status code whose message clients may not see."""
