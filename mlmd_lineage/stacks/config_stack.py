"""The stack ``config``, one store of which is set at a time."""

from __future__ import annotations

import uuid as uuids
from typing import TYPE_CHECKING

from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundComponent
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
    with registry.changing() as (view, registrations):
        own = registrations.components(kind.plural)
        # The same store all along: its uuid stays, what it was does not.
        identity = own[NAME].uuid if NAME in own else uuids.uuid4()
        bare = ComponentRecord(flavor=flavor, uuid=identity)
        found = FoundComponent(kind, NAME, bare, registry.target)
        own[NAME] = filled(view, found, fields)
        before = registrations.stacks.get(NAME) or StackRecord(
            uuid=uuids.uuid4(),
            metadata_store=DEFAULT,
            artifact_store=DEFAULT,
            orchestrator=DEFAULT,
            # One store at a time is set, so the other may belong elsewhere.
            decouple_stores=True,
        )
        registrations.stacks[NAME] = before.model_copy(update={kind.name: NAME})
        view.check_stack(NAME, registrations.stacks[NAME])
        registrations.active_stack = NAME
        return view.make(view.component(kind, NAME))
