"""The protocol of components that this library deploys, starts and stops."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import TypeIs


@runtime_checkable
class Deployed(Protocol):
    """A component that can be deployed, started, stopped and deleted.

    ``mlmd-lineage metadata-store up`` provisions and resumes it, ``down`` suspends it, and ``down
    --force`` deprovisions it too. ``report`` is called with a sentence on each step that was done.
    """

    @property
    def is_provisioned(self) -> bool:
        """Whether everything it needs has been created."""

    @property
    def is_running(self) -> bool:
        """Whether it can be reached from this machine."""

    def provision(self, report: Callable[[str], None]) -> None:
        """Create whatever it needs and is missing."""

    def resume(self, report: Callable[[str], None]) -> None:
        """Make it reachable from this machine, and wait until it answers."""

    def suspend(self, report: Callable[[str], None]) -> None:
        """Stop making it reachable from this machine; nothing is lost."""

    def deprovision(self, report: Callable[[str], None], *, delete_data: bool) -> None:
        """Delete what was created, and its data only with ``delete_data``."""

    def logs(self, *, follow: bool) -> Iterator[str]:
        """Yield the lines of its logs, and with ``follow`` those still to come."""


_MEMBERS = [name for name in vars(Deployed) if not name.startswith("_")]


def is_deployed(component: object) -> TypeIs[Deployed]:
    """Tell whether a component can be deployed, without asking it anything.

    Before Python 3.12, ``isinstance()`` reads the properties: they ask the cluster, and fail where
    that cannot be reached.
    """
    return all(inspect.getattr_static(component, name, None) is not None for name in _MEMBERS)
