"""Questions that a target asks of what it is given, and the errors that may refuse them."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mlmd_lineage import errors
from mlmd_lineage.server.status import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.store import Store

    Target: TypeAlias = Callable[[bytes], list[str]]
    """Reads an input, and returns the names of the errors that refused it."""
    Preparation: TypeAlias = Callable[[Path], contextlib.AbstractContextManager[Target]]

CORPUS = Path(__file__).resolve().parent / "corpus"
SEED_STORE = CORPUS / "sqlite" / "valid-store"
"""A small store, which targets ask."""


def refusals(*steps: Callable[[], object]) -> list[str]:
    """Return the names of the documented errors that some steps raise."""
    found = []
    for step in steps:
        try:
            step()
        except (errors.MLMDLineageError, StatusError) as error:
            found.append(type(error).__name__)
    return found


def questions(store: Store) -> list[Callable[[], object]]:
    """Return what a target asks of a store: all ways of reading it."""

    def whole() -> None:
        snapshot = store.snapshot()
        _ = snapshot.findings
        for frame in ("artifacts", "executions", "contexts"):
            getattr(snapshot.frames, frame)(properties=True)
        snapshot.frames.events()
        snapshot.frames.types()

    def graph() -> None:
        made = store.lineage()
        for node in itertools.islice(made, 3):
            made.upstream(node)

    def filtered() -> None:
        where = "properties.span.int_value >= 0 OR contexts_c.name LIKE '%e%'"
        store.find_artifacts(where, properties=True)

    def live() -> None:
        with contextlib.suppress(errors.NotFoundError):  # not every input has this artifact
            trace = store.upstream("artifact/2")
            _ = trace.nodes, trace.edges

    return [whole, graph, live, filtered, store.get_pipelines]
