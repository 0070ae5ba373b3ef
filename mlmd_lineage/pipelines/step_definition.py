"""``@step``: a function as a step of pipelines."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from mlmd_lineage import errors
from mlmd_lineage.pipelines import current_plan
from mlmd_lineage.pipelines.signatures import StepSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

P = ParamSpec("P")
R = TypeVar("R")


class PipelineStep(Generic[P, R]):
    """A function as a step; called outside a pipeline, it is the function.

    Attributes:
        function: The function.
        name: The step's name.
        is_named: Whether the name was given, so that a second step of that name is refused.
        enable_cache: Whether its results are reused; None where the pipeline or the run says it.
        allow_pickle: Whether values that nothing else keeps are pickled, and pickles read.
        max_bytes: How many bytes a file of an input may hold; None where the pipeline says it.
        environment: The packages whose versions its results depend on.
        after: What other steps returned for which it waits.
        signature: What it takes and gives.
    """

    function: Callable[P, R]

    def __init__(  # noqa: PLR0913 - each stands alone
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        enable_cache: bool | None = None,
        allow_pickle: bool | None = None,
        max_bytes: int | None = None,
        environment: Sequence[str] = (),
        after: Sequence[Any] = (),
    ) -> None:
        if not inspect.isfunction(function):
            message = f"@step takes a function, not {function!r}."
            raise errors.ConfigurationError(message)
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            message = (
                f"{function.__qualname__}() is a coroutine or generator, and a step has to return "
                "its outputs. Call asyncio.run() in the step."
            )
            raise errors.ConfigurationError(message)
        if isinstance(environment, str):
            message = f"environment is the text {environment!r}; give a list of packages."
            raise errors.ConfigurationError(message)
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        self.is_named = name is not None
        self.enable_cache = enable_cache
        self.allow_pickle = allow_pickle
        self.max_bytes = max_bytes
        self.environment = tuple(environment)
        self.after = tuple(after)
        self.signature = StepSignature.of(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function; in a pipeline, plan the step."""
        plan = current_plan.CURRENT.get()
        if plan is None:
            return self.function(*args, **kwargs)
        try:
            given = self.signature.signature.bind(*args, **kwargs)
        except TypeError as error:
            message = f"The step {self.name!r} cannot be called so: {error}."
            raise errors.ConfigurationError(message) from None
        result: R = plan.add(self, given)
        return result

    def with_options(
        self,
        *,
        name: str | None = None,
        enable_cache: bool | None = None,
        after: Sequence[Any] = (),
    ) -> PipelineStep[P, R]:
        """Return the same step with another name or setting, for one call in a pipeline.

        >>> deep = train.with_options(name="train_deep")(data, depth=12)
        >>> publish.with_options(after=[checked])(deep)

        Args:
            name: Its name in the pipeline.
            enable_cache: Whether its results are reused.
            after: What other steps returned: these have to succeed first. It is not recorded, as
                nothing of theirs is used.
        """
        return PipelineStep(
            self.function,
            name=name or (self.name if self.is_named else None),
            enable_cache=self.enable_cache if enable_cache is None else enable_cache,
            allow_pickle=self.allow_pickle,
            max_bytes=self.max_bytes,
            environment=self.environment,
            after=(*self.after, *after),
        )

    def __repr__(self) -> str:
        return f"<PipelineStep {self.name}{self.signature.signature}>"


@overload
def step(function: Callable[P, R]) -> PipelineStep[P, R]: ...
@overload
def step(
    *,
    name: str | None = ...,
    enable_cache: bool | None = ...,
    allow_pickle: bool | None = ...,
    max_bytes: int | None = ...,
    environment: Sequence[str] = ...,
) -> Callable[[Callable[P, R]], PipelineStep[P, R]]: ...
def step(  # noqa: PLR0913 - each stands alone
    function: Callable[P, R] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    allow_pickle: bool | None = None,
    max_bytes: int | None = None,
    environment: Sequence[str] = (),
) -> PipelineStep[P, R] | Callable[[Callable[P, R]], PipelineStep[P, R]]:
    """Make a step of a function.

    >>> @ml.step
    ... def train(data: pd.DataFrame, learning_rate: float = 0.1) -> np.ndarray: ...

    In a pipeline, what another step returned is an input, which is tracked as an artifact; any
    other argument is a parameter, which is recorded, defaults too. What it returns is an artifact,
    called ``output``. Several outputs with names are a ``NamedTuple``, or
    ``tuple[Annotated[np.ndarray, "weights"], Annotated[float, "loss"]]``. A number is also a
    metric.

    Args:
        function: The function.
        name: The step's name; the function's, where none is given.
        enable_cache: Whether its results are reused when it is run with the same source,
            parameters and inputs; as the pipeline says, where None is given.
        allow_pickle: Pickle the values that no materializer keeps, and read such inputs. A pickle
            may run any code of whoever wrote it.
        max_bytes: How many bytes a file of an input may hold that does not lie in an artifact
            store on this machine, also when it is unpacked; as the pipeline says, where None is
            given.
        environment: The names of installed packages whose versions its results depend on, and
            ``"python"``.

    Raises:
        ConfigurationError: The function cannot be a step.
    """

    def made(given: Callable[P, R]) -> PipelineStep[P, R]:
        return PipelineStep(
            given,
            name=name,
            enable_cache=enable_cache,
            allow_pickle=allow_pickle,
            max_bytes=max_bytes,
            environment=environment,
        )

    return made if function is None else made(function)
