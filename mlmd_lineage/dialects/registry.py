"""The registry of dialects, in the order in which they are tried."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.dialects.base import Dialect
from mlmd_lineage.dialects.cmf import CMF
from mlmd_lineage.dialects.kubeflow_metadata import KubeflowMetadata
from mlmd_lineage.dialects.kubeflow_v1 import KubeflowV1
from mlmd_lineage.dialects.kubeflow_v2 import KubeflowV2
from mlmd_lineage.dialects.model_registry import ModelRegistry
from mlmd_lineage.dialects.plain import Plain
from mlmd_lineage.dialects.recorded import Recorded
from mlmd_lineage.dialects.tfx import TFX
from mlmd_lineage.dialects.user_dialect import UserDialect
from mlmd_lineage.dialects.zenml import ZenML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GROUP = "mlmd_lineage.dialects"
"""The entry point group under which a package offers dialects: classes, or instances."""

# ZenML and what we recorded before TFX, whose contexts they share; plain, which takes the rest,
# last.
_BUILT_IN: tuple[Dialect, ...] = (
    Recorded(),
    ZenML(),
    TFX(),
    KubeflowV2(),
    KubeflowV1(),
    KubeflowMetadata(),
    ModelRegistry(),
    CMF(),
    Plain(),
)
_registered: list[Dialect] = []


def register_dialect(dialect: Dialect | type[Dialect]) -> Callable[[], None]:
    """Try a dialect before the built-in ones; return a function that unregisters it.

    >>> unregister = register_dialect(Airflow)

    Raises:
        ConfigurationError: It is not a dialect.
    """
    made = _checked(dialect, "It")
    _registered.insert(0, made)

    def unregister() -> None:
        if made in _registered:
            _registered.remove(made)

    return unregister


def dialects() -> tuple[Dialect, ...]:
    """Return all dialects in the order in which they are tried."""
    return (*_registered, *_installed(), *_BUILT_IN)


def named(names: Iterable[str]) -> tuple[Dialect, ...]:
    """Return dialects by their names, the ones registered here first.

    Raises:
        ConfigurationError: One is not registered in this process.
    """
    known = {dialect.name: dialect for dialect in reversed(dialects())}
    missing = [name for name in names if name not in known]
    if missing:
        message = (
            f"The dialect {missing[0]!r}, by which these runs were read, is not registered here: "
            "call register_dialect() first."
        )
        raise errors.ConfigurationError(message)
    return tuple(known[name] for name in names)


@functools.cache
def _installed() -> tuple[Dialect, ...]:
    """Return the dialects of other packages, by the names of their entry points."""
    found = []
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda p: p.name):
        try:
            loaded = point.load()
        except Exception as error:  # a package may raise anything when it is imported
            message = (
                f"The dialect {point.name!r} cannot be loaded from {point.value!r}: "
                f"{user_code.described(error)}. Repair or uninstall its package."
            )
            raise errors.DialectError(message) from error
        found.append(_checked(loaded, f"The entry point {point.name!r} of {GROUP}"))
    return tuple(found)


def _checked(dialect: object, what: str) -> Dialect:
    if isinstance(dialect, type) and issubclass(dialect, Dialect):
        try:
            dialect = dialect()
        except Exception as error:  # a user's code may raise anything
            message = f"{what} cannot be made a dialect: {user_code.described(error)}."
            raise errors.DialectError(message) from error
    if not isinstance(dialect, Dialect):
        message = f"{what} is no dialect: derive it from mlmd_lineage.Dialect."
        raise errors.ConfigurationError(message)
    if not dialect.name:
        message = f"{what} is a dialect without a name: give its class the attribute 'name'."
        raise errors.ConfigurationError(message)
    return UserDialect(dialect)
