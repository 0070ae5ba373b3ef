"""Machines for the tests of Apache Spark: namespaces of Linux, each with an IP address of its own.

A switch, which also serves an S3 bucket, a Spark master, two workers and a driver. Each has a host
name and a folder that none of the others sees, and no network but the one between them: so nothing
of the real network is touched. All ends with the context, and the namespaces are deleted then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import spark_cluster
import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKET = "s3://bucket/archive"
_HERE = Path(__file__).parent
_NETWORK = "198.18.0"  # of those that are for tests of networks
_NAMES = ("switch", "master", "worker-0", "worker-1", "driver")
_PORT = 5000
_PATIENCE = waiting.LONG
# A host name of its own, a table of all of them, and none of the other machines' files.
_IN_MACHINE = """
hostname "$1"; mount --bind "$2" /etc/hosts; shift 2
while [ "$1" != -- ]; do mount -t tmpfs -o size=64m none "$1"; shift; done; shift
exec "$@"
"""


class MissingMachinesError(Exception):
    """Namespaces cannot be had here; the text says why, in one line."""


class Refused(Exception):  # noqa: N818 - of the driver
    """What a driver could not answer; the text is the message of its error."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine.

    Attributes:
        name: Its host name.
        namespace: Its network's name.
        folder: Its files.
    """

    name: str
    namespace: str
    folder: Path

    @property
    def address(self) -> str:
        """Its IP address."""
        return f"{_NETWORK}.{_NAMES.index(self.name) + 1}"

    def command(self, *program: str) -> list[str]:
        """Return what runs a program there, in a process whose id is that of the started one."""
        others = [str(self.folder.parent / name) for name in _NAMES if name != self.name]
        shell = ["unshare", "--mount", "--uts", "sh", "-euc", _IN_MACHINE, "sh"]
        own = [self.name, str(self.folder.parent / "hosts")]
        return ["ip", "netns", "exec", self.namespace, *shell, *own, *others, "--", *program]

    def environment(self) -> dict[str, str]:
        """Return the environment variables of its programs."""
        return {
            **spark_cluster.environment(),
            "PYTHONPATH": os.pathsep.join(map(str, (_HERE.parent, _HERE))),
            "SPARK_LOCAL_IP": self.address,
            "SPARK_LOCAL_DIRS": str(self.folder / "local"),
            "TMPDIR": str(self.folder),
            "AWS_ENDPOINT_URL": f"http://{_NETWORK}.1:{_PORT}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "geheim",
        }


class Worker(NamedTuple):
    """A worker's machine, and its process."""

    machine: Machine
    process: subprocess.Popen[bytes]

    def executors(self) -> list[int]:
        """Return the ids of the processes of its executors."""
        return [number for number, parent in _parents().items() if parent == self.process.pid]

    def tasks(self) -> int:
        """Return how many tasks its executors have begun, as their logs say."""
        logs = self.machine.folder.glob("work/*/*/stderr")
        return sum(log.read_bytes().count(b": Running task ") for log in logs)

    def kill_amid_tasks(self, before: int) -> None:
        """Kill its executors once they have begun a task after some others."""
        waiting.until(lambda: self.tasks() > before, "a task")
        self.kill_executor()

    def kill_executor(self) -> None:
        """Kill its executors, as a machine that ends does, once it has some."""
        waiting.until(self.executors, f"an executor of {self.machine.name}")
        for number in self.executors():
            os.kill(number, signal.SIGKILL)


class Driver:
    """A program on the driver's machine, which asks a store on Spark what it is told to."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, log: Path) -> None:
        """Take its process, the folder of its answers, and its log."""
        self._process = process
        self._folder = folder
        self._log = log
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def ask(self, task: str, **arguments: Any) -> Path:
        """Return the Parquet file with the answer to a question of ``spark_driver``.

        Raises:
            Refused: It ended with an error.
        """
        self.begin(task, **arguments)
        return self.answer()

    def begin(self, task: str, **arguments: Any) -> None:
        """Begin to ask a question."""
        assert self._process.stdin is not None
        print(json.dumps([task, arguments]), file=self._process.stdin, flush=True)

    def answer(self) -> Path:
        """Return the answer to what was begun.

        Raises:
            Refused: It ended with an error.
        """
        try:
            line = self._lines.get(timeout=_PATIENCE)
        except queue.Empty:
            line = ""
        assert line, f"the driver did not answer: {self.log()[-2000:]}"
        error, file = json.loads(line)
        if error is not None:
            raise Refused(error)
        return self._folder / str(file)

    def log(self) -> str:
        """Return what it printed for whoever runs it."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


