"""The stack ``config``, one store of which is set at a time."""

from __future__ import annotations

import uuid as uuids
from typing import TYPE_CHECKING

from mlmd_lineage.stacks import flavor_registry
from mlmd_lineage.stacks.component_secrets import SecretChanges
from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundComponent, FoundStack
from mlmd_lineage.stacks.registry import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.registry import Registry
    from mlmd_lineage.stores.component import Component

NAME = "config"


def put(
    registry: Registry, kind: ComponentKind, flavor: str, fields: Mapping[str, str]
) -> Component:
    """Make a component the one called ``config``, and its stack the active one.

    The other components of the stack are those that were set before, else the default ones.

    Raises:
        ConfigurationError: The fields cannot be right, or the stack would break a rule.
    """
    with SecretChanges(registry.target) as secrets, registry.changing() as (view, registrations):
        own = registrations.components(kind.plural)
        # It keeps its uuid, and nothing else of what it was.
        last = own.get(NAME)
        named = flavor_registry.name_seen_from(view, kind, flavor, registry.target)
        bare = ComponentRecord(flavor=named, uuid=last.uuid if last else uuids.uuid4())
        found = FoundComponent(kind, NAME, bare, registry.target)
        own[NAME] = filled(view, found, fields, secrets)
        if last is not None:
            secrets.leave(last, own[NAME])
        flavor_registry.note_shown_fields(view, registrations, found)
        before = registrations.stacks.get(NAME) or StackRecord(
            uuid=uuids.uuid4(),
            metadata_store=DEFAULT,
            artifact_store=DEFAULT,
            orchestrator=DEFAULT,
            # One store at a time is set, so the other may belong elsewhere.
            decouple_stores=True,
        )
        registrations.stacks[NAME] = before.model_copy(update={kind.name: NAME})
        view.check_stack(FoundStack(NAME, registrations.stacks[NAME], registry.target))
        registrations.active_stack = NAME
        return view.make(view.component(kind, NAME, registry.target))
