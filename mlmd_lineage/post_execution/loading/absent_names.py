"""Checks that no run or pipeline of a large store has a name, without reading the store.

Most runs and pipelines are named as their contexts are. Others take their names from executions,
types or texts, and each dialect says from which; where one of these fits a name, the whole store
has to be looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.base import Pageable
from mlmd_lineage.snapshot.imported import ORIGINAL
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.readers.base import Session

    Row = tuple[Any, ...]

_FEW = 2_000
"""Up to how many executions a store is read whole, so that an error says all that there is."""
_COMPARED = 5_000
"""How many of the newest contexts' names are compared to find near ones."""
_NAME, _TEXT = 2, 5
"""The places of a context's name, and of a property's text, in their rows."""


def suggestion(session: Session, name: str, dialects: Sequence[Dialect]) -> str | None:
    """Return a sentence that suggests near names where a name is surely no run's or pipeline's.

    >>> reader.ask(lambda session: suggestion(session, "nightly-8", dialects()))
    " Did you mean 'nightly-7'?"

    Args:
        session: An open read of the store.
        name: The name that was asked for.
        dialects: The dialects, in the order in which they are tried.

    Returns:
        The sentence, which may be empty; None where the whole store has to be looked at, because
        it is small, because something in it may be named so, or because a dialect does not say
        from what it takes names.
    """
    if not isinstance(session, Pageable) or any(d.derived_names is None for d in dialects):
        return None
    last = _newest(session, "Execution", _FEW + 1)
    if len(last) <= _FEW or any(_fitting(session, name, dialects)):
        return None
    contexts = _newest(session, "Context", _COMPARED)
    return errors.did_you_mean(name, [row[_NAME] for row in contexts if row[_NAME]])


def _newest(session: Pageable, table: str, limit: int) -> list[Row]:
    return session.page(table, "id", after=None, descending=True, limit=limit, where={})


def _fitting(session: Session, name: str, dialects: Sequence[Dialect]) -> Iterator[bool]:
    """Yield whether something may be what a name means; each is asked when those before are not."""
    key = name.partition(":")[0].partition("/")
    yield key[0] in {"context", "execution"} and key[2].isdecimal()
    text = name.removeprefix("pipeline/")
    types = session.fetch("Type", {})
    yield any(text == row[1] for row in types)
    of_contexts = {row[0]: row[1] or "" for row in types if row[3] == KINDS["context"].type_kind}
    if of_contexts:
        yield bool(session.fetch("Context", {"type_id": list(of_contexts), "name": [text]}))
    of_executions = [row[0] for row in types if row[3] == KINDS["execution"].type_kind]
    if of_executions:
        yield bool(session.fetch("Execution", {"type_id": of_executions, "name": [text]}))
    naming = {p for d in dialects for p in d.membership_properties or () if not p.endswith("*")}
    for table, names in (
        ("ExecutionProperty", naming),
        ("ContextProperty", {"pipeline_name"}),
    ):
        if names:
            where = {"name": sorted(names), "string_value": [text]}
            yield bool(session.fetch(table, where))
    derived = {prefix for d in dialects for prefix in d.derived_names or ()}
    chosen = [number for number, kind in of_contexts.items() if kind in derived]
    contexts = session.fetch("Context", {"type_id": chosen}) if chosen else []
    yield any(text in (row[_NAME] or "") for row in contexts)
    numbers = [row[0] for row in contexts]
    properties = session.fetch("ContextProperty", {"context_id": numbers}) if numbers else []
    yield any(text in (row[_TEXT] or "") for row in properties)
    # What was imported has the name that it had.
    originals = session.fetch("ContextProperty", {"name": [ORIGINAL]})
    yield any(text in (row[_TEXT] or "") for row in originals)
