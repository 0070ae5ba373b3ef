"""What can be started and stopped: components that this library deploys itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@runtime_checkable
class Deployed(Protocol):
    """A component that can be made, started, stopped and unmade.

    ``mlmd-lineage metadata-store up`` provisions and resumes it, ``down`` suspends it, and ``down
    --force`` deprovisions it too. ``tell`` takes a sentence on each thing that was done.
    """

    @property
    def is_provisioned(self) -> bool:
        """Whether all that it needs was made."""

    @property
    def is_running(self) -> bool:
        """Whether it can be reached from here."""

    def provision(self, tell: Callable[[str], None]) -> None:
        """Make what is missing of all that it needs."""

    def resume(self, tell: Callable[[str], None]) -> None:
        """Let it be reached from here, and wait until it answers."""

    def suspend(self, tell: Callable[[str], None]) -> None:
        """Let it be reached from here no longer; nothing is lost."""

    def deprovision(self, tell: Callable[[str], None], *, delete_data: bool) -> None:
        """Delete what was made, and only with ``delete_data`` what it holds."""

    def logs(self, *, follow: bool) -> Iterator[str]:
        """Yield the lines of its logs, and with ``follow`` those still to come."""
