"""What is measured of ``mlmd_lineage``, each in a process of its own.

The libraries that every use needs are imported before the clock starts, as the peers' are.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

from job import ROUNDS, Job, Outcome, best_of

if TYPE_CHECKING:
    from mlmd_lineage.store import Store

PROPERTY_TABLES = ("ArtifactProperty", "ExecutionProperty", "ContextProperty")
LIVE_CALLS = 7


def _connected(target: str) -> Store:
    for name in ("numpy", "pyarrow", "pyarrow.compute"):
        importlib.import_module(name)
    import mlmd_lineage

    return mlmd_lineage.connect(target)


def snapshot(job: Job) -> Outcome:
    """Read everything there is, with properties."""
    store, outcome = _connected(job.target), Outcome()
    with outcome.timed("all"):
        snapshot = store.snapshot()
        outcome.counts = {
            "artifacts": snapshot.artifacts.num_rows,
            "executions": snapshot.executions.num_rows,
            "contexts": snapshot.contexts.num_rows,
            "events": snapshot.events.num_rows,
            "links": snapshot.attributions.num_rows + snapshot.associations.num_rows,
            "parents": snapshot.parent_contexts.num_rows,
            "properties": sum(snapshot[name].num_rows for name in PROPERTY_TABLES),
        }
    return outcome


def graph(job: Job) -> Outcome:
    """Load the whole lineage graph: topology and node columns."""
    store, outcome = _connected(job.target), Outcome()
    with outcome.timed("all"):
        loaded = store.lineage()
        outcome.counts["nodes"] = len(loaded)
    outcome.counts["edges"] = loaded.index.size
    return outcome


def answer(job: Job) -> Outcome:
    """Answer one upstream question after the other from the store itself, warm."""
    store, outcome = _connected(job.target), Outcome()
    keys = [f"artifact/{number}" for number in job.starts]

    def ask(key: str) -> int:
        return len(store.upstream(key))

    outcome.counts["nodes"] = sum(map(ask, keys))
    best = [best_of(LIVE_CALLS, functools.partial(ask, key)) for key in keys]
    outcome.seconds["all"] = sum(best) / len(best)
    return outcome


def closures(job: Job) -> Outcome:
    """Load the graph, then walk upstream from many artifacts."""
    store, outcome = _connected(job.target), Outcome()
    with outcome.timed("load"):
        loaded = store.lineage()
        len(loaded)
    keys = [f"artifact/{number}" for number in job.starts]

    def walk_all() -> int:
        return sum(len(loaded.upstream(key, reuse=True, internal=True, later=True)) for key in keys)

    with outcome.timed("all"):
        nodes = walk_all()
    outcome.seconds["again"] = best_of(ROUNDS, walk_all)
    outcome.counts = {"closures": len(keys), "nodes": nodes}
    return outcome


def agreement(job: Job) -> Outcome:
    """Compare the upstream of every start with networkx's ancestors; raise where they differ."""
    import peers

    loaded, outcome = _connected(job.target).lineage(), Outcome()
    plain = peers.plain_graph(job.twin)
    for number in job.starts:
        ours = set(loaded.upstream(f"artifact/{number}", reuse=True, internal=True, later=True))
        theirs = {peers.key(node) for node in peers.ancestors(plain, number)}
        if ours != theirs:
            message = (
                f"upstream of artifact/{number}: {len(ours)} nodes, networkx says {len(theirs)}"
            )
            raise AssertionError(message)
    outcome.counts["closures"] = len(job.starts)
    return outcome


def networkx_view(job: Job) -> Outcome:
    """Take the graph as networkx without copying it, and run networkx on that."""
    return _networkx(job, copy=False)


def networkx_copy(job: Job) -> Outcome:
    """Copy the graph to networkx's own dicts, and run networkx on that."""
    return _networkx(job, copy=True)


def _networkx(job: Job, *, copy: bool) -> Outcome:
    import networkx as nx

    loaded, outcome = _connected(job.target).lineage(), Outcome()
    len(loaded)
    with outcome.timed("all"):
        shown: Any = loaded.to_networkx(copy=copy)
        nodes = len(nx.ancestors(shown, f"artifact/{job.starts[0]}"))
    with outcome.timed("ancestors"):
        nodes += sum(len(nx.ancestors(shown, f"artifact/{number}")) for number in job.starts[1:])
    outcome.counts["nodes"] = nodes
    return outcome
