"""Lookup of the node that a text names: a key, a URI, a name, or a type and a name."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys, platform_names
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.type_names import short_type, types_called

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import HasTables, NodeSchema

    Row = tuple[Any, ...]

_LIKE_KEY = re.compile(r"^(a|e|c)[a-z]*[/: ]\s*([0-9]+)$", re.IGNORECASE)
_LARGEST_ID = 2**63 - 1
_NEAR = 3  # how many nodes are suggested
_LISTED = 5  # how many nodes are named where a name fits several
_COMPARED = 5_000  # how many names and URIs are compared to find what is near


def find_node(reader: Reader, text: object) -> str:
    """Return the key of the node that a text names, reading the whole store only to suggest.

    Args:
        reader: What reads the store.
        text: A key; an artifact's id; or what ``find()`` takes.

    Raises:
        NotFoundError: Nothing is called so; the message suggests what is near.
        AmbiguousNameError: More than one node is called so; the message lists them.
        ConfigurationError: It is empty, or no text.
    """
    if not isinstance(text, str):
        message = f"A node is found by a text, such as artifact/5 or Type:name; not by {text!r}."
        raise errors.ConfigurationError(message)
    text = text.strip()
    if not text:
        raise empty_name()
    key = keys.parse_text(text)
    if key is not None:
        kind, number = key
        if number > _LARGEST_ID:
            message = f"There is no {kind}/{number}: MLMD has no ids as large as that."
            raise errors.NotFoundError(message)
        return f"{kind}/{number}"
    name = text
    found = reader.ask(lambda session: find(session, name))
    if found is not None:
        return found
    near = suggestions(reader.read(("Type", "Artifact", "Execution", "Context")), text, KINDS)
    message = f"No node is called {text!r}.{near}"
    raise errors.NotFoundError(message)


def find(session: Session, text: str) -> str | None:
    """Return the key of the one node that has a URI, a name, or a type and a name.

    It asks only for rows that MLMD's indexes find: by URI, and by type and name.

    Args:
        session: An open read of the store.
        text: ``s3://bucket/model``, ``churn``, ``Model:churn``, or ``Model`` where there is but
            one. A type such as ``tfx.components.trainer.component.Trainer`` may be
            called by its short name, ``Trainer``.

    If no artifact or execution is called so, it may be a context, such as a run; the path of an
    artifact of HPE CMF, which names it with the hash of its content; the pod of a step of Kubeflow;
    or the id or the name that Kubeflow shows of a run.

    Raises:
        AmbiguousNameError: It fits more than one node.
    """
    types = [row[:4] for row in session.fetch("Type", {})]
    found = {f"artifact/{row[0]}": row for row in _with_uri(session, text)}
    contexts: dict[str, Row] = {}
    for kind in KINDS.values():
        for row in _with_name(session, kind, types, text):
            (contexts if kind.name == "context" else found)[f"{kind.name}/{row[0]}"] = row
    found = found or contexts
    fits = "fits"
    if not found:
        found, fits = _of_type(session, types, text), "is the type of"
    if not found:
        found, fits = platform_names.find(session, text), "is on its platform the name of"
    if len(found) > 1:
        what = f"{text!r} {fits}"
        raise _ambiguous(what, found)
    return next(iter(found), None)


def empty_name() -> errors.ConfigurationError:
    """Return the error for a name without letters."""
    message = "The node's name is empty; write artifact/5, a URI, or Type:name."
    return errors.ConfigurationError(message)


def members(session: Session, context: int) -> tuple[str, ...]:
    """Return the keys of the executions in a context and in those below it.

    Where there are none, it is the artifacts.

    Raises:
        NotFoundError: There is no such context, or it holds nothing.
    """
    contexts, new = {context}, {context}
    while new:
        rows = session.fetch("ParentContext", {"parent_context_id": sorted(new)})
        new = {row[0] for row in rows} - contexts
        contexts |= new
    for table, kind in (("Association", "execution"), ("Attribution", "artifact")):
        rows = session.fetch(table, {"context_id": sorted(contexts)})
        if rows:
            return tuple(f"{kind}/{number}" for number in sorted({row[2] for row in rows}))
    known = session.fetch("Context", {"id": [context]})
    what = f"context/{context} in {session.source} holds no executions and no artifacts."
    message = what if known else f"There is no context/{context} in {session.source}."
    raise errors.NotFoundError(message)


def _with_uri(session: Session, text: str) -> list[Row]:
    # Folders are written with and without the slash at their end.
    uris = {text, text.rstrip("/"), f"{text.rstrip('/')}/"}
    at = SCHEMAS["Artifact"].names.index("uri")
    rows = session.fetch("Artifact", {"uri": sorted(uris)})
    # A server may compare without regard to case.
    return [row for row in rows if row[at] == text] or [row for row in rows if row[at] in uris]


def _with_name(session: Session, kind: NodeSchema, types: list[Row], text: str) -> Iterator[Row]:
    """Yield the nodes with a name, alone or after their type's."""
    own = [row for row in types if row[3] == kind.type_kind]
    name_at = SCHEMAS[kind.table].names.index("name")
    pairs = [(text, [row[0] for row in own])]
    colons = [match.start() for match in re.finditer(":", text)]
    pairs += [(text[at + 1 :], _called(own, text[:at])) for at in colons]
    for name, ids in pairs:
        if ids and name:
            for row in session.fetch(kind.table, {"type_id": ids, "name": [name]}):
                if row[name_at] == name:
                    yield row


