"""From calls that gRPC takes to answers, with a line in the log for each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import grpc

from mlmd_lineage import errors
from mlmd_lineage.server import dispatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.server.dispatch import Answers

_CODES = {code.value[0]: code for code in grpc.StatusCode}
# gRPC refuses trailers of more than 8 KiB, percent-encoded, and MLMD quotes whole nodes.
_LONGEST_DETAILS = 4096


class CallHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """MLMD's service as gRPC calls it: by a method's path, with raw bytes."""

    def __init__(self, answering: Answers, *, read_only: bool, log: Callable[[str], None]) -> None:
        self._answering = answering
        self._read_only = read_only
        self._log = log
        self._handlers = {
            f"/{dispatch.SERVICE}/{method}": grpc.unary_unary_rpc_method_handler(
                self._handler(method)
            )
            for method in dispatch.methods()
        }

    def service(self, details: Any) -> Any:
        """Return what handles a call; None where it is none of ours."""
        return self._handlers.get(details.method)

    def _handler(self, method: str) -> Callable[[bytes, Any], bytes]:
        def handle(request: bytes, context: Any) -> bytes:
            started = time.perf_counter()
            if not context.is_active():  # the client left while the call was waiting
                self._say(method, dispatch.CANCELLED, started)
                return b""
            code, said, response = self._answer(method, request)
            if code:
                context.set_code(_CODES.get(code, grpc.StatusCode.UNKNOWN))
                context.set_details(_short(said))
            gone = not context.is_active()
            self._say(method, dispatch.CANCELLED if gone else code, started)
            return response

        return handle

    def _answer(self, method: str, request: bytes) -> tuple[int, str, bytes]:
        if self._read_only and dispatch.writes(method):
            said = f"{method} would write, and this server only reads."
            return dispatch.PERMISSION_DENIED, said, b""
        try:
            return dispatch.OK, "", self._answering.answer(method, request)
        except dispatch.StatusError as error:
            return error.code, error.message, b""
        except errors.StoreError as error:
            return dispatch.UNAVAILABLE, str(error), b""
        except Exception as error:  # noqa: BLE001 - a caller gets a status, whatever went wrong
            # Its words may hold a property's value.
            said = f"{method} failed on the server: {type(error).__name__}."
            return dispatch.INTERNAL, said, b""

    def _say(self, method: str, code: int, started: float) -> None:
        status = _CODES[code].name if code in _CODES else f"UNKNOWN({code})"
        milliseconds = (time.perf_counter() - started) * 1000
        self._log(f"{method} {status} {milliseconds:.1f} ms")


def _short(text: str) -> str:
    """Return so much of a text as fits into a call's trailers."""
    kept = text[:_LONGEST_DETAILS]
    while len(quote(kept)) > _LONGEST_DETAILS:
        kept = kept[: len(kept) // 2]
    return text if kept == text else f"{kept} ..."
