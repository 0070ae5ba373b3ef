"""Print as JSON what TFX's own helpers find in a store that ``Store.record`` wrote.

python read_store.py FILE PIPELINE STEP
"""

from __future__ import annotations

import json
import sys

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable.mlmd import execution_lib, store_ext

file, pipeline, step = sys.argv[1:]
config = metadata_store_pb2.ConnectionConfig()
config.sqlite.filename_uri = file
config.sqlite.connection_mode = config.sqlite.READONLY


def ids(artifacts: dict[str, list[metadata_store_pb2.Artifact]]) -> dict[str, list[int]]:
    return {key: [artifact.id for artifact in values] for key, values in artifacts.items()}


with metadata.Metadata(config) as handle:
    store = handle.store
    [run] = store.get_contexts_by_type("pipeline_run")
    executions = execution_lib.get_executions_associated_with_all_contexts(handle, [run])
    live = store_ext.get_live_output_artifacts_of_node_by_output_key(
        store, pipeline_id=pipeline, node_id=step
    )
    found = {
        "steps": [execution.id for execution in executions],
        "successful": [execution_lib.is_execution_successful(each) for each in executions],
        "inputs": [ids(execution_lib.get_input_artifacts(handle, each.id)) for each in executions],
        "outputs": [
            ids(execution_lib.get_output_artifacts(handle, each.id)) for each in executions
        ],
        "of the step": [
            each.id
            for each in store_ext.get_node_executions(store, pipeline_id=pipeline, node_id=step)
        ],
        "live": {key: [[each.id for each in of] for of in values] for key, values in live.items()},
    }
print(json.dumps(found))  # noqa: T201
