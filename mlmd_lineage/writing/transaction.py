"""An open transaction of a writer, and the types and nodes that it knows to be in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.sql.session import WriteSession


_KEPT_NODES = 10_000
"""Of how many nodes of a kind it is kept that they are there."""


class RaceLostError(Exception):
    """Another writer inserted first what was to be looked up or inserted; try again.

    Attributes:
        error: What to raise where trying again does not help.
    """

    def __init__(self, error: AlreadyExistsError) -> None:
        super().__init__(str(error))
        self.error = error


def other_name(stored: str) -> PutRefusedError:
    """Return the error of a context whose name the database takes for another's."""
    return PutRefusedError(
        f"There is a context {stored!r}, whose name this database takes for the same as one that "
        "is put. Use the one that is there, or give another name.",
        "ALREADY_EXISTS",
    )


class LoadedType(NamedTuple):
    """A type as it is in the store."""

    kind: int
    properties: dict[str, int]
    """The property types that it declares, by the names of the properties."""
    name: str


class KnownRows:
    """Types and nodes that transactions found; valid until another connection changes the store.

    Attributes:
        types: Types by their ids.
        nodes: The ids of nodes that are there, by the names of their tables.
    """

    def __init__(self) -> None:
        self.types: dict[int, LoadedType] = {}
        self.nodes: dict[str, set[int]] = {"Artifact": set(), "Execution": set(), "Context": set()}

    def clear(self) -> None:
        """Drop all of them."""
        self.types.clear()
        for found in self.nodes.values():
            found.clear()

    def keep(self, table: str, ids: Collection[int]) -> None:
        """Keep that nodes are there; once there are many, only the newest."""
        found = self.nodes[table]
        if len(found) + len(ids) > _KEPT_NODES:
            found.clear()
        if len(ids) <= _KEPT_NODES:
            found.update(ids)


class Transaction:
    """An open transaction on a database.

    Attributes:
        session: Its statements.
        now: The time of all that it writes, in milliseconds since 1970.
        created: The ids of the nodes that it has inserted, by the names of their tables.
    """

    def __init__(self, session: WriteSession, now: int, known: KnownRows | None = None) -> None:
        """Take over an open transaction.

        Args:
            session: Its statements.
            now: The time of all that it writes.
            known: The rows that an earlier transaction found, where no other connection has
                changed the store since; those of this one are added.
        """
        self.session = session
        self.now = now
        self.created: dict[str, set[int]] = {
            "Artifact": set(),
            "Execution": set(),
            "Context": set(),
        }
        self._known_rows = KnownRows() if known is None else known
        self._types = self._known_rows.types
        self._absent: set[int] = set()

    def load_types(self, ids: Collection[int]) -> None:
        """Read the types of some ids, as far as they are not known yet."""
        missing = [
            number for number in ids if number not in self._types and number not in self._absent
        ]
        if not missing:
            return
        self._absent.update(missing)
        for number, kind, name in self.session.fetch(
            "Type", ("id", "type_kind", "name"), "id", missing
        ):
            self._types[number] = LoadedType(kind, {}, name)
            self._absent.discard(number)
        columns = ("type_id", "name", "data_type")
        for number, name, data_type in self.session.fetch(
            "TypeProperty", columns, "type_id", missing
        ):
            if number in self._types:
                self._types[number].properties[name] = data_type

    def forget_type(self, number: int) -> None:
        """Read a type anew when it is needed next."""
        self._types.pop(number, None)
        self._absent.discard(number)

    def type_properties(self, kind: NodeKind, number: int) -> dict[str, int]:
        """Return the properties that a loaded type declares, with their property types.

        Raises:
            PutRefusedError: There is no such type of this kind.
        """
        found = self._types.get(number)
        if found is None or found.kind != kind.number:
            message = f"There is no {kind.name} type with id {number}. Put the type first."
            raise PutRefusedError(message, "NOT_FOUND")
        return found.properties

    def type_name(self, number: int) -> str:
        """Return the name of a loaded type."""
        return self._types[number].name

    def named_contexts(
        self, wanted: Iterable[tuple[int, str]], *, exactly: bool = False
    ) -> dict[tuple[int, str], int]:
        """Return the ids of the contexts of some types and names, as far as there are any.

        Raises:
            PutRefusedError: One is to be there exactly, and has another name that the database
                takes for the same.
        """
        by_type: dict[int, list[str]] = {}
        for type_id, name in wanted:
            by_type.setdefault(type_id, []).append(name)
        found = {}
        for type_id, names in by_type.items():
            for number, name in self.session.fetch(
                "Context", ("id", "name"), "name", set(names), and_equal=("type_id", type_id)
            ):
                found[type_id, self.session.text_key(name)] = number
                if exactly and name not in names:
                    raise other_name(name)
        return found

    def existing(self, table: str, ids: Iterable[int]) -> set[int]:
        """Return which of some ids are those of nodes."""
        asked = set(ids)
        if not asked:
            return asked
        known = (asked & self.created[table]) | (asked & self._known_rows.nodes[table])
        if len(known) == len(asked):
            return known
        rows = self.session.fetch(table, ("id",), "id", asked - known)
        found = {number for (number,) in rows}
        self._known_rows.keep(table, found)
        return known | found
