"""Frames and descriptions of a whole store, each beside reading the store, in fresh processes.

``benchmarks/frames.py`` prints a table as Markdown. The peer of ``runs()`` and ``pipelines()`` is
``get_pipelines()``, which reads the whole store too; that of the others is ``snapshot()``. Turns
are taken; the figures are the least of several. The store is one of ``generate.py``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import shape
import sinks

WAYS = {
    "snapshot()": ("store.snapshot()", ""),
    "get_pipelines()": ("store.get_pipelines()", "snapshot()"),
    "frames.runs()": ("store.frames.runs()", "get_pipelines()"),
    "frames.pipelines()": ("store.frames.pipelines()", "get_pipelines()"),
    "frames.artifacts()": ("store.frames.artifacts()", "snapshot()"),
    "frames.artifacts(properties=True)": ("store.frames.artifacts(properties=True)", "snapshot()"),
    "describe()": ("store.describe()", "snapshot()"),
    "frames.steps()": ("store.frames.steps()", "get_pipelines()"),
    "frames.parameters()": ("store.frames.parameters()", "get_pipelines()"),
    "frames.metrics()": ("store.frames.metrics()", "get_pipelines()"),
    "describe(findings=True)": ("store.describe(findings=True)", "snapshot()"),
}
"""Of each way the call, and the way with which it is compared."""

_CODE = """
import json, resource, sys, time
import pandas, pyarrow.compute
import mlmd_lineage
store = mlmd_lineage.connect(sys.argv[1])
wall, processor = time.perf_counter(), time.process_time()
kept = {call}
taken = time.perf_counter() - wall, time.process_time() - processor
print(json.dumps([*taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def measured(path: Path, call: str) -> tuple[float, float, float]:
    """Return the seconds and processor seconds of a call in a new process, and its peak in MiB."""
    command = [sys.executable, "-c", _CODE.replace("{call}", call), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall, processor, peak = json.loads(done.stdout)
    return wall, processor, peak


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=shape.SIZES, default="M")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--store", type=Path, help="a store that was generated before")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.store or Path(folder) / f"{options.size}.db"
        if not path.exists():
            sinks.load_sqlite(path, shape.SIZES[options.size])
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in options.only}
        for _ in range(options.repeat):
            for name, several in found.items():
                several.append(measured(path, WAYS[name][0]))
    print("| call | seconds | processor seconds | peak MiB | of its peer |\n|---|--:|--:|--:|--:|")
    least = {name: [min(column) for column in zip(*found[name], strict=True)] for name in found}
    for name, (wall, processor, peak) in least.items():
        peer = WAYS[name][1]
        ratio = f"{processor / least[peer][1]:.2f} of {peer}" if peer in least else ""
        print(f"| {name} | {wall:.2f} | {processor:.2f} | {peak:.0f} | {ratio} |")


if __name__ == "__main__":
    main()
