"""Make an empty MLMD store with its types, by the real ``ml_metadata``, and print the types' ids.

Runs in a process of its own, as the native library takes the interpreter with it when it fails. The
connection comes as a text-format ``ConnectionConfig`` on standard input; the ids go to standard
output as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import node_types


def main() -> None:
    """Read the connection, make the store, and print the ids."""
    import ml_metadata
    from google.protobuf import text_format
    from ml_metadata.proto import metadata_store_pb2 as pb

    store = ml_metadata.MetadataStore(text_format.Parse(sys.stdin.read(), pb.ConnectionConfig()))
    artifacts = {
        t.name: store.put_artifact_type(_declared(pb.ArtifactType(name=t.name), t))
        for t in node_types.ARTIFACT_TYPES.values()
    }
    executions = {
        node: store.put_execution_type(_declared(pb.ExecutionType(name=t.name), t))
        for node, t in node_types.EXECUTION_TYPES.items()
    }
    contexts = {
        name: store.put_context_type(pb.ContextType(name=name)) for name in node_types.CONTEXT_TYPES
    }
    json.dump({"artifacts": artifacts, "executions": executions, "contexts": contexts}, sys.stdout)


def _declared(message: Any, node_type: node_types.NodeType) -> Any:
    """Return the type's message with its declared properties and its base type."""
    for declared in node_type.properties:
        if not declared.custom:
            message.properties[declared.name] = declared.kind
    if node_type.base is not None:
        message.base_type = message.SystemDefinedBaseType.Value(
            node_type.base.removeprefix("mlmd.").upper()
        )
    return message


if __name__ == "__main__":
    main()
