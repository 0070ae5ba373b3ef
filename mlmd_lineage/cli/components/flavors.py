"""Commands ``flavor`` of a kind of component: its flavors, and registering one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import (
    FormatOption,
    GlobalOption,
    print_result,
    print_rows,
)
from mlmd_lineage.cli.components import rows

if TYPE_CHECKING:
    from mlmd_lineage.stacks.registration_file import KindName


class FlavorGroup:
    """The commands for the flavors of one kind of component."""

    def __init__(self, kind_name: KindName) -> None:
        self.kind_name: KindName = kind_name
        self.command = kind_name.replace("_", "-")
        self.words = kind_name.replace("_", " ")

    def typer_group(self) -> typer.Typer:
        """Return the group."""
        group = typer.Typer(
            cls=Commands,
            no_args_is_help=True,
            rich_markup_mode=None,
            help=f"List the flavors of {self.words}s, and add one of your own.",
            epilog=self._examples("flavor list"),
        )
        group.command("list", cls=Command, epilog=self._examples("flavor list"))(self.list_)
        group.command(
            "register",
            cls=Command,
            epilog=self._examples(
                "flavor register team_flavors.TeamStore",
                "flavor register flavors/team.py:TeamStore",
            ),
        )(self.register)
        return group

    def _examples(self, *calls: str) -> str:
        return examples(*(f"{self.command} {call}" for call in calls))

    def list_(self, *, format_: FormatOption = DescriptionFormat.table) -> None:
        """List the flavors: built in, brought by packages, and your own."""
        from mlmd_lineage.stacks.component_kinds import KINDS
        from mlmd_lineage.stacks.registry import Registry

        known = Registry().view().flavors(KINDS[self.kind_name])
        listed = [rows.flavor_row(flavor) for flavor in known.values()]
        print_rows(listed, format_, mark="✅")

    def register(
        self,
        source: Annotated[
            str,
            typer.Argument(
                metavar="CLASS", help="module.Class, or path/to/file.py:Class.", show_default=False
            ),
        ],
        *,
        user: GlobalOption = False,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Register a class of your own as a flavor."""
        from mlmd_lineage.stacks.component_kinds import KINDS
        from mlmd_lineage.stacks.registry import Registry

        kind = KINDS[self.kind_name]
        name = Registry(user=user).register_flavor(kind, source, Path.cwd())
        message = f"Registered the {self.words} flavor '{name}'."
        print_result(message, {"flavor": name, "source": source}, format_)
