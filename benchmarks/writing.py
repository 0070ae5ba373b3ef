"""Writing: executions put by this library and by ``ml_metadata``, one by one and in batches.

``benchmarks/writing.py`` prints a table as Markdown. Each execution has 2 artifacts, 4 events and,
with its artifacts, 13 properties. Each side writes to a fresh store in a process of its own: an
SQLite file on the disk of ``--folder``, with SQLite's default durability, or a database of a
MariaDB server of the run's own. The sides take turns after each 1,000 executions, so that what else
the machine does slows both. "rows alone" is the lower bound of ``plain_rows.py``. "CPU" compares
the processor time of the two processes, which for MariaDB is not that of its server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 1000
WAYS = ("one by one", "in batches")
SIDES = ("mlmd_lineage", "ml_metadata")
ROWS_ALONE = "rows alone"
TYPES = {
    "artifact_types": [{"name": "Data", "properties": {"rows": 1, "format": 3}}],
    "execution_types": [{"name": "Train", "properties": {"epochs": 1}}],
    "context_types": [{"name": "Run"}],
}
EVENTS = ((0, 3), (1, 4), (0, 2), (1, 1))
"""For each event of an execution, which artifact it names, and its type."""


def main() -> None:
    """Measure, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    parser.add_argument("--no-mariadb", action="store_true")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--no-sqlite", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        side, way, target, number = options.worker
        for found in measured(side, way, target, int(number)):
            print(json.dumps(found), flush=True)
            sys.stdin.readline()
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, contextlib.ExitStack() as stack:
        Path(folder).chmod(0o755)  # the server may run as a user of its own
        targets = {} if options.no_sqlite else {"SQLite": sqlite_targets(Path(folder))}
        if not options.no_mariadb:
            targets["MariaDB"] = stack.enter_context(mariadb_targets(Path(folder)))
        print("| store | way | mlmd_lineage | ml_metadata | ratio | CPU | rows alone |")
        print("|---|---|--:|--:|--:|--:|--:|", flush=True)
        for name, fresh in targets.items():
            for way in options.ways:
                table_row(name, way, fresh, options)


def table_row(name: str, way: str, fresh: Iterator[str], options: argparse.Namespace) -> None:
    """Measure all sides in turns, and print a row of the table: executions a second."""
    sides = (*SIDES, ROWS_ALONE) if (name, way) == ("SQLite", WAYS[1]) else SIDES
    runs: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for _ in range(options.repeat):
        arguments = [(side, way, next(fresh), str(options.executions)) for side in sides]
        for side, total in zip(sides, in_turns(arguments, options.executions), strict=True):
            runs[side].append(total)
    rate = {
        side: options.executions / statistics.median(wall for wall, _ in found)
        for side, found in runs.items()
    }
    cpu = {side: statistics.median(seconds for _, seconds in found) for side, found in runs.items()}
    ours, theirs = SIDES
    most = f"{rate[ROWS_ALONE]:,.0f}/s" if ROWS_ALONE in rate else ""
    ratios = f"{rate[ours] / rate[theirs]:.2f} | {cpu[theirs] / cpu[ours]:.2f}"
    print(f"| {name} | {way} | {rate[ours]:,.0f}/s | {rate[theirs]:,.0f}/s | {ratios} | {most} |")
    sys.stdout.flush()


