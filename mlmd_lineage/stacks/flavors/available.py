"""The flavors that can be seen from one folder: built in, brought by packages, and registered."""

from __future__ import annotations

import dataclasses
import importlib.util
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.stacks.flavors import class_loading
from mlmd_lineage.stacks.names import split_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stores.component import Component

_OURS = "mlmd_lineage."


@dataclasses.dataclass(frozen=True)
class Flavor:
    """A flavor, before its class is loaded.

    Attributes:
        name: The flavor's name.
        source: The class, or what names it.
        origin: ``built in``, ``entry point``, ``user`` or ``project``.
        layer: The layer that registers it, or None.
    """

    name: str
    source: str
    origin: str
    layer: Layer | None = None
    _found: Any = dataclasses.field(default=None, repr=False, compare=False)
    _kind: ComponentKind | None = dataclasses.field(default=None, repr=False, compare=False)
    _registrations: Registrations | None = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def is_ours(self) -> bool:
        """Whether its class is part of this package, so that loading it runs no other code."""
        return self.origin == "built in" or self.source.startswith(_OURS)

    def load(self) -> type[Component]:
        """Return its class.

        Raises:
            ConfigurationError: It cannot be loaded, or makes no such flavor any more.
            UntrustedProjectError: A project registers it that is not trusted.
        """
        if self.origin == "built in":
            built_in: type[Component] = self._found
            return built_in
        assert self._kind is not None
        if self.layer is not None:
            loaded = self._registered(self.layer, self._kind)
        else:
            try:
                found = self._found.load()
            except Exception as error:
                message = (
                    f"The flavor {self.name!r} of an entry point cannot be loaded: "
                    f"{user_code.described(error)}"
                )
                raise errors.ConfigurationError(message) from error
            loaded = class_loading.checked(found, self._kind, self.source)
        if self.name != loaded.FLAVOR:
            message = (
                f"{self.source} is registered as the flavor {self.name!r}, and its FLAVOR is "
                f"{loaded.FLAVOR!r} now; register it again."
            )
            raise errors.ConfigurationError(message)
        return loaded

    def _registered(self, layer: Layer, kind: ComponentKind) -> type[Component]:
        if layer.name == "user":
            return class_loading.flavor_class(self.source, kind, layer.base)
        assert self._registrations is not None
        layer.require_trust(self._registrations)
        sources = layer.trusted_sources(self._registrations)
        return class_loading.flavor_class(self.source, kind, layer.base, sources)

    def missing(self) -> tuple[str, ...] | None:
        """Return the modules that it needs and that are not installed.

        Returns:
            None where its class is not part of this package: it is not loaded for this.
        """
        if not self.is_ours:
            return None
        return tuple(module for module in self.load().REQUIRES if not _installed(module))


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


class Flavors:
    """The flavors of one kind, by name; no class of another package is loaded to list them.

    Nothing takes the name of a built-in flavor or of one that a package brings. A name that the
    project and the user register both is asked for as ``project:NAME`` or ``user:NAME``.

    Args:
        kind: The kind.
        read: The layers and what they register, the nearest first.
        common: The flavors that do not depend on registrations; see ``common_flavors()``.
    """

    def __init__(
        self,
        kind: ComponentKind,
        read: Iterable[tuple[Layer, Registrations]],
        common: Mapping[str, Flavor],
    ) -> None:
        self._kind = kind
        self._common = common
        self._registered = {
            layer.name: {
                name: Flavor(name, source, layer.name, layer, None, kind, registrations)
                for name, source in sorted(registrations.flavors.get(kind.name, {}).items())
                if name not in self._common
            }
            for layer, registrations in read
        }

    def listed(self) -> dict[str, Flavor]:
        """Return them by the names that mean them: built in, of packages, registered."""
        found = dict(self._common)
        names = sorted({name for flavors in self._registered.values() for name in flavors})
        for name in names:
            of_layers = {
                layer: flavors[name]
                for layer, flavors in self._registered.items()
                if name in flavors
            }
            if len(of_layers) == 1:
                found[name] = next(iter(of_layers.values()))
            else:
                found |= {f"{layer}:{name}": flavor for layer, flavor in of_layers.items()}
        return found

    def named(self, text: str, layer: Layer | None = None) -> Flavor:
        """Return a flavor by its name.

        Args:
            text: The name, or one with its layer: ``user:team``.
            layer: The layer whose registrations name it: a project's are looked up in the
                project and then with the user, the user's with the user alone. None for a name
                that a person gives.

        Raises:
            ConfigurationError: There is none of this name.
            AmbiguousNameError: The project and the user both register it.
        """
        wanted, name = split_layer(text)
        if wanted is None and name in self._common:
            return self._common[name]
        order = [wanted] if wanted else ["project", "user"]
        if layer is not None and layer.name == "user":
            order = [each for each in order if each == "user"]
        found = [
            self._registered[each][name] for each in order if name in self._registered.get(each, {})
        ]
        if len(found) > 1 and layer is None:
            what = f"flavor {name!r}"
            raise ambiguous(what, name)
        if not found:
            known = self.listed()
            near = errors.did_you_mean(text, known)
            message = (
                f"There is no flavor {text!r} of {self._kind.words}s; there are "
                f"{', '.join(known)}.{near}"
            )
            raise errors.ConfigurationError(message)
        return found[0]


def ambiguous(what: str, name: str) -> errors.AmbiguousNameError:
    """Return the error for a name that the project and the user both have."""
    message = (
        f"The project and the user both have a {what}; write project:{name} or user:{name} to say "
        "which is meant."
    )
    return errors.AmbiguousNameError(message)


def common_flavors(kind: ComponentKind) -> Mapping[str, Flavor]:
    """Return the flavors that do not depend on registrations: built in or brought by packages."""
    found = {
        name: Flavor(name, f"{cls.__module__}.{cls.__name__}", "built in", None, cls, kind)
        for name, cls in kind.built_in.items()
    }
    points = metadata.entry_points(group=kind.entry_points)
    # Our own first: no other package takes their names.
    for point in sorted(points, key=lambda p: (not p.value.startswith(_OURS), p.name)):
        source = point.value.replace(":", ".")
        found.setdefault(point.name, Flavor(point.name, source, "entry point", None, point, kind))
    return found
