"""The measured figures as a Markdown table and as JSON."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from figures import Figure, Goal
    from job import Outcome

LIBRARIES = (
    "mlmd-lineage",
    "ml-metadata",
    "networkx",
    "numpy",
    "pyarrow",
    "pandas",
    "PyMySQL",
)
GIB = 1 << 30


@dataclass(frozen=True)
class Measured:
    """One figure with what was measured for it, a value for each fresh process."""

    figure: Figure
    flavor: str
    size: str
    ours: Sequence[Outcome]
    peer: Sequence[Outcome]
    """Empty where the peer was left out."""

    @property
    def title(self) -> str:
        """The figure's title, with the size of what was answered."""
        counts = self.ours[0].counts
        if "closures" not in counts:
            return self.figure.title
        return f"{self.figure.title} ({counts['nodes'] / counts['closures']:.0f} nodes each)"

    @property
    def goal(self) -> Goal:
        """What the figure is meant to reach on this flavor."""
        return (self.flavor == "mariadb" and self.figure.goal_mariadb) or self.figure.goal

    @property
    def seconds(self) -> tuple[float, float | None]:
        """The median times: ours, the peer's."""
        ours, peer = self.figure.ours.timed, self.figure.peer.timed
        mine = statistics.median(outcome.seconds[ours] for outcome in self.ours)
        if not self.peer:
            return mine, None
        return mine, statistics.median(outcome.seconds[peer] for outcome in self.peer)

    @property
    def peaks(self) -> tuple[float, float | None]:
        """The median peaks in MB: ours, the peer's."""
        mine = statistics.median(outcome.peak_mb for outcome in self.ours)
        return mine, statistics.median(o.peak_mb for o in self.peer) if self.peer else None

    @property
    def faster(self) -> float | None:
        """The peer's time over ours."""
        mine, peer = self.seconds
        return None if peer is None else peer / mine

    @property
    def smaller(self) -> float | None:
        """The peer's peak over ours."""
        mine, peer = self.peaks
        return None if peer is None else peer / mine

    @property
    def missed(self) -> list[str]:
        """What of the goal was not reached, in words."""
        goal, faster, smaller = self.goal, self.faster, self.smaller
        said = []
        if goal.faster and faster and faster < goal.faster:
            said.append(f"{faster:.1f} times faster, not {goal.faster:g}")
        if goal.smaller and smaller and smaller < goal.smaller:
            said.append(f"{smaller:.1f} times smaller, not {goal.smaller:g}")
        if goal.slower and faster and 1 / faster > goal.slower:
            said.append(f"{1 / faster:.1f} times the time, not {goal.slower:g}")
        if goal.peak_mb and self.peaks[0] > goal.peak_mb:
            said.append(f"{self.peaks[0]:.0f} MB, not {goal.peak_mb:g}")
        return said


def markdown(measured: Sequence[Measured], repeat: int) -> str:
    """Return the table that the README quotes."""
    lines = [
        "| | store | peer | its time | ours | ratio | its peak | ours | ratio | at least |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for one in measured:
        mine, peer = one.seconds
        my_peak, peer_peak = one.peaks
        cells = (
            one.title,
            f"{one.size}, {one.flavor}",
            one.figure.peer.label,
            _seconds(peer),
            _seconds(mine),
            _ratio(one.faster),
            _memory(peer_peak),
            _memory(my_peak),
            _ratio(one.smaller),
            _goal(one.goal),
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"Medians of {repeat} fresh processes each, one after the other. {_machine()}."]
    lines += [
        f"Not reached: {one.figure.name} ({one.flavor}): {', '.join(one.missed)}."
        for one in measured
        if one.missed
    ]
    return "\n".join(lines)


def as_json(measured: Sequence[Measured], repeat: int) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "machine": _machine(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "repeat": repeat,
        "figures": [
            {
                "name": one.figure.name,
                "title": one.figure.title,
                "flavor": one.flavor,
                "size": one.size,
                "faster": one.faster,
                "smaller": one.smaller,
                "missed": one.missed,
                "ours": [vars(outcome) for outcome in one.ours],
                "peer": [vars(outcome) for outcome in one.peer],
            }
            for one in measured
        ],
    }


def _seconds(value: float | None) -> str:
    if value is None:
        return "not run"
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def _memory(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} MB"


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    return f"**{value:.0f}**" if value >= 10 else f"**{value:.2g}**"


def _goal(goal: Goal) -> str:
    said = []
    if goal.faster:
        said.append(f"{goal.faster:g} times faster")
    if goal.smaller:
        said.append(f"{goal.smaller:g} times smaller")
    if goal.slower:
        said.append(f"at most {goal.slower:g} times as long")
    if goal.peak_mb:
        said.append(f"under {goal.peak_mb / 1000:g} GB")
    return ", ".join(said)


def _machine() -> str:
    """Return what was measured on, without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    python = f"{platform.python_implementation()} {platform.python_version()}"
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES[:4])
    machine = f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}"
    return f"{machine}, {python}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
