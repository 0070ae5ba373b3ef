"""Messages between the supervisor and the processes that it starts."""

from __future__ import annotations

from typing import NamedTuple

from mlmd_lineage import errors  # noqa: TC001 - a NamedTuple's field


class Ready(NamedTuple):
    """From a process: it has started."""


class Failed(NamedTuple):
    """From a process: it cannot start."""

    error: type[errors.MLMDLineageError]
    message: str


class NativeProcess(NamedTuple):
    """To a worker: a native process is ready; the descriptor of its socket follows."""

    pid: int


class Kill(NamedTuple):
    """From a worker: end a native process, whose call has to end."""

    pid: int
