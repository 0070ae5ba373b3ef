"""The registry of flavors: built in, brought by packages, and registered by hand."""

from __future__ import annotations

import dataclasses
import importlib.util
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.stacks import class_loading

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stores.component import Component


@dataclasses.dataclass(frozen=True)
class Flavor:
    """A flavor, before its class is loaded.

    Attributes:
        name: The flavor's name.
        source: The class, or what names it.
        origin: ``built in``, ``entry point`` or ``registered``.
    """

    name: str
    source: str
    origin: str
    _found: Any = dataclasses.field(repr=False, compare=False)
    _kind: ComponentKind = dataclasses.field(repr=False, compare=False)
    _folder: Path | None = dataclasses.field(default=None, repr=False, compare=False)

    def load(self) -> type[Component]:
        """Return its class.

        Raises:
            ConfigurationError: It cannot be loaded, or makes no such flavor any more.
        """
        if self.origin == "built in":
            built_in: type[Component] = self._found
            return built_in
        if self._folder is not None:
            loaded = class_loading.flavor_class(self.source, self._kind, self._folder)
        else:
            try:
                found = self._found.load()
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                message = f"The flavor {self.name!r} of an entry point cannot be loaded: {said}"
                raise errors.ConfigurationError(message) from error
            loaded = class_loading.checked(found, self._kind, self.source)
        if self.name != loaded.FLAVOR:
            message = (
                f"{self.source} is registered as the flavor {self.name!r}, and its FLAVOR is "
                f"{loaded.FLAVOR!r} now; register it anew."
            )
            raise errors.ConfigurationError(message)
        return loaded

    def missing(self) -> tuple[str, ...]:
        """Return the modules that it needs and that are not installed."""
        needed = self.load().REQUIRES
        return tuple(module for module in needed if not _there(module))


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def known(kind: ComponentKind, registered: dict[str, tuple[str, Path]]) -> dict[str, Flavor]:
    """Return the flavors of a kind by name: the built-in ones first, then by name.

    Nothing takes the name of what comes before it, and no class of a package is loaded.

    Args:
        kind: The kind.
        registered: What was registered by hand: sources, and the folders where they begin.
    """
    found = {
        name: Flavor(name, f"{cls.__module__}.{cls.__name__}", "built in", cls, kind)
        for name, cls in kind.built_in.items()
    }
    for point in sorted(metadata.entry_points(group=kind.entry_points), key=lambda p: p.name):
        source = point.value.replace(":", ".")
        found.setdefault(point.name, Flavor(point.name, source, "entry point", point, kind))
    for name, (source, folder) in sorted(registered.items()):
        found.setdefault(name, Flavor(name, source, "registered", None, kind, folder))
    return found


def flavor_named(name: str, kind: ComponentKind, flavors: dict[str, Flavor]) -> Flavor:
    """Return a flavor by its name.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if name not in flavors:
        near = errors.did_you_mean(name, flavors)
        message = (
            f"There is no flavor {name!r} of {kind.words}s; there are {', '.join(flavors)}.{near}"
        )
        raise errors.ConfigurationError(message)
    return flavors[name]
