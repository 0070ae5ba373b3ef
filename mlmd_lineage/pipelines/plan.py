"""The plan of a pipeline: its steps, what each is given, and which waits for which."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from mlmd_lineage import errors
from mlmd_lineage.pipelines import current_plan
from mlmd_lineage.pipelines.signatures import checked
from mlmd_lineage.post_execution.views import ArtifactView
from mlmd_lineage.recording.sources import Source

if TYPE_CHECKING:
    import inspect
    import os
    from collections.abc import Mapping

    from typing_extensions import Self

    from mlmd_lineage.pipelines.signatures import DeclaredOutput
    from mlmd_lineage.pipelines.step_definition import PipelineStep


def external_artifact(
    given: str | os.PathLike[str] | ArtifactView,
    *,
    type: str | None = None,  # noqa: A002 - MLMD's word
) -> Any:
    """Return a file, an object, or an artifact of an earlier run, as the argument of a step.

    >>> @ml.pipeline
    ... def churn(path: str = "customers.csv") -> None:
    ...     train(ml.external_artifact(path, type="Dataset"))

    It is recorded with its digest. A step whose argument is annotated as ``pathlib.Path`` gets its
    path; any other what it holds, as ``ArtifactView.read()`` reads it.

    Args:
        given: A path, a URI, or an artifact of a store.
        type: The type of MLMD's artifact, where the store does not hold it yet.
    """
    return Source(given, type)


@dataclasses.dataclass(frozen=True, eq=False)
class OutputReference:
    """An output of a step that has not run yet, while its pipeline is planned.

    It can be given to other steps; it has no value.
    """

    step: str
    declared: DeclaredOutput

    @property
    def key(self) -> str:
        """The key under which the step's event names the artifact."""
        return self.declared.name

    def _has_no_value(self, *_: Any) -> NoReturn:
        message = (
            f"The output {self.key!r} of step {self.step!r} has no value while the pipeline is "
            "planned. A pipeline's function only hands outputs to steps; compute in a step."
        )
        raise errors.ConfigurationError(message)

    __bool__ = __iter__ = __len__ = __float__ = __int__ = _has_no_value
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __mul__ = _has_no_value
    __truediv__ = __getitem__ = __call__ = _has_no_value


@dataclasses.dataclass(frozen=True)
class PlannedStep:
    """One call of a step in a pipeline.

    Attributes:
        name: Its name in the pipeline.
        step: The step.
        parameters: The values that it is given, defaults included.
        inputs: The artifacts that it is given, by their keys.
        lists: The keys of inputs that were given as lists.
        waits_for: The names of the steps that have to succeed first.
    """

    name: str
    step: PipelineStep[Any, Any]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, tuple[OutputReference | Source | ArtifactView, ...]]
    lists: frozenset[str]
    waits_for: frozenset[str]


