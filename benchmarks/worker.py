"""The measuring process: reads a job as JSON, runs its task, and prints the outcome as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TYPE_CHECKING

import ours
import peers
from job import Job, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS: dict[str, Callable[[Job], Outcome]] = {
    "ours.snapshot": ours.snapshot,
    "ours.graph": ours.graph,
    "ours.answer": ours.answer,
    "ours.closures": ours.closures,
    "ours.agreement": ours.agreement,
    "ours.networkx_view": ours.networkx_view,
    "ours.networkx_copy": ours.networkx_copy,
    "peers.nodes": peers.nodes,
    "peers.snapshot": peers.snapshot,
    "peers.graph": peers.graph,
    "peers.answer": peers.answer,
    "peers.closures": peers.closures,
}


def main() -> None:
    """Run the job on standard input."""
    job = Job(**json.load(sys.stdin))
    outcome = TASKS[job.task](job)
    outcome.cpu_seconds = sum(os.times()[:4])
    print(json.dumps(dataclasses.asdict(outcome)))


if __name__ == "__main__":
    main()
