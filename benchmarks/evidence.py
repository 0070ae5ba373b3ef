"""What evidence costs: entries of a ledger against reading, and a bundle of 10,000 nodes.

    python benchmarks/evidence.py            # M: 100 thousand executions
    python benchmarks/evidence.py --size S

The sides take turns in one process, so that a busy machine is as slow for one as for the other;
the best of each is compared, by the clock and by the processor time of all threads, which other
work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import shape
import sinks

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EXECUTIONS = 3_400
"""So many make a lineage of 10,000 nodes."""
_GROWN = 100
"""One of so many nodes is new where the store has grown."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure ledgers and bundles.")
    parser.add_argument("--size", choices=shape.SIZES, default="M")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["ledger", "bundle"])
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "mlmd_lineage-benchmarks"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "bundle":
            path = options.cache / f"mlmd_{options.size}_v{shape.VERSION}.db"
            if not path.exists():
                options.cache.mkdir(parents=True, exist_ok=True)
                sinks.load_sqlite(path, shape.SIZES[options.size])
            _ledger(path, Path(folder), options.repeat)
        if options.only != "ledger":
            _bundle(Path(folder), options.repeat)


def _ledger(path: Path, folder: Path, repeat: int) -> None:
    """Compare entries of a ledger with reading the store."""
    store, grown = ml.connect(path), ml.connect(_grown(path, folder / "grown.db"))

    def first(name: str, *, snapshot: bool = False) -> None:
        shutil.rmtree(folder / name, ignore_errors=True)
        ml.Ledger(folder / name).add(store, snapshot=snapshot)

    def next_entry(name: str, later: ml.Store, *, snapshot: bool = False) -> int:
        shutil.rmtree(folder / "next", ignore_errors=True)
        shutil.copytree(folder / name, folder / "next")
        report = ml.Ledger(folder / "next").add(later, snapshot=snapshot)
        assert report.ok
        return report.counts["added"]

    sides: dict[str, Callable[[], object]] = {
        "reading the store": store.snapshot,
        "the first entry": lambda: first("hashes"),
        "the next entry, nothing is new": lambda: next_entry("hashes", store),
        f"the next entry, 1 of {_GROWN} is new": lambda: next_entry("hashes", grown),
        "the first entry with a snapshot": lambda: first("snapshot", snapshot=True),
        f"the next with a snapshot, 1 of {_GROWN} is new": lambda: next_entry(
            "snapshot", grown, snapshot=True
        ),
    }
    print("| what | seconds | of reading | processor | of reading |\n|---|--:|--:|--:|--:|")
    best = taking_turns(sides, repeat)
    read = best["reading the store"]
    for name, (clock, processor) in best.items():
        ratios = clock / read[0], processor / read[1]
        print(f"| {name} | {clock:.2f} | {ratios[0]:.2f} | {processor:.2f} | {ratios[1]:.2f} |")
    print(f"\n{next_entry('hashes', grown):,} records are new in the store that has grown.")
    for name in ("hashes", "snapshot"):
        kept = sum(p.stat().st_size for p in (folder / name).rglob("*") if p.is_file())
        print(f"A ledger with {name} has {kept / 1e6:.1f} MB.")


def taking_turns(
    sides: Mapping[str, Callable[[], object]], repeat: int
) -> dict[str, tuple[float, float]]:
    """Return the best times of each side in seconds, by the clock and of the processor."""
    best = dict.fromkeys(sides, (float("inf"), float("inf")))
    for _ in range(repeat):
        for name, run in sides.items():
            start = time.perf_counter(), time.process_time()
            run()
            found = time.perf_counter() - start[0], time.process_time() - start[1]
            best[name] = min(best[name][0], found[0]), min(best[name][1], found[1])
    return best


def _grown(path: Path, copy: Path) -> Path:
    """Copy a store, and add some artifacts and executions with their properties."""
    shutil.copyfile(path, copy)
    with contextlib.closing(sqlite3.connect(copy)) as file:
        for table in ("Artifact", "Execution"):
            [(last, count)] = file.execute(f"SELECT max(id), count(*) FROM {table}")  # noqa: S608
            for name, owner in ((table, "id"), (f"{table}Property", f"{table.lower()}_id")):
                # Later ids, and names only once, as MLMD's indexes want it.
                columns = [column for _, column, *_ in file.execute(f"PRAGMA table_info({name})")]
                values = [
                    f"id + {last}".replace("id", owner)
                    if column == owner
                    else "NULL"
                    if column in {"external_id", *(("name",) if name == table else ())}
                    else column
                    for column in columns
                ]
                file.execute(
                    f"INSERT INTO {name}({', '.join(columns)}) SELECT {', '.join(values)} "  # noqa: S608
                    f"FROM {name} WHERE {owner} > {last - count // _GROWN}"
                )
        file.commit()
    return copy


def _bundle(folder: Path, repeat: int) -> None:
    """Save and verify the whole lineage of a store that has about 10,000 nodes."""
    path, bundle = folder / "store.db", folder / "bundle.zip"
    sinks.load_sqlite(path, _EXECUTIONS)
    store = ml.connect(path)
    graph = store.lineage(properties=True)

    def save() -> None:
        bundle.unlink(missing_ok=True)
        ml.save_bundle(graph, bundle, store=store)

    best = taking_turns({"save": save, "verify": lambda: ml.verify_bundle(bundle)}, repeat)
    size = bundle.stat().st_size / 1e6
    told = {
        name: f"{clock:.2f} s ({processor:.2f} s of processor)"
        for name, (clock, processor) in best.items()
    }
    print(f"A bundle of {len(graph):,} nodes, {size:.1f} MB: {told['save']}.")
    print(f"Its verification: {told['verify']}.")


if __name__ == "__main__":
    main()
