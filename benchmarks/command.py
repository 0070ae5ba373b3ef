"""The command line of ``benchmarks/run``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import figures
import mariadb_server
import measure
import report
import sinks
from figures import Figure, Side, Starts
from job import Job, Outcome
from service import ServiceError
from stores import Stores, models_with_answers, random_artifacts, random_models

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOSURES = 1_000
FEW = 20
CHECKED = 200  # closures compared node by node
FLAVORS = ("sqlite", "mariadb", "service")


@dataclass(frozen=True)
class Measurement:
    """One thing to measure: figures that need the same thing share it."""

    task: str
    size: str
    flavor: str
    starts: Starts


def main() -> int:
    """Run the command line."""
    options = _options()
    stores = Stores(options.cache, _say)
    try:
        measured = _Run(options, stores).figures()
    except (
        sinks.GenerateError,
        measure.MeasureError,
        mariadb_server.MariaDBError,
        ServiceError,
    ) as error:
        _say(f"error: {error}")
        return 1
    finally:
        stores.close()
    print(report.markdown(measured, options.repeat))
    if options.json:
        text = json.dumps(report.as_json(measured, options.repeat), indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run", description="Measure mlmd_lineage beside its peers."
    )
    add = parser.add_argument
    add("--size", choices=("XS", "S", "M", "L"), default="M", help="the store's size (default: M)")
    add("--flavor", choices=(*FLAVORS, "all"), default="all", help="which database (default: all)")
    add("--repeat", type=int, default=3, metavar="N", help="fresh processes for each (default: 3)")
    add("--only", action="append", choices=figures.NAMES, help="a figure; may be given again")
    add("--cache", type=Path, metavar="DIR", help="where generated stores are kept")
    add("--mariadb", metavar="URL", help="a server to use: mysql://user:password@host:port")
    add("--peer-at-L", action="store_true", help="let ml_metadata try L: takes over 20 GB")
    add("--no-large", action="store_true", help="leave out the figures that need L")
    add("--json", type=Path, metavar="FILE", help="write all that was measured to a file")
    options = parser.parse_args()
    if options.cache is None:
        options.cache = Path(tempfile.gettempdir()) / "mlmd_lineage-benchmarks"
    options.cache = options.cache.resolve()
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Run:
    """One run: which figures, which measurements they need, and what came out."""

    def __init__(self, options: argparse.Namespace, stores: Stores) -> None:
        self._options = options
        self._stores = stores
        self._outcomes: dict[Measurement, list[Outcome]] = defaultdict(list)
        self._starts: dict[tuple[Starts, str], tuple[int, ...]] = {}

    def figures(self) -> list[report.Measured]:
        """Measure, and return the figures."""
        wanted = list(self._wanted())
        needed = dict.fromkeys(
            self._measurement(figure, side, flavor)
            for figure, flavor in wanted
            for side in self._sides(figure)
        )
        for one in needed:
            self._job(one)  # generates what is missing before the clock runs
        if any(figure.name == "closures" for figure, _ in wanted):
            self._check()
        for turn in range(self._options.repeat):
            for one in needed:
                outcome = measure.run(self._job(one))
                self._outcomes[one].append(outcome)
                times = ", ".join(f"{k} {v:.4g} s" for k, v in outcome.seconds.items())
                where = f"{one.size} {one.flavor}"
                spent = f"cpu {outcome.cpu_seconds:.2f} s, {outcome.peak_mb:.0f} MB"
                _say(f"{turn + 1}: {one.task} {where}: {times}, {spent}")
        return [self._measured(figure, flavor) for figure, flavor in wanted]

    def _wanted(self) -> Iterable[tuple[Figure, str]]:
        options = self._options
        for flavor in FLAVORS if options.flavor == "all" else (options.flavor,):
            if flavor == "mariadb" and not options.mariadb and not mariadb_server.available():
                _say("MariaDB is left out: mariadb-server is not installed")
                continue
            for figure in figures.FIGURES:
                if options.only and figure.name not in options.only:
                    continue
                if options.no_large and figure.ours.size == "L":
                    continue
                if flavor in figure.flavors:
                    yield figure, flavor

    def _sides(self, figure: Figure) -> Iterable[Side]:
        yield figure.ours
        size = figure.peer.size or self._options.size
        if not figure.peer.by_ml_metadata or size != "L" or self._options.peer_at_L:
            yield figure.peer

    def _measurement(self, figure: Figure, side: Side, flavor: str) -> Measurement:
        return Measurement(side.task, side.size or self._options.size, flavor, figure.starts)

    def _measured(self, figure: Figure, flavor: str) -> report.Measured:
        ours = self._outcomes[self._measurement(figure, figure.ours, flavor)]
        peer = self._outcomes.get(self._measurement(figure, figure.peer, flavor), [])
        for name in figure.same if peer else ():
            if ours[0].counts[name] != peer[0].counts[name]:
                message = f"{figure.name}: {ours[0].counts} with us, {peer[0].counts} with the peer"
                raise measure.MeasureError(message)
        sizes = dict.fromkeys(
            side.size or self._options.size for side in (figure.peer, figure.ours)
        )
        return report.Measured(figure, flavor, ", ".join(sizes), ours, peer)

    def _check(self) -> None:
        """Compare some closures with networkx's, node by node."""
        _say(f"comparing {CHECKED} closures with networkx's")
        twin = self._stores.sqlite(self._options.size)
        starts = random_artifacts(twin, CLOSURES)[:CHECKED]
        measure.run(Job("ours.agreement", str(twin), str(twin), starts))

    def _job(self, one: Measurement) -> Job:
        twin = self._stores.sqlite(one.size)
        target = str(twin)
        if one.flavor == "mariadb":
            target = self._stores.mariadb(one.size, self._options.mariadb)
        if one.flavor == "service":
            target = self._stores.service(one.size)
        if (one.starts, one.size) not in self._starts:
            self._starts[one.starts, one.size] = _starts(one.starts, twin)
        return Job(one.task, target, str(twin), self._starts[one.starts, one.size])


def _starts(starts: Starts, twin: Path) -> tuple[int, ...]:
    if starts is Starts.MODELS:
        return models_with_answers(twin)
    if starts is Starts.MANY:
        return random_artifacts(twin, CLOSURES)
    if starts is Starts.MODELS_AT_RANDOM:
        return random_models(twin, CLOSURES)
    if starts is Starts.FEW:
        return random_artifacts(twin, FEW)
    return ()
