"""The methods of the explorer, by their names, and the check of the parameters that they are given.

Each is a function over the public API: its answer says the same as Python's, as values that the
``json`` module takes. ``docs/explorer-api.md`` describes them.

>>> ask(store, "node", {"key": "artifact/46"})["type"]
'Model'
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.methods import (
    columns,
    comparison,
    export,
    lineage,
    node,
    overview,
    pipeline,
    run,
    search,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlmd_lineage.explorer.explored_store import ExploredStore

METHODS: dict[str, Callable[..., Any]] = {
    "columns": columns.columns,
    "overview": overview.overview,
    "pipeline": pipeline.pipeline,
    "metrics": pipeline.metrics,
    "run": run.run,
    "node": node.node,
    "lineage": lineage.lineage,
    "path": lineage.path,
    "impact": lineage.impact,
    "labels": lineage.labels,
    "diff": comparison.diff,
    "search": search.search,
    "export": export.export,
}
"""The methods; the first argument of each is the store, all others are parameters.

``columns`` answers with bytes, all others with what the ``json`` module takes.
"""

ALIASES = {"path": {"from": "source", "to": "target"}}
"""The names of parameters that Python keeps for itself, and what they are called here."""

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        "a whole number",
    ),
    "Sequence[str]": (
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "a list of texts",
    ),
    "Sequence[int]": (
        lambda value: isinstance(value, list) and all(type(item) is int for item in value),
        "a list of whole numbers",
    ),
    "Mapping[str, Any]": (lambda value: isinstance(value, dict), "an object"),
}


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
    aliases = ALIASES.get(method, {})
    given = {aliases.get(name, name): value for name, value in parameters.items()}
    _check(method, function, given)
    return function(store, **given)


def _check(method: str, function: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a method does not have, or that are of another kind."""
    _, *known = inspect.signature(function).parameters.values()
    names = {parameter.name: parameter for parameter in known}
    for name, value in parameters.items():
        if name not in names:
            near = errors.did_you_mean(name, names)
            message = f"The method {method!r} has no parameter {name!r}.{near}"
            raise errors.ConfigurationError(message)
        kind, _, optional = str(names[name].annotation).partition(" | ")
        fits, what = _KINDS[kind]
        if not fits(value) and not (optional and value is None):
            message = f"The parameter {name!r} of {method!r} is {what}, not {value!r}."
            raise errors.ConfigurationError(message)
    for parameter in known:
        if parameter.default is parameter.empty and parameter.name not in parameters:
            message = f"The method {method!r} needs the parameter {parameter.name!r}."
            raise errors.ConfigurationError(message)
