"""A function that calls steps, its parameters, and the plan that follows from both."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.pipelines import current_plan
from mlmd_lineage.pipelines.plan import Plan
from mlmd_lineage.post_execution.artifact_files import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


class PipelineFunction:
    """A function whose calls of steps can be planned.

    Attributes:
        function: The function.
        name: The pipeline's name.
        enable_cache: Whether the results of its steps are reused.
        allow_pickle: Whether values that nothing else keeps are pickled, and pickles read.
        max_bytes: How many bytes a file of an input may hold.
    """

    function: Callable[..., object]

    def __init__(
        self,
        function: Callable[..., object],
        *,
        name: str | None = None,
        enable_cache: bool = True,
        allow_pickle: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        if not inspect.isfunction(function):
            message = f"@pipeline takes a function, not {function!r}."
            raise errors.ConfigurationError(message)
        self.__doc__ = function.__doc__
        self.function = function
        self.name = name or function.__name__
        self.enable_cache = enable_cache
        self.allow_pickle = allow_pickle
        self.max_bytes = max_bytes

    def bound(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the parameters that arguments give, defaults included.

        Raises:
            ConfigurationError: They are not those of the pipeline, or another one is planned.
        """
        if current_plan.CURRENT.get() is not None:
            message = (
                f"The pipeline {self.name!r} is called within another one. Call its steps there, "
                "or its function."
            )
            raise errors.ConfigurationError(message)
        try:
            given = inspect.signature(self.function).bind(*args, **kwargs)
        except TypeError as error:
            message = f"The pipeline {self.name!r} cannot be called so: {error}."
            raise errors.ConfigurationError(message) from None
        given.apply_defaults()
        return dict(given.arguments)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name}{inspect.signature(self.function)}>"


class PipelineCall:
    """A pipeline with its parameters.

    Attributes:
        pipeline: The pipeline.
        parameters: Its parameters, defaults included.
    """

    def __init__(self, pipeline: PipelineFunction, parameters: dict[str, Any]) -> None:
        self.pipeline = pipeline
        self.parameters = parameters

    @functools.cached_property
    def plan(self) -> Plan:
        """Its steps, and which waits for which.

        Raises:
            ConfigurationError: It has no step, or a step cannot take what it is given.
        """
        with Plan(self.pipeline.name) as plan:
            self.pipeline.function(**self.parameters)
        if not plan.steps:
            message = f"The pipeline {self.pipeline.name!r} calls no step."
            raise errors.ConfigurationError(message)
        return plan

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"<Pipeline {self.pipeline.name}({given})>"
