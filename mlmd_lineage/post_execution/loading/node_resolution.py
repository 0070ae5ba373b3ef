"""Resolves what people call a node: one rule for Python and the command line.

A node may be named by its key, an artifact's id, a view, a URI, a name, or a type and a name; see
``node_lookup``. A run may be named by its view, its key, its name or its id, and stands for the
executions of its steps.

What reads runs is imported when a run may be meant: a question about one node does without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.nodes import node_lookup

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Reader


def nodes(reader: Reader, node: keys.Node) -> tuple[str, ...]:
    """Return the keys of the artifacts and executions that something means.

    >>> nodes(reader, "Model:churn"), nodes(reader, run)
    (('artifact/46',), ('execution/1', 'execution/2'))

    Args:
        reader: What reads the store.
        node: A key, an artifact's id, a view, a URI, a name, a type and a name, or a run.

    Raises:
        NotFoundError: There is no such thing; the message suggests what is near.
        AmbiguousNameError: A name fits several.
        ConfigurationError: It can mean no node.
    """
    if not isinstance(node, (str, int)) and isinstance(node, keys.HasNodeKeys):
        return node.node_keys
    key = subject(reader, node)
    if ":" in key and _node_of_run(key) is not None:
        from mlmd_lineage.post_execution.loading import loader

        return loader.run(reader, key, None).node_keys
    kind, number = keys.parse(key)
    if kind != "context":
        return (key,)
    return reader.ask(lambda session: node_lookup.members(session, number))


def subject(reader: Reader, node: keys.Node, *, runs: bool = True) -> str:
    """Return the key of the artifact, execution or run that something means.

    Args:
        reader: What reads the store.
        node: A view, a key, an artifact's id, a URI, a name, or the name of a run.
        runs: Runs may be meant too.

    Raises:
        NotFoundError: There is no such thing; the message suggests what is near.
        AmbiguousNameError: It fits several.
        ConfigurationError: It is neither.
    """
    key = _key_in(node)
    if key is None:
        text = str(node).strip()
        key = _run_or_node(reader, text) if runs else node_lookup.find_node(reader, text)
    if key.startswith("context/") and not runs:
        number = (_node_of_run(key) or ("", 0))[1]
        held = reader.ask(lambda session: node_lookup.members(session, number))
        raise keys.no_lineage_of_contexts(number, held)
    return key


def _key_in(node: keys.Node) -> str | None:
    """Return the key that a view, an id or a key is; None for a name."""
    if not isinstance(node, (str, int)):
        from mlmd_lineage.post_execution.views import PipelineRunView

        return node.node_key if isinstance(node, PipelineRunView) else keys.key(node)
    if isinstance(node, int):
        return keys.key(node)
    text = node.strip()
    if ":" in text and _node_of_run(text) is not None:
        return text
    if keys.parse_text(text) is not None or text.partition("/")[0] in keys.KINDS:
        return keys.key(text)
    return None


def _node_of_run(key: str) -> tuple[str, int] | None:
    from mlmd_lineage.post_execution.loading.run_membership import node_of_run

    return node_of_run(key)


def _run_or_node(reader: Reader, text: str) -> str:
    from mlmd_lineage.post_execution.loading import loader

    if not text:
        raise node_lookup.empty_name()
    found = reader.ask(lambda session: node_lookup.find(session, text))
    if found is not None and not found.startswith("context/"):
        return found
    try:
        return loader.run(reader, text, None).node_key
    except errors.NotFoundError as no_run:
        if found is not None:
            return found
        try:
            return node_lookup.find_node(reader, text)
        except errors.NotFoundError as no_node:
            message = f"{no_node} As a run: {no_run}"
            raise errors.NotFoundError(message) from None
