"""The rules of the check: what each says, what follows from it, and where it comes from.

There are two ways to take history into 3.0, and each loses other things:

- the *upgrade* of an installation, as its design describes it, skips what it cannot take with a
  line in a log, and changes some of the rest;
- the *transfer* of exported archives into a new installation stops with an error.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlmd_lineage.kubeflow.history import History

Way: TypeAlias = Literal["upgrade", "transfer"]
Effect: TypeAlias = Literal["skipped", "changed", "refused"]
Found: TypeAlias = "Iterator[tuple[str, str]]"
"""The keys of the nodes or events that a rule is about, each with what is the matter."""

DESIGN = (
    "proposals/12147-mlmd-removal/database-migration-design.md of kubeflow/pipelines "
    "(#12920), section {}"
)
CONVERTER = "backend/src/apiserver/history/legacy_mlmd.go of kubeflow/pipelines, {}"
EXPORT = "tools/run-history of kubeflow/pipelines, {}"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the upgrade or of the transfer.

    Attributes:
        code: Its name.
        way: ``upgrade`` or ``transfer``.
        effect: ``skipped``: it is not there afterwards; ``changed``: it is there, but says
            something else; ``refused``: the transfer stops.
        meaning: What it says, in a sentence.
        advice: What to do about it.
        source: Where that is written.
        find: Finds what it is about.
    """

    code: str
    way: Way
    effect: Effect
    meaning: str
    advice: str
    source: str
    find: Callable[[History], Found]


def keep(what: str) -> str:
    """Return the advice to save what cannot be brought over."""
    return f"Save the history with 'mlmd-lineage kubeflow save', which keeps {what}."
