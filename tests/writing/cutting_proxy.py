"""A TCP proxy that cuts a connection at a chosen moment, as a network or a load balancer does."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30
_PAUSE = 0.3


class CuttingProxy:
    """Hands bytes on between clients and one port of 127.0.0.1.

    Attributes:
        word: What the client sends when it is cut, once.
        answered: How many answers after it are kept from the client before it is cut; with None
            what the client sends does not reach the server either.
        cut: How often it has cut.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.word = b""
        self.answered: int | None = None
        self.cut = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, word: bytes, *, answered: int | None) -> None:
        self.word, self.answered = word, answered

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port), _SECONDS)
                threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        kept_from_client = threading.Event()

        def to_client() -> None:
            with contextlib.suppress(OSError):
                while data := server.recv(1 << 16):
                    if kept_from_client.is_set():
                        answers.release()
                    else:
                        client.sendall(data)
            _shut(client)

        answers = threading.Semaphore(0)
        threading.Thread(target=to_client, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if self.word and self.word in data:
                    self.word = b""
                    self.cut += 1
                    if self.answered is not None:
                        kept_from_client.set()
                        server.sendall(data)
                        for _ in range(self.answered):
                            answers.acquire(timeout=_SECONDS)
                        time.sleep(_PAUSE)  # an answer may come in parts
                    break
                server.sendall(data)
        _shut(client)
        _shut(server)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextlib.contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """Run a proxy in front of a port."""
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