class Plan:
    """The steps of a pipeline in the order in which its function calls them."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self.steps: dict[str, PlannedStep] = {}
        self._references: dict[int, OutputReference | str] = {}
        self._kept: list[Any] = []

    def __enter__(self) -> Self:
        """Plan the calls of steps, rather than run them."""
        self._token = current_plan.CURRENT.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        current_plan.CURRENT.reset(self._token)

    def add(self, step: PipelineStep[Any, Any], given: inspect.BoundArguments) -> Any:
        """Plan a call, and return references to its outputs in the shape of what it returns.

        Raises:
            ConfigurationError: A name is taken, or an argument cannot be right.
        """
        name = self._free_name(step)
        given.apply_defaults()
        parameters: dict[str, Any] = {}
        inputs: dict[str, tuple[Any, ...]] = {}
        lists = set()
        for key, argument in given.arguments.items():
            annotation = step.signature.annotations.get(key, Any)
            value = Source(argument) if isinstance(argument, PurePath) else argument
            if isinstance(value, (list, tuple)) and any(map(_is_artifact, value)):
                self._check_list(name, key, value)
                inputs[key] = tuple(value)
                lists.add(key)
            elif _is_artifact(value):
                _check_reference(name, key, value, annotation)
                inputs[key] = (value,)
            else:
                what = f"The parameter {key!r} of step {name!r}"
                parameters[key] = checked(value, annotation, what)
        used = [each for several in inputs.values() for each in several]
        waits_for = {each.step for each in used if isinstance(each, OutputReference)}
        waits_for |= {self._step_of(result) for result in step.after}
        self.steps[name] = PlannedStep(
            name, step, parameters, inputs, frozenset(lists), frozenset(waits_for)
        )
        return self._result(name, step)

    def _free_name(self, step: PipelineStep[Any, Any]) -> str:
        if step.is_named:
            if step.name in self.steps:
                message = f"Two steps of the pipeline {self.pipeline!r} are called {step.name!r}."
                raise errors.ConfigurationError(message)
            return step.name
        name, number = step.name, 1
        while name in self.steps:
            number += 1
            name = f"{step.name}_{number}"
        return name

    def _result(self, name: str, step: PipelineStep[Any, Any]) -> Any:
        outputs = step.signature.outputs.values()
        references = tuple(OutputReference(name, declared) for declared in outputs)
        result: Any = references
        if step.signature.is_single:
            result = references[0]
        elif step.signature.tuple_type is not None:
            result = step.signature.tuple_type(*references)
        elif not references:
            result = NoOutput(name)
        self._kept.append(result)  # so that nothing else gets its id
        self._references[id(result)] = name
        return result

    def _step_of(self, result: Any) -> str:
        """Return the name of the step whose result something is."""
        if isinstance(result, OutputReference):
            return result.step
        if id(result) in self._references:
            return str(self._references[id(result)])
        message = f"after takes what other steps of the pipeline returned, not {result!r}."
        raise errors.ConfigurationError(message)

    @staticmethod
    def _check_list(name: str, key: str, values: Any) -> None:
        if not all(map(_is_artifact, values)):
            message = (
                f"The argument {key!r} of step {name!r} mixes outputs of steps with values, which "
                "would be both an input and a parameter. Give them as two arguments."
            )
            raise errors.ConfigurationError(message)


@dataclasses.dataclass(frozen=True, eq=False)
class NoOutput:
    """What a step without outputs returns while its pipeline is planned; ``after`` takes it."""

    step: str


def _is_artifact(value: Any) -> bool:
    return isinstance(value, (OutputReference, Source, ArtifactView))


def _check_reference(name: str, key: str, value: Any, annotation: Any) -> None:
    """Refuse an output whose type cannot be that of the argument.

    Raises:
        StepTypeError: It cannot.
    """
    if not isinstance(value, OutputReference):
        return
    given = _class_of(value.declared.annotation)
    if given is None:
        return
    wanted = _classes(annotation)
    if not wanted or any(_fits(given, each) for each in wanted):
        return
    message = (
        f"The argument {key!r} of step {name!r} has to be "
        f"{' or '.join(each.__qualname__ for each in wanted)}, and the output {value.key!r} of "
        f"step {value.step!r} is {given.__qualname__}."
    )
    raise errors.StepTypeError(message)


def _fits(given: type, wanted: type) -> bool:
    # As pydantic has it, an int is a float.
    return issubclass(given, wanted) or issubclass(wanted, given) or (given, wanted) == (int, float)


def _classes(annotation: Any) -> list[type]:
    """Return the classes that an annotation allows; none where that cannot be told."""
    is_union = typing.get_origin(annotation) in {typing.Union, types.UnionType}
    parts = typing.get_args(annotation) if is_union else (annotation,)
    found = [_class_of(part) for part in parts]
    return [each for each in found if each is not None] if None not in found else []


def _class_of(annotation: Any) -> type | None:
    """Return the class that an annotation means: of ``list[int]``, ``list``."""
    found = typing.get_origin(annotation) or annotation
    return found if isinstance(found, type) and found is not Any else None
