"""Final statuses of steps and runs, and checks of what they are given."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.typed_json import dumps, scalar
from mlmd_lineage.snapshot.enums import ExecutionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

_STATES = {
    "completed": ExecutionState.COMPLETE,
    "failed": ExecutionState.FAILED,
    "canceled": ExecutionState.CANCELED,
}
_MOST_ERROR = 2000
_TERMINATED = 128 + signal.SIGTERM
"""The exit code of a process that was sent SIGTERM, as ``termination`` has it."""
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@]+@")


def state_of(status: str) -> ExecutionState:
    """Return MLMD's state of a status with which a step can end.

    Raises:
        ConfigurationError: There is no such status.
    """
    if status not in _STATES:
        near = errors.did_you_mean(status, _STATES)
        message = f"A step or run ends as {', '.join(_STATES)}, not {status!r}.{near}"
        raise errors.ConfigurationError(message)
    return _STATES[status]


def status_after(error: BaseException | None) -> str:
    """Return how something ended in which an exception was raised, or none.

    ``sys.exit()`` without a code, or with 0, is no failure. Ctrl-C, SIGTERM and a task that
    asyncio cancels cancel it.
    """
    if error is None or (isinstance(error, SystemExit) and error.code in {None, 0}):
        return "completed"
    canceled = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
    return "canceled" if isinstance(error, canceled) or is_termination(error) else "failed"


def is_termination(error: BaseException) -> bool:
    """Tell whether an exception is what SIGTERM raises."""
    return isinstance(error, SystemExit) and error.code == _TERMINATED


def reason(error: BaseException | None) -> BaseException | None:
    """Return the exception that is recorded: none where ``sys.exit()`` says that all is well."""
    return None if status_after(error) == "completed" else error


def described(error: BaseException) -> str:
    """Return an exception in words, without users and passwords of URLs."""
    said = _USER_OF_URL.sub("", str(error))
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= _MOST_ERROR else f"{text[:_MOST_ERROR]}..."


def check_step_name(name: object) -> None:
    """Check the name of a step.

    Raises:
        ConfigurationError: It is no text, is empty, or has a slash, which separates nested steps.
    """
    if not isinstance(name, str) or not name or "/" in name or name != name.strip():
        message = (
            f"{name!r} is no name of a step: it has to be a text without slashes, and without "
            "spaces at its ends. A step inside a step is made by its step() method."
        )
        raise errors.ConfigurationError(message)


def check_name(what: str, name: object) -> None:
    """Check the name of a run or pipeline.

    Raises:
        ConfigurationError: It is no text, is empty, or has spaces at its ends.
    """
    if not isinstance(name, str) or not name or name != name.strip() or re.search(r"[\0]", name):
        told = (
            f"{name!r} is no name of a {what}: it has to be a text, neither empty nor with spaces "
            "at its ends."
        )
        raise errors.ConfigurationError(told)


def tag_properties(tags: Mapping[Any, Any]) -> dict[str, str]:
    """Return the properties of tags.

    Raises:
        ConfigurationError: A tag is no text.
    """
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str):
            message = f"A tag has a name and a value that are texts, unlike {name!r}: {value!r}."
            raise errors.ConfigurationError(message)
    return {f"{names.TAG_PREFIX}{name}": value for name, value in tags.items()}


def check_unchanged(before: Mapping[str, Any], given: Mapping[str, Any], path: str) -> None:
    """Check that further parameters of a step are not recorded with other values.

    Raises:
        ConfigurationError: One of them is.
    """
    for name, value in given.items():
        if name in before and not is_same_value(before[name], value):
            told = (
                f"The parameter {name!r} of the step {path!r} is recorded as "
                f"{scalar(before[name])!r} already. Give the new value another name."
            )
            raise errors.ConfigurationError(told)


def is_same_value(one: Any, other: Any) -> bool:
    """Tell whether two values are recorded alike: 1 and 1.0 are not."""
    return dumps(one) == dumps(other)


async def finished(awaited: Awaitable[None]) -> None:
    """Wait for something even where the task that waits is cancelled meanwhile."""
    task = asyncio.ensure_future(awaited)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
