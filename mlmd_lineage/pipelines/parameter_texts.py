"""A pipeline's parameters as texts of a command line, read by the types of its function."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.pipelines.signatures import annotations_of
from mlmd_lineage.recording.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.pipelines.pipeline_call import PipelineFunction


def parameters_of(pipeline: PipelineFunction, texts: Iterable[str]) -> dict[str, Any]:
    """Return the parameters that texts such as ``learning_rate=0.1`` give.

    A text is read as its parameter is annotated; without an annotation as JSON, and as a text
    where it is none.

    Raises:
        ConfigurationError: A text is no such assignment, there is no such parameter, or its value
            is of another type.
    """
    signature = inspect.signature(pipeline.function)
    hints = annotations_of(pipeline.function)
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"{text!r} is no parameter; write NAME=VALUE, such as learning_rate=0.1."
            raise errors.ConfigurationError(message)
        if name not in signature.parameters:
            near = errors.did_you_mean(name, signature.parameters)
            has = ", ".join(signature.parameters) or "none"
            message = (
                f"The pipeline {pipeline.name!r} has no parameter {name!r}; it has {has}.{near}"
            )
            raise errors.ConfigurationError(message)
        if name in found:
            message = f"The parameter {name!r} is given twice."
            raise errors.ConfigurationError(message)
        found[name] = _value(name, value, hints.get(name, Any))
    return found


def _value(name: str, text: str, annotation: Any) -> Any:
    if annotation is str:
        return text
    if annotation is Source:
        return Source(text)
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
        annotation, config=pydantic.ConfigDict(arbitrary_types_allowed=True)
    )
    with contextlib.suppress(pydantic.ValidationError):
        return adapter.validate_json(text)
    try:
        return adapter.validate_python(text)
    except pydantic.ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]["msg"]
        message = f"The parameter {name!r} cannot be {text!r}: {said}."
        raise errors.ConfigurationError(message) from None
