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
    from mlmd_lineage import errors, testing
    from mlmd_lineage.audit.bundle.saving import save_bundle
    from mlmd_lineage.audit.bundle.verification import BundleReport, verify_bundle
    from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
    from mlmd_lineage.audit.checks.data import AuditData
    from mlmd_lineage.audit.checks.registry import register_check
    from mlmd_lineage.audit.dossier.dossier import Dossier
    from mlmd_lineage.audit.exports.ml_bom import to_ml_bom
    from mlmd_lineage.audit.exports.open_lineage import to_openlineage
    from mlmd_lineage.audit.exports.prov import to_prov, to_provn
    from mlmd_lineage.audit.exports.ro_crate import to_ro_crate
    from mlmd_lineage.audit.exports.spdx import to_spdx
    from mlmd_lineage.audit.ledger.entries import LedgerReport
    from mlmd_lineage.audit.ledger.ledger import Ledger
    from mlmd_lineage.audit.report import AuditReport
    from mlmd_lineage.config.filesystem_schemes import register_scheme
    from mlmd_lineage.deadline import Deadline
    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.records import RunIdentity
    from mlmd_lineage.dialects.registry import register_dialect
    from mlmd_lineage.errors import MLMDLineageError
    from mlmd_lineage.kubeflow.check import KubeflowCheck
    from mlmd_lineage.lineage.graph import LineageGraph, Trace
    from mlmd_lineage.materializers.base import BaseMaterializer
    from mlmd_lineage.pipelines.pipeline_definition import Pipeline, pipeline
    from mlmd_lineage.pipelines.plan import external_artifact
    from mlmd_lineage.pipelines.signatures import Output
    from mlmd_lineage.pipelines.step_definition import PipelineStep, step
    from mlmd_lineage.post_execution.cache_explanation import CacheExplanation
    from mlmd_lineage.post_execution.compare.impact import Impact
    from mlmd_lineage.post_execution.compare.lineage_diff import LineageDiff
    from mlmd_lineage.post_execution.compare.run_comparison import RunComparison
    from mlmd_lineage.post_execution.description import StoreDescription
    from mlmd_lineage.post_execution.frames import StoreFrames
    from mlmd_lineage.post_execution.materializers import register_materializer
    from mlmd_lineage.post_execution.models import RegisteredModel
    from mlmd_lineage.post_execution.views import (
        ArtifactView,
        PipelineRunView,
        PipelineView,
        StepView,
    )
    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.recording.current_step import current_step
    from mlmd_lineage.recording.sources import Source
    from mlmd_lineage.snapshot.enums import (
        ArtifactState,
        EventType,
        ExecutionState,
        PropertyType,
        TypeKind,
    )
    from mlmd_lineage.snapshot.finding_codes import FindingCode
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
    from mlmd_lineage.stores.kubeflow_archive import KubeflowArchiveMetadataStore
    from mlmd_lineage.stores.mysql import MySQLMetadataStore
    from mlmd_lineage.stores.postgresql import PostgreSQLMetadataStore
    from mlmd_lineage.stores.sqlite import SQLiteMetadataStore
    from mlmd_lineage.writing.writer import Writer, message

__version__ = "0.1.0"

__all__ = [
    "ArchiveMetadataStore",
    "ArtifactState",
    "ArtifactView",
    "AuditCheck",
    "AuditData",
    "AuditReport",
    "BaseArtifactStore",
    "BaseMaterializer",
    "BaseMetadataStore",
    "BaseOrchestrator",
    "BundleReport",
    "CacheExplanation",
    "Deadline",
    "Dialect",
    "Dossier",
    "EventType",
    "ExecutionState",
    "Finding",
    "FindingCode",
    "Impact",
    "KubeflowArchiveMetadataStore",
    "KubeflowCheck",
    "KubeflowMetadataStore",
    "Ledger",
    "LedgerReport",
    "LineageDiff",
    "LineageGraph",
    "MLMDLineageError",
    "MySQLMetadataStore",
    "Observation",
    "Output",
    "Pipeline",
    "PipelineRunView",
    "PipelineStep",
    "PipelineView",
    "PostgreSQLMetadataStore",
    "PropertyType",
    "ProtoValue",
    "Reader",
    "RegisteredModel",
    "RunComparison",
    "RunIdentity",
    "SQLiteMetadataStore",
    "Session",
    "Severity",
    "Snapshot",
    "Source",
    "Stack",
    "StepView",
    "Store",
    "StoreDescription",
    "StoreFrames",
    "Trace",
    "TypeKind",
    "Writer",
    "connect",
    "current_step",
    "errors",
    "external_artifact",
    "message",
    "pipeline",
    "register_check",
    "register_dialect",
    "register_materializer",
    "register_scheme",
    "save_bundle",
    "step",
    "testing",
    "to_ml_bom",
    "to_openlineage",
    "to_prov",
    "to_provn",
    "to_ro_crate",
    "to_spdx",
    "verify_bundle",
]

