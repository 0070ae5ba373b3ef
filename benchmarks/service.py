"""An MLMD service over a generated store, which both sides read."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WORKERS = 2


class ServiceError(Exception):
    """The service did not start."""


class Service:
    """``mlmd-lineage serve`` with some processes, on a free port of this machine."""

    def __init__(self, path: Path) -> None:
        """Start it over an SQLite store, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlmd_lineage", "serve", str(path)),
                *("--port", "0", "--workers", str(WORKERS), "--engine", "native"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip().rstrip(".")
        if not line.startswith("Serving "):
            self.stop()
            message = f"the service over {path} did not start: {line}"
            raise ServiceError(message)
        self.url = f"grpc://{line.rpartition(' ')[2]}"

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
