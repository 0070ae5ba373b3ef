#!/usr/bin/env python3
"""Measure `mlmd-lineage serve` with 8 clients: our own engine against MLMD's library.

benchmarks/serving.py                       # an SQLite file and a MariaDB server of its own
benchmarks/serving.py --flavor sqlite --seconds 3 --repeat 1
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import mariadb_server

from mlmd_lineage import _proto
from mlmd_lineage.server.backend import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 8
ENGINES = ("native", "own")


class Measured(NamedTuple):
    """What 8 clients got in one run."""

    calls_a_second: float
    milliseconds_p50: float
    milliseconds_p99: float
    failures: int


@contextlib.contextmanager
def served(target: str, engine: str, workers: int) -> Iterator[str]:
    """Serve a store that is made where there is none, and yield the address."""
    command = [sys.executable, "-m", "mlmd_lineage", "serve", target, "--create", "--port", "0"]
    command += ["--engine", engine, "--workers", str(workers)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip().rstrip(".")
        if not line.startswith("Serving "):
            message = f"serve --engine {engine} did not start"
            raise SystemExit(message)
        yield line.rpartition(" ")[2]
        process.terminate()


def call(channel: grpc.Channel, method: str, request: Any) -> Any:
    """Call a method and return its response."""
    function = channel.unary_unary(f"/{SERVICE}/{method}")
    answer: Any = _proto.message(f"{method}Response")
    return answer.FromString(function(request.SerializeToString(), timeout=60))


def put_types(channel: grpc.Channel) -> dict[str, int]:
    """Put the types, and one artifact to look up; return their ids."""
    request: Any = _proto.message("PutTypesRequest")()
    request.artifact_types.add(name="Model")
    request.execution_types.add(name="Trainer")
    request.context_types.add(name="run")
    ids = call(channel, "PutTypes", request)
    put: Any = _proto.message("PutArtifactsRequest")()
    for number in range(100):
        put.artifacts.add(type_id=ids.artifact_type_ids[0], uri=f"s3://bucket/{number}")
    first = call(channel, "PutArtifacts", put).artifact_ids[0]
    return {
        "artifact_type": ids.artifact_type_ids[0],
        "execution_type": ids.execution_type_ids[0],
        "context_type": ids.context_type_ids[0],
        "artifact": first,
    }


def look_up(ids: dict[str, int], name: str) -> tuple[str, Any]:
    """Return a request for ten artifacts by their ids."""
    del name
    first = ids["artifact"]
    request: Any = _proto.message("GetArtifactsByIDRequest")
    return "GetArtifactsByID", request(artifact_ids=range(first, first + 10))


def put_artifact(ids: dict[str, int], name: str) -> tuple[str, Any]:
    """Return a request that puts one artifact."""
    request: Any = _proto.message("PutArtifactsRequest")()
    request.artifacts.add(type_id=ids["artifact_type"], uri=f"s3://bucket/{name}")
    return "PutArtifacts", request


def put_execution(ids: dict[str, int], name: str) -> tuple[str, Any]:
    """Return a request that puts an execution with an input, an output and its run."""
    request: Any = _proto.message("PutExecutionRequest")()
    request.execution.type_id = ids["execution_type"]
    request.execution.name = name
    request.execution.last_known_state = 3
    for number in range(8):
        request.execution.custom_properties[f"metric_{number}"].double_value = number / 3
    for place, kind in enumerate((3, 4)):
        pair = request.artifact_event_pairs.add()
        pair.artifact.type_id = ids["artifact_type"]
        pair.artifact.uri = f"s3://bucket/{name}/{place}"
        pair.artifact.custom_properties["split"].string_value = "train"
        pair.event.type = kind
        pair.event.path.steps.add(key="data")
    run = request.contexts.add(type_id=ids["context_type"])
    run.name = name.partition("-")[0]
    request.options.reuse_context_if_already_exist = True
    return "PutExecution", request


CALLS: dict[str, Callable[[dict[str, int], str], tuple[str, Any]]] = {
    "10 artifacts by id": look_up,
    "put one artifact": put_artifact,
    "put an execution with 2 artifacts": put_execution,
}


def measure(address: str, ids: dict[str, int], kind: str, seconds: float) -> Measured:
    """Have 8 clients call, each on a connection of its own, and time the calls."""
    durations: list[float] = []
    failures = itertools.count()
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options) as channel:
            for count in itertools.count():
                name = f"run_{number}-{time.monotonic_ns()}-{count}"
                method, request = CALLS[kind](ids, name)
                raw = request.SerializeToString()
                function = channel.unary_unary(f"/{SERVICE}/{method}")
                started = time.perf_counter()
                try:
                    function(raw, timeout=60)
                except grpc.RpcError:
                    next(failures)
                durations.append(time.perf_counter() - started)
                if time.monotonic() > end:
                    return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    centiles = statistics.quantiles(durations, n=100)
    return Measured(
        len(durations) / seconds, centiles[49] * 1000, centiles[98] * 1000, next(failures)
    )


def report(flavor: str, kind: str, engine: str, runs: list[Measured]) -> str:
    """Return a row of the table: the medians of the runs."""
    calls, p50, p99 = (statistics.median(values) for values in list(zip(*runs, strict=True))[:3])
    failures = sum(run.failures for run in runs)
    return f"| {flavor} | {kind} | {engine} | {calls:,.0f} | {p50:.1f} | {p99:.1f} | {failures} |"


def run(flavor: str, target: str, options: argparse.Namespace) -> Iterator[str]:
    """Measure one store and yield the rows of the table."""
    found: dict[tuple[str, str], list[Measured]] = {}
    for _, engine in itertools.product(range(options.repeat), ENGINES):
        with served(target, engine, options.workers) as address:
            with grpc.insecure_channel(address) as channel:
                ids = put_types(channel)
            for kind in CALLS:
                measured = measure(address, ids, kind, options.seconds)
                found.setdefault((kind, engine), []).append(measured)
                print(flavor, engine, kind, measured, file=sys.stderr)
    for (kind, engine), runs in sorted(found.items()):
        yield report(flavor, kind, engine, runs)


def main() -> None:
    """Measure what the options name."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--flavor", choices=["sqlite", "mariadb", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    print("| store | call | engine | calls/s | p50 ms | p99 ms | failures |")
    print("|---|---|---|--:|--:|--:|--:|")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        folder.chmod(0o755)  # the server runs as a user of its own
        targets = {"sqlite": str(folder / "metadata.db")}
        if options.flavor != "sqlite":
            server = mariadb_server.start(folder / "mariadb", ["serving"])
            stack.callback(server.stop)
            targets["mariadb"] = server.url("serving")
        for flavor, target in targets.items():
            if options.flavor in {flavor, "both"}:
                for row in run(flavor, target, options):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
