"""Questions about many nodes on Apache Spark, on this machine, beside the same in one process.

    python benchmarks/spark.py                     # S and M: 10 and 100 thousand executions
    python benchmarks/spark.py --size L            # a million
    python benchmarks/spark.py --size L --times 4  # its rows four times over, with other ids

Every way of one size is a fresh process, which writes its answers as Parquet files; those of the
two are compared. In local mode the driver and its executor are one Java process, and tasks run in
Python processes below it; the peak of each is looked at every 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shape
import sinks
import spark_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.spark import SparkStore

_APART = 1 << 30
_KEPT = frozenset({"type_id", "external_id"})
_STARTS = 100
_SPARK, _ALONE = "spark", "one process"
_TICKS = os.sysconf("SC_CLK_TCK")
SPARK_TASKS = ("components", "downstream", "impact", "runs", "steps", "parameters", "findings")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure questions on Apache Spark.")
    parser.add_argument("--size", choices=shape.SIZES, nargs="*", default=["S", "M"])
    parser.add_argument("--times", type=int, default=1, help="how often the tables are taken")
    parser.add_argument("--cores", type=int, default=2, help="of Spark: local[CORES]")
    parser.add_argument("--memory", default="2g", help="of the Java process")
    parser.add_argument("--only", nargs="*", choices=SPARK_TASKS, default=SPARK_TASKS)
    parser.add_argument("--no-spark", action="store_true")
    parser.add_argument("--no-one-process", action="store_true")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "mlmd_lineage-benchmarks"
    )
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        way, archive, answers, tasks = options.run
        _run(way, archive, Path(answers), tasks.split(","), options)
        return
    for size in options.size:
        archive = _archive(options.cache, size, options.times)
        answers = options.cache / f"answers_{size}_{options.times}"
        ways = [] if options.no_spark else [_SPARK]
        ways += [] if options.no_one_process else [_ALONE]
        for way in ways:
            shutil.rmtree(answers / way, ignore_errors=True)
            command = [sys.executable, __file__, "--run", way, str(archive), str(answers / way)]
            command += [",".join(options.only)]
            command += ["--memory", options.memory, "--cores", str(options.cores)]
            print(f"\n{size} x {options.times}, {way}", flush=True)
            subprocess.run(command, check=True)
        for name in options.only:
            if all((answers / way / name).exists() for way in (_SPARK, _ALONE)):
                found = spark_answers.differing(answers / _SPARK, answers / _ALONE, name)
                print(f"{name}: {'differs in ' + ', '.join(found) if found else 'the same'}")


def _archive(cache: Path, size: str, times: int) -> Path:
    import mlmd_lineage as ml

    folder = cache / f"archive_{size}_v{shape.VERSION}"
    if not folder.exists():
        store = cache / f"mlmd_{size}_v{shape.VERSION}.db"
        if not store.exists():
            cache.mkdir(parents=True, exist_ok=True)
            sinks.load_sqlite(store, shape.SIZES[size])
        ml.connect(store).snapshot().save(folder)
    if times == 1:
        return folder
    several = cache / f"archive_{size}_v{shape.VERSION}_{times}_times"
    if not several.exists():
        _save_several(folder, several, times)
    return several


def _save_several(archive: Path, target: Path, times: int) -> None:
    """Save an archive that holds the rows of another several times, with ids and names apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    import mlmd_lineage as ml
    from mlmd_lineage.readers.parquet import as_schema
    from mlmd_lineage.snapshot.tables import Tables

    snapshot = ml.connect(archive).snapshot()
    made = {}
    for name in snapshot.names:
        table = as_schema(name, snapshot[name])
        if name in {"Type", "TypeProperty", "ParentType"}:
            made[name] = table
            continue
        parts = [table]
        for number in range(1, times):
            part = table
            for at, field in enumerate(table.schema):
                column = part[field.name]
                if field.name == "id" or (field.name.endswith("_id") and field.name not in _KEPT):
                    column = pc.add(column, number * _APART)
                elif field.name == "name" and "type_id" in table.column_names:
                    column = pc.binary_join_element_wise(column, f"{number}", "-")
                else:
                    continue
                part = part.set_column(at, field, column.cast(field.type))
            parts.append(part)
        made[name] = pa.concat_tables(parts)
        del table, parts
    ml.Snapshot.of(Tables(made, source=f"{times} times {archive.name}")).save(target)


