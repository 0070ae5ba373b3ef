"""Tables of the database in which Kubeflow Pipelines keeps its runs, as Arrow columns.

The database is called ``mlpipeline``. Its tables say what people called their runs: MLMD has the
runs' UUIDs only. Source: ``backend/src/apiserver/model/`` of kubeflow/pipelines, 2.0 to 3.0.
Columns that a release lacks are null. Times are seconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NUMBER, _TEXT = pa.int64(), pa.large_string()


def _schema(texts: str, numbers: str = "") -> pa.Schema:
    columns = [(name, _TEXT) for name in texts.split()]
    return pa.schema([*columns, *((name, _NUMBER) for name in numbers.split())])


RUN_SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "run_details": _schema(
            "UUID DisplayName Name Description Namespace ExperimentUUID JobUUID PipelineId "
            "PipelineVersionId PipelineName State Conditions StorageState ServiceAccount "
            "Parameters RuntimeParameters PipelineRoot",
            "CreatedAtInSec ScheduledAtInSec FinishedAtInSec",
        ),
        "experiments": _schema(
            "UUID Name Description Namespace StorageState", "CreatedAtInSec LastRunCreatedAtInSec"
        ),
        "pipelines": _schema(
            "UUID Name DisplayName Description Namespace DefaultVersionId", "CreatedAtInSec"
        ),
        "pipeline_versions": _schema(
            "UUID Name DisplayName Description PipelineId CodeSourceUrl", "CreatedAtInSec"
        ),
        "jobs": _schema(
            "UUID DisplayName Name Description Namespace ExperimentUUID PipelineId "
            "PipelineVersionId Schedule Parameters RuntimeParameters",
            "CreatedAtInSec IntervalSecond",
        ),
    }
)
"""The columns of each table that are kept; ``jobs`` holds the schedules."""


class RunTables:
    """The tables of one database of runs at one moment.

    >>> tables["run_details"].num_rows
    128
    """

    def __init__(self, tables: Mapping[str, pa.Table], source: str) -> None:
        """Keep tables; those that are not given are empty."""
        self.source = source
        self._tables = {
            name: tables.get(name, arrays.empty_table(schema))
            for name, schema in RUN_SCHEMAS.items()
        }

    def __getitem__(self, name: str) -> pa.Table:
        return self._tables[name]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows by their columns."""
        return self._tables[name].to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped

    def __repr__(self) -> str:
        return f"<RunTables of {self.source}: {self._tables['run_details'].num_rows:,} runs>"


def run_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return rows, given by their columns' names, as a table in the order of their UUIDs.

    Whatever is no text in a column of texts, or no whole number in one of numbers, is null.
    """
    schema = RUN_SCHEMAS[name]
    held = sorted(rows, key=lambda row: str(row.get("UUID")))
    columns = []
    for field in schema:
        read = _number if field.type == _NUMBER else _text
        columns.append(arrays.from_values([read(row.get(field.name)) for row in held], field.type))
    return pa.table(columns, schema=schema)


def _text(value: Any) -> str | None:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", errors="backslashreplace")
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    whole = isinstance(value, int) and -(2**63) <= value < 2**63
    return int(value) if whole else None
