"""Two runs, models or steps side by side, and where they diverge first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.compare.node_differences import NOTES
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from mlmd_lineage.explorer.explored_store import ExploredStore


def diff(
    store: ExploredStore,
    a: str,
    b: str,
    *,
    pipeline_a: str | None = None,
    pipeline_b: str | None = None,
) -> dict[str, Any]:
    """Return how two artifacts, steps or runs differ, as ``Store.diff()`` finds it.

    Members: ``a`` and ``b`` (``key``, ``label``), ``identical``, ``first`` (the place in ``rows``
    of the first divergence; null where nothing differs), ``rows`` (``aspect``: what differs, such
    as ``parameter``, ``data``, ``code`` or ``status``; ``step``: the role of both nodes; ``name``,
    ``a``, ``b``: the values; ``key_a``, ``key_b``; ``hops``; ``first``; ``note``: worth knowing,
    and never the reason; ``same``, which is always false), the first divergences on top;
    ``shared``: where the two lineages meet; ``doubts``; ``said``: the whole report in sentences.

    Args:
        store: The store.
        a: A node, or a run as ``run:`` and its name or key.
        b: What it is compared with: another of the same kind.
        pipeline_a: The pipeline of the run ``a``, where several have runs of its name.
        pipeline_b: The pipeline of the run ``b``.
    """
    found = store.diff(_subject(store, a, pipeline_a), _subject(store, b, pipeline_b))
    rows = [
        {
            "aspect": one.what,
            "step": pair.role,
            "kind": pair.kind,
            "name": one.name,
            "a": json_value(one.value_a),
            "b": json_value(one.value_b),
            "key_a": pair.a,
            "key_b": pair.b,
            "hops": pair.hops,
            "first": pair.first and one.what not in NOTES,
            "note": one.what in NOTES,
            "same": False,
        }
        for pair in found.divergences
        for one in pair.differences
    ]
    return {
        "a": {"key": found.a, "label": found.labels[0]},
        "b": {"key": found.b, "label": found.labels[1]},
        "identical": found.identical,
        "first": next((at for at, row in enumerate(rows) if row["first"]), None),
        "rows": rows,
        "shared": list(found.shared),
        "doubts": list(found.doubts),
        "said": found.text(),
    }


def _subject(store: ExploredStore, text: str, pipeline: str | None) -> Any:
    kind, _, name = text.partition(":")
    if kind != "run":
        return text
    return store.get_run(name) if pipeline is None else store.get_pipeline(pipeline).get_run(name)
