"""Names that recorded runs use in MLMD: of types, of properties and of keys.

Properties named ``__like_this__`` are the recorder's own; all others are the user's.
"""

from __future__ import annotations

PIPELINE, RUN, NODE = "pipeline", "pipeline_run", "node"
"""The types of the contexts of a pipeline, of a run and of a step, which TFX and ZenML share."""
CACHE_CONTEXT = "execution_cache"
"""The type of the contexts that are named by digests of cache keys, as in TFX and ZenML."""

METRICS_TYPE, METRICS_KEY = "system.Metrics", "metrics"
"""The type and the key of the artifact that holds a step's metrics; the type is Kubeflow's."""
ARTIFACT_TYPE = "Artifact"
"""The type of artifacts for which none was given."""

FORMAT = "__record_format__"
"""The version of this format, on runs and executions: what tells them from TFX's."""
FORMAT_VERSION = 1
ENCODED = "__encoded__"
"""Which properties hold JSON, pieces of a long text, or go by another name."""
METRICS = "__metrics__"
"""A JSON list of the properties of an artifact that are metrics."""
TAG_PREFIX = "tag:"

# On executions
STEP_ID, PARENT = "__step_id__", "__parent_step_id__"
ERROR = "__error__"
RECORDER = "__recorder__"
ITERATION = "__iteration__"
STARTED, FINISHED = "__started__", "__finished__"
COMMAND, EXIT_CODE, LOG_TAIL = "__command__", "__exit_code__", "__log_tail__"
INPUT_DIGESTS = "__input_sha256__"
CACHE_KEY, CACHE_PARTS, CACHED_FROM = "__cache_key__", "__cache_parts__", "__cached_from__"
CACHE_REASON = "__cache_reason__"

# On runs
RECORDER_PROPERTY, RECORDER_PREFIX = "__recorder_{}__", "__recorder_"
"""The name of the property that each process that records into a run keeps, and its beginning."""


# On artifacts
SHA256 = "sha256"
NO_DIGEST = "__no_digest__"
"""1 where no digest was taken of an artifact, as was asked for; later steps take none."""
DISPLAY_NAME = "display_name"

EXTERNAL_ID_PREFIX = "mlmd_lineage:"
