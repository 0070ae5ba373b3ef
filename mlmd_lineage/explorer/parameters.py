"""Checks the parameters that a page sends with a method.

>>> checked("node", node, {"key": "artifact/46"})
{'key': 'artifact/46'}
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


def checked(
    method: str, function: Callable[..., Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters of a method by the names that its function has for them.

    Args:
        method: The name of the method.
        function: What answers it; its first argument is the store.
        parameters: What it is given.

    Raises:
        ConfigurationError: There is no such parameter, one is missing, or a value is of another
            kind.
    """
    aliases = ALIASES.get(method, {})
    given = {aliases.get(name, name): value for name, value in parameters.items()}
    _check(method, function, given)
    return given


def _check(method: str, function: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a method does not have or lacks, or that are of another kind."""
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
