"""A driver of Spark that asks what it reads from standard input: FOLDER SETTINGS.

Each line is a question's name and its arguments, as JSON; each is answered by a line with the
text of its error, or null, and the name of the Parquet file in FOLDER that holds the answer.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from mlmd_lineage import spark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession


class _Asked:
    """What can be asked."""

    def __init__(self, session: SparkSession) -> None:
        self._session = session

    def connect(self, url: str, checkpoints: str | None = None) -> Any:
        """Open a store."""
        if checkpoints is not None:
            self._session.sparkContext.setCheckpointDir(checkpoints)
        self._store = spark.connect(url, session=self._session)
        return self._session.range(1)

    def components(self) -> Any:
        return self._store.components()

    def downstream(self, nodes: list[str]) -> Any:
        return self._store.downstream(nodes)

    def impact(self, nodes: list[str]) -> Any:
        return self._store.impact(nodes).reached

    def runs(self) -> Any:
        return self._store.frames.runs()

    def findings(self) -> Any:
        return self._store.findings

    def write(self, folder: str) -> Any:
        """Write all tables."""
        self._store.write_parquet(folder)
        return self._session.range(1)


def main(folder: str, settings: Mapping[str, str]) -> None:
    """Answer until there are no more questions."""
    warnings.simplefilter("ignore")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    asked = _Asked(builder.getOrCreate())
    for number, line in enumerate(sys.stdin):
        task, arguments = json.loads(line)
        answer: list[str | None] = [None, f"{number}.parquet"]
        try:
            pq.write_table(getattr(asked, task)(**arguments).toArrow(), Path(folder, answer[1]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is to see it
            answer[0] = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
        print(json.dumps(answer), flush=True)  # noqa: T201 - for whoever started it


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
