"""The lineage of machine-learning pipelines, from any ML Metadata (MLMD) store.

>>> import mlmd_lineage as ml
>>> store = ml.connect("metadata.db")
>>> store.upstream("artifact/46").nodes

Everything is loaded when it is first used: importing this package imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.registry import register_dialect
    from mlmd_lineage.errors import MLMDLineageError
    from mlmd_lineage.kubernetes.metadata_store import KubernetesMetadataStore
    from mlmd_lineage.lineage.graph import LineageGraph, Trace
    from mlmd_lineage.post_execution.artifacts import ArtifactView
    from mlmd_lineage.post_execution.materializers import register_materializer
    from mlmd_lineage.post_execution.pipelines import PipelineView
    from mlmd_lineage.post_execution.runs import PipelineRunView
    from mlmd_lineage.post_execution.steps import StepView
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.snapshot.values import ProtoValue
    from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore
    from mlmd_lineage.stacks.orchestrators import BaseOrchestrator
    from mlmd_lineage.stacks.stack import Stack
    from mlmd_lineage.store import Store, connect
    from mlmd_lineage.stores.archive import ArchiveMetadataStore
    from mlmd_lineage.stores.base import BaseMetadataStore
    from mlmd_lineage.stores.kubeflow import KubeflowMetadataStore
    from mlmd_lineage.stores.mysql import MySQLMetadataStore
    from mlmd_lineage.stores.postgresql import PostgreSQLMetadataStore
    from mlmd_lineage.stores.sqlite import SQLiteMetadataStore

__version__ = "0.1.0"

__all__ = [
    "ArchiveMetadataStore",
    "ArtifactView",
    "BaseArtifactStore",
    "BaseMetadataStore",
    "BaseOrchestrator",
    "Dialect",
    "Finding",
    "KubeflowMetadataStore",
    "KubernetesMetadataStore",
    "LineageGraph",
    "MLMDLineageError",
    "MySQLMetadataStore",
    "PipelineRunView",
    "PipelineView",
    "PostgreSQLMetadataStore",
    "ProtoValue",
    "SQLiteMetadataStore",
    "Snapshot",
    "Stack",
    "StepView",
    "Store",
    "Trace",
    "connect",
    "errors",
    "register_dialect",
    "register_materializer",
]

_HOMES = {
    "ArchiveMetadataStore": "stores.archive",
    "ArtifactView": "post_execution.artifacts",
    "BaseArtifactStore": "stacks.artifact_stores",
    "BaseMetadataStore": "stores.base",
    "BaseOrchestrator": "stacks.orchestrators",
    "Dialect": "dialects.base",
    "Finding": "snapshot.findings",
    "KubeflowMetadataStore": "stores.kubeflow",
    "KubernetesMetadataStore": "kubernetes.metadata_store",
    "LineageGraph": "lineage.graph",
    "MLMDLineageError": "errors",
    "MySQLMetadataStore": "stores.mysql",
    "PipelineRunView": "post_execution.runs",
    "PipelineView": "post_execution.pipelines",
    "PostgreSQLMetadataStore": "stores.postgresql",
    "ProtoValue": "snapshot.values",
    "SQLiteMetadataStore": "stores.sqlite",
    "Snapshot": "snapshot.snapshot",
    "Stack": "stacks.stack",
    "StepView": "post_execution.steps",
    "Store": "store",
    "Trace": "lineage.graph",
    "connect": "store",
    "register_dialect": "dialects.registry",
    "register_materializer": "post_execution.materializers",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module(f"{__name__}.errors")
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
