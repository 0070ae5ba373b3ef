"""The registry of checks: those of this library, those registered here, and installed ones."""

from __future__ import annotations

import functools
import importlib.metadata
import re
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.audit.checks import (
    cycles,
    digests,
    executions,
    names,
    producers,
    store_rows,
    stored_bytes,
    times,
    uris,
)
from mlmd_lineage.audit.checks.base import AuditCheck
from mlmd_lineage.config import user_code

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "mlmd_lineage.audit_checks"
"""The entry point group under which a package offers checks of its own: ``AuditCheck`` objects."""

BUILT_IN: tuple[AuditCheck, ...] = (
    *producers.CHECKS,
    *executions.CHECKS,
    *times.CHECKS,
    *cycles.CHECKS,
    *uris.CHECKS,
    *digests.CHECKS,
    *names.CHECKS,
    *store_rows.CHECKS,
    *stored_bytes.CHECKS,
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_registered: list[AuditCheck] = []


def register_check(check: AuditCheck) -> Callable[[], None]:
    """Have every audit run a check of your own too; return a function that unregisters it.

    >>> unregister = register_check(check)

    Raises:
        ConfigurationError: It is no check, or there is one of this name.
    """
    made = _checked(check, "It")
    if made.name in {other.name for other in checks()}:
        message = f"There is a check {made.name!r} already; give yours a name of its own."
        raise errors.ConfigurationError(message)
    _registered.append(made)

    def unregister() -> None:
        if made in _registered:
            _registered.remove(made)

    return unregister


def checks() -> tuple[AuditCheck, ...]:
    """Return all checks: the built-in ones, those of other packages, those registered here."""
    return (*BUILT_IN, *_installed(), *_registered)


@functools.cache
def _installed() -> tuple[AuditCheck, ...]:
    """Return the checks of other packages, by the names of their entry points."""
    found: list[AuditCheck] = []
    taken = {check.name for check in BUILT_IN}
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: p.name):
        try:
            loaded = point.load()
        except Exception as error:  # a package may raise anything when it is imported
            message = (
                f"The check {point.name!r} cannot be loaded from {point.value!r}: "
                f"{user_code.described(error)}. Repair or uninstall its package."
            )
            raise errors.ConfigurationError(message) from error
        check = _checked(loaded, f"The entry point {point.name!r} of {GROUP}")
        if check.name in taken:
            message = f"Two checks are called {check.name!r}; one is that of {point.value!r}."
            raise errors.ConfigurationError(message)
        taken.add(check.name)
        found.append(check)
    return tuple(found)


def _checked(check: object, what: str) -> AuditCheck:
    if not isinstance(check, AuditCheck):
        message = f"{what} is no check: make it with mlmd_lineage.AuditCheck(...)."
        raise errors.ConfigurationError(message)
    if not _NAME.fullmatch(check.name):
        message = (
            f"{what} is a check named {check.name!r}; a name is in lower case, such as "
            "'unnamed_model'."
        )
        raise errors.ConfigurationError(message)
    return check
