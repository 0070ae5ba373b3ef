"""The store of a recorder: look-ups of what is there, and puts of what is recorded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.recording.batches import ContextToPut, RecordBatch
from mlmd_lineage.recording.store_rows import external_ids, rows
from mlmd_lineage.snapshot.enums import TypeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from typing_extensions import Self

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.writing.writer import Writer

T = TypeVar("T")

KINDS = {
    "artifact": TypeKind.ARTIFACT_TYPE,
    "execution": TypeKind.EXECUTION_TYPE,
    "context": TypeKind.CONTEXT_TYPE,
}


class StoreAccess:
    """Reads and writes one store; threads may share it.

    Attributes:
        location: Where the store is, without any secret.
        type_ids: The ids of types, by kind and name, as far as they are known.
    """

    def __init__(self, reader: Reader, writer: Writer, location: str) -> None:
        self.location = location
        self.type_ids: dict[tuple[str, str], int] = {}
        self._reader = reader
        self._writer = writer
        self._contexts: dict[tuple[str, str], ContextToPut] = {}
        # What was looked up and is not there is not looked up again: it is put where it is needed,
        # and used as it is if another process was first.
        self._absent: set[object] = set()
        self._lock = threading.RLock()

    def context(self, type_name: str, name: str) -> ContextToPut:
        """Return the context of a type and a name; the same for the same."""
        with self._lock:
            return self._contexts.setdefault((type_name, name), ContextToPut(type_name, name))

    def batch(self) -> RecordBatch:
        """Begin a batch."""
        return RecordBatch(self.type_ids)

    def look_up(
        self,
        types: Collection[tuple[str, str]] = (),
        contexts: Collection[ContextToPut] = (),
        question: Callable[[Session], object] | None = None,
    ) -> None:
        """Look up types and contexts that are not known yet, and ask a further question.

        Args:
            types: Kinds and names.
            contexts: They are given their ids, where they are there.
            question: Asked in the same transaction, perhaps more than once.

        Raises:
            StoreError: The store cannot be read.
            ConfigurationError: The store takes a name for another.
        """
        with self._lock:
            unknown = [k for k in types if k not in self.type_ids and k not in self._absent]
            missing = [c for c in contexts if c.id is None and id(c) not in self._absent]
        if not unknown and not missing and question is None:
            return

        def ask(session: Session) -> tuple[dict[tuple[str, str], int], dict[int, int]]:
            if question is not None:
                question(session)
            wanted = {name for _, name in unknown} | {c.type for c in missing}
            found = found_types(session, wanted)
            return found, _contexts(session, missing, found)

        found, numbers = self.ask(ask)
        with self._lock:
            self.type_ids.update(found)
            for context in missing:
                context.id = numbers.get(id(context), context.id)
            self._absent.update(key for key in unknown if key not in self.type_ids)
            self._absent.update(id(context) for context in missing if context.id is None)

    def forget_absent(self) -> None:
        """Look up again what was not there, as another process was first with it."""
        with self._lock:
            self._absent.clear()

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction."""
        return self._reader.ask(question)

    def put(self, batch: RecordBatch) -> None:
        """Put a batch, and give its nodes their ids.

        Raises:
            PutRefusedError: MLMD's rules, or what the store can hold, refuse it.
            StoreError: The store cannot be reached or written; nothing was.
        """
        response = self._writer.put(batch.request)
        with self._lock:
            self.type_ids.update(batch.take_ids(response))

    def adopt(self, batch: RecordBatch) -> bool:
        """Give the new artifacts of a batch the ids of those that are there; tell if any was.

        Their external ids are those of their type, URI and digest, or of an output of one step.
        """
        new = {a.new.external_id: a for a in batch.artifacts if a.new is not None}
        found = self.ask(lambda session: external_ids(session, "Artifact", new.keys()))
        for external_id, number in found.items():
            new[external_id].id = number
        return bool(found)

    def put_request(self, request: Any) -> Any:
        """Put a request of MLMD's."""
        return self._writer.put(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


def found_types(session: Session, names: Collection[str]) -> dict[tuple[str, str], int]:
    """Return the ids of types without a version, by kind and name, of those that have a name."""
    kinds = {number: kind for kind, number in KINDS.items()}
    return {
        (kinds[row["type_kind"]], row["name"]): row["id"]
        for row in rows(session, "Type", {"name": names})
        if not row["version"] and row["name"] in names and row["type_kind"] in kinds
    }


def _contexts(
    session: Session,
    missing: Collection[ContextToPut],
    type_ids: dict[tuple[str, str], int],
) -> dict[int, int]:
    found: dict[int, int] = {}
    by_type: dict[int, list[ContextToPut]] = {}
    for context in missing:
        type_id = type_ids.get(("context", context.type))
        if type_id is not None:
            by_type.setdefault(type_id, []).append(context)
    for type_id, some in by_type.items():
        held = rows(session, "Context", {"name": {c.name for c in some}, "type_id": [type_id]})
        numbers = {row["name"]: row["id"] for row in held}
        folded = {str(name).casefold().rstrip(): name for name in numbers}
        for context in some:
            if context.name in numbers:
                found[id(context)] = numbers[context.name]
            elif (other := folded.get(context.name.casefold().rstrip())) is not None:
                message = (
                    f"The store has a {context.type} {other!r}, which its database takes for the "
                    f"same name as {context.name!r}. Use the one that is there, or another name."
                )
                raise errors.ConfigurationError(message)
    return found
