"""The image of a whole store that users hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.snapshot.findings import Finding, findings_of
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from mlmd_lineage.snapshot.frames import Frames


class Snapshot(Tables):
    """An immutable image of a store at one moment, as Arrow tables with MLMD's own columns.

    >>> snapshot = store.snapshot()
    >>> snapshot.artifacts.num_rows
    47
    >>> snapshot.findings
    ()

    All tables come from one read transaction. Rows that MLMD itself fails on are kept as they
    are, and listed in ``findings``.
    """

    __slots__ = ("_findings",)

    _findings: tuple[Finding, ...] | None

    @classmethod
    def of(cls, tables: Tables) -> Snapshot:
        """Return the snapshot that holds some tables."""
        return cls(
            {name: tables[name] for name in tables.names},
            schema_version=tables.schema_version,
            source=tables.source,
            taken_at=tables.taken_at,
        )

    types = property(lambda self: self["Type"], doc="The types: Type.")
    type_properties = property(lambda self: self["TypeProperty"], doc="The types' properties.")
    parent_types = property(lambda self: self["ParentType"], doc="Each type's base type.")
    artifacts = property(lambda self: self["Artifact"], doc="The artifacts.")
    executions = property(lambda self: self["Execution"], doc="The executions.")
    contexts = property(lambda self: self["Context"], doc="The contexts.")
    events = property(lambda self: self["Event"], doc="The events.")
    event_paths = property(lambda self: self["EventPath"], doc="The steps of the events' paths.")
    attributions = property(lambda self: self["Attribution"], doc="Artifacts in contexts.")
    associations = property(lambda self: self["Association"], doc="Executions in contexts.")
    parent_contexts = property(lambda self: self["ParentContext"], doc="Contexts in contexts.")
    artifact_properties = property(lambda self: self["ArtifactProperty"], doc="One row a value.")
    execution_properties = property(lambda self: self["ExecutionProperty"], doc="One row a value.")
    context_properties = property(lambda self: self["ContextProperty"], doc="One row a value.")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What in the store is not as MLMD means it to be, in order; empty where all is well."""
        try:
            found = self._findings
        except AttributeError:
            found = findings_of(self)
            object.__setattr__(self, "_findings", found)
        return found or ()

    @property
    def frames(self) -> Frames:
        """The tables as pandas DataFrames."""
        from mlmd_lineage.snapshot.frames import Frames

        return Frames.of(self)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write the snapshot as Parquet files, which ``connect(directory)`` opens again.

        Args:
            directory: A folder that does not exist yet, or is empty.

        Returns:
            The folder. The same snapshot always gives the same bytes.

        Raises:
            ConfigurationError: The folder exists and is not empty, or cannot be written.
        """
        from mlmd_lineage.snapshot.archive import save

        return save(self, directory)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{self[name].num_rows:,} {plural}"
            for name, plural in (
                ("Artifact", "artifacts"),
                ("Execution", "executions"),
                ("Context", "contexts"),
                ("Event", "events"),
            )
            if name in self
        )
        return f"<Snapshot of {self.source} at {self.taken_at:%Y-%m-%d %H:%M:%S} UTC: {counts}>"
