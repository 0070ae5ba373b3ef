"""The inputs and outputs of a step, read from the signature of its function."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import pydantic

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlmd_lineage.materializers.base import BaseMaterializer

    MaterializerClass: TypeAlias = type[BaseMaterializer]


@dataclasses.dataclass(frozen=True)
class Output:
    """What is said of a step's output beside its Python type.

    >>> @ml.step
    ... def train(
    ...     data: pd.DataFrame,
    ... ) -> Annotated[np.ndarray, ml.Output("model", type="Model")]: ...

    Attributes:
        name: The output's name; in a ``NamedTuple`` it is that of the field.
        type: The type of MLMD's artifact; where none is given, it follows from the value.
        materializer: What keeps the value; where none is given, it follows from its class.
    """

    name: str = "output"
    type: str | None = None
    materializer: MaterializerClass | None = None


@dataclasses.dataclass(frozen=True)
class DeclaredOutput:
    """An output of a step with the Python type of its value."""

    output: Output
    annotation: Any

    @property
    def name(self) -> str:
        """Its name."""
        return self.output.name


@dataclasses.dataclass(frozen=True)
class StepSignature:
    """What a step takes and gives.

    Attributes:
        signature: The function's signature.
        annotations: The Python type of each argument; ``Any`` where it is not known.
        outputs: The outputs by their names, in order.
        is_single: Whether the function returns its one output as it is, and not in a tuple.
        tuple_type: The ``NamedTuple`` that it returns, if it returns one.
    """

    signature: inspect.Signature
    annotations: Mapping[str, Any]
    outputs: Mapping[str, DeclaredOutput]
    is_single: bool
    tuple_type: type[tuple[Any, ...]] | None

    @classmethod
    def of(cls, function: Callable[..., Any]) -> StepSignature:
        """Read the signature of a function.

        Raises:
            ConfigurationError: It takes ``*args`` or ``**kwargs``, or its outputs cannot be told.
        """
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
                message = (
                    f"{function.__qualname__}() takes {parameter}, so that its inputs have no "
                    "names to be recorded under. Name each of them."
                )
                raise errors.ConfigurationError(message)
        hints = annotations_of(function)
        outputs, single, tuple_type = _outputs(function, hints.pop("return", Any))
        return cls(signature, hints, outputs, single, tuple_type)

    def values_of(self, step: str, returned: Any) -> dict[str, Any]:
        """Return the value of each output, given what the function returned.

        Raises:
            StepTypeError: It is not what the function is annotated to return.
        """
        if self.is_single:
            values: tuple[Any, ...] = (returned,)
        elif not self.outputs:
            if returned is not None:
                message = (
                    f"The step {step!r} returned {type(returned).__name__}, and is annotated to "
                    "return None."
                )
                raise errors.StepTypeError(message)
            values = ()
        elif isinstance(returned, (tuple, list)) and len(returned) == len(self.outputs):
            values = tuple(returned)
        else:
            held = f"{len(returned)} values" if isinstance(returned, tuple) else "another value"
            message = (
                f"The step {step!r} has the outputs {', '.join(self.outputs)}, and returned "
                f"{held}: {type(returned).__name__}."
            )
            raise errors.StepTypeError(message)
        return {
            name: checked(value, declared.annotation, f"The output {name!r} of step {step!r}")
            for (name, declared), value in zip(self.outputs.items(), values, strict=True)
        }


def checked(value: Any, annotation: Any, what: str) -> Any:
    """Return a value if it is of an annotated type; a NumPy number as a Python one.

    Raises:
        StepTypeError: It is of another type.
    """
    if annotation in {int, float, bool} and type(value).__module__ == "numpy":
        value = value.item() if getattr(value, "shape", None) == () else value
    if annotation is Any or annotation is inspect.Parameter.empty:
        return value
    try:
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
            annotation, config=pydantic.ConfigDict(arbitrary_types_allowed=True)
        )
    except (pydantic.errors.PydanticUserError, pydantic.errors.PydanticSchemaGenerationError):
        # Models bring a configuration of their own, and some annotations are no schema.
        is_other = isinstance(annotation, type) and not isinstance(value, annotation)
        if is_other:
            raise _wrong_type(value, annotation, what) from None
        return value
    try:
        adapter.validate_python(value, strict=True)
    except pydantic.ValidationError:
        raise _wrong_type(value, annotation, what) from None
    return value


def _wrong_type(value: Any, annotation: Any, what: str) -> errors.StepTypeError:
    found = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    wanted = annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
    return errors.StepTypeError(f"{what} is of type {found}, and has to be {wanted}.")


def _outputs(
    function: Callable[..., Any], annotation: Any
) -> tuple[dict[str, DeclaredOutput], bool, type[tuple[Any, ...]] | None]:
    """Return the outputs, whether there is a single one, and the NamedTuple that holds them."""
    if annotation is None or annotation is type(None):
        return {}, False, None
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        hints = annotations_of(annotation)
        names: tuple[str, ...] = getattr(annotation, "_fields", ())
        if names:
            declared = [_declared(hints.get(name, Any), name) for name in names]
            return _by_name(function, declared), False, annotation
    parts = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
    if any(typing.get_origin(part) is Annotated for part in parts):
        declared = [_declared(part, None) for part in parts]
        return _by_name(function, declared), False, None
    return _by_name(function, [_declared(annotation, None)]), True, None


def _declared(annotation: Any, name: str | None) -> DeclaredOutput:
    """Return an output, given ``Annotated[type, "name"]`` or ``Annotated[type, Output(...)]``."""
    output, kind = Output(), annotation
    if typing.get_origin(annotation) is Annotated:
        kind, *marks = typing.get_args(annotation)
        for mark in marks:
            if isinstance(mark, str):
                output = dataclasses.replace(output, name=mark)
            elif isinstance(mark, Output):
                output = mark
    if name is not None:
        output = dataclasses.replace(output, name=name)
    return DeclaredOutput(output, kind)


def _by_name(
    function: Callable[..., Any], declared: list[DeclaredOutput]
) -> dict[str, DeclaredOutput]:
    found = {each.name: each for each in declared}
    if len(found) < len(declared):
        message = (
            f"Two outputs of {function.__qualname__}() have one name. Name each: "
            'tuple[Annotated[int, "first"], Annotated[int, "second"]], or return a NamedTuple.'
        )
        raise errors.ConfigurationError(message)
    return found


class _Unknown:
    """What stands for a name that is imported for type checkers only."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Any

    def __getitem__(self, item: object) -> Any:
        return Any


