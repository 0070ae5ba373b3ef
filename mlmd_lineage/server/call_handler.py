"""The gRPC handler of MLMD's service: calls a backend, sets the status and logs each call."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc

from mlmd_lineage import errors
from mlmd_lineage.server.backend import SERVICE, methods, writes
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.server.backend import Backend

_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# gRPC refuses trailers of more than 8 KiB, percent-encoded, and MLMD quotes whole nodes.
_MAX_DETAILS = 4096


class CallHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Handles calls of MLMD's methods, with requests and responses as bytes."""

    def __init__(self, backend: Backend, *, read_only: bool, log: Callable[[str], None]) -> None:
        self._backend = backend
        self._read_only = read_only
        self._log = log
        self._handlers = {
            f"/{SERVICE}/{method}": grpc.unary_unary_rpc_method_handler(self._handler(method))
            for method in methods()
        }

    def service(self, details: Any) -> Any:
        """Return the handler of a call, or None for a method of another service."""
        return self._handlers.get(details.method)

    def _handler(self, method: str) -> Callable[[bytes, Any], bytes]:
        def handle(request: bytes, context: Any) -> bytes:
            started = time.perf_counter()
            if not context.is_active():  # the client left while the call was waiting
                self._log_call(method, StatusCode.CANCELLED, started)
                return b""
            code, message, response = self._call(method, request)
            if code is not StatusCode.OK:
                context.set_code(_GRPC_CODES[code])
                context.set_details(_shortened(message))
            cancelled = not context.is_active()
            self._log_call(method, StatusCode.CANCELLED if cancelled else code, started)
            return response

        return handle

    def _call(self, method: str, request: bytes) -> tuple[StatusCode, str, bytes]:
        if self._read_only and writes(method):
            message = f"{method} would write, and this server only reads."
            return StatusCode.PERMISSION_DENIED, message, b""
        try:
            return StatusCode.OK, "", self._backend.call(method, request)
        except StatusError as error:
            return error.code, error.message, b""
        except errors.StoreError as error:
            return StatusCode.UNAVAILABLE, str(error), b""
        except Exception as error:  # noqa: BLE001 - a client gets a status, whatever went wrong
            # The exception's own message may hold a property's value.
            message = f"{method} failed on the server: {type(error).__name__}."
            return StatusCode.INTERNAL, message, b""

    def _log_call(self, method: str, code: StatusCode, started: float) -> None:
        milliseconds = (time.perf_counter() - started) * 1000
        self._log(f"{method} {code.name} {milliseconds:.1f} ms")


def _shortened(text: str) -> str:
    """Return as much of a text as fits into a call's trailers."""
    kept = text[:_MAX_DETAILS]
    while len(quote(kept)) > _MAX_DETAILS:
        kept = kept[: len(kept) // 2]
    return text if kept == text else f"{kept} ..."
