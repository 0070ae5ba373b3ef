"""A standalone cluster of Apache Spark for the tests: a master and two workers on this machine.

They are the programs that pyspark brings, each a process of its own, and listen on loopback only.
An executor is another process, which a worker starts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
# What is compiled for a few rows takes longer than they do.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": JAVA,
    "spark.executor.extraJavaOptions": JAVA,
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        url: Its master's: ``spark://127.0.0.1:PORT``.
        folder: The folder that holds its logs, and what its executors print.
    """

    url: str
    folder: Path

    def submit(self, job: Path, *arguments: object) -> str:
        """Run a program by ``spark-submit``; return what it printed.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        command = [program("spark-submit"), "--master", self.url]
        for name, value in SETTINGS.items():
            command += ["--conf", f"{name}={value}"]
        return subprocess.run(
            [*command, str(job), *map(str, arguments)],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        ).stdout

    def executors(self) -> list[str]:
        """Return the names of the workers that have run an executor."""
        return sorted({path.parts[-3] for path in self.folder.glob("work-*/app-*/*")})


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Run a master, and two workers with a core each.

    Args:
        folder: Where logs and the files of executors go.
    """
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_started(folder, "master", "deploy.master.Master"))
        url = told(log, r"Starting Spark master at (spark://\S+)")
        for number in range(2):
            own = ["-c", "1", "-m", "1g", "-d", str(folder / f"work-{number}"), url]
            name = f"worker-{number}"
            log = stack.enter_context(_started(folder, name, "deploy.worker.Worker", *own))
            told(log, "(Successfully registered) with master")
        yield Cluster(url, folder)


@contextlib.contextmanager
def _started(folder: Path, name: str, kind: str, *arguments: str) -> Iterator[Path]:
    log = folder / f"{name}.log"
    places = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    command = [program("spark-class"), f"org.apache.spark.{kind}", *places, *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=environment()
        )
    try:
        yield log
    finally:
        process.terminate()
        process.wait()


def program(name: str) -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent / "bin" / name)


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "SPARK_DAEMON_JAVA_OPTS": JAVA,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONWARNINGS": "ignore",
    }


def told(log: Path, pattern: str) -> str:
    """Wait until a log has a line; return what a pattern finds in it."""

    def text() -> str:
        return log.read_text(encoding="utf-8", errors="replace")

    until(lambda: re.search(pattern, text()), text)
    [first, *_] = re.findall(pattern, text())
    return str(first)
