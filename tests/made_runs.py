"""Small stores in memory, written as the platforms write them, behind a counting reader."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, Tables, wanted
from mlmd_lineage.snapshot.values import STRUCT_PREFIX
from mlmd_lineage.store import Store
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

NEW, RUNNING, COMPLETE, FAILED, CACHED, CANCELED = 1, 2, 3, 4, 5, 6
INPUT, OUTPUT, INTERNAL_OUTPUT, PENDING_OUTPUT = 3, 4, 6, 7
LIVE = 2
START = 1_700_000_000_000


class Made:
    """A store under construction; ids count from 1, times are milliseconds after ``START``."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
        self.clock = START
        self._types: dict[tuple[str, str], int] = {}

    def _add(self, table: str, **row: Any) -> int:
        rows = self.rows[table]
        rows.append({"id": len(rows) + 1, **row} if "id" in SCHEMAS[table].names else row)
        return len(rows)

    def type(self, kind: str, name: str) -> int:
        if (kind, name) not in self._types:
            number = KINDS[kind].type_kind
            self._types[kind, name] = self._add("Type", name=name, type_kind=number)
        return self._types[kind, name]

    def _properties(
        self, kind: str, owner: int, values: Mapping[str, Any], *, custom: bool
    ) -> None:
        for name, value in values.items():
            row: dict[str, Any] = {
                KINDS[kind].id_column: owner,
                "name": name,
                "is_custom_property": custom,
            }
            if isinstance(value, bool):
                row["bool_value"] = value
            elif isinstance(value, int):
                row["int_value"] = value
            elif isinstance(value, float):
                row["double_value"] = value
            elif isinstance(value, dict):
                row["string_value"] = struct(value)
            elif isinstance(value, str):
                row["string_value"] = value
            self._add(KINDS[kind].properties, **row)

    def _times(self) -> dict[str, int]:
        self.clock += 10
        return {
            "create_time_since_epoch": self.clock,
            "last_update_time_since_epoch": self.clock,
        }

    def context(
        self,
        kind: str,
        name: str,
        *,
        parents: Sequence[int] = (),
        properties: Mapping[str, Any] | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a context, or return the one of this type and name."""
        type_id = self.type("context", kind)
        for row in self.rows["Context"]:
            if (row["type_id"], row["name"]) == (type_id, name):
                return int(row["id"])
        number = self._add("Context", type_id=type_id, name=name, **self._times())
        self._properties("context", number, properties or {}, custom=False)
        self._properties("context", number, custom or {}, custom=True)
        for parent in parents:
            self._add("ParentContext", context_id=number, parent_context_id=parent)
        return number

    def artifact(
        self,
        kind: str = "Data",
        *,
        state: int | None = LIVE,
        properties: Mapping[str, Any] | None = None,
        custom: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> int:
        row = {"uri": f"/data/{len(self.rows['Artifact']) + 1}", "state": state, **more}
        type_id = self.type("artifact", kind)
        number = self._add("Artifact", type_id=type_id, **self._times(), **row)
        self._properties("artifact", number, properties or {}, custom=False)
        self._properties("artifact", number, custom or {}, custom=True)
        return number

    def execution(  # noqa: PLR0913 - an execution has as many parts
        self,
        kind: str,
        contexts: Sequence[int] = (),
        *,
        state: int | None = COMPLETE,
        name: str | None = None,
        properties: Mapping[str, Any] | None = None,
        custom: Mapping[str, Any] | None = None,
        inputs: Mapping[str, int | Sequence[int]] | None = None,
        outputs: Mapping[str, int | Sequence[int]] | None = None,
        output_type: int = OUTPUT,
    ) -> int:
        """Add an execution with its events, inputs first."""
        type_id = self.type("execution", kind)
        number = self._add(
            "Execution", type_id=type_id, last_known_state=state, name=name, **self._times()
        )
        self._properties("execution", number, properties or {}, custom=False)
        self._properties("execution", number, custom or {}, custom=True)
        for context in contexts:
            self._add("Association", context_id=context, execution_id=number)
        for held, event_type in ((inputs, INPUT), (outputs, output_type)):
            for key, artifacts in (held or {}).items():
                several = [artifacts] if isinstance(artifacts, int) else artifacts
                for index, artifact in enumerate(several):
                    self.event(artifact, number, event_type, (key, index))
        return number

    def event(
        self,
        artifact: int,
        execution: int,
        event_type: int,
        path: Sequence[str | int] = (),
        time: int | None = None,
    ) -> int:
        self.clock += 10
        number = self._add(
            "Event",
            artifact_id=artifact,
            execution_id=execution,
            type=event_type,
            milliseconds_since_epoch=self.clock if time is None else START + time,
        )
        for step in path:
            is_index = isinstance(step, int)
            row = {"step_index": step} if is_index else {"step_key": step}
            self._add("EventPath", event_id=number, is_index_step=is_index, **row)
        return number

    def tables(self) -> Tables:
        return Tables(
            {name: pa.Table.from_pylist(rows, SCHEMAS[name]) for name, rows in self.rows.items()},
            source="made",
        )

    def store(self) -> Store:
        return Store(SQLiteMetadataStore(uri="made.db"), reader=MadeReader(self.tables()))


class MadeReader:
    """Reads tables in memory, and counts what it is asked."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.source = tables.source
        self.fetched: list[tuple[str, str]] = []
        self.reads = 0

    def read(self, tables: Collection[str] | None = None) -> Tables:
        self.reads += 1
        return Tables(
            {name: self._tables[name] for name in wanted(tables)}, source=self._tables.source
        )

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        self.fetched.append((table, ", ".join(where)))
        rows = self._tables[table].to_pylist()
        kept = {column: set(values) for column, values in where.items()}
        return [
            tuple(row.values())
            for row in rows
            if all(row[column] in values for column, values in kept.items())
        ]


def struct(value: Mapping[str, Any]) -> str:
    """Return a dict as MLMD keeps a STRUCT."""
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    message.update(dict(value))
    return STRUCT_PREFIX + base64.b64encode(message.SerializeToString()).decode()
