"""Putting events, attributions, associations and parent contexts, by MLMD's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.writing.transaction import Transaction

_EVENT = ("artifact_id", "execution_id", "type", "milliseconds_since_epoch")
_STEP = ("event_id", "is_index_step", "step_index", "step_key")
UNKNOWN_EVENT = 0


def put_events(
    transaction: Transaction, events: Iterable[tuple[Any, int | None, int | None]]
) -> None:
    """Insert events with their paths.

    Args:
        transaction: The open transaction.
        events: MLMD's messages, each with its artifact's id and its execution's, or None where
            there is none.

    Raises:
        PutRefusedError: MLMD's rules refuse one of them.
    """
    given, now = list(events), transaction.now
    artifacts = transaction.existing("Artifact", {a for _, a, _ in given if a is not None})
    executions = transaction.existing("Execution", {e for _, _, e in given if e is not None})
    data: dict[str, list[Any]] = {column: [] for column in _EVENT}
    artifact_ids, execution_ids, kinds, times = data.values()
    paths: list[tuple[int, Any]] = []
    try:
        for place, (event, artifact, execution) in enumerate(given):
            kind: int = event.type
            if kind == UNKNOWN_EVENT or artifact not in artifacts or execution not in executions:
                raise _refused(kind, artifact, execution, artifacts)
            if event.HasField("path"):
                paths.append((place, event.path))
            time: int = event.milliseconds_since_epoch
            if not time and not event.HasField("milliseconds_since_epoch"):
                time = now
            artifact_ids.append(artifact)
            execution_ids.append(execution)
            kinds.append(kind)
            times.append(time)
    except PutRefusedError:
        insert_events(transaction, data, paths)  # what is wrong with an event before it counts
        raise
    insert_events(transaction, data, paths)


def _refused(
    kind: int, artifact: int | None, execution: int | None, artifacts: set[int]
) -> PutRefusedError:
    if artifact is None or execution is None:
        which = "artifact_id" if artifact is None else "execution_id"
        message = f"An event has no {which}. Say which nodes it joins."
    elif kind == UNKNOWN_EVENT:
        message = "An event has no type, such as INPUT or OUTPUT. Give it one."
    elif artifact not in artifacts:
        message = f"An event names the artifact with id {artifact}, and there is none."
    else:
        message = f"An event names the execution with id {execution}, and there is none."
    return PutRefusedError(message)


def insert_events(
    transaction: Transaction, data: Mapping[str, Sequence[Any]], paths: Sequence[tuple[int, Any]]
) -> None:
    """Insert events that MLMD's rules allow.

    Args:
        transaction: The open transaction.
        data: The columns of their table, but for the id.
        paths: The paths of some of them, each with its event's place.
    """
    if not data["type"]:
        return
    ids = transaction.session.insert_new("Event", data)
    steps = [
        (ids[place], False, None, step.key)
        if step.HasField("key")
        else (ids[place], True, step.index, None)
        for place, path in paths
        for step in path.steps
        if step.WhichOneof("value") is not None
    ]
    if steps:
        columns = zip(*steps, strict=True)
        transaction.session.insert("EventPath", dict(zip(_STEP, columns, strict=True)))


def put_attributions(transaction: Transaction, pairs: Iterable[tuple[int, int]]) -> None:
    """Insert attributions that are not there yet: pairs of a context and an artifact."""
    _put_memberships(transaction, "Attribution", "artifact_id", pairs)


def put_associations(transaction: Transaction, pairs: Iterable[tuple[int, int]]) -> None:
    """Insert associations that are not there yet: pairs of a context and an execution."""
    _put_memberships(transaction, "Association", "execution_id", pairs)


def _put_memberships(
    transaction: Transaction, table: str, member: str, pairs: Iterable[tuple[int, int]]
) -> None:
    distinct = dict.fromkeys(pairs)
    if distinct:
        contexts, members = zip(*distinct, strict=True)
        transaction.session.insert_missing(table, {"context_id": contexts, member: members})


def check_memberships(
    transaction: Transaction, edges: Sequence[Any], table: str, member: str
) -> list[tuple[int, int]]:
    """Return the pairs of ids in attributions or associations.

    Raises:
        PutRefusedError: One of them names a node that is not there.
    """
    for edge in edges:
        if not edge.HasField("context_id") or not edge.HasField(member):
            message = f"A membership of a context needs a context_id and a {member}. Give both."
            raise PutRefusedError(message)
    pairs = [(edge.context_id, getattr(edge, member)) for edge in edges]
    return checked_pairs(transaction, pairs, table)


def checked_pairs(
    transaction: Transaction, pairs: list[tuple[int, int]], table: str
) -> list[tuple[int, int]]:
    """Return pairs of a context and a member whose nodes are there.

    Raises:
        PutRefusedError: A node is not there.
    """
    contexts = transaction.existing("Context", {context for context, _ in pairs})
    members = transaction.existing(table, {member for _, member in pairs})
    for context, member in pairs:
        if context not in contexts or member not in members:
            what = "context" if context not in contexts else table.lower()
            number = context if context not in contexts else member
            message = f"A membership names the {what} with id {number}, and there is none."
            raise PutRefusedError(message)
    return pairs


def put_parent_contexts(
    transaction: Transaction, pairs: Sequence[tuple[int, int]], *, reuse: bool = False
) -> None:
    """Insert parents of contexts: pairs of a child and a parent.

    Args:
        transaction: The open transaction.
        pairs: The contexts' ids.
        reuse: Leave out the pairs that are there already.

    Raises:
        PutRefusedError: A context is not there, or would become its own ancestor.
        AlreadyExistsError: A pair is there already.
    """
    session = transaction.session
    contexts = transaction.existing("Context", {number for pair in pairs for number in pair})
    waiting: list[tuple[int, int]] = []

    def flush() -> None:
        if waiting:
            children, above = zip(*waiting, strict=True)
            data = {"context_id": children, "parent_context_id": above}
            session.insert("ParentContext", data)

    ends = {child for child, _ in pairs} if reuse else set()
    parents = _ancestors(transaction, ends | {parent for _, parent in pairs})
    try:
        for child, parent in pairs:
            if reuse and parent in parents.get(child, ()):
                continue
            _check_parent(child, parent, contexts, parents)
            parents.setdefault(child, set()).add(parent)
            waiting.append((child, parent))
    except PutRefusedError:
        flush()  # what is wrong with a pair before it counts
        raise
    flush()


def _check_parent(
    child: int, parent: int, contexts: set[int], parents: dict[int, set[int]]
) -> None:
    if child not in contexts or parent not in contexts:
        missing = parent if child in contexts else child
        message = f"A parent context names the context with id {missing}, and there is none."
    elif child == parent:
        message = f"The context with id {child} cannot be its own parent."
    elif _reaches(parents, parent, child):
        message = f"The context {parent} cannot be the parent of {child}: it is below it already."
    else:
        return
    raise PutRefusedError(message)


def _ancestors(transaction: Transaction, contexts: set[int]) -> dict[int, set[int]]:
    """Return the parents of some contexts, and of all that are above them."""
    found: dict[int, set[int]] = {}
    wanted = contexts
    while wanted:
        rows = transaction.session.fetch(
            "ParentContext", ("context_id", "parent_context_id"), "context_id", wanted
        )
        for number in wanted:
            found.setdefault(number, set())
        for child, parent in rows:
            found[child].add(parent)
        wanted = {parent for _, parent in rows} - found.keys()
    return found


def _reaches(parents: dict[int, set[int]], start: int, wanted: int) -> bool:
    seen, waiting = set(), [start]
    while waiting:
        number = waiting.pop()
        if number == wanted:
            return True
        if number not in seen:
            seen.add(number)
            waiting += parents.get(number, ())
    return False
