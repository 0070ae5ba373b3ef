"""Paths between two nodes, and what an artifact had an impact on, as scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.explorer.methods.lineage import LIMIT, Answer, draw, further_hop
from mlmd_lineage.explorer.scenes import folds
from mlmd_lineage.explorer.scenes.scene_graph import SceneGraph
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.explorer.explored_store import EdgeFlags, ExploredStore
    from mlmd_lineage.post_execution.compare.impact import Impact


def path(  # noqa: PLR0913 - each stands alone
    store: ExploredStore,
    source: str,
    target: str,
    *,
    fold: str = "none",
    expand: Sequence[str] = (),
    internal: bool = False,
    later: bool = False,
    reuse: bool = False,
    limit: int = LIMIT,
) -> dict[str, Any]:
    """Return a scene of all paths from one node to another, in the direction of the data.

    Where there is none, the paths from the second to the first; ``said`` tells which it is. The
    members are those of ``lineage()``.

    Args:
        store: The store.
        source: A node, as ``lineage()`` takes it; named ``from`` by the page.
        target: Another; named ``to``.
        fold: As for ``lineage()``.
        expand: As for ``lineage()``.
        internal: As for ``lineage()``.
        later: As for ``lineage()``.
        reuse: As for ``lineage()``.
        limit: As for ``lineage()``.
    """
    folds.check_fold(fold)
    flags: EdgeFlags = {"internal": internal, "later": later, "reuse": reuse}
    answer = ask_path(store, source, target, expand=expand, flags=flags)
    return draw(store, answer, fold=fold, opened=expand, limit=limit)


def ask_path(
    store: ExploredStore, source: str, target: str, *, expand: Sequence[str], flags: EdgeFlags
) -> Answer:
    """Ask a store for the paths from one node to another, or back."""
    trace = store.between(source, target, **flags)
    said = f"All paths from {source} to {target}."
    if not len(trace):
        trace = store.between(target, source, **flags)
        said = f"No path leads from {source} to {target}; these lead from {target} to {source}."
    if not len(trace):
        said = f"No path leads from {source} to {target}, nor back."
    further = list(further_hop(store, expand, flags))
    return Answer(
        SceneGraph([trace, *further]),
        (*trace.starts, *trace.ends),
        (trace,),
        said,
        complete=True,
        direction="between",
        flags=flags,
    )


def impact(
    store: ExploredStore,
    key: str,
    *,
    fold: str = "none",
    expand: Sequence[str] = (),
    limit: int = LIMIT,
) -> dict[str, Any]:
    """Return the models and deployments that an artifact reached, and a scene of the paths to them.

    Members: ``scene``; ``rows`` (``key``, ``kind``: ``model`` or ``deployment``, ``label``,
    ``type``, ``uri``, ``hops``, ``run``, ``pipeline``, ``pushed``, ``direct``), the nearest first;
    ``said``; ``complete``.

    Args:
        store: The store.
        key: The artifact: a key, an id, a URI, a name, or a type and a name.
        fold: As for ``lineage()``.
        expand: As for ``lineage()``.
        limit: As for ``lineage()``.
    """
    folds.check_fold(fold)
    answer, found = ask_impact(store, key, expand=expand)
    rows = [
        {
            "key": row.node,
            "kind": row.kind,
            "label": row.name or row.uri or row.node,
            "type": short_type(row.type),
            "uri": row.uri,
            "hops": row.hops,
            "run": row.run,
            "pipeline": row.pipeline,
            "pushed": json_value(row.pushed),
            "direct": json_value(row.direct),
        }
        for row in found.reached
    ]
    scene = draw(store, answer, fold=fold, opened=expand, limit=limit)
    return {"scene": scene, "rows": rows, "said": found.text(), "complete": found.complete}


def ask_impact(store: ExploredStore, key: str, *, expand: Sequence[str]) -> tuple[Answer, Impact]:
    """Ask a store for what an artifact reached, and the paths to it."""
    found = store.impact(key)
    on_paths = {found.node, *(node for row in found.reached for node in row.path)}
    said = found.text().partition("\n")[0]
    flags: EdgeFlags = {"internal": False, "later": False, "reuse": False}
    further = list(further_hop(store, expand, flags))
    trace = found.trace
    trace.use_labeler(store.labeler())
    answer = Answer(
        SceneGraph([trace, *further], only=on_paths | {key for t in further for key in t}),
        trace.starts,
        (),
        said,
        complete=found.complete,
        direction="downstream",
        flags=flags,
    )
    return answer, found
