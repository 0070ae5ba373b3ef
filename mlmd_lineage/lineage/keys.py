"""Node keys: ``"artifact/5"``, ``"execution/3"``, ``"context/2"``.

The kind belongs to the key, as MLMD counts artifacts and executions apart: there is an Artifact 1
and an Execution 1.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Protocol

from mlmd_lineage import errors

if TYPE_CHECKING:
    from typing import TypeAlias

_KEY = re.compile(r"(artifact|execution|context)/(-?[0-9]+)")
_KINDS = ("artifact", "execution", "context")


class HasNodeKey(Protocol):
    """Anything that stands for a node, such as a view of an artifact."""

    @property
    def node_key(self) -> str:
        """The node's key."""


Node: TypeAlias = "str | int | HasNodeKey"
"""How a node may be named: by its key, by an artifact's id, or by what stands for it."""


def parse(node: object) -> tuple[str, int]:
    """Return the kind and the id that a node's name means.

    >>> parse("execution/3"), parse(5)
    (('execution', 3), ('artifact', 5))

    Raises:
        ConfigurationError: It is no node key.
    """
    if isinstance(node, str):
        match = _KEY.fullmatch(node)
        if match is not None:
            return match[1], int(match[2])
    elif isinstance(node, int) and not isinstance(node, bool):
        return "artifact", node
    elif hasattr(node, "node_key"):
        return parse(node.node_key)
    elif hasattr(node, "__index__") and not isinstance(node, bool):
        return "artifact", operator.index(node)
    near = errors.did_you_mean(str(node).split("/", maxsplit=1)[0], _KINDS)
    message = f"{node!r} is no node; write 'artifact/5', 'execution/3', or an artifact's id.{near}"
    raise errors.ConfigurationError(message)


def no_lineage_of_contexts(number: int) -> errors.ConfigurationError:
    """Return the error for a context where an artifact or an execution belongs."""
    message = (
        f"context/{number} is a context; lineage is of artifacts and executions. Ask for one that "
        "it holds."
    )
    return errors.ConfigurationError(message)