def in_turns(
    workers: list[tuple[str, str, str, str]], executions: int
) -> list[tuple[float, float]]:
    """Let workers put their blocks in turns, and return the seconds and CPU seconds of each."""
    totals = [(0.0, 0.0)] * len(workers)
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, __file__, "--worker", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for arguments in workers
        ]
        for process in processes:  # the first line says that it is ready
            answer_of(process)
        for block in range(executions // BATCH):
            order = range(len(processes))
            for place in order if block % 2 else reversed(order):
                process = processes[place]
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
                wall, cpu = answer_of(process)
                totals[place] = totals[place][0] + wall, totals[place][1] + cpu
        for process in processes:
            process.communicate("\n")
    return totals


def answer_of(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Return what a worker tells next."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        message = f"a worker ended with {process.wait()}"
        raise SystemExit(message)
    wall, cpu = json.loads(line)
    return wall, cpu


def sqlite_targets(folder: Path) -> Iterator[str]:
    """Yield the paths of empty stores."""
    import mlmd_lineage as ml

    number = 0
    while True:
        number += 1
        path = folder / f"{number}.db"
        ml.connect(path, create=True)
        yield str(path)


@contextlib.contextmanager
def mariadb_targets(folder: Path) -> Iterator[Iterator[str]]:
    """Run a server, and yield the URLs of empty stores on it."""
    import mariadb_server

    import mlmd_lineage as ml

    databases = [f"writing{number}" for number in range(64)]
    server = mariadb_server.start(folder / "mariadb", databases)

    def fresh() -> Iterator[str]:
        for database in databases:
            ml.connect(server.url(database), create=True)
            yield server.url(database)

    try:
        yield fresh()
    finally:
        server.stop()


def measured(side: str, way: str, target: str, number: int) -> Iterator[tuple[float, float]]:
    """Yield the seconds and CPU seconds that one side takes for each block; first zeros."""
    if side == ROWS_ALONE:
        yield from rows_alone(target, number)
        return
    put = {"mlmd_lineage": ours, "ml_metadata": theirs}[side]
    yield from put(target, number, batches=way == WAYS[1])


class Clock:
    """Measures the seconds and CPU seconds of a block."""

    found = 0.0, 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is done meanwhile."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.found = time.perf_counter() - wall, time.process_time() - cpu


def ours(target: str, number: int, *, batches: bool) -> Iterator[tuple[float, float]]:
    """Put executions with this library's writer."""
    import mlmd_lineage as ml
    import mlmd_lineage.writing.message_columns  # loaded before, as ml_metadata's library is

    pair = ml.message("PutExecutionRequest.ArtifactAndEvent")
    with ml.connect(target).writer() as writer:
        types = writer.put(ml.message("PutTypesRequest")(**TYPES))
        ids = (types.artifact_type_ids[0], types.execution_type_ids[0], types.context_type_ids[0])
        clock = Clock()
        yield clock.found
        for start in range(0, number, BATCH):
            steps = [step(ml.message, place, *ids) for place in range(start, start + BATCH)]
            arguments = subgraph(steps)
            with clock.running():
                if batches:
                    writer.put_lineage_subgraph(*arguments, reuse_context_if_already_exist=True)
                for execution, artifacts, events, context in () if batches else steps:
                    request = ml.message("PutExecutionRequest")(
                        execution=execution,
                        artifact_event_pairs=[
                            pair(artifact=artifacts[which], event=event)
                            for (which, _), event in zip(EVENTS, events, strict=True)
                        ],
                        contexts=[context],
                    )
                    request.options.reuse_context_if_already_exist = True
                    request.options.reuse_artifact_if_already_exist_by_external_id = True
                    writer.put(request)
            yield clock.found


def theirs(target: str, number: int, *, batches: bool) -> Iterator[tuple[float, float]]:
    """Put executions with ``ml_metadata``."""
    from ml_metadata import MetadataStore
    from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

    def message(name: str) -> Any:
        outer, _, inner = name.partition(".")
        module = metadata_store_service_pb2 if outer.endswith("Request") else metadata_store_pb2
        found = getattr(module, outer)
        return getattr(found, inner) if inner else found

    store = MetadataStore(native_config(target))
    ids = (
        store.put_artifact_type(message("ArtifactType")(**TYPES["artifact_types"][0])),
        store.put_execution_type(message("ExecutionType")(**TYPES["execution_types"][0])),
        store.put_context_type(message("ContextType")(**TYPES["context_types"][0])),
    )
    clock = Clock()
    yield clock.found
    for start in range(0, number, BATCH):
        steps = [step(message, place, *ids) for place in range(start, start + BATCH)]
        arguments = subgraph(steps)
        with clock.running():
            if batches:
                store.put_lineage_subgraph(*arguments, reuse_context_if_already_exist=True)
            for execution, artifacts, events, context in () if batches else steps:
                pairs = [
                    (artifacts[which], event)
                    for (which, _), event in zip(EVENTS, events, strict=True)
                ]
                store.put_execution(
                    execution,
                    pairs,
                    [context],
                    reuse_context_if_already_exist=True,
                    reuse_artifact_if_already_exist_by_external_id=True,
                )
        yield clock.found


def rows_alone(target: str, number: int) -> Iterator[tuple[float, float]]:
    """Insert the rows of the same executions in batches by plain SQL."""
    import plain_rows

    import mlmd_lineage as ml

    source = f"{target}.rows"
    ml.connect(source, create=True)
    with plain_rows.recorded() as statements:
        for _ in ours(source, number, batches=True):
            pass
    types, *batches = plain_rows.transactions(statements)
    for _ in plain_rows.seconds(target, [types]):
        pass
    yield from plain_rows.seconds(target, batches)


def native_config(target: str) -> Any:
    """Return MLMD's config of a target."""
    from mlmd_lineage.stores import metadata_store_from

    return metadata_store_from(target).connection_config()


def step(
    message: Any, number: int, artifact_type: int, execution_type: int, context_type: int
) -> tuple[Any, list[Any], list[Any], Any]:
    """Return an execution, its artifacts, their events, and the run."""
    execution = message("Execution")(
        type_id=execution_type, name=f"train {number}", last_known_state=3
    )
    execution.properties["epochs"].int_value = number
    for place in range(5):
        text = f"value {place} of {number}"
        execution.custom_properties[f"parameter {place}"].string_value = text
    execution.custom_properties["learning_rate"].double_value = 1 / (number + 1)
    artifacts = []
    for place in range(2):
        artifact = message("Artifact")(
            type_id=artifact_type,
            name=f"data {number}.{place}",
            uri=f"s3://bucket/{number}/{place}",
            state=2,
            external_id=f"{number}.{place}",
        )
        artifact.properties["rows"].int_value = number
        artifact.properties["format"].string_value = "csv"
        artifact.custom_properties["loss"].double_value = number / 7
        artifacts.append(artifact)
    events = [message("Event")(type=kind) for _, kind in EVENTS]
    return execution, artifacts, events, message("Context")(type_id=context_type, name="run")


def subgraph(steps: list[Any]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Return the executions, artifacts, contexts and event edges of some steps."""
    executions = [execution for execution, *_ in steps]
    artifacts = [artifact for _, two, *_ in steps for artifact in two]
    edges = [
        (place, 2 * place + which, event)
        for place, (_, _, events, _) in enumerate(steps)
        for (which, _), event in zip(EVENTS, events, strict=True)
    ]
    return executions, artifacts, [steps[0][3]], edges


if __name__ == "__main__":
    main()