def _of_type(session: Session, types: list[Row], text: str) -> dict[str, Row]:
    found = {}
    for kind in (KINDS["artifact"], KINDS["execution"]):
        ids = _called([row for row in types if row[3] == kind.type_kind], text)
        for row in session.fetch(kind.table, {"type_id": ids}) if ids else ():
            found[f"{kind.name}/{row[0]}"] = row
    return found


def _called(types: list[Row], name: str) -> list[int]:
    """Return the ids of the types that are called so, by their full or their short names."""
    called = types_called([row[1] for row in types], name)
    return [row[0] for row in types if row[1] in called]


def _ambiguous(what: str, found: dict[str, Row]) -> errors.AmbiguousNameError:
    newest = sorted(found, key=lambda key: (key.split("/")[0], -found[key][0]))
    listed = ", ".join(newest[:_LISTED])
    if len(newest) > _LISTED:
        listed += f" and {len(newest) - _LISTED:,} more"
    message = f"{what} {len(found):,} nodes, newest first: {listed}. Give one of them."
    return errors.AmbiguousNameError(message)


def suggestions(
    tables: HasTables, text: str, kinds: Collection[str] = ("artifact", "execution")
) -> str:
    """Return a sentence with the nodes whose names or URIs are near to a text, or nothing.

    Args:
        tables: The tables of types and of those kinds of nodes.
        text: What was asked for.
        kinds: The kinds of nodes that may be named.
    """
    like_key = _LIKE_KEY.match(text)
    if like_key is not None:
        meant = {"a": "artifact", "e": "execution", "c": "context"}[like_key[1].lower()]
        return f" Did you mean {meant}/{like_key[2]}?"
    # A type stands for its nodes, and lineage is of artifacts and executions.
    of_lineage = {KINDS[name].type_kind for name in ("artifact", "execution")}
    rows = tables["Type"].select(["name", "type_kind"]).to_pylist()
    types = {row["name"] for row in rows if row["name"] and row["type_kind"] in of_lineage}
    labels: dict[str, str] = {}
    for kind in (KINDS[name] for name in sorted(kinds, reverse=True)):
        for column in ("name", "uri"):
            if column in SCHEMAS[kind.table].names:
                _collect(labels, tables[kind.table], kind, column, text)
    for name in sorted(types):
        labels.setdefault(name, "")
        labels.setdefault(short_type(name), "")
    said: dict[str, str] = {}
    for name in _closest(text, labels):
        said.setdefault(labels[name] or name, f"{labels[name]} ({name})" if labels[name] else "")
    if not said:
        return ""
    named = [full or f"the type {name}" for name, full in list(said.items())[:_NEAR]]
    return f" Did you mean {' or '.join(named)}?"


def _collect(
    labels: dict[str, str], table: pa.Table, kind: NodeSchema, column: str, text: str
) -> None:
    """Add the newest nodes whose column holds a text, and the newest of all, by their values."""
    part = text.rsplit(":", 1)[-1] if column == "name" else text
    values = table[column]
    holds = pc.match_substring(values, part or text, ignore_case=True)
    picked = table.filter(holds)
    for rows in (picked, table.filter(pc.is_valid(values))):
        newest = rows.slice(max(rows.num_rows - _COMPARED, 0))
        pairs = zip(newest["id"].to_pylist(), newest[column].to_pylist(), strict=True)
        for number, value in pairs:
            if value:
                labels[value] = f"{kind.name}/{number}"


def _closest(text: str, labels: dict[str, str]) -> list[str]:
    """Return the labels that are near to a text: those of nodes also where they hold it."""
    lowered: dict[str, str] = {}
    for label in labels:
        lowered.setdefault(label.lower(), label)
    wanted = text.lower()
    near = difflib.get_close_matches(wanted, lowered, n=_NEAR, cutoff=0.6)
    name = wanted.rsplit(":", 1)[-1]
    parts = [part for part in (wanted, name) if part]
    near += [
        low
        for low, label in lowered.items()
        if labels[label] and low not in near and any(part in low for part in parts)
    ]
    return [lowered[low] for low in near]
