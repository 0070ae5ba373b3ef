"""What answers the service's methods: bytes in, bytes out, or a status.

There are two of them: ``native`` hands the bytes on to MLMD's own library, ``reading`` answers
from this library's readers.
"""

from __future__ import annotations

from typing import Any, Protocol

from mlmd_lineage import _proto

SERVICE = "ml_metadata.MetadataStoreService"
"""The service's name on the wire."""

# Numbers that gRPC and MLMD's library share: https://grpc.io/docs/guides/status-codes
OK, CANCELLED, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS = 0, 1, 3, 5, 6
PERMISSION_DENIED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 7, 12, 13, 14


class StatusError(Exception):
    """A call that is answered by a status and not by a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Answers(Protocol):
    """What answers the service's methods for one store."""

    def answer(self, method: str, request: bytes) -> bytes:
        """Return the serialized response to a serialized request.

        Raises:
            StatusError: The call has no response.
        """


def methods() -> tuple[str, ...]:
    """Return the names of the service's methods."""
    return tuple(_proto.service().methods_by_name)


def writes(method: str) -> bool:
    """Tell whether a method changes the store."""
    return method.startswith("Put")


def unimplemented(method: str) -> StatusError:
    """Return the status of a method that nothing answers."""
    return StatusError(UNIMPLEMENTED, f"{method} is not implemented by this server.")


def parsed(name: str, data: bytes) -> Any:
    """Return the message that some bytes are.

    Raises:
        StatusError: They are none.
    """
    from google.protobuf.message import DecodeError

    try:
        return _proto.message(name).FromString(data)
    except (DecodeError, RuntimeError):
        message = f"The bytes of the call are no {name}."
        raise StatusError(INVALID_ARGUMENT, message) from None
