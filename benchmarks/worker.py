"""The measuring process: reads a job as JSON, runs its task, and prints the outcome as JSON."""

from __future__ import annotations

import dataclasses
import json
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
    print(json.dumps(dataclasses.asdict(TASKS[job.task](job))))


if __name__ == "__main__":
    main()
