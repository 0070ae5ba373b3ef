"""Completion in the shell: the names of what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer  # noqa: TC002 - typer reads it

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.registration_view import RegistrationView


def _view() -> RegistrationView:
    from mlmd_lineage.stacks.registry import Registry

    return Registry().view()


def _kind(ctx: typer.Context) -> ComponentKind:
    from mlmd_lineage.stacks.component_kinds import KINDS

    parent = ctx.parent.info_name if ctx.parent is not None else ""
    return next(kind for kind in KINDS.values() if kind.command == parent)


def _beginning(names: list[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def components(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the components of a group's kind."""
    return _beginning(list(_view().components(_kind(ctx))), incomplete)


def flavors(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the flavors of a group's kind."""
    return _beginning(list(_view().flavors(_kind(ctx))), incomplete)


def _named(kind_name: str, incomplete: str) -> list[str]:
    from mlmd_lineage.stacks.component_kinds import KINDS

    kind = next(kind for name, kind in KINDS.items() if name == kind_name)
    return _beginning(list(_view().components(kind)), incomplete)


def metadata_stores(incomplete: str) -> list[str]:
    """Return the names of metadata stores; where none fits, the shell suggests files."""
    return _named("metadata_store", incomplete)


def artifact_stores(incomplete: str) -> list[str]:
    """Return the names of artifact stores."""
    return _named("artifact_store", incomplete)


def orchestrators(incomplete: str) -> list[str]:
    """Return the names of orchestrators."""
    return _named("orchestrator", incomplete)


def stacks(incomplete: str) -> list[str]:
    """Return the names of stacks."""
    return _beginning(list(_view().stacks()), incomplete)


def secrets(incomplete: str) -> list[str]:
    """Return the names of secrets."""
    from mlmd_lineage.config.secrets import secret_store
    from mlmd_lineage.stacks.registry import Registry

    layers = (layer.origin for layer in Registry().layers)
    names = {name for layer in layers for name in secret_store.secrets(layer)}
    return _beginning(sorted(names), incomplete)
