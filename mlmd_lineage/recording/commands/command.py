"""Runs a command as a recorded step: its inputs, its outputs, how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections import deque
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, TextIO

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.recording import outcomes
from mlmd_lineage.recording.caching.key import CacheKey
from mlmd_lineage.recording.commands.command_values import numbers_in, read_values
from mlmd_lineage.recording.files import digests
from mlmd_lineage.recording.files.uris import is_local, local_path, recorded_uri
from mlmd_lineage.recording.secret_values import without_secrets, without_secrets_in
from mlmd_lineage.recording.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlmd_lineage.recording.recorder import RunRecorder
    from mlmd_lineage.recording.step_recorder import StepRecorder

LOG_LINES, LOG_CHARACTERS = 200, 8000
"""How much of the end of a command's output is recorded."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit codes that a shell gives where a command cannot be started."""
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
_BY_TERMINAL = ("SIGINT", "SIGQUIT")


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """An input or an output of a command.

    Attributes:
        key: Its key.
        uri: The path or URL.
        type: The artifact type, where one is given.
    """

    key: str
    uri: str
    type: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedCommand:
    """A command with what is recorded of it.

    Attributes:
        words: The program and its arguments.
        step: The step's name.
        parameters: Parameters by names.
        inputs, outputs: What it reads and writes.
        metrics: JSON or YAML files that it writes, of which the numbers are metrics.
        type, base_type: The execution type, and MLMD's base type of it.
        may_reuse: Do not run it where the same command with the same inputs has run.
        keeps_log: Record the end of its output, which passes through this process then.
    """

    words: Sequence[str]
    step: str
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inputs: Sequence[Port] = ()
    outputs: Sequence[Port] = ()
    metrics: Sequence[str] = ()
    type: str | None = None
    base_type: str | None = None
    may_reuse: bool = False
    keeps_log: bool = True


def run_command(
    recorder: RunRecorder,
    command: RecordedCommand,
    told: Callable[[StepRecorder], None] = lambda _: None,
) -> int:
    """Run a command as a step of a run, and return its exit code; 128 and the signal that ended it.

    Signals that this process gets are passed on to the command.

    Args:
        recorder: The run, which has not begun.
        command: The command.
        told: Called with the step once it is in the store, before the command runs.

    Raises:
        MLMDLineageError: What is to be recorded cannot be: the command did not run.
    """
    signals = _PassedOn()
    with signals:
        recorder.start()
        try:
            code = _record(recorder, command, told, signals)
        except BaseException as error:
            with contextlib.suppress(errors.MLMDLineageError):
                recorder.end(outcomes.status_after(error), error)
            raise
        recorder.end(_status(code, signals))
    return code


def _record(
    recorder: RunRecorder,
    command: RecordedCommand,
    told: Callable[[StepRecorder], None],
    signals: _PassedOn,
) -> int:
    step = recorder.step(
        command.step,
        type=command.type,
        base_type=command.base_type,
        parameters=command.parameters,
        inputs=_grouped(command.inputs),
    )
    step.note({names.COMMAND: without_secrets(command.words)})
    step.look_up(key_of(recorder.pipeline, command, step), may_reuse=command.may_reuse)
    step.start()
    told(step)
    return 0 if step.is_cached else _run(command, step, signals)


