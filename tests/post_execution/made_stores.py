"""Small stores made by hand, held in memory, for questions that a whole store may be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlmd_lineage.snapshot.tables import SCHEMAS, Tables
from mlmd_lineage.store import Store
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

STORES_WITH_RUNS = (
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "tfx_local.db",
    "zenml_0132.db",
    "real/cmf_getting_started.db",
    "real/model_registry.db",
    "real/tfx_dead_runs.db",
    "real/tfx_interactive.db",
    "real/tfx_phantoms_v6.db",
    "real/tfx_sepsis_2022_06.db",
)
"""Shared stores of every platform."""
EXECUTION, ARTIFACT, CONTEXT = 0, 1, 2
INPUT, OUTPUT = 3, 4
COMPLETE, FAILED, CACHED = 3, 4, 5


class MemoryReader:
    """A reader of tables that are held in memory."""

    def __init__(self, rows: Mapping[str, list[dict[str, Any]]]) -> None:
        self._tables = {
            name: pa.Table.from_pylist(rows.get(name, []), schema)
            for name, schema in SCHEMAS.items()
        }
        self.source = "made by hand"

    def read(self, tables: Collection[str] | None = None) -> Tables:
        names = SCHEMAS if tables is None else tables
        return Tables({name: self._tables[name] for name in names}, source=self.source)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def fetch(self, table: str, where: Mapping[str, Collection[int | str]]) -> list[Any]:
        found = [
            row
            for row in self._tables[table].to_pylist()
            if all(row[column] in values for column, values in where.items())
        ]
        return [tuple(row.values()) for row in found]


class Maker:
    """Makes a store of one pipeline in TFX's way, run by run.

    >>> maker = Maker()
    >>> data = maker.artifact("Examples", span=1)
    >>> run = maker.run("first")
    >>> step = maker.step(run, "train", {"lr": 0.1}, inputs={"examples": [data]})
    """

    def __init__(self, pipeline: str = "churn") -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
        self._types: dict[tuple[str, int], int] = {}
        self._pipeline = self.context("pipeline", pipeline)
        self.name = pipeline

    def _add(self, table: str, **row: Any) -> int:
        number = len(self.rows[table]) + 1
        self.rows[table].append({"id": number, **row})
        return number

    def type(self, name: str, kind: int) -> int:
        if (name, kind) not in self._types:
            self._types[name, kind] = self._add("Type", name=name, type_kind=kind)
        return self._types[name, kind]

    def context(self, type_name: str, name: str) -> int:
        for row in self.rows["Context"]:
            if row["name"] == name and row["type_id"] == self.type(type_name, CONTEXT):
                return int(row["id"])
        return self._add(
            "Context",
            type_id=self.type(type_name, CONTEXT),
            name=name,
            create_time_since_epoch=len(self.rows["Context"]) + 1,
        )

    def run(self, name: str) -> int:
        return self.context("pipeline_run", name)

    def _properties(self, table: str, column: str, owner: int, values: dict[str, Any]) -> None:
        for name, value in values.items():
            kind = {int: "int_value", float: "double_value"}.get(type(value), "string_value")
            self.rows[table].append(
                {column: owner, "name": name, "is_custom_property": True, kind: value}
            )

    def artifact(self, type_name: str, uri: str | None = None, **properties: Any) -> int:
        number = self._add("Artifact", type_id=self.type(type_name, ARTIFACT), uri=uri, state=2)
        self._properties("ArtifactProperty", "artifact_id", number, properties)
        return number

    def event(self, artifact: int, execution: int, kind: int, key: str, index: int = 0) -> None:
        time = len(self.rows["Event"]) + 1
        number = self._add(
            "Event",
            artifact_id=artifact,
            execution_id=execution,
            type=kind,
            milliseconds_since_epoch=time,
        )
        self.rows["EventPath"] += [
            {"event_id": number, "is_index_step": False, "step_key": key},
            {"event_id": number, "is_index_step": True, "step_index": index},
        ]

    def step(  # noqa: PLR0913 - all that makes a step
        self,
        run: int,
        name: str,
        parameters: dict[str, Any] | None = None,
        *,
        inputs: dict[str, list[int]] | None = None,
        outputs: dict[str, list[int]] | None = None,
        state: int = COMPLETE,
        type_name: str | None = None,
    ) -> int:
        number = self._add(
            "Execution",
            type_id=self.type(type_name or f"my.{name}", EXECUTION),
            last_known_state=state,
            create_time_since_epoch=1_000 + len(self.rows["Event"]),
            last_update_time_since_epoch=2_000 + len(self.rows["Event"]),
        )
        self._properties("ExecutionProperty", "execution_id", number, parameters or {})
        node = self.context("node", f"{self.name}.{name}")
        for context in (self._pipeline, run, node):
            self._add("Association", context_id=context, execution_id=number)
        for kind, keys in ((INPUT, inputs or {}), (OUTPUT, outputs or {})):
            for key, artifacts in keys.items():
                for index, artifact in enumerate(artifacts):
                    self.event(artifact, number, kind, key, index)
        return number

    def store(self) -> Store:
        return Store(SQLiteMetadataStore(uri="made-by-hand.db"), MemoryReader(self.rows))