_MODULES = ("errors", "spark", "testing")
_DEFINED_IN = {
    "ArchiveMetadataStore": "stores.archive",
    "ArtifactState": "snapshot.enums",
    "ArtifactView": "post_execution.views",
    "AuditCheck": "audit.checks.base",
    "AuditData": "audit.checks.data",
    "AuditReport": "audit.report",
    "BaseArtifactStore": "stacks.artifact_stores",
    "BaseMaterializer": "materializers.base",
    "BaseMetadataStore": "stores.base",
    "BaseOrchestrator": "stacks.orchestrators",
    "BundleReport": "audit.bundle.verification",
    "CacheExplanation": "post_execution.cache_explanation",
    "Deadline": "deadline",
    "Dialect": "dialects.base",
    "Dossier": "audit.dossier.dossier",
    "EventType": "snapshot.enums",
    "ExecutionState": "snapshot.enums",
    "Finding": "snapshot.findings",
    "FindingCode": "snapshot.finding_codes",
    "Impact": "post_execution.compare.impact",
    "KubeflowArchiveMetadataStore": "stores.kubeflow_archive",
    "KubeflowCheck": "kubeflow.check",
    "KubeflowMetadataStore": "stores.kubeflow",
    "Ledger": "audit.ledger.ledger",
    "LedgerReport": "audit.ledger.entries",
    "LineageDiff": "post_execution.compare.lineage_diff",
    "LineageGraph": "lineage.graph",
    "MLMDLineageError": "errors",
    "MySQLMetadataStore": "stores.mysql",
    "Observation": "audit.checks.base",
    "Output": "pipelines.signatures",
    "Pipeline": "pipelines.pipeline_definition",
    "PipelineRunView": "post_execution.views",
    "PipelineStep": "pipelines.step_definition",
    "PipelineView": "post_execution.views",
    "PostgreSQLMetadataStore": "stores.postgresql",
    "PropertyType": "snapshot.enums",
    "ProtoValue": "snapshot.values",
    "Reader": "readers.base",
    "RegisteredModel": "post_execution.models",
    "RunComparison": "post_execution.compare.run_comparison",
    "RunIdentity": "dialects.records",
    "SQLiteMetadataStore": "stores.sqlite",
    "Session": "readers.base",
    "Severity": "audit.checks.base",
    "Snapshot": "snapshot.snapshot",
    "Source": "recording.sources",
    "Stack": "stacks.stack",
    "StepView": "post_execution.views",
    "Store": "store",
    "StoreDescription": "post_execution.description",
    "StoreFrames": "post_execution.frames",
    "Trace": "lineage.graph",
    "TypeKind": "snapshot.enums",
    "Writer": "writing.writer",
    "connect": "store",
    "current_step": "recording.current_step",
    "external_artifact": "pipelines.plan",
    "message": "writing.writer",
    "pipeline": "pipelines.pipeline_definition",
    "register_check": "audit.checks.registry",
    "register_dialect": "dialects.registry",
    "register_materializer": "post_execution.materializers",
    "register_scheme": "config.filesystem_schemes",
    "save_bundle": "audit.bundle.saving",
    "step": "pipelines.step_definition",
    "to_ml_bom": "audit.exports.ml_bom",
    "to_openlineage": "audit.exports.open_lineage",
    "to_prov": "audit.exports.prov",
    "to_provn": "audit.exports.prov",
    "to_ro_crate": "audit.exports.ro_crate",
    "to_spdx": "audit.exports.spdx",
    "verify_bundle": "audit.bundle.verification",
}


def _load(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _DEFINED_IN:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value = getattr(importlib.import_module(f"{__name__}.{_DEFINED_IN[name]}"), name)
    globals()[name] = value
    return value


if not TYPE_CHECKING:
    # Type checkers know the names that are imported above, and no others.
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
