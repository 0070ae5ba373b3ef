"""The gRPC handler of MLMD's service: calls the backend, sets the status and logs each call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc

from mlmd_lineage.server.backend import SERVICE, methods, writes
from mlmd_lineage.server.error_reports import CallFailure, failure_of
from mlmd_lineage.server.response_size import too_large
from mlmd_lineage.server.status import StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mlmd_lineage.server.backend import AsyncBackend
    from mlmd_lineage.server.settings import ServerSettings

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# gRPC refuses trailers of more than 8 KiB, percent-encoded, and MLMD quotes whole nodes.
_MAX_DETAILS = 4096


class CallHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Handles calls of MLMD's methods, with requests and responses as bytes.

    A call ends when its client leaves, when the client's deadline passes, or after
    ``settings.timeout``.
    """

    def __init__(
        self, backend: AsyncBackend, settings: ServerSettings, log: Callable[[str], None]
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._log = log
        self._calls = 0
        self._handlers = {
            f"/{SERVICE}/{method}": grpc.unary_unary_rpc_method_handler(self._handler(method))
            for method in methods()
        }

    def service(self, details: Any) -> Any:
        """Return the handler of a call, or None for a method of another service."""
        return self._handlers.get(details.method)

    def _handler(self, method: str) -> Callable[[bytes, Any], Coroutine[Any, Any, bytes]]:
        async def handle(request: bytes, context: Any) -> bytes:
            started = time.perf_counter()
            # Decided before anything is awaited: calls that arrive together are counted one by one.
            is_one_too_many = self._calls >= self._settings.max_calls
            self._calls += 1
            try:
                answer = await asyncio.wait_for(
                    self._answer(method, request, is_one_too_many=is_one_too_many),
                    self._settings.timeout,
                )
            except asyncio.CancelledError:
                self._log_call(method, StatusCode.CANCELLED, started)
                raise
            except asyncio.TimeoutError:
                answer = CallFailure(
                    StatusCode.DEADLINE_EXCEEDED,
                    f"{method} took longer than the {self._settings.timeout:g} s that this server "
                    "allows for a call.",
                )
            finally:
                self._calls -= 1
            if isinstance(answer, bytes):
                self._log_call(method, StatusCode.OK, started)
                return answer
            context.set_code(_GRPC_CODES[answer.code])
            context.set_details(_shortened(answer.message))
            self._log_call(method, answer.code, started, answer.logged)
            return b""

        return handle

    async def _answer(
        self, method: str, request: bytes, *, is_one_too_many: bool
    ) -> bytes | CallFailure:
        if self._settings.read_only and writes(method):
            message = f"{method} would write, and this server only reads."
            return CallFailure(StatusCode.PERMISSION_DENIED, message)
        if is_one_too_many:
            message = (
                f"This server has {self._settings.max_calls} calls in hand, which is its limit; "
                "try again later."
            )
            return CallFailure(StatusCode.RESOURCE_EXHAUSTED, message)
        try:
            response = await self._backend.call(method, request)
        except Exception as error:  # noqa: BLE001 - a client gets a status, whatever went wrong
            return failure_of(method, error)
        if len(response) > self._settings.max_response << 20 and not writes(method):
            message = too_large(method, f"{len(response):,}", self._settings.max_response)
            return CallFailure(StatusCode.RESOURCE_EXHAUSTED, message)
        return response

    def _log_call(self, method: str, code: StatusCode, started: float, logged: str = "") -> None:
        milliseconds = (time.perf_counter() - started) * 1000
        self._log(f"{method} {code.name} {milliseconds:.1f} ms{logged and f', {logged}'}")


def _shortened(text: str) -> str:
    """Return as much of a text as fits into a call's trailers."""
    kept = text[:_MAX_DETAILS]
    while len(quote(kept)) > _MAX_DETAILS:
        kept = kept[: len(kept) // 2]
    return text if kept == text else f"{kept} ..."
