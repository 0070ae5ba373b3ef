"""A Spark session for the tests: one for all, on two cores, that nobody else can reach.

Whatever is missing on the machine is a ``MissingSparkError``, whose text is the reason to skip.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

_DRIVERS = [Path("/usr/share/java", n) for n in ("mariadb-java-client.jar", "postgresql.jar")]

_SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.memory": "1g",
    "spark.sql.adaptive.enabled": "false",  # plans of a few rows take longer to change than to run
    # What is compiled for a few rows takes longer than they do.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


class MissingSparkError(Exception):
    """Spark cannot be had on this machine; the text says why, in one line."""


def started(folder: Path) -> Any:
    """Start the session.

    Args:
        folder: Where Spark may keep files.

    Raises:
        MissingSparkError: pyspark or Java is missing.
    """
    if importlib.util.find_spec("pyspark") is None:
        message = "pyspark is not installed"
        raise MissingSparkError(message)
    home = os.environ.get("JAVA_HOME")
    if shutil.which(os.path.join(home, "bin", "java") if home else "java") is None:  # noqa: PTH118 - as Spark has it
        message = "no Java runtime (Debian: openjdk-17-jre-headless)"
        raise MissingSparkError(message)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas 3, through which nothing here goes
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        jars = ",".join(map(str, drivers()))
        builder = SparkSession.builder.master("local[2]")
        for name, value in {
            **_SETTINGS,
            "spark.local.dir": str(folder),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            **({"spark.jars": jars} if jars else {}),
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def drivers() -> list[Path]:
    """Return the JDBC drivers of Debian's packages libmariadb-java and libpostgresql-jdbc-java."""
    return [path for path in _DRIVERS if path.exists()]
