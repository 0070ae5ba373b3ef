"""Auditing a whole store, against reading it: both in one process, taking turns.

``benchmarks/audit.py`` prints a table as Markdown. An audit reads the store too; the ratio is that
of the whole audit to reading alone, and the goal is at most 3. The store is one of ``generate.py``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import shape
import sinks

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 3


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=shape.SIZES, default="M")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--store", type=Path, help="a store that was generated before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.store or Path(folder) / f"{options.size}.db"
        if not path.exists():
            sinks.load_sqlite(path, shape.SIZES[options.size])
        store = ml.connect(path)
        [model] = store.frames.artifacts(type="Model").index[-1:].tolist()
        ways: dict[str, Callable[[], object]] = {
            "reading": store.snapshot,
            "audit of the store": store.audit,
            "audit of the newest model": lambda: store.audit(model),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeat):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - start)
        print("| what | seconds | of reading |\n|---|--:|--:|")
        reading = statistics.median(times["reading"])
        for name, found in times.items():
            middle = statistics.median(found)
            print(f"| {name} | {middle:.2f} | {middle / reading:.2f} |")
        ratio = statistics.median(times["audit of the store"]) / reading
        print(f"\nAt most {GOAL} are wanted: {'reached' if ratio <= GOAL else 'missed'}.")


if __name__ == "__main__":
    main()