@dataclasses.dataclass(frozen=True)
class Machines:
    """The running machines.

    Attributes:
        url: The master's.
        workers: The workers.
        shared: A folder that all of them see.
    """

    url: str
    workers: list[Worker]
    shared: Path
    _driver: Machine

    @property
    def alone(self) -> Path:
        """A folder that only the driver sees; the others have an empty one in its place."""
        return self._driver.folder

    @contextlib.contextmanager
    def driver(self, **settings: str) -> Iterator[Driver]:
        """Run a driver with some settings of Spark's, given with ``_`` for a dot."""
        given = {
            **spark_cluster.SETTINGS,
            "spark.master": self.url,
            "spark.driver.host": self._driver.address,
            "spark.driver.bindAddress": self._driver.address,
            "spark.ui.showConsoleProgress": "false",
            "spark.cores.max": "2",  # one of each worker, and one is left for another driver
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        answers = self._driver.folder / f"answers-{len(list(self._driver.folder.iterdir()))}"
        answers.mkdir()
        log = answers / "log"
        program = [sys.executable, str(_HERE / "spark_driver.py"), str(answers), json.dumps(given)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._driver.command(*program),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env=self._driver.environment(),
                cwd=answers,
                start_new_session=True,
            )
        try:
            yield Driver(process, answers, log)
        finally:
            # Java and Python tasks of its own are in its session.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@contextlib.contextmanager
def running(folder: Path, archive: Path) -> Iterator[Machines]:
    """Run the machines.

    Args:
        folder: Where their files go.
        archive: What the bucket holds, at ``BUCKET``.

    Raises:
        MissingMachinesError: There can be none.
    """
    _check()
    machines = {name: Machine(name, f"mlmd{os.getpid()}{name}", folder / name) for name in _NAMES}
    with contextlib.ExitStack() as stack:
        _connect(machines, stack)
        hosts = "".join(f"{machine.address} {name}\n" for name, machine in machines.items())
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}", encoding="utf-8")
        for machine in machines.values():
            machine.folder.mkdir()
        shared = folder / "shared"
        shared.mkdir()
        copy = shutil.copytree(archive, machines["switch"].folder / "archive")
        server = [sys.executable, str(_HERE / "spark_bucket.py")]
        own = [machines["switch"].address, str(_PORT), str(copy)]
        log, _ = _started(machines["switch"], server + own, stack)
        spark_cluster.told(log, "(serving)")
        log, _ = _started(machines["master"], _spark(machines["master"], "master.Master"), stack)
        url = spark_cluster.told(log, r"Starting Spark master at (spark://\S+)")
        workers = []
        for name in ("worker-0", "worker-1"):
            machine = machines[name]
            own = ["-c", "2", "-m", "1g", "-d", str(machine.folder / "work"), url]
            log, process = _started(machine, [*_spark(machine, "worker.Worker"), *own], stack)
            spark_cluster.told(log, "(Successfully registered) with master")
            workers.append(Worker(machine, process))
        yield Machines(url, workers, shared, machines["driver"])


def _check() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        message = "only root on Linux can have several machines on one"
        raise MissingMachinesError(message)
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            message = f"no {program} (Debian: iproute2 and util-linux)"
            raise MissingMachinesError(message)
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "true"],  # noqa: S607 - as on PATH
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        message = f"namespaces are not permitted here: {tried.stderr.strip()}"
        raise MissingMachinesError(message)


def _connect(machines: Mapping[str, Machine], stack: contextlib.ExitStack) -> None:
    """Make the namespaces, and a network between them: a bridge on the switch."""
    switch = machines["switch"].namespace
    for machine in machines.values():
        _ip("netns", "add", machine.namespace)
        stack.callback(_ip, "netns", "delete", machine.namespace)
        _ip("-n", machine.namespace, "link", "set", "lo", "up")
    _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
    _ip("-n", switch, "address", "add", f"{machines['switch'].address}/24", "dev", "bridge")
    _ip("-n", switch, "link", "set", "bridge", "up")
    for name, machine in machines.items():
        if name == "switch":
            continue
        own = machine.namespace
        peer = ("peer", "name", name, "netns", switch)
        _ip("-n", own, "link", "add", "eth0", "type", "veth", *peer)
        _ip("-n", own, "address", "add", f"{machine.address}/24", "dev", "eth0")
        _ip("-n", own, "link", "set", "eth0", "up")
        _ip("-n", switch, "link", "set", "dev", name, "master", "bridge", "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)  # noqa: S607 - likewise


def _spark(machine: Machine, program: str) -> list[str]:
    places = ["--host", machine.address, "--port", "0", "--webui-port", "0"]
    return [spark_cluster.program("spark-class"), f"org.apache.spark.deploy.{program}", *places]


def _started(
    machine: Machine, program: list[str], stack: contextlib.ExitStack
) -> tuple[Path, subprocess.Popen[bytes]]:
    log = machine.folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            machine.command(*program),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=machine.environment(),
            cwd=machine.folder,
        )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return log, process


def _parents() -> dict[int, int]:
    """Return the parent of each process."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            text = (entry / "stat").read_text(encoding="utf-8")
            found[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    return found
