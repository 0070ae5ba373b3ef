"""The explorer's web server: the page, its files, and the methods as JSON; it only reads.

``docs/explorer-api.md`` describes what it answers, and ``security`` what it checks.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mlmd_lineage import errors
from mlmd_lineage.explorer import api, static_files
from mlmd_lineage.explorer.web import page
from mlmd_lineage.explorer.web.questions import Questions
from mlmd_lineage.explorer.web.security import HEADERS, Gate, new_token

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from mlmd_lineage.explorer.explored_store import ExploredStore

TIMEOUT = 120.0
"""How many seconds an answer may take, unless another limit is given."""
_STATUS = (
    (errors.NotFoundError, 404),
    (errors.AmbiguousNameError, 409),
    (errors.ConfigurationError, 400),
    (errors.DeadlineExceededError, 504),
    (errors.CancelledError, 499),  # as nginx has it: the client closed the connection
    (errors.UnreachableError, 503),
)
"""The HTTP status for each kind of error; 500 for the others."""
_ALL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
"""The methods of HTTP that are answered, all but the first two with a refusal."""


def application(
    store: ExploredStore, gate: Gate, *, timeout: float | None = TIMEOUT, at_once: int = 4
) -> Starlette:
    """Return the web application of a store.

    Args:
        store: The store that is shown.
        gate: Decides whether a request may be answered.
        timeout: How many seconds an answer may take; None for no limit.
        at_once: How many questions are answered at once.
    """
    explorer = _Explorer(store, gate, Questions(timeout, at_once=at_once))
    made = Starlette(
        routes=[
            Route("/", explorer.page, methods=_ALL),
            Route("/static/{name}", explorer.file, methods=_ALL),
            Route("/api/{name}", explorer.method, methods=_ALL),
            Route("/{rest:path}", explorer.nothing, methods=_ALL),
        ]
    )
    made.state.questions = explorer.questions
    return made


class _Explorer:
    """What answers the requests for one store."""

    def __init__(self, store: ExploredStore, gate: Gate, questions: Questions) -> None:
        self.store = store
        self.gate = gate
        self.questions = questions

    async def page(self, request: Request) -> Response:
        """Answer with the page, and keep the token of its address in a cookie."""
        refused = self.gate.refusal(request)
        if refused is not None:
            status, why = refused
            return HTMLResponse(page.refusal(why), status, HEADERS)
        response = HTMLResponse(page.shell(self.store.location), headers=HEADERS)
        if "token" in request.query_params:
            response.set_cookie(
                self.gate.cookie, self.gate.token, httponly=True, samesite="strict", path="/"
            )
        return response

    async def file(self, request: Request) -> Response:
        """Answer with a file of the front end."""
        refused = self.gate.refusal(request)
        if refused is not None:
            return _error(refused[1], refused[0])
        name = request.path_params["name"]
        try:
            content = static_files.content(name)
        except errors.ConfigurationError as error:
            return _error(str(error), 404)
        return Response(content, headers=HEADERS, media_type=static_files.CONTENT_TYPES[name])

    async def method(self, request: Request) -> Response:
        """Answer with what a method returns."""
        refused = self.gate.refusal(request)
        if refused is not None:
            return _error(refused[1], refused[0])
        name = request.path_params["name"]
        try:
            parameters = _parameters(request)
            content = await self.questions.answer(
                lambda: _encoded(api.ask(self.store, name, parameters)), lambda: _left(request)
            )
        except errors.MLMDLineageError as error:
            return _failure(error)
        except Exception as error:  # noqa: BLE001 - what a page is told of a fault of ours
            return _error(f"This should not have happened: {type(error).__name__}.", 500)
        kind = "application/json" if name != "columns" else "application/octet-stream"
        return Response(content, headers=HEADERS, media_type=kind)

    async def nothing(self, request: Request) -> Response:
        """Answer that there is nothing at an address."""
        refused = self.gate.refusal(request)
        status, why = refused or (404, "There is nothing at this address.")
        return _error(why, status)


def _parameters(request: Request) -> dict[str, Any]:
    text = request.query_params.get("q", "{}")
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # no store takes half of a surrogate pair
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        message = "The parameter q of the request is no JSON object."
        raise errors.ConfigurationError(message)
    return found


def _encoded(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else json.dumps(answer, allow_nan=False).encode()


async def _left(request: Request) -> None:
    """Wait until the page has left."""
    message = await request.receive()
    while message["type"] != "http.disconnect":
        message = await request.receive()


def _failure(error: errors.MLMDLineageError) -> Response:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    return _error(str(error), status)


def _error(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status, HEADERS)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        ConfigurationError: The address cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as stack:
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen()  # a browser that is faster than the server waits for it
            stack.pop_all()
    except OSError as error:
        why = error.strerror or str(error)
        message = f"The explorer cannot listen at {host} port {port}: {why}. Give another --port."
        raise errors.ConfigurationError(message) from None
    return bound


class ExplorerServer:
    """A running explorer: its address, and how it ends.

    >>> server = ExplorerServer(store)
    >>> server.url()
    'http://127.0.0.1:41234/?token=...'
    >>> server.run()

    Args:
        store: The store that is shown.
        host: The address to listen at.
        port: The port; 0 to have one chosen.
        timeout: How many seconds an answer may take; None for no limit.
        hosts: Names under which browsers reach it, other than those of the loopback.
    """

    def __init__(
        self,
        store: ExploredStore,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        timeout: float | None = TIMEOUT,
        hosts: Collection[str] = (),
    ) -> None:
        import uvicorn

        from mlmd_lineage.explorer.web.connections import TimedConnection

        self._socket = bind(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared
        self.gate = Gate(new_token(), self.port, {host, *hosts})
        self._app = application(store, self.gate, timeout=timeout)
        config = uvicorn.Config(
            self._app,
            log_level="error",
            access_log=False,  # its lines would hold the token
            server_header=False,
            lifespan="off",
            http=TimedConnection,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    def url(self, fragment: str = "") -> str:
        """Return the address that lets a browser in.

        Args:
            fragment: The view that is shown first, such as ``#/lineage/artifact:3``.
        """
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/?token={self.gate.token}{fragment}"

    def run(self) -> None:
        """Answer until Ctrl-C or SIGTERM, or until another thread calls ``stop()``."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._app.state.questions.cancel()
            self._socket.close()

    @property
    def started(self) -> bool:
        """Whether it answers."""
        return self._server.started

    def stop(self) -> None:
        """End it, from any thread."""
        self._app.state.questions.cancel()
        self._server.should_exit = True
