"""Lookup of the node that a text names: a key, a URI, a name, or a type and a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.nodes import node_suggestions, platform_names
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.type_names import types_called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeSchema

    Row = tuple[Any, ...]

_LARGEST_ID = 2**63 - 1
_LISTED = 5  # how many nodes are named where a name fits several


def find_node(reader: Reader, text: object) -> str:
    """Return the key of the node that a text names, without reading the whole store.

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
            asked = f"{kind}/{number}"
            raise keys.no_id_as_large(asked)
        return f"{kind}/{number}"
    name = text
    found = reader.ask(lambda session: find(session, name))
    if found is not None:
        return found
    near = reader.ask(lambda session: node_suggestions.among_newest(session, name))
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
