"""gRPC status codes, and the exception that answers a call with one."""

from __future__ import annotations

import enum


class StatusCode(enum.IntEnum):
    """The numbers that gRPC and MLMD's library share.

    Source: https://grpc.io/docs/guides/status-codes
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class StatusError(Exception):
    """A call that is answered by a status and not by a response."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        try:
            self.code = StatusCode(code)
        except ValueError:
            self.code = StatusCode.UNKNOWN
        self.message = message
