"""A background process that forwards a port of this machine to a server in a cluster.

``python -m mlmd_lineage.kubernetes.port_forward`` is that process. It forwards with ``kubectl``
where that is installed, else with the kubernetes client, and restarts a forward that breaks off,
as happens whenever the pod is replaced. It holds a lock as long as it runs: a process id in its
state file is believed only while the lock is held.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import filelock

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import read_if_there, write_whole
from mlmd_lineage.kubernetes import manifests
from mlmd_lineage.stores.kubectl import KubectlPortForward, find_kubectl

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1
_RESTART_SECONDS = 1.0
_CHUNK = 65_536
_OWNER_ONLY = 0o600

_started: list[subprocess.Popen[bytes]] = []
"""Background processes that this process started, and has to wait for once they end."""


@dataclasses.dataclass(frozen=True)
class Target:
    """What is forwarded to."""

    context: str
    namespace: str
    name: str


class PortForwardProcess:
    """The forwarded port of one deployment.

    Args:
        folder: Where its state, its lock and its log are kept.
        target: What it leads to.
    """

    def __init__(self, folder: Path, target: Target) -> None:
        self._folder, self._target = folder, target
        self._state = folder / "forward.json"
        self._lock = folder / "forward.lock"
        self.log = folder / "forward.log"

    @property
    def port(self) -> int | None:
        """The port of this machine, or None where nothing is forwarded."""
        state = self._running()
        return int(state["port"]) if state else None

    def _running(self) -> dict[str, int] | None:
        data = read_if_there(self._state)
        if data is None or not self._held():
            return None
        try:
            state: dict[str, int] = json.loads(data)
        except ValueError:
            return None
        return state

    def _held(self) -> bool:
        """Return whether the background process runs: only then is its lock held."""
        lock = filelock.FileLock(self._lock, timeout=0)
        try:
            with lock:
                return False
        except filelock.Timeout:
            return True
        except OSError:
            return False

    def start(self) -> int:
        """Forward a port, unless one is, and return it.

        Raises:
            UnreachableError: Nothing is forwarded in time; the message quotes the log's end.
        """
        port = self.port
        if port is not None:
            return port
        with self.log.open("wb") as log:
            os.chmod(self.log, _OWNER_ONLY)  # noqa: PTH101
            process = subprocess.Popen(  # noqa: S603 - this very module
                [
                    sys.executable,
                    "-m",
                    "mlmd_lineage.kubernetes.port_forward",
                    str(self._folder),
                    *dataclasses.astuple(self._target),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # It outlives this process; a reference to it keeps Python from warning about that.
        _started.append(process)
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            port = self.port
            if port is not None and _accepts(port):
                return port
            if process.poll() is not None and not self._held():
                break
            time.sleep(_POLL_SECONDS)
        process.terminate()
        self.stop()
        said = (read_if_there(self.log) or b"").decode(errors="replace").strip().splitlines()
        last = f" It says: {said[-1]}" if said else ""
        message = f"No port could be forwarded to {self._target.name}.{last}"
        raise errors.UnreachableError(message)

    def stop(self) -> bool:
        """Stop forwarding; return whether anything was forwarded."""
        state = self._running()
        if state is None:
            self._state.unlink(missing_ok=True)
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(state["pid"], signal.SIGTERM)
        end = time.monotonic() + _STOP_SECONDS
        while self._held() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        self._state.unlink(missing_ok=True)
        for process in _started:
            if process.pid == state["pid"]:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_SECONDS)
        return True


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


# What follows runs in the background process.


def main() -> None:
    """Forward a port until SIGTERM."""
    folder, target = Path(sys.argv[1]), Target(*sys.argv[2:5])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        lock = filelock.FileLock(folder / "forward.lock", timeout=0)
        with lock:
            _forward(folder / "forward.json", target)
    except filelock.Timeout:
        return  # another forwards already


def _forward(state: Path, target: Target) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def write_state() -> None:
        write_whole(state, json.dumps({"pid": os.getpid(), "port": port}).encode())

    if find_kubectl() is None:
        write_state()
        _with_client(listener, target)
        return
    listener.close()
    while True:
        try:
            forward = _with_kubectl(port, target)
        except errors.UnreachableError as error:
            _log(str(error))
        else:
            write_state()
            forward.wait()
        time.sleep(_RESTART_SECONDS)


def _log(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the process's output is its log file


def _with_kubectl(port: int, target: Target) -> KubectlPortForward:
    return KubectlPortForward(
        target.context,
        target.namespace,
        f"svc/{target.name}",
        manifests.PORT,
        local_port=port,
        log=_log,
    )


def _with_client(listener: socket.socket, target: Target) -> None:
    """Accept connections, and forward each to the pod through the cluster's API."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_forward_connection, args=(connection, target), daemon=True).start()


def _forward_connection(connection: socket.socket, target: Target) -> None:
    from mlmd_lineage.kubernetes.cluster import Cluster

    with connection:
        try:
            from kubernetes.stream import portforward

            # One for each connection, as the client's streams are not for several threads.
            cluster = Cluster(target.context, target.namespace)
            running = [
                pod["metadata"]["name"]
                for pod in cluster.pods(manifests.selector(target.name))
                if pod.get("status", {}).get("phase") == "Running"
            ]
            if not running:
                _log(f"no pod of {target.name} is running")
                return
            forward = portforward(
                cluster.core.connect_get_namespaced_pod_portforward,
                running[0],
                target.namespace,
                ports=str(manifests.PORT),
            )
            pod = forward.socket(manifests.PORT)
        except Exception as error:  # noqa: BLE001 - one connection fails, the others go on
            _log(f"{type(error).__name__}: the pod cannot be reached")
            return
        back = threading.Thread(target=_copy, args=(pod, connection), daemon=True)
        back.start()
        _copy(connection, pod)
        back.join()
        pod.close()


def _copy(source: Any, target: Any) -> None:
    """Copy what arrives until the connection ends, and end the other side then."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
