#!/usr/bin/env python3
"""Eight processes write to one store for a minute, and another reads it: what is lost or doubled.

benchmarks/concurrency.py                        # an SQLite file and a MariaDB server of its own
benchmarks/concurrency.py --flavor sqlite --seconds 5

Each put is an execution with two artifacts, two events and three memberships, in one transaction.
The nodes have neither names nor external ids, so that nothing but the writer keeps them from being
written twice. The run ends with an error where a put that was acknowledged is not there, one is
there twice, or a reader saw a part of one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mariadb_server

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue

WRITERS = 8
READERS = 1


class Found(NamedTuple):
    """What a run came to."""

    puts: int
    failures: list[str]
    reads: int
    milliseconds: list[float]
    wrong: list[str]


def main() -> None:
    """Run what the options name, and print a row for each store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--flavor", choices=["sqlite", "mariadb", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    options = parser.parse_args()
    wrong: list[str] = []
    print("| store | puts | puts/s | p50 ms | p99 ms | failed | whole reads | wrong |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        Path(folder).chmod(0o755)  # the server may run as a user of its own
        for name, target in targets(Path(folder), options.flavor):
            found = run(target, options.seconds)
            wrong += found.wrong
            if not found.puts:
                message = f"{name}: nothing was put: {found.failures[:1]}"
                raise SystemExit(message)
            failed = len(found.failures)
            centiles = statistics.quantiles(found.milliseconds, n=100)
            print(
                f"| {name} | {found.puts:,} | {found.puts / options.seconds:,.0f} "
                f"| {centiles[49]:.1f} | {centiles[98]:.1f} | {failed} | {found.reads:,} "
                f"| {len(found.wrong)} |",
                flush=True,
            )
            for text, times in collections.Counter(found.failures).items():
                print(f"failed {times} times: {text}", file=sys.stderr)
    if wrong:
        raise SystemExit("\n".join(wrong))


def targets(folder: Path, flavor: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the targets of empty stores."""
    if flavor != "mariadb":
        yield "SQLite", str(folder / "metadata.db")
    if flavor != "sqlite":
        server = mariadb_server.start(folder / "mariadb", ["concurrency"])
        with contextlib.closing(contextlib.ExitStack()) as stack:
            stack.callback(server.stop)
            yield "MariaDB", server.url("concurrency")


def run(target: str, seconds: float) -> Found:
    """Have processes write to a store and others read it, and check what is there."""
    ml.connect(target, create=True)
    context = multiprocessing.get_context("spawn")
    answers: Queue[Any] = context.Queue()
    begun = context.Barrier(WRITERS + READERS)
    works = [(write, number) for number in range(WRITERS)]
    works += [(read, number) for number in range(READERS)]
    processes = [
        context.Process(target=work, args=(target, number, seconds, begun, answers))
        for work, number in works
    ]
    for process in processes:
        process.start()
    told = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    puts = [one for kind, *one in told if kind == "write"]
    reads = [one for kind, *one in told if kind == "read"]
    acknowledged = {name for names, _, _ in puts for name in names}
    wrong = [text for _, texts in reads for text in texts]
    wrong += check(target, acknowledged)
    return Found(
        len(acknowledged),
        [text for _, failures, _ in puts for text in failures],
        sum(number for number, _ in reads),
        [one for _, _, durations in puts for one in durations],
        wrong,
    )


def write(target: str, number: int, seconds: float, begun: Any, answers: Queue[Any]) -> None:
    """Put one step after the other, and tell which were acknowledged."""
    names, durations, failures = [], [], []
    with ml.connect(target).writer() as writer:
        writer.put(ml.message("PutTypesRequest")())  # what it needs is imported by that
        begun.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name = f"{number}/{len(names) + len(failures)}"
            started = time.perf_counter()
            try:
                writer.put(step(name))
            except ml.errors.MLMDLineageError as error:
                failures.append(str(error))
                continue
            durations.append((time.perf_counter() - started) * 1000)
            names.append(name)
    answers.put(("write", names, failures, durations))


def step(name: str) -> Any:
    """Return a batch of one execution with its artifacts, which only have URIs of their own."""
    batch = ml.message("PutBatchRequest")(
        artifact_types=[{"name": "Data"}],
        execution_types=[{"name": "Train"}],
        context_types=[{"name": "Run"}],
        artifacts=[{"type": "Data", "uri": f"{name}/{place}"} for place in range(2)],
        executions=[{"type": "Train", "last_known_state": 3}],
        contexts=[{"type": "Run", "name": name.partition("/")[0]}],
        event_edges=[
            {"artifact_index": place, "execution_index": 0, "event": {"type": 3 + place}}
            for place in range(2)
        ],
        memberships=[
            {"context_index": 0, "artifact_index": 0},
            {"context_index": 0, "artifact_index": 1},
            {"context_index": 0, "execution_index": 0},
        ],
        options={"reuse_contexts": True},
    )
    batch.executions[0].custom_properties["put"].string_value = name
    return batch


def read(target: str, _: int, seconds: float, begun: Any, answers: Queue[Any]) -> None:
    """Read the whole store again and again, and tell where a put was not whole."""
    reads, wrong = 0, []
    store = ml.connect(target)
    store.snapshot()
    begun.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tables = store.snapshot()
        sizes = {
            "executions": 2 * len(tables.executions),
            "artifacts": len(tables.artifacts),
            "events": len(tables.events),
            "names": 2 * len(tables["ExecutionProperty"]),
            "attributions": len(tables["Attribution"]),
            "associations": 2 * len(tables["Association"]),
        }
        if len(set(sizes.values())) > 1:
            wrong.append(f"a reader saw a part of a put: {sizes}")
        reads += 1
        time.sleep(0.2)
    answers.put(("read", reads, wrong))


def check(target: str, acknowledged: set[str]) -> list[str]:
    """Return what is wrong with a store: puts that are missing, or there twice."""
    frame = ml.connect(target).frames.executions(properties=True)
    if not acknowledged:
        return []
    stored = collections.Counter(frame["custom_properties.put"])
    uris = collections.Counter(ml.connect(target).frames.artifacts()["uri"])
    wrong = [f"{name} was acknowledged and is not there" for name in acknowledged - stored.keys()]
    wrong += [f"{name} is there {times} times" for name, times in stored.items() if times > 1]
    wrong += [f"{uri} is there {times} times" for uri, times in uris.items() if times > 1]
    return wrong


if __name__ == "__main__":
    main()
