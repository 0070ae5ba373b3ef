"""Loss and RunForecast: what the check found, and what becomes of each run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.kubeflow.rules import Rule


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Something that the upgrade or a transfer loses.

    Attributes:
        rule: Why.
        node: The key of what is lost, such as ``execution/7``; ``event/9`` for an event, and
            ``store`` for all there is.
        runs: The keys of the contexts of the runs that it belongs to.
        detail: What is the matter with it.
    """

    rule: Rule
    node: str
    runs: tuple[str, ...]
    detail: str


@dataclasses.dataclass(frozen=True, slots=True)
class RunForecast:
    """What becomes of a run.

    Attributes:
        run: The key of its context.
        id: Its UUID.
        name: The name that people gave it, else its UUID.
        experiment: Its experiment, where that is known.
        lost: The codes of the rules of the upgrade by which something of it is lost or changed.
        refused: The codes of the rules by which a transfer of it stops.
    """

    run: str
    id: str
    name: str
    experiment: str | None
    lost: tuple[str, ...]
    refused: tuple[str, ...]


class CheckResult(Protocol):
    """What a report is made of: a ``KubeflowCheck``."""

    source: str
    runs_source: str | None
    counts: Mapping[str, int]
    losses: tuple[Loss, ...]
    runs: tuple[RunForecast, ...]

    @property
    def is_lossless(self) -> bool:
        """Whether nothing is lost, changed or refused."""
