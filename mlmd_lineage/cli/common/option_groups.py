"""Groups of options: dataclasses whose fields become options of every command that takes them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def with_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command's function that takes the fields of its groups as options of its own.

    A parameter of ``function`` whose annotation is a dataclass is such a group. Its place among
    the parameters is that of its fields.
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, type[Any]] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if _is_group(parameter.annotation)
    }

    @functools.wraps(function)
    def command(**options: Any) -> None:
        for name, group in groups.items():
            fields = {field.name: options.pop(field.name) for field in dataclasses.fields(group)}
            options[name] = group(**fields)
        function(**options)

    parameters = [each for p in signature.parameters.values() for each in _options(p)]
    # Typer reads the signature, and takes annotations from here where they are.
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    group = parameter.annotation
    if not _is_group(group):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=hints[field.name],
        )


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
