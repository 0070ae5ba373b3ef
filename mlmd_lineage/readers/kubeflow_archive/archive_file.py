"""One transfer archive: its nodes, types, events and memberships, and the rows of its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.kubeflow_archive import nodes
from mlmd_lineage.readers.kubeflow_archive.digests import check_digest
from mlmd_lineage.readers.kubeflow_archive.json_stream import damaged, stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN_HISTORY = "kfp-history-mlmd-2.18/"
NAMESPACE_TRANSFER = "kfp-namespace-transfer-mlmd-2.18/"
MOST_RECORDS = 500_000
"""How many rows an archive may hold; Kubeflow writes at most 100,000."""
MOST_VALUES = 3_000_000
"""How many properties its nodes may have together."""
_NOT_KEPT = frozenset(
    (
        "PipelineSpec",
        "PipelineSpecManifest",
        "WorkflowSpecManifest",
        "PipelineRuntimeManifest",
        "WorkflowRuntimeManifest",
    )
)
# The transfer calls two columns otherwise than the database does.
_RENAMED = {"ExperimentId": "ExperimentUUID", "RecurringRunId": "JobUUID"}
_RUN_TABLES = {
    "tables.run_details": "run_details",
    "tables.experiments": "experiments",
    "tables.pipelines": "pipelines",
    "tables.pipeline_versions": "pipeline_versions",
    "tables.jobs": "jobs",
    "experiments": "experiments",
    "pipelines": "pipelines",
    "pipeline_versions": "pipeline_versions",
    "schedules": "jobs",
}


class ArchiveFile:
    """What one file holds.

    Attributes:
        source: The installation that it was exported from.
        nodes: The nodes by their kinds and ids.
        run_rows: The rows of the tables of runs.
    """

    def __init__(self, path: Path) -> None:
        """Read a file whole, one row at a time, and hold it to its digest.

        Raises:
            DamagedStoreError: It is truncated, edited, or what it holds is not MLMD's.
            NotAMetadataStoreError: It is no transfer archive.
            UnsupportedSchemaError: It is one of 3.0, which has no MLMD.
        """
        self.path = path
        self.source = ""
        self.nodes: dict[str, dict[int, nodes.ArchiveNode]] = {
            kind: {} for kind in ("artifact", "execution", "context")
        }
        self.types: dict[int, nodes.ArchiveType] = {}
        self.events: list[nodes.ArchiveEvent] = []
        self.associations: list[tuple[int, int]] = []
        self.attributions: list[tuple[int, int]] = []
        self.parents: list[tuple[int, int]] = []
        self.run_rows: dict[str, list[dict[str, Any]]] = {n: [] for n in _RUN_TABLES.values()}
        self._values = 0
        self._scalars: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {}
        self._read()

    def _read(self) -> None:
        takers = self._takers()
        for count, (name, value) in enumerate(stream(self.path)):
            if count > MOST_RECORDS:
                raise damaged(self.path, f"it holds more than {MOST_RECORDS:,} rows")
            take = takers.get(name)
            if take is not None:
                try:
                    take(value)
                except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
                    what = f"a row of {name} is not one of MLMD's ({type(error).__name__})"
                    raise damaged(self.path, what) from None
            elif "." not in name and isinstance(value, (str, int)):
                self._scalars[name] = value
            if name == "format":
                self._check_format(value)
        self._check_format(self._scalars.get("format"))
        self.source = str(self._scalars.get("source") or "")
        is_canonical = str(self._scalars["format"]).startswith(RUN_HISTORY)
        check_digest(self.path, self._scalars.get("digest"), is_canonical=is_canonical)
        self._check_ends()
        for row in self.run_rows["run_details"]:
            parameters = self._parameters.get(str(row.get("UUID")))
            if isinstance(parameters, str):
                row["RuntimeParameters"] = parameters

    def _check_format(self, found: object) -> None:
        if isinstance(found, str) and found.startswith((RUN_HISTORY, NAMESPACE_TRANSFER)):
            return
        if isinstance(found, str) and found.startswith("kfp-"):
            message = (
                f"{self.path} is an archive of the format {found[:80]!r}, which this release does "
                f"not read; it reads those that begin with {RUN_HISTORY} and {NAMESPACE_TRANSFER}."
            )
            raise errors.UnsupportedSchemaError(message)
        message = (
            f"{self.path} is JSON, but no transfer archive of Kubeflow Pipelines: those have a "
            f"format such as {RUN_HISTORY}v1."
        )
        raise errors.NotAMetadataStoreError(message)

    def _takers(self) -> dict[str, Callable[[Any], None]]:
        found: dict[str, Callable[[Any], None]] = {}
        for graph in ("metadata", "mlmd"):
            for kind in self.nodes:
                found[f"{graph}.{kind}s"] = self._node_taker(kind)
                found[f"{graph}.{kind}_types"] = self._type_taker(kind)
            found[f"{graph}.events"] = lambda row: self.events.append(nodes.event_from(row))
            for name, held, ends in (
                ("associations", self.associations, ("context_id", "execution_id")),
                ("attributions", self.attributions, ("context_id", "artifact_id")),
                ("parents", self.parents, ("child_id", "parent_id")),
            ):
                found[f"{graph}.{name}"] = self._pair_taker(held, *ends)
        for name, table in _RUN_TABLES.items():
            found[name] = self._row_taker(table)
        found["runs"] = lambda row: self._row_taker("run_details")(row["run"])
        found["runtime_parameters.runs"] = self._parameters.update
        return found

    def _node_taker(self, kind: str) -> Callable[[Any], None]:
        def take(row: Any) -> None:
            node = nodes.node_from(kind, row)
            if node.id in self.nodes[kind]:
                raise damaged(self.path, f"it holds {kind}/{node.id} twice")
            self.nodes[kind][node.id] = node
            self._values += len(node.properties)
            if self._values > MOST_VALUES:
                raise damaged(self.path, f"it holds more than {MOST_VALUES:,} properties")

        return take

    def _type_taker(self, kind: str) -> Callable[[Any], None]:
        def take(row: Any) -> None:
            found = nodes.type_from(kind, row)
            if found.id in self.types:
                raise damaged(self.path, f"it holds the type {found.id} twice")
            self.types[found.id] = found

        return take

    @staticmethod
    def _pair_taker(held: list[tuple[int, int]], first: str, second: str) -> Callable[[Any], None]:
        return lambda row: held.append(nodes.pair_from(row, first, second))

    def _row_taker(self, table: str) -> Callable[[Any], None]:
        def take(row: Any) -> None:
            kept = {
                _RENAMED.get(name, name): value
                for name, value in row.items()
                if name not in _NOT_KEPT and isinstance(value, (str, int))
            }
            self.run_rows[table].append(kept)

        return take

    def _check_ends(self) -> None:
        """Fail where a row names a node or a type that the file does not hold."""
        held = {kind: found.keys() for kind, found in self.nodes.items()}
        for kind, found in self.nodes.items():
            for node in found.values():
                if node.type_id not in self.types:
                    raise damaged(self.path, f"{kind}/{node.id} is of a type that it lacks")
        pairs = [
            *(("execution", event.execution) for event in self.events),
            *(("artifact", event.artifact) for event in self.events),
            *(("context", context) for context, _ in self.associations),
            *(("execution", execution) for _, execution in self.associations),
            *(("context", context) for context, _ in self.attributions),
            *(("artifact", artifact) for _, artifact in self.attributions),
            *(("context", context) for pair in self.parents for context in pair),
        ]
        for kind, number in pairs:
            if number not in held[kind]:
                raise damaged(self.path, f"it names {kind}/{number}, and lacks it")
