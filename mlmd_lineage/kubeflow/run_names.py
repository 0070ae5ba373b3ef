"""The names that people gave to the runs of a store, read when they are first asked for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mlmd_lineage.kubeflow.run_records import RunRecord, run_records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlmd_lineage.kubeflow.run_tables import RunTables

_SECONDS = 10
"""How old the names may be when one is asked for that is not among them."""


class RunNames:
    """The runs of Kubeflow's database by their UUIDs, for views and frames.

    >>> names.get("d0c594c9-d399-5149-8aa7-93d65e8b5428").display_name
    'churn, weekly'
    """

    def __init__(self, read: Callable[[], RunTables | None]) -> None:
        """Keep what reads the tables; it returns None where there are none."""
        self._read = read
        self._lock = threading.Lock()
        self._records: Mapping[str, RunRecord] | None = None
        self._at = 0.0

    def all(self) -> Mapping[str, RunRecord]:
        """Return all runs by their UUIDs."""
        with self._lock:
            if self._records is None:
                self._load()
            return self._records or {}

    def get(self, run_id: str) -> RunRecord | None:
        """Return a run; where it is not known, the database is asked again at intervals."""
        found = self.all().get(run_id)
        if found is None and self._records and time.monotonic() > self._at + _SECONDS:
            with self._lock:
                self._load()
            found = self.all().get(run_id)
        return found

    def ids_of(self, name: str) -> list[str]:
        """Return the UUIDs of the runs that people gave a name."""
        return sorted(key for key, record in self.all().items() if record.display_name == name)

    def _load(self) -> None:
        tables = self._read()
        self._records = {} if tables is None else run_records(tables)
        self._at = time.monotonic()