def annotations_of(thing: Any) -> dict[str, Any]:
    """Return the annotations of a function or class; what type checkers alone know is ``Any``."""
    if sys.version_info >= (3, 14):
        import annotationlib

        texts = annotationlib.get_annotations(thing, format=annotationlib.Format.STRING)
    else:
        texts = dict(getattr(thing, "__annotations__", {}))
    inner = inspect.unwrap(thing) if not isinstance(thing, type) else thing
    module = sys.modules.get(thing.__module__)
    scope = getattr(inner, "__globals__", None) or (vars(module) if module is not None else {})
    code = getattr(inner, "__code__", None)
    cells = zip(
        code.co_freevars if code else (), getattr(inner, "__closure__", None) or (), strict=True
    )
    local = {name: cell.cell_contents for name, cell in cells}
    return {name: _evaluated(text, scope, local) for name, text in texts.items()}


def _evaluated(annotation: Any, scope: dict[str, Any], local: dict[str, Any]) -> Any:
    if isinstance(annotation, typing.ForwardRef):  # in a NamedTuple
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    names = dict(local)
    while True:
        try:
            found = eval(annotation, scope, names)  # noqa: S307 - as typing.get_type_hints does
        except NameError as error:
            if error.name is None or isinstance(names.get(error.name), _Unknown):
                return Any
            names[error.name] = _Unknown()
        except Exception:  # noqa: BLE001 - an annotation may be any expression
            return Any
        else:
            return Any if isinstance(found, _Unknown) else found
