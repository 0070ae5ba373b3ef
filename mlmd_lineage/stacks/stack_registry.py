"""The registry of stacks: registering, changing and deleting them."""

from __future__ import annotations

import uuid as uuids
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.names import checked_name
from mlmd_lineage.stacks.registration_file import StackRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundStack, RegistrationView

if TYPE_CHECKING:
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
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
        # Ask for each by itself, so that a name that is none is told before its form is.
        names = {
            "metadata_store": metadata_store,
            "artifact_store": artifact_store,
            "orchestrator": orchestrator,
        }
        for kind_name, kind in KINDS.items():
            view.component(kind, names[kind_name])
        record = StackRecord(uuid=uuids.uuid4(), **names, decouple_stores=decouple_stores)
        view.check_stack(name, record)
        registrations.stacks[name] = record
        if activate:
            registrations.active_stack = name
    return FoundStack(name, record, registry.target)


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
    layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        record = own(registrations, name)
        for kind_name, kind in KINDS.items():
            if kind_name in components:
                view.component(kind, components[kind_name])
        decoupled = record.decouple_stores if decouple_stores is None else decouple_stores
        changed = record.model_copy(update={**components, "decouple_stores": decoupled})
        view.check_stack(name, changed)
        registrations.stacks[name] = changed
    return FoundStack(name, changed, layer)


def activate(registry: Registry, name: str) -> FoundStack:
    """Make a stack the active one.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: It breaks a rule.
    """
    with registry.changing() as (view, registrations):
        found = view.stack(name)
        view.check_stack(name, found.record)
        registrations.active_stack = name
    return found


def rename(registry: Registry, name: str, new: str) -> None:
    """Give a stack another name.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: The new name is taken, or another folder has it as its active stack.
    """
    checked_name(new)
    layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        refuse_taken(view, new)
        _refuse_active(view, name, elsewhere_than=layer)
        registrations.stacks[new] = own(registrations, name)
        del registrations.stacks[name]
        if registrations.active_stack == name:
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
        record = view.stack(name).record.model_copy(update={"uuid": uuids.uuid4()})
        view.check_stack(new, record)
        registrations.stacks[new] = record
    return FoundStack(new, record, registry.target)


def delete(registry: Registry, name: str) -> None:
    """Forget a stack; its components stay registered.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: It is the active one.
    """
    layer = _layer_of(registry, name)
    with registry.changing(layer) as (view, registrations):
        _refuse_active(view, name)
        own(registrations, name)
        del registrations.stacks[name]


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
    if name in view.stacks():
        message = f"A stack {name!r} is registered already; choose another name, or update it."
        raise errors.ConfigurationError(message)


def _refuse_active(
    view: RegistrationView, name: str, *, elsewhere_than: Layer | None = None
) -> None:
    for layer, registrations in view.read:
        if registrations.active_stack == name and layer != elsewhere_than:
            message = (
                f"The stack {name!r} is the active one of the {layer.name}; set another first: "
                "mlmd-lineage stack set NAME."
            )
            raise errors.ConfigurationError(message)


def _layer_of(registry: Registry, name: str) -> Layer:
    layer = registry.view().stack(name).layer
    if layer is None:
        message = (
            f"The stack {DEFAULT!r} is built in and cannot be changed; register one of your own: "
            "mlmd-lineage stack register NAME -m ... -a ... -o ..."
        )
        raise errors.ConfigurationError(message)
    return layer
