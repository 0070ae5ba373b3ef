"""What an archive costs beside the store that it was made from.

    python benchmarks/archive.py            # M: 100 thousand executions
    python benchmarks/archive.py --size L   # a million; the store has 3.3 GB

Every measurement is a fresh process, which imports what its question needs and no more; of its
seconds, those "with imports" are all of them. The archive of format 1, as earlier releases wrote
it, is measured beside the present one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage import Store, Trace

_TASK = "--task"
"""How this program calls itself to measure one task."""


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == [_TASK]:
        _run(*sys.argv[2:])
        return
    import shape
    import sinks
    from stores import models_with_answers

    parser = argparse.ArgumentParser(description="Measure archives.")
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
    [model] = models_with_answers(path, count=1)
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        new, old = f"{folder}/new", f"{folder}/old"
        _print("snapshot", _best(options.repeat, "snapshot", str(path), ""))
        for kind, archive in (("save", new), ("save_tables", old)):
            _print(f"{kind} after a snapshot", _best(1, kind, str(path), archive))
        for name in (new, old):
            size = sum(file.stat().st_size for file in Path(name).iterdir())
            print(f"{Path(name).name}: {size / 1e6:.1f} MB")
        for store in (str(path), old, new):
            name = Path(store).name
            _print(f"upstream, {name}", _best(options.repeat, "upstream", store, str(model)))
            _print(f"its rows, {name}", _best(options.repeat, "rows", store, str(model)))
            _print(f"graph, {name}", _best(options.repeat, "graph", store, ""))
            _print(f"all edges, {name}", _best(options.repeat, "edges", store, ""))
        _print("update without a change", _best(1, "update", str(path), new))


def _print(what: str, found: dict[str, float]) -> None:
    count = f", {found['count']:,.0f} nodes" if found["count"] else ""
    print(
        f"{what}: {found['seconds']:.2f} s, with imports {found['whole']:.2f} s, "
        f"{found['cpu']:.2f} s of processor time, {found['peak']:.0f} MB at most, "
        f"{found['before']:.0f} MB before{count}",
        flush=True,
    )


def _best(times: int, task: str, store: str, argument: str) -> dict[str, float]:
    """Return the fastest of several runs, each in a process of its own."""
    runs = []
    for _ in range(times):
        command = [sys.executable, __file__, _TASK, task, store, argument]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout) | {"whole": time.perf_counter() - start}
        runs.append(found)
        if task.startswith("save"):
            break
    return min(runs, key=lambda found: found["seconds"])


def _run(task: str, store: str, argument: str) -> None:
    """Measure one task in this process."""
    import mlmd_lineage as ml

    opened = ml.connect(store)
    before = 0.0
    ways: dict[str, Callable[[], object]]
    if task.startswith(("save", "update")):
        from mlmd_lineage.snapshot import archive

        snapshot = opened.snapshot()
        before = _peak()
        ways = {
            "save": lambda: snapshot.save(argument),
            "save_tables": lambda: archive.save(snapshot, argument, indexes=False),
            "update": lambda: snapshot.save(argument, update=True),
        }
    else:
        ways = {
            "snapshot": opened.snapshot,
            "upstream": lambda: opened.upstream(int(argument)),
            "rows": lambda: _rows(opened, int(argument)),
            "graph": lambda: opened.lineage().index,
            "edges": lambda: _edges(opened),
        }
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    answer = ways[task]()
    found = {
        "seconds": time.perf_counter() - start,
        "cpu": sum(os.times()[:4]) - cpu,
        "peak": _peak(),
        "before": before,
        "count": len(answer) if task in {"upstream", "rows"} else 0,  # type: ignore[arg-type]
    }
    print(json.dumps(found))


def _rows(store: Store, model: int) -> Trace:
    """Return an answer of which all rows were read: nodes, events, their paths and properties."""
    answer = store.upstream(model)
    for name in ("Artifact", "Execution", "Event", "EventPath"):
        _ = answer.tables[name]
    for name in ("ArtifactProperty", "ExecutionProperty"):
        _ = answer.tables[name]
    return answer


def _edges(store: Store) -> object:
    """Return the edges of the whole graph, in both directions."""
    index = store.lineage().index
    return index.incoming, index.outgoing


def _peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
