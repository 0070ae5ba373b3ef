"""What evidence costs: an entry of a ledger against reading, and a bundle of 10,000 nodes.

    python benchmarks/evidence.py            # M: 100 thousand executions
    python benchmarks/evidence.py --size S

The sides take turns in one process, so that a busy machine is as slow for one as for the other;
the best of each is compared.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import shape
import sinks

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable

_NODES = 10_000


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure ledgers and bundles.")
    parser.add_argument("--size", choices=shape.SIZES, default="M")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "mlmd_lineage-benchmarks"
    )
    options = parser.parse_args()
    path = options.cache / f"mlmd_{options.size}_v{shape.VERSION}.db"
    if not path.exists():
        options.cache.mkdir(parents=True, exist_ok=True)
        sinks.load_sqlite(path, shape.SIZES[options.size])
    store = ml.connect(path)
    with tempfile.TemporaryDirectory() as folder:
        _ledger(store, Path(folder), options.repeat)
        _bundle(store, Path(folder))


def _ledger(store: ml.Store, folder: Path, repeat: int) -> None:
    """Compare an entry of a ledger with reading the store."""
    sides: dict[str, Callable[[], object]] = {
        "reading the store": store.snapshot,
        "an entry": lambda: ml.Ledger(folder / "hashes").add(store),
        "an entry with a snapshot": lambda: ml.Ledger(folder / "snapshot").add(
            store, snapshot=True
        ),
    }
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(repeat):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    reading = best["reading the store"]
    for name, seconds in best.items():
        print(f"{name}: {seconds:.2f} s, {seconds / reading:.2f} times reading")
    for name in ("hashes", "snapshot"):
        kept = sum(p.stat().st_size for p in (folder / name).rglob("*") if p.is_file())
        print(f"ledger with {name}: {kept / 1e6:.1f} MB")
        shutil.rmtree(folder / name)


def _bundle(store: ml.Store, folder: Path) -> None:
    """Save the first lineage downstream of an artifact that has 10,000 nodes, or the largest."""
    graph = store.lineage(properties=True)
    trace = graph.downstream(1)
    for number in range(2, 200):
        if len(trace) >= _NODES:
            break
        other = graph.downstream(number)
        trace = other if len(other) > len(trace) else trace
    start = time.perf_counter()
    bundle = ml.save_bundle(trace if len(trace) >= _NODES else graph, folder / "bundle.zip")
    seconds = time.perf_counter() - start
    size = bundle.stat().st_size / 1e6
    nodes = len(trace) if len(trace) >= _NODES else len(graph)
    print(f"a bundle of {nodes:,} nodes: {seconds:.2f} s, {size:.1f} MB")
    start = time.perf_counter()
    report = ml.verify_bundle(bundle)
    print(f"its verification: {time.perf_counter() - start:.2f} s, {report.records:,} records")


if __name__ == "__main__":
    main()
