"""The registry of stacks: registering, changing and deleting them."""

from __future__ import annotations

import uuid as uuids
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.names import checked_name
from mlmd_lineage.stacks.registration_file import StackRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundStack

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stacks.registration_view import FoundComponent, RegistrationView
    from mlmd_lineage.stacks.registry import Registry


def register(  # noqa: PLR0913 - the parts of a stack
    registry: Registry,
    name: str,
    metadata_store: str,
    artifact_store: str,
    orchestrator: str,
    *,
    decouple_stores: bool = False,
    activate: bool = False,
) -> FoundStack:
    """Register a stack.

    Args:
        registry: Where.
        name: Its name.
        metadata_store: The name of its metadata store.
        artifact_store: The name of its artifact store.
        orchestrator: The name of its orchestrator.
        decouple_stores: Let its stores belong to other stacks with other stores too.
        activate: Make it the active stack.

    Raises:
        NotFoundError: One of the components is not registered.
        ConfigurationError: The name is taken, or the stack breaks a rule.
    """
    checked_name(name)
    with registry.changing() as (view, registrations):
        refuse_taken(view, name)
        names = {
            "metadata_store": metadata_store,
            "artifact_store": artifact_store,
            "orchestrator": orchestrator,
        }
        settled: dict[str, str] = {
            kind_name: _part_seen_from(view, kind, names[kind_name], registry.target)
            for kind_name, kind in KINDS.items()
        }
        record = StackRecord(uuid=uuids.uuid4(), **settled, decouple_stores=decouple_stores)
        found = FoundStack(name, record, registry.target)
        view.check_stack(found)
        registrations.stacks[name] = record
        if activate:
            registrations.active_stack = name
    return found


def update(
    registry: Registry,
    name: str,
    components: dict[str, str],
    *,
    decouple_stores: bool | None = None,
) -> FoundStack:
    """Give a stack other components.

    Args:
        registry: Where to look for it.
        name: Its name.
        components: The names of components by the field of the stack: ``metadata_store``.
        decouple_stores: Whether its stores may belong to other stacks with other stores too;
            as it is, where it is not given.

    Raises:
        NotFoundError: The stack or a component is not registered.
        ConfigurationError: The stack would break a rule.
    """
    bare, layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        record = own(registrations, bare)
        settled: dict[str, str] = {
            kind_name: _part_seen_from(view, kind, components[kind_name], layer)
            for kind_name, kind in KINDS.items()
            if kind_name in components
        }
        decoupled = record.decouple_stores if decouple_stores is None else decouple_stores
        changed = record.model_copy(update={**settled, "decouple_stores": decoupled})
        found = FoundStack(bare, changed, layer)
        view.check_stack(found)
        registrations.stacks[bare] = changed
    return found


def activate(registry: Registry, name: str) -> FoundStack:
    """Make a stack the active one.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: It breaks a rule.
    """
    with registry.changing() as (view, registrations):
        found = view.stack(name)
        view.check_stack(found)
        registrations.active_stack = _seen_from(found, name, registry.target)
    return found


def rename(registry: Registry, name: str, new: str) -> None:
    """Give a stack another name.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: The new name is taken, or another folder has it as its active stack.
    """
    checked_name(new)
    bare, layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        refuse_taken(view, new)
        _refuse_active(view, view.stack(name), elsewhere_than=layer)
        registrations.stacks[new] = own(registrations, bare)
        del registrations.stacks[bare]
        if registrations.active_stack == bare:
            registrations.active_stack = new


def copy(registry: Registry, name: str, new: str) -> FoundStack:
    """Register a stack under another name too; both use the same components.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: The new name is taken, or it breaks a rule.
    """
    checked_name(new)
    with registry.changing() as (view, registrations):
        refuse_taken(view, new)
        before = view.stack(name)
        names: dict[str, str] = {
            kind_name: _seen_from(part, part.name, registry.target)
            for kind_name, kind in KINDS.items()
            for part in [view.part(before, kind)]
        }
        record = before.record.model_copy(update={**names, "uuid": uuids.uuid4()})
        found = FoundStack(new, record, registry.target)
        view.check_stack(found)
        registrations.stacks[new] = record
    return found


def delete(registry: Registry, name: str) -> None:
    """Delete a stack; its components stay registered.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: It is the active one.
    """
    bare, layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        _refuse_active(view, view.stack(name))
        own(registrations, bare)
        del registrations.stacks[bare]


def own(registrations: Registrations, name: str) -> StackRecord:
    """Return a stack of one file.

    Raises:
        NotFoundError: Another process has deleted it.
    """
    if name not in registrations.stacks:
        message = f"No stack {name!r} is registered any more."
        raise errors.NotFoundError(message)
    return registrations.stacks[name]


def refuse_taken(view: RegistrationView, name: str) -> None:
    """Refuse the name of another stack.

    Raises:
        ConfigurationError: It is one.
    """
    if any(found.name == name for found in view.stacks().values()):
        message = f"A stack {name!r} is registered already; choose another name, or update it."
        raise errors.ConfigurationError(message)


def _refuse_active(
    view: RegistrationView, stack: FoundStack, *, elsewhere_than: Layer | None = None
) -> None:
    for layer, registrations in view.read:
        if not registrations.active_stack or layer == elsewhere_than:
            continue
        if view.is_trusted(layer) and view.stack(registrations.active_stack, layer) == stack:
            message = (
                f"The stack {stack.name!r} is the active one of the {layer.name}; set another "
                "first: mlmd-lineage stack set NAME."
            )
            raise errors.ConfigurationError(message)


def _layer_of(registry: Registry, name: str) -> tuple[str, Layer]:
    """Return the bare name of a stack that a person names, and the layer that has it."""
    found = registry.view().stack(name)
    if found.layer is None:
        message = (
            f"The stack {DEFAULT!r} is built in and cannot be changed; register one of your own: "
            "mlmd-lineage stack register NAME -m ... -a ... -o ..."
        )
        raise errors.ConfigurationError(message)
    return found.name, found.layer


def _part_seen_from(view: RegistrationView, kind: ComponentKind, name: str, layer: Layer) -> str:
    found = view.component(kind, name)
    return _seen_from(found, name, layer)


def _seen_from(found: FoundComponent | FoundStack, name: str, layer: Layer) -> str:
    """Return how a layer's registrations name something that is registered.

    Raises:
        ConfigurationError: The user's registrations would name something of a project.
    """
    if found.layer is None or found.layer == layer:
        return found.name
    if layer.name == "user":
        message = (
            f"{name!r} is registered by the project {found.layer.base}, which the user's "
            "registrations cannot depend on; copy it with --global first."
        )
        raise errors.ConfigurationError(message)
    return f"user:{found.name}"
