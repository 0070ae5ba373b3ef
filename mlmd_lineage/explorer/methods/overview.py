"""The overview of a store: what it holds, its pipelines with their last runs, its findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mlmd_lineage.explorer.times import milliseconds
from mlmd_lineage.post_execution.loading import loader
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.post_execution.views import PipelineRunView, PipelineView
    from mlmd_lineage.snapshot.snapshot import Snapshot

_LAST_RUNS = 12
"""How many runs of each pipeline are listed."""
_TELLING_METRICS = ("auc", "accuracy", "f1", "r2", "rmse", "mse", "mae", "loss")
"""Parts of the names of metrics by which models are compared, the more telling ones first."""


def overview(store: ExploredStore) -> dict[str, Any]:
    """Return what a store holds; it is read whole, in one transaction.

    Members: ``store``, ``flavor``, ``schema_version``; ``kinds`` (how many ``artifacts``,
    ``executions``, ``contexts`` and ``events``); ``platforms`` (``name``, ``runs``);
    ``pipelines`` (``key``, ``name``, ``platform``, ``runs``, and ``last``: the newest runs, up to
    12, each with ``key``, ``name``, ``status``, ``start``, ``duration`` and a ``metric`` by which
    models are compared, where there is one); ``findings`` (``code``, ``severity``, ``count``,
    ``message``) of the store's audit, the worst first; ``types`` (``name``, ``kind``, ``count``);
    ``first_time``, ``last_time``; ``complete``, which is always true.
    """
    snapshot = store.snapshot()
    description = store.describe(snapshot)
    return {
        "store": store.location,
        "flavor": description.flavor,
        "schema_version": description.schema_version,
        "kinds": dict(description.counts),
        "platforms": [{"name": name, "runs": runs} for name, runs in description.platforms.items()],
        "pipelines": [_pipeline(view) for view in loader.pipelines_of(snapshot, store)],
        "findings": _findings(store),
        "types": _types(snapshot),
        "first_time": milliseconds(description.first_time),
        "last_time": milliseconds(description.last_time),
        "complete": True,
    }


def _pipeline(view: PipelineView) -> dict[str, Any]:
    runs = view.runs
    newest = runs[: -_LAST_RUNS - 1 : -1]
    found = [_metrics(run) for run in newest]
    telling = _telling(name for metrics in found for name in metrics)
    return {
        "key": view.node_key,
        "name": view.name,
        "platform": newest[0].dialect if newest else None,
        "runs": len(runs),
        "last": [
            {
                "key": run.node_key,
                "name": run.display_name,
                "status": "cached" if run.is_cached else run.status,
                "start": milliseconds(run.started),
                "duration": milliseconds(run.duration),
                "metric": {"name": telling, "value": json_value(metrics[telling])}
                if telling in metrics
                else None,
            }
            for run, metrics in zip(newest, found, strict=True)
        ],
    }


def _metrics(run: PipelineRunView) -> dict[str, Any]:
    metrics: dict[str, Any] = dict(run.metrics)
    for step in run.steps:
        metrics.update(step.metrics)
    return metrics


def _telling(names: Iterable[str]) -> str | None:
    """Return the metric by which models are compared: one of a usual name, else the most common."""
    counts = Counter(names)

    def order(name: str) -> tuple[int, int, str]:
        parts = (at for at, part in enumerate(_TELLING_METRICS) if part in name.casefold())
        return next(parts, len(_TELLING_METRICS)), -counts[name], name

    return min(counts, key=order, default=None)


def _findings(store: ExploredStore) -> list[dict[str, Any]]:
    frame = store.audit()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    columns = (frame[name].tolist() for name in ("check", "severity", "node", "message"))
    for code, severity, node, message in zip(*columns, strict=True):
        row = found.setdefault(
            (code, severity),
            {
                "code": code,
                "severity": severity,
                "count": 0,
                "node": json_value(node),
                "message": message,
            },
        )
        row["count"] += 1
    return list(found.values())


def _types(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return the types that have nodes, the most frequent first."""
    types = snapshot["Type"]
    names = dict(zip(types["id"].to_pylist(), types["name"].to_pylist(), strict=True))
    found: Counter[tuple[str, str]] = Counter()
    for kind in KINDS.values():
        for row in snapshot[kind.table]["type_id"].value_counts().to_pylist():
            name = names.get(row["values"]) or f"type/{row['values']}"
            found[kind.name, name] += row["counts"]
    return [
        {"name": name, "kind": kind, "count": count}
        for (kind, name), count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
