"""Several transfer archives as one store: new ids, and each node once however many files hold it.

Ids are those of the installation that made the most nodes; those of the second are greater by a
power of ten, and so on. A node is the same in two files where it came from the same installation
with the same id, also where one of them holds a copy that was imported elsewhere. Of several, one
that was not imported counts, and of these the one that was updated last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.table_building import ordered, table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mlmd_lineage.readers.kubeflow_archive.archive_file import ArchiveFile
    from mlmd_lineage.readers.kubeflow_archive.nodes import ArchiveNode

_REFERENCES = ("parent_dag_id", "cached_execution_id")


class MergedArchives:
    """The tables of some archives together."""

    def __init__(self, files: Sequence[ArchiveFile]) -> None:
        """Merge archives, in an order that does not depend on that in which they are given."""
        self._files = sorted(files, key=lambda file: (file.source, file.path.name))
        own = dict.fromkeys((file.source for file in files), 0)
        for file in files:
            own[file.source] += sum(
                n.origin is None for h in file.nodes.values() for n in h.values()
            )
        sources = sorted(own, key=lambda source: (-own[source], source))
        ids = [number for file in files for held in file.nodes.values() for number in held]
        greatest = max([*ids, *(number for file in files for number in file.types)], default=0)
        stride = 10 ** len(str(greatest))
        self._offsets = {source: stride * number for number, source in enumerate(sources)}
        self._ids: dict[tuple[str, str, int], int] = {}
        self._chosen: dict[tuple[str, int], tuple[ArchiveFile, ArchiveNode]] = {}
        for imported in (False, True):
            for file in self._files:
                self._choose(file, imported=imported)

    def _choose(self, file: ArchiveFile, *, imported: bool) -> None:
        for kind, held in file.nodes.items():
            for node in held.values():
                if (node.origin is not None) != imported:
                    continue
                source, number = node.origin or (file.source, node.id)
                known = self._ids.get((kind, source, number))
                own = node.id + self._offsets[file.source]
                found = own if known is None else known
                self._ids[kind, source, number] = found
                self._ids[kind, file.source, node.id] = found
                before = self._chosen.get((kind, found))
                if before is None or _is_better(node, before[1]):
                    self._chosen[kind, found] = file, node

    def _id(self, file: ArchiveFile, kind: str, number: int) -> int:
        return self._ids[kind, file.source, number]

    @property
    def holds_imported(self) -> bool:
        """Whether nodes have other ids here than where they were made."""
        return any(self._offsets.values()) or any(
            node.origin is not None for _, node in self._chosen.values()
        )

    def tables(self) -> dict[str, pa.Table]:
        """Return MLMD's tables."""
        rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}
        type_ids = self._put_types(rows)
        for (kind, number), (file, node) in sorted(self._chosen.items(), key=lambda item: item[0]):
            type_id = type_ids[file.source, node.type_id]
            rows[KINDS[kind].table].append((number, type_id, *node.fields))
            properties = self._properties(file, node, number)
            rows[KINDS[kind].properties] += [(number, *value) for value in properties]
        self._put_events(rows)
        self._put_memberships(rows)
        return {name: ordered(name, table_from_rows(name, some)) for name, some in rows.items()}

    def _put_types(self, rows: dict[str, list[tuple[Any, ...]]]) -> dict[tuple[str, int], int]:
        ids: dict[tuple[str, int], int] = {}
        by_name: dict[tuple[int, str, str | None], int] = {}
        bases: list[tuple[int, int, str]] = []
        for file in self._files:
            for number, made in sorted(file.types.items()):
                key = (made.kind, made.name, made.version)
                if key not in by_name:
                    by_name[key] = number + self._offsets[file.source]
                    new = by_name[key]
                    row = (new, made.name, made.version, made.kind, *made.fields)
                    rows["Type"].append(row)
                    rows["TypeProperty"] += [(new, *pair) for pair in made.properties]
                    if made.base_type is not None:
                        bases.append((new, made.kind, made.base_type))
                ids[file.source, number] = by_name[key]
        following = max((row[0] for row in rows["Type"]), default=0)
        for new, kind, base in sorted(bases):
            key = (kind, base, None)
            if key not in by_name:
                following += 1
                by_name[key] = following
                rows["Type"].append((following, base, None, kind, None, None, None, None))
            rows["ParentType"].append((new, by_name[key]))
        return ids

    def _properties(
        self, file: ArchiveFile, node: ArchiveNode, number: int
    ) -> list[tuple[Any, ...]]:
        found = node.properties
        if node.kind == "execution" and self._offsets[file.source]:
            found = [self._moved(file, value) for value in found]
        if number == node.id or node.origin is not None:
            return found
        # As Kubeflow does where it imports: the id is new, and the node says what it was.
        names = SCHEMAS[KINDS[node.kind].table].names[2:]
        fields = {
            name: str(value) if isinstance(value, int) else value
            for name, value in zip(names, node.fields, strict=True)
            if value is not None and not name.endswith("state")
        }
        original = json.dumps({"id": str(node.id), **fields}, sort_keys=True, ensure_ascii=False)
        return [
            *found,
            *(
                (name, True, None, None, text, None, None, None)
                for name, text in ((ORIGINAL, original), (SOURCE, file.source))
            ),
        ]

    def _moved(self, file: ArchiveFile, value: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a property; one that names an execution by its id has the new one."""
        name, is_custom, integer, double, text, *rest = value
        if name not in _REFERENCES or not is_custom:
            return value
        if integer is not None:
            integer = self._ids.get(("execution", file.source, integer), integer)
        if text is not None and text.isascii() and text.isdecimal():
            text = str(self._ids.get(("execution", file.source, int(text)), text))
        return (name, is_custom, integer, double, text, *rest)

    def _put_events(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        found = {
            (
                event.time or 0,
                self._id(file, "execution", event.execution),
                self._id(file, "artifact", event.artifact),
                event.type or 0,
                event.path,
            ): event
            for file in self._files
            for event in file.events
        }
        # MLMD's JSON has no ids of events: they are counted by time.
        order = sorted(found, key=lambda key: (*key[:4], str(key[4])))
        for number, key in enumerate(order, 1):
            event, (_, execution, artifact, _, path) = found[key], key
            rows["Event"].append((number, artifact, execution, event.type, event.time))
            rows["EventPath"] += [(number, *step) for step in path]

    def _put_memberships(self, rows: dict[str, list[tuple[Any, ...]]]) -> None:
        for table, name, kind in (
            ("Association", "associations", "execution"),
            ("Attribution", "attributions", "artifact"),
        ):
            pairs = {
                (self._id(file, "context", context), self._id(file, kind, member))
                for file in self._files
                for context, member in getattr(file, name)
            }
            rows[table] = [(number, *pair) for number, pair in enumerate(sorted(pairs), 1)]
        rows["ParentContext"] = sorted(
            {
                (self._id(file, "context", child), self._id(file, "context", parent))
                for file in self._files
                for child, parent in file.parents
            }
        )

    def run_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of the tables of runs, each once."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for file in self._files:
            for table, rows in file.run_rows.items():
                held = found.setdefault(table, {})
                for row in rows:
                    held.setdefault(str(row.get("UUID")), row)
        return {table: list(held.values()) for table, held in found.items()}


def _is_better(node: ArchiveNode, before: ArchiveNode) -> bool:
    if (node.origin is None) != (before.origin is None):
        return node.origin is None
    return node.updated > before.updated
