"""Commands ``metadata-store``, ``artifact-store`` and ``orchestrator``: the same subcommands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.cli.components.group import ComponentGroup

if TYPE_CHECKING:
    import typer

    from mlmd_lineage.stacks.registration_file import KindName

_GROUPS: dict[KindName, str] = {
    "metadata_store": "metadata stores: where the history of pipelines is",
    "artifact_store": "artifact stores: where the artifacts of pipelines are",
    "orchestrator": "orchestrators: what runs pipelines",
}


def register(app: typer.Typer) -> None:
    """Add the three groups of commands."""
    for kind_name, help_ in _GROUPS.items():
        group = ComponentGroup(kind_name)
        app.add_typer(group.typer_group(), name=group.command, help=f"Register and show {help_}.")
