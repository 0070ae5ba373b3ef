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
    if not data.isascii() and (field := _field_that_is_not_utf8(request)):
        message = f"The field {field} of the {name} is not valid UTF-8."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    return request


def _field_that_is_not_utf8(message: Any) -> str | None:
    """Return the name of a text that protobuf had to leave as bytes; None where there is none."""
    for field, value in message.ListFields():
        name = f"{field.containing_type.name}.{field.name}"
        try:
            texts, messages = _texts_and_messages(field, value)
        except UnicodeDecodeError:  # of the keys of a map
            return name
        if any(isinstance(text, bytes) for text in texts):
            return name
        for part in messages:
            if (found := _field_that_is_not_utf8(part)) is not None:
                return found
    return None


def _texts_and_messages(field: Any, value: Any) -> tuple[list[Any], list[Any]]:
    """Return the texts and the messages that a field holds, keys of a map included."""
    from google.protobuf.message import Message

    if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        values = list(value.values())
        return [*value.keys()], [one for one in values if isinstance(one, Message)]
    if field.type == field.TYPE_MESSAGE:
        return [], [value] if isinstance(value, Message) else list(value)
    if field.type == field.TYPE_STRING:
        return [value] if isinstance(value, (str, bytes)) else list(value), []
    return [], []
