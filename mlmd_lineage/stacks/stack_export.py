"""Exporting a stack as one JSON document, and importing it on another machine."""

from __future__ import annotations

import uuid as uuids
from typing import TYPE_CHECKING, Any

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.stacks import fields, flavor_registry, stack_registry
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.names import checked_name
from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord
from mlmd_lineage.stacks.registration_view import (
    DEFAULT,
    FoundComponent,
    FoundStack,
    RegistrationView,
)

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stacks.registry import Registry

_FORM = "mlmd-lineage stack 1"


def exported(view: RegistrationView, name: str | None = None) -> dict[str, Any]:
    """Return a stack and its components as JSON, with references in place of secrets.

    Args:
        view: The registrations.
        name: The stack's name; the active one where none is given.

    Raises:
        NotFoundError: The stack or one of its components is not registered.
    """
    stack = view.stack(name) if name is not None else view.active_to_use()
    view.require_trust(stack.layer)
    document: dict[str, Any] = {
        "form": _FORM,
        "name": stack.name,
        "decouple_stores": stack.record.decouple_stores,
    }
    for kind_name, kind in KINDS.items():
        found = view.part(stack, kind)
        document[kind_name] = {"name": found.name} | _exported(view, found)
    return document


def _exported(view: RegistrationView, found: FoundComponent) -> dict[str, Any]:
    given = found.record.fields
    if found.layer is not None:
        flavor = view.flavor_of(found)
        given = fields.placed(flavor, given, found.layer.base)
    return {"flavor": found.record.flavor, "uuid": str(found.record.uuid), **given}


def imported(
    registry: Registry, text: str, name: str | None = None, *, decouple_stores: bool = False
) -> FoundStack:
    """Register the stack in a document, and those of its components that are not here yet.

    Args:
        registry: Where.
        text: What ``exported()`` gave, as JSON.
        name: Another name for the stack.
        decouple_stores: Let its stores belong to other stacks with other stores too.

    Raises:
        ConfigurationError: It is no such document, a name is taken by something else, a secret is
            missing, or the stack breaks a rule. Nothing is registered then.
    """
    document = _read(text)
    name = checked_name(name or str(document["name"]))
    with registry.changing() as (view, registrations):
        stack_registry.refuse_taken(view, name)
        names = {
            kind_name: _import(view, registrations, registry, kind, dict(document[kind_name]))
            for kind_name, kind in KINDS.items()
        }
        decoupled = decouple_stores or bool(document.get("decouple_stores"))
        record = StackRecord(uuid=uuids.uuid4(), **names, decouple_stores=decoupled)
        found = FoundStack(name, record, registry.target)
        view.check_stack(found)
        registrations.stacks[name] = record
    return found


def _read(text: str) -> dict[str, Any]:
    try:
        document = parse_json(text)
    except JSONTextError as error:
        line = f" at line {error.line}" if error.line else ""
        message = f"This is no exported stack: it is not JSON{line}: {error}."
        raise errors.ConfigurationError(message) from None
    parts = [document.get(name) for name in KINDS] if isinstance(document, dict) else []
    whole = parts and all(isinstance(p, dict) and {"name", "flavor"} <= p.keys() for p in parts)
    if not whole or document.get("form") != _FORM or "name" not in document:
        message = (
            "This is no exported stack; 'mlmd-lineage stack export NAME FILE' of this release "
            "writes one."
        )
        raise errors.ConfigurationError(message)
    return dict(document)


def _import(
    view: RegistrationView,
    registrations: Registrations,
    registry: Registry,
    kind: ComponentKind,
    given: dict[str, Any],
) -> str:
    """Register a component unless it is here; return its name."""
    name = checked_name(str(given.pop("name")))
    try:
        record = ComponentRecord.model_validate({"uuid": uuids.uuid4(), **given})
    except pydantic.ValidationError:
        message = f"The {kind.words} {name!r} of this stack is damaged."
        raise errors.ConfigurationError(message) from None
    here = view.components(kind)
    if name in here:
        same = _exported(view, here[name]) | {"uuid": ""} == given | {"uuid": ""}
        if same or name == DEFAULT:
            return name
        message = (
            f"There is another {kind.words} {name!r} here already; rename it first: mlmd-lineage "
            f"{kind.command} rename {name} NEW_NAME."
        )
        raise errors.ConfigurationError(message)
    named = flavor_registry.name_seen_from(view, kind, record.flavor, registry.target)
    flavor = view.flavor(kind, record.flavor).load()
    settled = fields.settled(flavor, record.fields, registry.target.base)
    record = ComponentRecord(flavor=named, uuid=record.uuid, **settled)
    found = FoundComponent(kind, name, record, registry.target)
    view.make(found)
    flavor_registry.note_shown_fields(view, registrations, found)
    registrations.components(kind.plural)[name] = record
    return name