def _run(
    way: str, archive: str, answers: Path, tasks: list[str], options: argparse.Namespace
) -> None:
    starts = _starts(archive)
    watch = _Watch()
    asked: dict[str, Callable[[], Any]] = {}

    def open_() -> None:
        if way == _SPARK:
            asked.update(_of_spark(_spark_store(archive, options), starts))
        else:
            asked.update(_of_one_process(archive, starts))

    watch.measured("open", open_)
    for name in [name for name in asked if name in tasks]:
        if way == _SPARK:
            # A count alone would leave columns out.
            watch.measured(name, lambda: asked[name]().write.parquet(str(answers / name)))  # noqa: B023 - called at once
        else:
            spark_answers.write(watch.measured(name, asked[name]), answers, name)
    watch.stop()


def _starts(archive: str) -> list[str]:
    """Return artifacts from the whole of the store."""
    import mlmd_lineage as ml

    graph = ml.connect(archive).lineage().index
    ids = graph.artifact_ids[:: max(1, graph.artifacts // _STARTS)]
    return [f"artifact/{number}" for number in ids[:_STARTS].tolist()]


def _spark_store(archive: str, options: argparse.Namespace) -> SparkStore:
    from pyspark.sql import SparkSession

    from mlmd_lineage import spark

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(f"local[{options.cores}]")
    for name, value in {
        "spark.driver.memory": options.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "16",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return spark.connect(archive, session=session)


def _of_spark(store: SparkStore, starts: list[str]) -> dict[str, Callable[[], Any]]:
    return {
        "components": store.components,
        "downstream": lambda: store.downstream(starts),
        "impact": lambda: store.impact(starts).rows,
        "runs": store.frames.runs,
        "steps": store.frames.steps,
        "parameters": store.frames.parameters,
        "findings": lambda: store.findings,
    }


def _of_one_process(archive: str, starts: list[str]) -> dict[str, Callable[[], Any]]:
    import mlmd_lineage as ml

    store = ml.connect(archive)
    graph = store.lineage()

    def impact(start: str) -> tuple[Any, str]:
        found = store.impact(start)
        return found.to_pandas(), found.text()

    return {
        "downstream": lambda: {start: graph.downstream(start).nodes for start in starts},
        "impact": lambda: {start: impact(start) for start in starts},
        "runs": store.frames.runs,
        "steps": store.frames.steps,
        "parameters": store.frames.parameters,
        "findings": lambda: list(store.findings),
    }


def _below() -> dict[int, tuple[str, int, float]]:
    """Return this process and all below it: the name, the memory in MB, the processor time."""
    found, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8")
            except OSError:
                continue
            name, _, rest = text[text.index("(") + 1 :].rpartition(")")
            fields = rest.split()
            cpu = sum(map(int, fields[11:13])) / _TICKS
            number = int(entry.name)
            found[number] = name, int(fields[21]) * 4096 // 1_000_000, cpu
            parents[number] = int(fields[1])
    chosen = {os.getpid()}
    for _ in range(4):
        chosen |= {number for number, parent in parents.items() if parent in chosen}
    return {number: found[number] for number in chosen if number in found}


class _Watch:
    """Watches this process, Java, and the Python processes below it.

    It keeps the peaks of their memory, and the processor time of each, also of those that ended.
    """

    def __init__(self) -> None:
        self._times: dict[int, float] = {}
        self._peaks = {"driver_mb": 0, "java_mb": 0, "tasks_mb": 0}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def measured(self, name: str, task: Callable[[], Any]) -> Any:
        """Run a task, print what it took, and return what it returned."""
        self._taken()
        cpu, start = sum(self._times.values()), time.perf_counter()
        answer = task()
        seconds, peaks = time.perf_counter() - start, self._taken()
        found = {
            "task": name,
            "seconds": round(seconds, 2),
            "cpu": round(sum(self._times.values()) - cpu, 2),
            **peaks,
            "load": round(os.getloadavg()[0], 1),
        }
        print(json.dumps(found), flush=True)
        return answer

    def stop(self) -> None:
        """End looking."""
        self._over.set()
        self._thread.join()

    def _taken(self) -> dict[str, int]:
        self._look()
        found, self._peaks = self._peaks, dict.fromkeys(self._peaks, 0)
        return found

    def _look_on(self) -> None:
        while not self._over.wait(0.05):
            self._look()

    def _look(self) -> None:
        now = dict.fromkeys(self._peaks, 0)
        for number, (name, memory, cpu) in _below().items():
            self._times = {**self._times, number: cpu}
            kind = "java_mb" if name.startswith("java") else "tasks_mb"
            now["driver_mb" if number == os.getpid() else kind] += memory
        self._peaks = {kind: max(now[kind], peak) for kind, peak in self._peaks.items()}


if __name__ == "__main__":
    main()
