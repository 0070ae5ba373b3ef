"""The choice of the materializer for a value, or for what a store says of an artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.materializers import built_in
from mlmd_lineage.materializers.base import full_name, loaded

if TYPE_CHECKING:
    from mlmd_lineage.materializers.base import BaseMaterializer


def materializer_for(
    value: Any, *, allow_pickle: bool, chosen: type[BaseMaterializer] | None = None
) -> BaseMaterializer:
    """Return what keeps a value: one of its class or of its nearest base class.

    Of several for one class the one that was loaded last goes first, so that yours go before
    those of this library.

    Args:
        value: The value.
        allow_pickle: Use pickle where there is no other.
        chosen: The one that the step names for this output.

    Raises:
        MaterializerError: There is none, or the one that is chosen cannot hold the value.
    """
    if chosen is not None:
        made = chosen()
        if made.holds(value):
            return made
        message = f"{chosen.__name__} cannot hold {_shown(value)} so that it reads back as it is."
        raise errors.MaterializerError(message)
    known = [kind for kind in reversed(loaded().values()) if kind.TYPES]
    for base in type(value).__mro__[:-1]:
        for kind in known:
            if (base in kind.TYPES or full_name(base) in kind.TYPES) and kind().holds(value):
                return kind()
    if allow_pickle:
        return built_in.PickleMaterializer()
    message = (
        f"There is no materializer for {_shown(value)}. Write one, see BaseMaterializer, or allow "
        "pickle with allow_pickle=True: a pickle may run any code of whoever wrote it when it is "
        "read."
    )
    raise errors.MaterializerError(message)


def _shown(value: Any) -> str:
    return f"a value of type {full_name(type(value)).removeprefix('builtins.')}"


def materializer_named(name: str) -> BaseMaterializer | None:
    """Return the materializer that a store names; None where it is not loaded here.

    A module that a store names is never imported.
    """
    kind = loaded().get(name)
    return None if kind is None else kind()
