"""Snapshot: all tables of a store at one moment, with their findings and frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.snapshot.findings import Finding, findings_of
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pyarrow as pa

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

    @property
    def types(self) -> pa.Table:
        """The types."""
        return self["Type"]

    @property
    def type_properties(self) -> pa.Table:
        """The properties that types declare."""
        return self["TypeProperty"]

    @property
    def parent_types(self) -> pa.Table:
        """The base type of each type that has one."""
        return self["ParentType"]

    @property
    def artifacts(self) -> pa.Table:
        """The artifacts."""
        return self["Artifact"]

    @property
    def executions(self) -> pa.Table:
        """The executions."""
        return self["Execution"]

    @property
    def contexts(self) -> pa.Table:
        """The contexts."""
        return self["Context"]

    @property
    def events(self) -> pa.Table:
        """The events."""
        return self["Event"]

    @property
    def event_paths(self) -> pa.Table:
        """The steps of the events' paths."""
        return self["EventPath"]

    @property
    def attributions(self) -> pa.Table:
        """Which artifacts are in which contexts."""
        return self["Attribution"]

    @property
    def associations(self) -> pa.Table:
        """Which executions are in which contexts."""
        return self["Association"]

    @property
    def parent_contexts(self) -> pa.Table:
        """Which contexts are in which contexts."""
        return self["ParentContext"]

    @property
    def artifact_properties(self) -> pa.Table:
        """The artifacts' properties, one row for each value."""
        return self["ArtifactProperty"]

    @property
    def execution_properties(self) -> pa.Table:
        """The executions' properties, one row for each value."""
        return self["ExecutionProperty"]

    @property
    def context_properties(self) -> pa.Table:
        """The contexts' properties, one row for each value."""
        return self["ContextProperty"]

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

    def save(
        self,
        directory: str | os.PathLike[str],
        *,
        update: bool = False,
        other_source: bool = False,
    ) -> Path:
        """Write the snapshot as Parquet files, which ``connect(directory)`` opens again.

        >>> store.snapshot().save("archive")
        >>> store.snapshot().save("archive", update=True)

        Args:
            directory: A folder that does not exist yet, or is empty.
            update: The folder may also be an archive: the snapshot becomes its newest generation.
                What changed is written, ``connect(directory, as_of=...)`` opens those before.
                Where nothing changed, there is no new one.
            other_source: With ``update``, the archive may hold states of another store. Otherwise
                a snapshot from elsewhere is taken for the same store, moved or restored, where at
                least half of the first nodes have the same ids, types and creation times.

        Returns:
            The folder. The same snapshot always gives the same bytes.

        Raises:
            ConfigurationError: The folder exists and is not empty, or cannot be written; or with
                ``update``, it is an archive of another store.
        """
        from mlmd_lineage.snapshot import archive, archive_generations

        if update:
            return archive_generations.update(self, directory, other_source=other_source)
        return archive.save(self, directory)

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
