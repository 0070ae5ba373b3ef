"""Tells whether a snapshot is of the store whose states an archive holds.

A store that was moved or restored is told by its nodes: those with an id that the archive holds
have the same type and the same creation time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.snapshot.archive_writer import Previous
    from mlmd_lineage.snapshot.tables import Tables

_COLUMNS = ["id", "type_id", "create_time_since_epoch"]


def check(tables: Tables, target: Path, previous: Previous, source: str) -> None:
    """Refuse a snapshot of another store than that of an archive.

    Args:
        tables: The snapshot.
        target: The archive.
        previous: Its newest generation.
        source: Of which store that was taken.

    Raises:
        ConfigurationError: It is another one: its source is, and most of its first nodes are.
    """
    if source == tables.source or _has_the_nodes(tables, previous):
        return
    message = (
        f"{target} is an archive of {source}, and {tables.source} holds other nodes under the same "
        "ids: give a new folder for it. To add it all the same, say so: save(..., update=True, "
        "other_source=True), or --other-source."
    )
    raise errors.ConfigurationError(message)


def _has_the_nodes(tables: Tables, previous: Previous) -> bool:
    """Tell whether at least half of the first nodes of a generation are among others."""
    held = compared = equal = 0
    for kind in KINDS.values():
        files = [file for file in previous.tables.get(kind.table, ()) if file in previous.files]
        held += sum(previous.files[file]["rows"] for file in files)
        found = _first_rows(previous.folder / files[0]) if files else None
        if found is None:
            continue
        wanted, nodes = arrays.to_numpy(found["id"]), tables[kind.table]
        ids = arrays.to_numpy(nodes["id"])
        at = np.minimum(ids.searchsorted(wanted), max(len(ids) - 1, 0))
        compared += len(wanted)
        if len(ids):
            same = np.ones(len(wanted), bool)
            for column in _COLUMNS:
                same &= arrays.to_numpy(nodes[column])[at] == arrays.to_numpy(found[column])
            equal += int(same.sum())
    return not held or (compared > 0 and 2 * equal >= compared)


def _first_rows(path: Path) -> pa.Table | None:
    """Return the first nodes of a file; None where it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read_row_group(0, _COLUMNS) if file.metadata.num_row_groups else None
    except (OSError, pa.ArrowException):
        return None