def _grouped(ports: Sequence[Port]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    for port in ports:
        found.setdefault(port.key, []).append(Source(port.uri, type=port.type))
    return found


def key_of(pipeline: str, command: RecordedCommand, step: StepRecorder) -> CacheKey:
    """Return the cache key of a command: its words, the files among them, and what it is given.

    What looks like a secret is no part of it: from a digest in the store it could be guessed.
    """
    shown = without_secrets(command.words)
    source = {"step": f"{pipeline}.{command.step}", "command": json.dumps(shown)}
    known = {recorded_uri(port.uri) for port in (*command.inputs, *command.outputs)}
    for word, seen in zip(command.words, shown, strict=True):
        if word != seen:
            continue  # a file with a secret, or one whose name is secret
        if os.path.isfile(word) and recorded_uri(word) not in known:  # noqa: PTH113 - a text
            source[f"file {word}"] = f"sha256:{digests.sha256(word)}"
    return CacheKey.of(
        source=source,
        parameters={name: json.dumps(value) for name, value in command.parameters.items()},
        inputs=step.inputs,
        outputs={
            f"{port.key} {number}": f"{recorded_uri(port.uri)} {port.type or ''}".strip()
            for number, port in enumerate(command.outputs)
        },
    )


def _run(command: RecordedCommand, step: StepRecorder, signals: _PassedOn) -> int:
    begun = time.time()
    log = _Log()
    try:
        code = _wait(command, signals, log)
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        log.add(f"{command.words[0]}: {error.strerror}\n")
        sys.stderr.write(f"mlmd-lineage: {command.words[0]}: {error.strerror}\n")
    noted: dict[str, Any] = {names.EXIT_CODE: code}
    if command.keeps_log and log.tail():
        noted[names.LOG_TAIL] = log.tail()
    step.note(noted)
    status = _status(code, signals)
    if status == "completed":
        _add_outputs(command, step, begun)
    _add_metrics(command, step, begun)
    failure = None if code == 0 else CommandFailedError(f"exit code {code}")
    step.end(status, failure)
    return code


class CommandFailedError(errors.MLMDLineageError):
    """A command ended with another exit code than 0."""


def _status(code: int, signals: _PassedOn) -> str:
    if code == 0:
        return "completed"
    return "canceled" if signals.passed else "failed"


def _wait(command: RecordedCommand, signals: _PassedOn, log: _Log) -> int:
    captured = subprocess.PIPE if command.keeps_log else None
    signals.keep()
    with subprocess.Popen(list(command.words), stdout=captured, stderr=captured) as process:  # noqa: S603 - the user's own command
        signals.to(process)
        copying = [
            Thread(target=log.copy, args=(source, target), daemon=True)
            for source, target in (
                (process.stdout, sys.stdout),
                (process.stderr, sys.stderr),
            )
            if source is not None
        ]
        for thread in copying:
            thread.start()
        code = _ended(process)
        for thread in copying:
            # A process that the command left behind may keep its output open.
            thread.join(timeout=1.0)
            if thread.is_alive():
                _give_up(process)
    return code if code >= 0 else 128 - code


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a command, and return its exit code.

    Python runs the handler of a signal that comes just before a call of the system only when that
    call has returned, so none of them may last as long as the command.
    """
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(1.0)


def _give_up(process: subprocess.Popen[bytes]) -> None:
    """Leave the output of a command to whoever it left behind."""
    process.stdout, process.stderr = None, None


def _add_outputs(command: RecordedCommand, step: StepRecorder, begun: float) -> None:
    for port in command.outputs:
        if is_local(port.uri):
            path = Path(local_path(port.uri))
            if not path.exists():
                _warn(f"The command did not write its output {port.key!r}: {port.uri}.")
                continue
            if not path.is_dir() and path.stat().st_mtime < begun - 2:
                _warn(f"The output {port.key!r}, {port.uri}, is older than the command's start.")
        step.produce(port.key, uri=port.uri, type=port.type)


def _add_metrics(command: RecordedCommand, step: StepRecorder, begun: float) -> None:
    for file in command.metrics:
        path = Path(file)
        try:
            if path.stat().st_mtime < begun - 2:
                _warn(f"The metrics in {file} are older than the command's start: left out.")
                continue
            step.log_metrics(numbers_in(read_values(path)))
        except (OSError, errors.MLMDLineageError) as error:
            _warn(f"The metrics in {file} were not recorded: {error}")


def _warn(message: str) -> None:
    warnings.warn(errors.RecordingWarning(message), stacklevel=3)


class _Log:
    """The end of what a command wrote."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LOG_LINES)

    def add(self, text: str) -> None:
        self._lines.append(text)

    def copy(self, source: IO[bytes], target: TextIO) -> None:
        """Pass on what a command writes, as it comes, and keep the end of it."""
        rest = b""
        raw = getattr(target, "buffer", None)
        while part := os.read(source.fileno(), 1 << 16):
            # Where nobody reads it any more, the command goes on.
            with contextlib.suppress(OSError, ValueError):
                if raw is None:
                    target.write(part.decode("utf-8", "replace"))
                else:
                    raw.write(part)
                target.flush()
            *whole, rest = (rest + part).split(b"\n")
            rest = rest[-LOG_CHARACTERS:]
            self._lines.extend(line.decode("utf-8", "replace") + "\n" for line in whole)
        if rest:
            self._lines.append(rest.decode("utf-8", "replace"))

    def tail(self) -> str:
        return without_secrets_in("".join(self._lines))[-LOG_CHARACTERS:]


class _PassedOn:
    """Passes the signals that this process gets on to a command."""

    def __init__(self) -> None:
        self.passed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Any] = {}
        self._kept: list[int] | None = None

    def keep(self) -> None:
        """Keep the signals that come while the command is started."""
        self._kept = []

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """Pass signals on to a process, those that were kept first."""
        self._process = process
        for number in self._kept or ():
            self._send(process, number)

    def __enter__(self) -> None:
        for number in self._numbers():
            self._before[number] = signal.signal(number, self._pass)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _numbers(self) -> Iterator[int]:
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                yield number

    def _pass(self, number: int, _frame: object) -> None:
        self.passed = True
        process = self._process
        if process is not None:
            self._send(process, number)
        elif self._kept is not None:
            self._kept.append(number)  # the command may have begun already
        else:
            raise KeyboardInterrupt  # the command has not begun, and does not

    @staticmethod
    def _send(process: subprocess.Popen[bytes], number: int) -> None:
        if signal.Signals(number).name in _BY_TERMINAL and _is_in_foreground():
            return  # the terminal has sent it to the command as well
        process.send_signal(number)


def _is_in_foreground() -> bool:
    """Tell whether the terminal sends its signals to this process's group."""
    if sys.platform == "win32":
        return False
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123 - no file
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
