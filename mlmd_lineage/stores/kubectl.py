"""A port of this machine, forwarded into a Kubernetes cluster by ``kubectl port-forward``."""

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
    from collections.abc import Callable, Iterable

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_READY = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


def find_kubectl() -> str | None:
    """Return the path of the program ``kubectl``, or None where it is not installed."""
    return shutil.which("kubectl")


class KubectlPortForward:
    """A running ``kubectl port-forward``, for as long as the object lives.

    >>> forward = KubectlPortForward("prod", "kubeflow", "svc/metadata-grpc-service", 8080)
    >>> forward.port
    41235

    Args:
        context: The context in the kubeconfig.
        namespace: The namespace.
        resource: What is forwarded to, as kubectl writes it: ``svc/NAME``.
        remote_port: The port of the resource.
        local_port: The port of this machine; kubectl takes a free one where it is 0.
        log: What takes each line that kubectl prints.

    Raises:
        ConfigurationError: There is no ``kubectl``.
        UnreachableError: It cannot forward a port; the message quotes what it printed last.
    """

    def __init__(  # noqa: PLR0913 - the arguments of kubectl
        self,
        context: str,
        namespace: str,
        resource: str,
        remote_port: int,
        *,
        local_port: int = 0,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        where = f"{resource} in {context}/{namespace}"
        program = find_kubectl()
        if program is None:
            message = (
                f"{where} is reached by kubectl, which is not on the PATH. Install it, or forward "
                "a port by other means and give grpc://127.0.0.1:PORT."
            )
            raise errors.ConfigurationError(message)
        arguments = (
            f"--context={context}",
            f"--namespace={namespace}",
            "port-forward",
            "--address=127.0.0.1",
            resource,
            f"{local_port or ''}:{remote_port}",
        )
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and no argument begins with '-'
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        # Stopped with the object that holds it, and at the latest when the interpreter ends.
        self._stop = weakref.finalize(self, _terminate, self._process)
        printed: collections.deque[str] = collections.deque(maxlen=5)
        ports: list[int] = []
        ready = threading.Event()
        assert self._process.stdout is not None
        threading.Thread(
            target=_read_output,
            args=(self._process.stdout, printed, ports, ready, log),
            daemon=True,
        ).start()
        ready.wait(_START_SECONDS)
        if not ports:
            self.close()
            what = " ".join(printed) or f"it printed nothing for {_START_SECONDS:g} seconds"
            message = (
                f"kubectl cannot forward a port to {where}: {what}. Check the context with "
                "'kubectl config get-contexts', and the namespace."
            )
            raise errors.UnreachableError(message)
        self.port = ports[0]

    @property
    def is_open(self) -> bool:
        """Whether kubectl still runs."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until kubectl ends by itself, as it does when the pod is replaced."""
        self._process.wait()

    def close(self) -> None:
        """Stop kubectl."""
        self._stop()


def _read_output(
    lines: Iterable[str],
    printed: collections.deque[str],
    ports: list[int],
    ready: threading.Event,
    log: Callable[[str], None],
) -> None:
    """Read what kubectl prints, so that its pipe never fills up."""
    with contextlib.suppress(ValueError):  # the pipe was closed meanwhile
        for line in lines:
            printed.append(line.strip())
            log(line.rstrip("\n"))
            match = _READY.match(line)
            if match is not None and not ports:
                ports.append(int(match[1]))
                ready.set()
    ready.set()


def _terminate(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        with contextlib.suppress(OSError):
            process.stdout.close()
