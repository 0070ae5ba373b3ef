"""A metadata service in a process of its own, for the length of a test.

``with served(path) as service:`` runs ``mlmd-lineage serve`` on a free port of 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_SECONDS = 60

WITHOUT_MLMD = """
import sys
sys.modules["ml_metadata"] = None
from mlmd_lineage.cli import main
main()
"""


@dataclass
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    said: Path
    """The file that takes its log."""
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def log(self) -> str:
        return self.said.read_text(encoding="utf-8")

    @property
    def workers(self) -> list[int]:
        """The process ids of its workers; only Linux tells them."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(child) for child in children.split()]

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Wait until the log holds a text, so many times."""
        waiting.until(lambda: self.log.count(text) >= times, lambda: f"{text!r} in:\n{self.log}\n")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextlib.contextmanager
def served(
    store: str | Path, *options: str, without_mlmd: bool = False, **environment: str
) -> Iterator[Service]:
    """Serve a store, and stop it at the end if the test has not.

    Args:
        store: A path or a URL.
        options: Those of ``mlmd-lineage serve``, but ``--port``.
        without_mlmd: Run it where ``ml_metadata`` cannot be imported.
        environment: More variables of the environment.
    """
    program = ["-c", WITHOUT_MLMD] if without_mlmd else ["-m", "mlmd_lineage"]
    command = [sys.executable, *program, "serve", str(store), "--port", "0", *options]
    with tempfile.TemporaryDirectory(prefix="mlmd-") as folder:
        said = Path(folder, "log")
        with (
            said.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **environment},
            ) as process,
        ):
            service = Service(process, said)
            try:
                assert process.stdout is not None
                line = process.stdout.readline().strip()
                assert line.startswith("Serving "), service.log
                service.port = int(line.rstrip(".").rpartition(":")[2])
                yield service
            finally:
                if process.poll() is None:
                    service.stop()
