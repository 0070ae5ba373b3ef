"""Spark sessions: the one that is running, or a new one on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stores.credentials import holds_credentials

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pyspark.sql import SparkSession

_LONGEST = 500
_TRACEBACK = "Traceback (most recent call last):"
_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""The variable that ``spark-submit`` sets in the programs that it starts."""
_LOCAL = {
    "spark.master": "local[*]",
    "spark.app.name": "mlmd-lineage",
    # What runs on this machine only listens to nobody else.
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_LOCAL_JAVA = "-XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile={logging}"
"""Java's options on this machine: compiling for speed takes longer than most questions do, and
Spark prints ten lines of its own whenever it starts."""
_ADVICE = {
    "CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND": (
        "An executor was lost that had kept a step of the answer. Connect again and ask again. "
        "Where executors are often lost, call SparkContext.setCheckpointDir() with a folder that "
        "all machines share: what is kept there survives them."
    ),
    "Checkpoint RDD has a different number of partitions": (
        "The folder of SparkContext.setCheckpointDir() has to be one that all machines share."
    ),
    "FAILED_READ_FILE.FILE_NOT_EXIST": (
        "All executors have to see a folder under the same path as the driver does. Give them one "
        "that all machines share, or the URL of an archive in object storage."
    ),
    "No module named": (
        "Executors need Python with mlmd-lineage installed, of the same release as the driver."
    ),
}
"""What to do about failures of clusters, by what Spark's texts say of them."""
_LOGGING = Path(__file__).with_name("log4j2.properties")


def session_of(given: SparkSession | None = None, jars: Collection[str] = ()) -> SparkSession:
    """Return a Spark session: the given one, the one that is running, or a new one.

    A new one takes its settings from ``spark-submit`` where that started the program; otherwise it
    uses all cores of this machine.

    Args:
        given: One that is there.
        jars: The files of JDBC drivers, for a new one.

    Raises:
        ConfigurationError: pyspark or Java is missing.
    """
    if given is not None:
        return given
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        message = (
            "Apache Spark is not installed: pip install 'mlmd-lineage[spark]', and a Java runtime "
            "of version 17 or later beside it (Debian and Ubuntu: openjdk-17-jre-headless)."
        )
        raise errors.ConfigurationError(message) from None
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    with without_pandas_warning():
        if _SUBMITTED in os.environ:
            return SparkSession.builder.getOrCreate()
        _check_java()
        _check_jars(jars)
        settings = {**_LOCAL, **({"spark.jars": ",".join(jars)} if jars else {})}
        if "SPARK_CONF_DIR" not in os.environ:
            java = _LOCAL_JAVA.format(logging=_LOGGING.as_uri())
            settings["spark.driver.defaultJavaOptions"] = java
        # Without, tasks run in the first python3 on PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder
        for name, value in settings.items():
            builder = builder.config(name, value)
        made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def _check_jars(jars: Collection[str]) -> None:
    """Refuse what is no file of this machine: Spark would download a URL, and run what came.

    Raises:
        ConfigurationError: There is one.
    """
    for jar in map(os.fspath, jars):
        if not os.path.isfile(jar) or "," in jar:  # noqa: PTH113 - may be anything
            named = "" if holds_credentials(jar) else f" {jar}"
            message = (
                f"The driver{named} is no file of this machine, whose name may have no comma. Give "
                "the path of a jar; what Spark is to fetch is told to spark-submit."
            )
            raise errors.ConfigurationError(message)


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which(os.path.join(home, "bin", "java") if home else "java") is None:  # noqa: PTH118 - as Spark's own scripts find it
        where = f"JAVA_HOME is {home}, where there is no bin/java" if home else "no java is on PATH"
        message = (
            f"Apache Spark needs a Java runtime of version 17 or later, and {where}. Install one "
            "(Debian and Ubuntu: openjdk-17-jre-headless), or set JAVA_HOME to one."
        )
        raise errors.ConfigurationError(message)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Say in one of our errors why Spark could not do something, without its stack traces.

    Raises:
        StoreError: It could not.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        text = str(error)
        message = f"Spark could not {what}: {_reason(text)[:_LONGEST]}"
        advice = next((advice for sign, advice in _ADVICE.items() if sign in text), None)
        if advice is not None:
            message = f"{message.rstrip('.')}. {advice}"
        raise errors.StoreError(message) from None


def _reason(text: str) -> str:
    """Return the line of an error of Spark's that says why, which is not always the first."""
    before, is_python, trace = text.rpartition(_TRACEBACK)
    if is_python:  # of a task: what was raised is the first line that is not indented
        found = [line for line in trace.splitlines()[1:] if line.strip() and line[0] != " "]
        if found:
            return found[0].strip()
    lines = [line.strip() for line in (before or text).splitlines() if line.strip()]
    # What was called, or waited for, says nothing of the reason.
    causes = [line for line in lines if not line.startswith("An error occurred while calling")]
    if causes and causes[0].endswith("awaitResult:"):
        causes = [line for line in causes if line.startswith("Caused by: ")] or causes
    first = causes[0] if causes else "no reason"
    return first.removeprefix("Caused by: ").removeprefix(": ")


@contextlib.contextmanager
def without_pandas_warning() -> Iterator[None]:
    """Hide what pyspark says of pandas 3: nothing here goes through pandas, only through Arrow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield
