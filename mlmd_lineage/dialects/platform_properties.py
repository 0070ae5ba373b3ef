"""Names of properties that platforms write for their own use, such as those of pods and runs.

They say where and when something ran, and differ from run to run though nothing was changed: they
are never parameters, metrics or differences.
"""

from __future__ import annotations

RUNTIME_PROPERTIES = frozenset(
    {
        "argo_artifact",
        "cache_fingerprint",
        "cached_execution_id",
        "kfp_pod_name",
        "kfp_pod_uid",
        "original_create_time_since_epoch",
        "pod_name",
        "pod_uid",
        "store_session_info",
    }
)
"""What platforms write beside a user's own properties: no user's parameter is called so."""

VOLATILE_PROPERTIES = RUNTIME_PROPERTIES | {
    "baseline_model",
    "baseline_model_id",
    "component_id",
    "create_time",
    "current_model",
    "current_model_id",
    "display_name",
    "is_external",
    "name",
    "pipeline_name",
    "pipeline_root",
    "producer_component",
    "pushed_destination",
    "pushed_version",
    "run_id",
    "state",
    "tfx_version",
}
"""Properties of artifacts that name other nodes, runs, times or places, and not what was made."""


def is_internal(name: str) -> bool:
    """Tell whether a property is the platform's: ``__like_this__``, or one of runtime.

    >>> is_internal("__this__"), is_internal("kfp_pod_name"), is_internal("learning_rate")
    (True, True, False)
    """
    dunder = name.startswith("__") and name.endswith("__") and len(name) > len("____")
    return dunder or name in RUNTIME_PROPERTIES


def is_volatile(name: str) -> bool:
    """Tell whether a property differs from run to run though nothing was changed."""
    return name in VOLATILE_PROPERTIES or is_internal(name)
