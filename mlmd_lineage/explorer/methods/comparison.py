"""Two runs, models or steps side by side, and where they diverge first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.explorer.methods.lineage import labels
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
    subjects = _subject(store, a, pipeline_a), _subject(store, b, pipeline_b)
    found = store.diff(*subjects)
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
        "a": {"key": _address(found.a), "label": _called(store, found.a, subjects[0])},
        "b": {"key": _address(found.b), "label": _called(store, found.b, subjects[1])},
        "identical": found.identical,
        "first": next((at for at, row in enumerate(rows) if row["first"]), None),
        "rows": rows,
        "shared": list(found.shared),
        "doubts": list(found.doubts),
        "said": found.text(),
    }


def _address(key: str) -> str:
    """Return what the page opens: of a run its key after ``run:``, of a node its key."""
    return f"run:{key}" if key.startswith("context/") else key


def _called(store: ExploredStore, key: str, subject: Any) -> str:
    """Return what a run or a node is called: by its platform, or by its key."""
    if key.startswith("context/"):
        run = store.get_run(key) if isinstance(subject, str) else subject
        return str(run.display_name)
    name, type_name = labels(store, [key])["labels"].get(key, (None, None))
    return f"{name} ({key})" if name and not name.startswith("#") else f"{type_name} ({key})"


def _subject(store: ExploredStore, text: str, pipeline: str | None) -> Any:
    kind, _, name = text.partition(":")
    if kind != "run":
        return text
    return store.get_run(name) if pipeline is None else store.get_pipeline(pipeline).get_run(name)
