"""The status of a call that failed, and what the log says about the failure.

What may name a path, a user, a host or a file beside the store goes to the log alone. The client's
message and the log have the same random id, by which an operator finds one from the other.
"""

from __future__ import annotations

import re
import secrets
import traceback
from pathlib import Path
from typing import NamedTuple

from mlmd_lineage import errors
from mlmd_lineage.server.status import StatusCode, StatusError

_INTERNAL_CODES = {
    StatusCode.UNKNOWN,
    StatusCode.ABORTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
}
"""Status codes with which MLMD's library passes on the message of a database or its driver."""
_STORE_FAILURES = (
    (
        errors.LockedStoreError,
        StatusCode.ABORTED,  # upon which MLMD's client tries again
        "The store was locked for too long by another process; try again.",
    ),
    (
        errors.UncertainWriteError,
        StatusCode.UNKNOWN,
        "The connection to the database was lost while the call was being committed.",
    ),
    (errors.StoreError, StatusCode.UNAVAILABLE, "The store cannot be used at the moment."),
)
"""The status and the message of each error of a store; the first that fits is taken."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_MAX_LOGGED = 500


class CallFailure(NamedTuple):
    """How a failed call is reported."""

    code: StatusCode
    message: str
    """What the client is told."""
    logged: str = ""
    """What the line of the log says besides the status; empty where the message says all."""


def failure_of(method: str, error: Exception) -> CallFailure:
    """Return how a call is reported that raised an exception."""
    if isinstance(error, errors.PutRefusedError):
        return CallFailure(StatusCode[error.status], str(error))
    if isinstance(error, StatusError):
        if error.code in _INTERNAL_CODES and not error.public:
            return _with_id(error.code, f"{method} failed in the store.", _masked(error.message))
        return CallFailure(error.code, error.message)
    for kind, code, message in _STORE_FAILURES:
        if isinstance(error, kind):
            return _with_id(code, message, str(error))
    return _with_id(StatusCode.INTERNAL, f"{method} failed on the server.", _place(error))


def _with_id(code: StatusCode, message: str, logged: str) -> CallFailure:
    number = secrets.token_hex(4)
    told = f"{message} The server's log gives the reason under error {number}."
    one_line = " ".join(logged.split())[:_MAX_LOGGED]
    return CallFailure(code, told, f"error {number}: {one_line}")


def _masked(text: str) -> str:
    """Return a message of MLMD's library without its SQL statement and without quoted values."""
    statement = text.find(" query: ", text.find("executing query: ") + len("executing query: "))
    return _QUOTED.sub("'...'", text[:statement] if statement >= 0 else text)


def _place(error: Exception) -> str:
    """Return the type of an exception and where it was raised: its message may hold values."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-3:]]
    return f"{type(error).__name__} at {' < '.join(reversed(where))}"
