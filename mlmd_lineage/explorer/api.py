"""The methods of the explorer, by their names.

Each is a function over the public API: its answer says the same as Python's, as values that the
``json`` module takes. ``docs/explorer-api.md`` describes them.

>>> ask(store, "node", {"key": "artifact/46"})["type"]
'Model'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.methods import (
    comparison,
    export,
    large_scene,
    lineage,
    node,
    overview,
    paths,
    pipeline,
    run,
    search,
)
from mlmd_lineage.explorer.parameters import checked
from mlmd_lineage.snapshot.json_values import exact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlmd_lineage.explorer.explored_store import ExploredStore

METHODS: dict[str, Callable[..., Any]] = {
    "columns": large_scene.columns,
    "statuses": large_scene.statuses,
    "overview": overview.overview,
    "pipeline": pipeline.pipeline,
    "metrics": pipeline.metrics,
    "run": run.run,
    "node": node.node,
    "lineage": lineage.lineage,
    "path": paths.path,
    "impact": paths.impact,
    "labels": lineage.labels,
    "diff": comparison.diff,
    "search": search.search,
    "export": export.export,
}
"""The methods; the first argument of each is the store, all others are parameters.

``columns`` answers with bytes, all others with what the ``json`` module takes.
"""


def ask(store: ExploredStore, method: str, parameters: Mapping[str, Any]) -> Any:
    """Return the answer of a method, as the ``json`` module takes it.

    >>> ask(store, "search", {"text": "churn"})

    Args:
        store: The store that is asked.
        method: One of ``METHODS``.
        parameters: The parameters of the method by their names.

    Raises:
        ConfigurationError: There is no such method or parameter, or a value cannot be right.
        NotFoundError: The store holds no such thing.
        StoreError: The store cannot be read.
    """
    function = METHODS.get(method)
    if function is None:
        near = errors.did_you_mean(method, METHODS)
        message = f"The explorer has no method {method!r}.{near}"
        raise errors.ConfigurationError(message)
    answer = function(store, **checked(method, function, parameters))
    return answer if isinstance(answer, bytes) else exact(answer)
