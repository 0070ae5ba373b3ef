"""Changes of a layer's registered flavors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stacks.flavors import class_loading
from mlmd_lineage.stacks.names import split_layer
from mlmd_lineage.stores.component import pem_fields, secret_fields

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.found import FoundComponent
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stacks.registration_view import RegistrationView
    from mlmd_lineage.stores.component import Component


def add(  # noqa: PLR0913, PLR0917 - a flavor, and where it goes
    view: RegistrationView,
    registrations: Registrations,
    layer: Layer,
    kind: ComponentKind,
    source: str,
    folder: Path,
) -> str:
    """Add a class as a flavor to a layer's registrations and return the flavor's name.

    Raises:
        ConfigurationError: The class makes no flavor, or its name is taken.
    """
    loaded = class_loading.flavor_class(source, kind, folder)
    for taken in view.flavors(kind).values():
        if taken.name == loaded.FLAVOR:
            message = (
                f"There is a flavor {loaded.FLAVOR!r} of {kind.words}s already "
                f"({taken.origin}: {taken.source}); give {source} another FLAVOR."
            )
            raise errors.ConfigurationError(message)
    kept = class_loading.portable_source(source, loaded, folder, layer.base)
    registrations.flavors.setdefault(kind.name, {})[loaded.FLAVOR] = kept
    _note(registrations, kind, loaded.FLAVOR, loaded)
    return loaded.FLAVOR


def registered(view: RegistrationView, kind: ComponentKind, name: str) -> tuple[str, Layer]:
    """Return the bare name of a registered flavor, and the layer that has it.

    Raises:
        NotFoundError: No flavor of this name is registered.
        ConfigurationError: It is not registered but built in or brought by a package.
        AmbiguousNameError: The project and the user both register it.
    """
    if name not in view.flavors(kind):
        try:
            flavor = view.flavor(kind, name)
        except errors.ConfigurationError:
            near = errors.did_you_mean(name, view.flavors(kind))
            message = f"No flavor {name!r} of {kind.words}s is registered.{near}"
            raise errors.NotFoundError(message) from None
    else:
        flavor = view.flavors(kind)[name]
    if flavor.layer is None:
        message = (
            f"The flavor {name!r} is not registered here but {flavor.origin}: {flavor.source}."
        )
        raise errors.ConfigurationError(message)
    return flavor.name, flavor.layer


def remove(
    view: RegistrationView,
    registrations: Registrations,
    layer: Layer,
    kind: ComponentKind,
    name: str,
) -> None:
    """Delete a flavor from a layer's registrations; its class is not loaded.

    Raises:
        ConfigurationError: A component uses it.
    """
    users = [
        called
        for called, found in view.components(kind).items()
        if found.layer is not None
        and split_layer(found.record.flavor)[1] == name
        and (found.layer == layer or layer.name == "user")
    ]
    if users:
        message = (
            f"The flavor {name!r} is used by the {kind.words} {', '.join(users)}; delete that "
            "first."
        )
        raise errors.ConfigurationError(message)
    registrations.flavors.get(kind.name, {}).pop(name, None)
    registrations.shown_fields.get(kind.name, {}).pop(name, None)


def name_seen_from(view: RegistrationView, kind: ComponentKind, name: str, layer: Layer) -> str:
    """Return how a layer's registrations name the flavor that a person names.

    Raises:
        ConfigurationError: There is none of this name, or it is a project's, and the layer is the
            user's.
        AmbiguousNameError: The project and the user both register it.
    """
    flavor = view.flavor(kind, name)
    if flavor.layer is None or flavor.layer == layer:
        return flavor.name
    if layer.name == "user":
        message = (
            f"The flavor {name!r} is registered by the project {flavor.layer.base}; register it "
            "for yourself too, with --global, to use it outside of the project."
        )
        raise errors.ConfigurationError(message)
    same = [each for each in view.flavors(kind).values() if each.name == flavor.name]
    return f"user:{flavor.name}" if len(same) > 1 else flavor.name


def note_shown_fields(
    view: RegistrationView, registrations: Registrations, found: FoundComponent
) -> None:
    """Note which fields of a flavor are no secrets, so that it is described without being loaded.

    The class has been loaded already, to check the fields.
    """
    if not view.entry_of(found).is_ours:
        name = split_layer(found.record.flavor)[1]
        _note(registrations, found.kind, name, view.flavor_of(found))


def _note(
    registrations: Registrations, kind: ComponentKind, name: str, flavor: type[Component]
) -> None:
    shown = set(flavor.model_fields) - secret_fields(flavor) - pem_fields(flavor)
    registrations.shown_fields.setdefault(kind.name, {})[name] = sorted(shown)
