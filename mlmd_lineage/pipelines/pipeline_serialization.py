"""Serializes pipelines that other processes cannot import, with cloudpickle.

A pipeline of a notebook, a prompt or a function cannot be imported. cloudpickle serializes its
functions with the functions, classes and values that they use.
https://github.com/cloudpipe/cloudpickle
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config import user_code

if TYPE_CHECKING:
    from mlmd_lineage.pipelines.pipeline_call import PipelineFunction


def serialized(pipeline: PipelineFunction) -> bytes:
    """Return a pipeline as bytes, from which a process of the same Python has it again.

    Raises:
        ConfigurationError: cloudpickle is not installed, or something that it uses cannot be
            sent to another process.
    """
    try:
        import cloudpickle
    except ImportError:
        message = (
            f"Other processes cannot import the pipeline {pipeline.name!r}, which is defined in a "
            "notebook, at a prompt or within a function. Install cloudpickle, which sends it to "
            "them (pip install 'mlmd-lineage[notebook]'), define it in a module, or use jobs=1."
        )
        raise errors.ConfigurationError(message) from None
    try:
        return bytes(cloudpickle.dumps(pipeline))
    except Exception as error:  # what a value's own __reduce__ raises
        message = (
            f"The pipeline {pipeline.name!r} cannot be sent to other processes, as something "
            f"that its functions use cannot: {user_code.described(error)}. Open connections and "
            "locks within the step that uses them, or use jobs=1."
        )
        raise errors.ConfigurationError(message) from error


def deserialized(data: bytes) -> PipelineFunction:
    """Return the pipeline that was serialized; only for what came over a pipe of our own."""
    found: PipelineFunction = pickle.loads(data)  # noqa: S301 - the process that started this one sent it
    return found
