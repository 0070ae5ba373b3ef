"""Measure the explorer in a browser: from a request to a picture that moves, and its frames.

    .venv/bin/python benchmarks/explorer.py                     # 1,000, 10,000 and 100,000 nodes
    .venv/bin/python benchmarks/explorer.py --nodes 1000
    .venv/bin/python benchmarks/explorer.py --libraries         # beside dagre, elkjs and d3-dag

Each size is an SQLite store of its own, in which all nodes are downstream of one artifact.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlmd_lineage as ml
from mlmd_lineage.explorer.web.server import ExplorerServer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import browser
import layout_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAN = """async milliseconds => {
  const canvas = document.querySelector('.canvas');
  const {left, top, width, height} = canvas.getBoundingClientRect();
  const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, button: 0, buttons: 1, bubbles: true,
    clientX: left + width / 2 + x, clientY: top + height / 2 + y}));
  canvas.setPointerCapture = () => {};
  send('pointerdown', 0, 0);
  const times = [];
  const start = performance.now();
  while (performance.now() - start < milliseconds) {
    const time = await new Promise(requestAnimationFrame);
    times.push(time);
    send('pointermove', 200 * Math.sin((time - start) / 300), 80 * Math.cos((time - start) / 300));
  }
  send('pointerup', 0, 0);
  const gaps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
  return [1000 * gaps.length / (times.at(-1) - times[0]), gaps[Math.floor(gaps.length * 0.95)]];
}"""
_DRAWN = """() => {
  const root = document.querySelector('.mlmd-explorer');
  return root && !root.querySelector('.spinner')
    && root.querySelector('.canvas.big, .node') !== null;
}"""
_SETTINGS = "direction=downstream&hops=all&fold=none"


def make_store(path: Path, nodes: int) -> None:
    """Write a store whose first artifact led to all other nodes."""
    ml.connect(path, create=True)
    choose = random.Random(7)  # noqa: S311 - the same rows on every run
    steps = nodes // 2
    width = max(4, int(steps**0.5) // 2)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for kind, name in ((1, "Dataset"), (0, "Trainer")):
            connection.execute("INSERT INTO Type (name, type_kind) VALUES (?, ?)", (name, kind))
        types = dict(connection.execute("SELECT name, id FROM Type"))
        connection.executemany(
            "INSERT INTO Artifact (id, type_id, uri, state, name, create_time_since_epoch,"
            " last_update_time_since_epoch) VALUES (?, ?, ?, 2, ?, 1, 1)",
            ((n, types["Dataset"], f"s3://b/{n}", f"data-{n}") for n in range(1, steps + 2)),
        )
        connection.executemany(
            "INSERT INTO Execution (id, type_id, last_known_state, name, create_time_since_epoch,"
            " last_update_time_since_epoch) VALUES (?, ?, 3, ?, 1, 1)",
            ((n, types["Trainer"], f"train-{n}") for n in range(1, steps + 1)),
        )
        events = []
        for step in range(1, steps + 1):
            # Each step uses one or two artifacts of the layer before.
            last = max(1, 1 + step - width)
            used = {max(1, last - choose.randrange(3)) for _ in range(choose.choice((1, 1, 2)))}
            events += [(artifact, step, 3) for artifact in used]
            events.append((step + 1, step, 4))
        connection.executemany(
            "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch)"
            " VALUES (?, ?, ?, 1)",
            events,
        )


@contextlib.contextmanager
def served(path: Path) -> Iterator[ExplorerServer]:
    """Run the explorer's server."""
    server = ExplorerServer(ml.connect(path))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield server
    finally:
        server.stop()
        thread.join()


def measure(page: Any, server: ExplorerServer, repeat: int) -> tuple[int, float, float, float]:
    """Return the drawn nodes, seconds to the picture, frames a second, 95th percentile."""
    seconds = []
    for _ in range(repeat):
        page.goto("about:blank")
        start = time.perf_counter()
        page.goto(server.url(f"#/lineage/artifact:1?{_SETTINGS}"))
        page.wait_for_function(_DRAWN)
        # The first frame after it has the picture, the second comes when that is drawn.
        for _ in range(2):
            page.evaluate("() => new Promise(requestAnimationFrame)")
        seconds.append(time.perf_counter() - start)
    label = page.locator(".canvas.big")
    drawn = (
        int(label.get_attribute("aria-label").split()[3].replace(",", ""))
        if label.count()
        else page.locator(".node").count()
    )
    frames, slowest = page.evaluate(_PAN, 3000)
    return drawn, min(seconds), frames, slowest


def edges_of(path: Path) -> list[list[int]]:
    """Return the graph of a store of ``make_store()`` as numbers: artifacts first, then steps."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (artifacts,) = connection.execute("SELECT max(id) FROM Artifact").fetchone()
        rows = connection.execute("SELECT artifact_id, execution_id, type FROM Event").fetchall()
    return [
        [artifact - 1, artifacts + step - 1] if kind == 3 else [artifacts + step - 1, artifact - 1]
        for artifact, step, kind in rows
    ]


def compare(chromium: browser.Browser, folder: Path, sizes: list[int], patience: int) -> None:
    """Print how long other libraries take to lay out the same graphs in the same browser."""
    packages = folder / "packages"
    packages.mkdir()
    scripts = layout_libraries.install(packages)
    blank = folder / "blank.html"
    blank.write_text("<!doctype html><title>Layouts</title>", encoding="utf-8")
    print("\n| nodes | library | layout alone, s |\n|---|---|---|")
    for nodes in sizes:
        edges = edges_of(folder / f"{nodes}.db")
        found = chromium.visit(
            blank,
            lambda page, nodes=nodes, edges=edges: list(
                layout_libraries.measure(page, scripts, nodes + 1, edges, patience)
            ),
        ).found
        for library, seconds, why in found:
            print(f"| {nodes:,} | {library} | {why if seconds is None else f'{seconds:.2f}'} |")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the explorer in a real browser.")
    parser.add_argument("--nodes", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3, help="the best of how many")
    parser.add_argument(
        "--libraries", action="store_true", help="lay the graphs out with dagre, elkjs, d3-dag too"
    )
    parser.add_argument(
        "--patience", type=int, default=30, help="how many seconds each of these may take"
    )
    options = parser.parse_args()
    print("| nodes | drawn | to a picture that moves, s | frames a second | 95th percentile, ms |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, browser.running() as chromium:
        for nodes in options.nodes:
            path = Path(folder) / f"{nodes}.db"
            make_store(path, nodes)
            with served(path) as server:
                found = chromium.visit(
                    server.url(),
                    lambda page, server=server: measure(page, server, options.repeat),
                    viewport={"width": 1280, "height": 800},
                )
            drawn, seconds, frames, slowest = found.found
            print(
                f"| {nodes:,} | {drawn:,} | {seconds:.2f} | {frames:.0f} | {slowest:.0f} |",
                flush=True,
            )
            if bad := [
                wrong for wrong in found.wrong if not wrong.startswith("request: http://127")
            ]:
                print(bad, file=sys.stderr)
        if options.libraries:
            compare(chromium, Path(folder), options.nodes, options.patience)
    return 0


if __name__ == "__main__":
    sys.exit(main())
