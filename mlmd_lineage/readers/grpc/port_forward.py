"""A port of this machine, forwarded to the metadata service in a Kubernetes cluster."""

from __future__ import annotations

import collections
import contextlib
import re
import shutil
import subprocess
import threading
import weakref
from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICE = "svc/metadata-grpc-service"
PORT = 8080
"""The port of Kubeflow's service, whatever container is behind it."""

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_READY = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


class KubectlPortForward:
    """``kubectl port-forward``, for as long as the object lives.

    Raises:
        ConfigurationError: There is no ``kubectl``.
        UnreachableError: It cannot forward a port.
    """

    def __init__(self, context: str, namespace: str) -> None:
        where = f"kubeflow://{context}/{namespace}"
        program = shutil.which("kubectl")
        if program is None:
            message = (
                f"{where} is reached by kubectl, which is not on the PATH. Install it, or forward "
                "a port by other means and give grpc://127.0.0.1:PORT."
            )
            raise errors.ConfigurationError(message)
        # Without a port of ours kubectl takes a free one, and says which.
        arguments = (
            f"--context={context}",
            f"--namespace={namespace}",
            "port-forward",
            "--address=127.0.0.1",
            SERVICE,
            f":{PORT}",
        )
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and no argument begins with '-'
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        # Closed with the reader that holds it, and at the latest when the interpreter ends.
        self._closing = weakref.finalize(self, _stop, self._process)
        said: collections.deque[str] = collections.deque(maxlen=5)
        found: list[int] = []
        ready = threading.Event()
        assert self._process.stdout is not None
        threading.Thread(
            target=_listen, args=(self._process.stdout, said, found, ready), daemon=True
        ).start()
        ready.wait(_START_SECONDS)
        if not found:
            self.close()
            what = " ".join(said) or f"it said nothing for {_START_SECONDS:g} seconds"
            message = (
                f"kubectl cannot forward a port to {SERVICE} of {where}: {what}. Check the context "
                "with 'kubectl config get-contexts', and the namespace."
            )
            raise errors.UnreachableError(message)
        self.port = found[0]

    @property
    def is_open(self) -> bool:
        """Whether kubectl still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Stop kubectl."""
        self._closing()


def _listen(
    lines: Iterable[str], said: collections.deque[str], found: list[int], ready: threading.Event
) -> None:
    """Take what kubectl prints, so that it never waits for someone to read it."""
    with contextlib.suppress(ValueError):  # it is closed meanwhile
        for line in lines:
            said.append(line.strip())
            match = _READY.match(line)
            if match is not None and not found:
                found.append(int(match[1]))
                ready.set()
    ready.set()


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()
