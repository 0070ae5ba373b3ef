"""``@pipeline``: a function that says which steps there are, and what each is given."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, overload

from mlmd_lineage import errors
from mlmd_lineage.pipelines.pipeline_call import PipelineCall, PipelineFunction
from mlmd_lineage.pipelines.running import run_pipeline
from mlmd_lineage.post_execution.artifact_files import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.post_execution.views import PipelineRunView
    from mlmd_lineage.stacks.stack import Stack
    from mlmd_lineage.store import Store

P = ParamSpec("P")


class Pipeline(PipelineFunction, Generic[P]):
    """A function as a pipeline; called with its parameters, it can be run.

    >>> churn(learning_rate=0.1).run()
    >>> churn.run()

    Attributes:
        function: The function.
        name: The pipeline's name.
        enable_cache: Whether the results of its steps are reused.
        allow_pickle: Whether values that nothing else keeps are pickled, and pickles read.
        max_bytes: How many bytes a file of an input may hold.
    """

    function: Callable[P, object]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> RunnableCall:
        """Return the pipeline with these parameters, ready to be run.

        Raises:
            ConfigurationError: They are not those of the pipeline, or a step cannot take what it
                is given.
        """
        return RunnableCall(self, self.bound(*args, **kwargs))

    def run(self, **options: Any) -> PipelineRunView:
        """Run the pipeline with the defaults of its parameters; see ``RunnableCall.run()``."""
        wrong = sorted(set(options) & set(inspect.signature(self.function).parameters))
        if wrong:
            given = ", ".join(f"{name}=..." for name in wrong)
            message = f"Parameters come before run: {self.name}({given}).run()."
            raise errors.ConfigurationError(message)
        return RunnableCall(self, self.bound()).run(**options)


class RunnableCall(PipelineCall):
    """A pipeline with its parameters, which can be run.

    Attributes:
        pipeline: The pipeline.
        parameters: Its parameters, defaults included.
    """

    def run(  # noqa: PLR0913 - each stands alone
        self,
        *,
        run_name: str | None = None,
        enable_cache: bool | None = None,
        jobs: int | None = None,
        explain: bool = False,
        stack: Stack | str | None = None,
        store: Store | str | None = None,
        progress: bool | None = None,
    ) -> PipelineRunView:
        """Run the pipeline with the active stack, record it, and return the run.

        >>> run = churn(learning_rate=0.1).run(jobs=4)
        >>> run.get_step("train").output.read()

        A step that fails stops those that wait for it, and no others.

        Args:
            run_name: The run's name; the pipeline's with the time, where none is given.
            enable_cache: Whether results are reused, in this run: it goes before what the
                pipeline says, and a step that says no is never reused.
            jobs: How many steps run at the same time, in processes of their own; one, in this
                process, unless the stack's orchestrator says otherwise.
            explain: Print for each step why its results were reused or were not.
            stack: The stack, or the name of one; the active one, where none is given.
            store: Where to record it, rather than in the stack's metadata store.
            progress: Show how far it has come; where None is given, on terminals only.

        Raises:
            PipelineFailedError: A step failed; its attribute ``run`` is the run.
            ConfigurationError: The pipeline or an argument cannot be right; nothing was run.
            StoreError: The store cannot be reached; nothing was run.
        """
        return run_pipeline(
            self,
            run_name=run_name,
            enable_cache=enable_cache,
            jobs=jobs,
            explain=explain,
            stack=stack,
            store=store,
            progress=progress,
        )


@overload
def pipeline(function: Callable[P, object]) -> Pipeline[P]: ...
@overload
def pipeline(
    *,
    name: str | None = ...,
    enable_cache: bool = ...,
    allow_pickle: bool = ...,
    max_bytes: int = ...,
) -> Callable[[Callable[P, object]], Pipeline[P]]: ...
def pipeline(
    function: Callable[P, object] | None = None,
    *,
    name: str | None = None,
    enable_cache: bool = True,
    allow_pickle: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Pipeline[P] | Callable[[Callable[P, object]], Pipeline[P]]:
    """Make a pipeline of a function that calls steps.

    >>> @ml.pipeline
    ... def churn(learning_rate: float = 0.1) -> None:
    ...     data = load()
    ...     evaluate(train(data, learning_rate), data)

    The function runs before the steps do, and again in each process that runs steps: it only says
    what each step is given, and always has to say the same.

    Args:
        function: The function.
        name: The pipeline's name; the function's, where none is given.
        enable_cache: Whether the results of steps are reused.
        allow_pickle: What steps that do not say it may do; see ``step``.
        max_bytes: The same: how many bytes a file of an input may hold, 1 GiB.

    Raises:
        ConfigurationError: It is no function.
    """

    def made(given: Callable[P, object]) -> Pipeline[P]:
        return Pipeline(
            given,
            name=name,
            enable_cache=enable_cache,
            allow_pickle=allow_pickle,
            max_bytes=max_bytes,
        )

    return made if function is None else made(function)
