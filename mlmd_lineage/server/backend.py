"""The protocols of what answers calls, and the methods of MLMD's service.

``Backend`` is implemented by ``NativeBackend``, which hands serialized messages on to MLMD's own
library, and by ``OwnBackend``, which reads and writes the store with this library. The gRPC server
awaits an ``AsyncBackend``: ``ThreadBackend`` calls a ``Backend`` in threads, ``NativeProcessPool``
in other processes.
"""

from __future__ import annotations

from typing import Any, Protocol

from mlmd_lineage import _proto
from mlmd_lineage.server.status import StatusCode, StatusError

SERVICE = "ml_metadata.MetadataStoreService"
"""The service's full name in gRPC."""


class Backend(Protocol):
    """What answers the service's methods for one store."""

    def call(self, method: str, request: bytes) -> bytes:
        """Return the serialized response to a serialized request.

        Raises:
            StatusError: The call is answered by a status and has no response.
            MLMDLineageError: The store cannot be read or written.
        """


class AsyncBackend(Protocol):
    """What answers calls within an event loop."""

    async def call(self, method: str, request: bytes) -> bytes:
        """Return the response as ``Backend.call`` does; when cancelled, end the call.

        Raises:
            StatusError: The call is answered by a status and has no response.
            MLMDLineageError: The store cannot be read or written.
        """


def methods() -> tuple[str, ...]:
    """Return the names of the service's methods."""
    return tuple(_proto.service().methods_by_name)


def writes(method: str) -> bool:
    """Tell whether a method changes the store."""
    return method.startswith("Put")


def unimplemented(method: str) -> StatusError:
    """Return the status of a method that a backend does not have."""
    return StatusError(StatusCode.UNIMPLEMENTED, f"{method} is not implemented by this server.")


def parse_request(method: str, data: bytes) -> Any:
    """Return a method's request as a message.

    Raises:
        StatusError: The bytes are not such a message.
    """
    from google.protobuf.message import DecodeError

    name = f"{method}Request"
    try:
        request = _proto.message(name).FromString(data)
    except (DecodeError, RuntimeError):
        message = f"The bytes of the call are not a serialized {name}."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message) from None
    if not data.isascii() and (field := _proto.field_that_is_not_utf8(request)):
        message = f"The field {field} of the {name} is not valid UTF-8."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    return request
