"""The step that the running code is a part of, by task and thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.recording import step_recorder

if TYPE_CHECKING:
    from mlmd_lineage.recording.step_recorder import StepRecorder


def current_step() -> StepRecorder:
    """Return the step that the running code is a part of.

    >>> with run.step("train"):
    ...     current_step().log_metrics({"auc": 0.91})

    Each task of asyncio and each thread has its own; a new thread begins with none.

    Raises:
        ConfigurationError: No ``with`` statement of a step is running here.
    """
    step = step_recorder.entered.get()
    if step is None:
        message = (
            "No step is being recorded here: call it inside 'with run.step(...)', in the thread "
            "of that statement."
        )
        raise errors.ConfigurationError(message)
    return step
