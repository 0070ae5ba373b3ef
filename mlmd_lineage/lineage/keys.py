"""Node keys: ``"artifact/5"``, ``"execution/3"``, ``"context/2"``.

The kind belongs to the key, as MLMD counts artifacts and executions apart: there is an Artifact 1
and an Execution 1.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Protocol, SupportsIndex, runtime_checkable

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TypeAlias

_KEY = re.compile(r"(artifact|execution|context)/(-?[0-9]+)")
_MOST_CHARACTERS = 20
"""Ids are 64-bit integers, which have no more."""
_NAMED = 5  # how many nodes an error names
_LONGEST = 60  # how many letters an error shows of what is no name
KINDS = ("artifact", "execution", "context")
"""The kinds of nodes, as keys have them."""


@runtime_checkable
class HasNodeKey(Protocol):
    """Anything that stands for a node, such as a view of an artifact."""

    @property
    def node_key(self) -> str:
        """The node's key."""


@runtime_checkable
class HasNodeKeys(Protocol):
    """Anything that stands for several nodes, such as a view of a run."""

    @property
    def node_keys(self) -> tuple[str, ...]:
        """The nodes' keys."""


Node: TypeAlias = "str | int | HasNodeKey | HasNodeKeys"
"""How nodes may be named: by a key, by an artifact's id, by what stands for one or several of them,
or by what a person calls them: a URI, a name, or a type and a name.
"""


def parse(node: object) -> tuple[str, int]:
    """Return the kind and the id that a node's name means.

    >>> parse("execution/3"), parse(5)
    (('execution', 3), ('artifact', 5))

    Raises:
        ConfigurationError: It is no node key.
        NotFoundError: Its id has more digits than any of MLMD's.
    """
    if isinstance(node, str):
        found = parse_text(node)
        if found is not None:
            return found
    elif isinstance(node, SupportsIndex) and not isinstance(node, bool):
        return "artifact", checked_id(operator.index(node))
    elif isinstance(node, HasNodeKey):
        return parse(node.node_key)
    near = errors.did_you_mean(node.split("/", 1)[0], KINDS) if isinstance(node, str) else ""
    said = repr(node)
    if not isinstance(node, str) and (len(said) > _LONGEST or "\n" in said):
        said = f"An object of the type {type(node).__name__}"  # such as a row of a frame
    message = f"{said} is no node; write 'artifact/5', 'execution/3', or an artifact's id.{near}"
    raise errors.ConfigurationError(message)


def checked_id(number: int) -> int:
    """Return an id, unless it has so many digits that no store has it and no message shows it.

    Raises:
        NotFoundError: It has.
    """
    if abs(number) >= 10**_MOST_CHARACTERS:
        asked = "such node"
        raise no_id_as_large(asked)
    return number


def no_id_as_large(asked: str) -> errors.NotFoundError:
    """Return the error for an id that is larger than MLMD's columns hold.

    Args:
        asked: The key that was asked for.
    """
    return errors.NotFoundError(f"There is no {asked}: MLMD has no ids as large as that.")


def parse_text(text: str) -> tuple[str, int] | None:
    """Return the kind and the id of a key, or of an artifact's id in digits; None for a name.

    >>> parse_text("execution/3"), parse_text("43"), parse_text("churn")
    (('execution', 3), ('artifact', 43), None)

    Raises:
        NotFoundError: The id has more digits than any of MLMD's.
    """
    match = _KEY.fullmatch(text if not text.isdecimal() else f"artifact/{text}")
    if match is None:
        return None
    if len(match[2]) > _MOST_CHARACTERS:
        asked = f"{match[0][: 2 * _MOST_CHARACTERS]}..."
        raise no_id_as_large(asked)
    return match[1], int(match[2])


def key(node: object) -> str:
    """Return the key that a node's name means; see ``parse``.

    >>> key(5)
    'artifact/5'
    """
    kind, number = parse(node)
    return f"{kind}/{number}"


def no_such_node(kind: str, number: int, source: str, *, is_there: bool) -> errors.NotFoundError:
    """Return the error for an artifact or an execution that a store does not hold.

    Args:
        kind: Which of both.
        number: Its id.
        source: Where the store is.
        is_there: Whether the store holds a node of the other kind with this id.
    """
    other = "execution" if kind == "artifact" else "artifact"
    hint = f" There is an {other}/{number}." if is_there else ""
    return errors.NotFoundError(f"There is no {kind}/{number} in {source}.{hint}")


def no_lineage_of_contexts(number: int, held: Collection[str] = ()) -> errors.ConfigurationError:
    """Return the error for a context where an artifact or an execution belongs.

    Args:
        number: The context's id.
        held: The keys of what it holds, where that is known.
    """
    named = ", ".join(list(held)[:_NAMED]) + (" and others" if len(held) > _NAMED else "")
    message = (
        f"context/{number} is a context; lineage is of artifacts and executions. Ask for one that "
        f"it holds{named and f': {named}'}."
    )
    return errors.ConfigurationError(message)
