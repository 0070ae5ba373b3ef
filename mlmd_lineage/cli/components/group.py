"""Group of commands for one kind of component, such as ``mlmd-lineage metadata-store``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import attributes, completion, output
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import (
    FormatOption,
    GlobalOption,
    print_properties,
    print_result,
    print_rows,
)
from mlmd_lineage.cli.components import lifecycle, rows
from mlmd_lineage.cli.components.flavors import FlavorGroup

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.found import FoundComponent
    from mlmd_lineage.stacks.registration_file import KindName
    from mlmd_lineage.stacks.registration_view import RegistrationView
    from mlmd_lineage.stacks.registry import Registry
    from mlmd_lineage.stores.component import Component

NameArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.components),
]
ActiveArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="Its name; that of the active stack where none is given.",
        show_default=False,
        autocompletion=completion.components,
    ),
]
_REGISTER_EXAMPLES = {
    "metadata-store": (
        "register prod --flavor mysql --host=db --database=metadb --username=reader --password",
        "register local --flavor sqlite --uri=metadata.db",
        "register kf --flavor kubeflow --host=localhost --port=8080",
    ),
    "artifact-store": (
        "register bucket --flavor gcs --path=gs://bucket/artifacts",
        "register minio --flavor s3 --path=s3://bucket --endpoint-url=http://localhost:9000",
    ),
    "orchestrator": (
        "register cluster --flavor kubernetes --kubernetes-context=prod",
        "register kfp --flavor kubeflow",
    ),
}
_UPDATE_EXAMPLES = {
    "metadata-store": ("--host=db2.example", "connect_timeout"),
    "artifact-store": ("--path=gs://bucket/other", "project"),
    "orchestrator": ("--kubernetes-namespace=ml", "kubernetes_context"),
}


class ComponentGroup:
    """The commands for one kind of component."""

    def __init__(self, kind_name: KindName) -> None:
        self.kind_name: KindName = kind_name
        self.command = kind_name.replace("_", "-")
        self.words = kind_name.replace("_", " ")

    @property
    def kind(self) -> ComponentKind:
        """The kind of component."""
        from mlmd_lineage.stacks.component_kinds import KINDS

        return KINDS[self.kind_name]

    def typer_group(self) -> typer.Typer:
        """Return the group."""
        first = _REGISTER_EXAMPLES[self.command][0]
        changed, removed = _UPDATE_EXAMPLES[self.command]
        name = first.split()[1]
        group = typer.Typer(
            cls=Commands,
            no_args_is_help=True,
            rich_markup_mode=None,
            epilog=self._examples(first, "list", f"describe {name}"),
        )
        for word, function, calls in (
            ("register", self.register, _REGISTER_EXAMPLES[self.command]),
            ("list", self.list_, ("list", "list --format json")),
            ("get", self.get, ("get",)),
            ("describe", self.describe, ("describe", f"describe {name} --format json")),
            ("update", self.update, (f"update {name} {changed}",)),
            ("remove-attribute", self.remove_attribute, (f"remove-attribute {name} --{removed}",)),
            ("rename", self.rename, (f"rename {name} main",)),
            ("copy", self.copy, (f"copy {name} trial", "copy default mine")),
            ("delete", self.delete, (f"delete {name}",)),
            ("up", self.up, ("up", f"up {name}")),
            ("down", self.down, (f"down {name}", f"down {name} --force --yes")),
            ("logs", self.logs, (f"logs {name}", f"logs {name} --follow")),
            ("explain", self.explain, ("explain",)),
        ):
            takes_any = word in {"register", "update", "remove-attribute"}
            group.command(
                word,
                cls=Command,
                help=(function.__doc__ or "").replace("component", self.words),
                context_settings=attributes.ACCEPT_ANY if takes_any else None,
                epilog=self._examples(*calls),
            )(function)
        flavors = FlavorGroup(self.kind_name).typer_group()
        group.add_typer(flavors, name="flavor")
        return group

    def _examples(self, *calls: str) -> str:
        return examples(*(f"{self.command} {call}" for call in calls))

    # Registering

    def register(
        self,
        ctx: typer.Context,
        name: Annotated[
            str, typer.Argument(metavar="NAME", help="How to call it.", show_default=False)
        ],
        *,
        flavor: Annotated[
            str,
            typer.Option(
                "--flavor",
                "-f",
                metavar="FLAVOR",
                help="Which one; 'flavor list' shows them.",
                autocompletion=completion.flavors,
            ),
        ],
        user: GlobalOption = False,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Register a component; its fields are given as --KEY=VALUE.

        A secret (--password) without a value is asked for. Where it is given, it is kept in the
        keyring or an encrypted file, never in the registration. {{name.key}} stands for a secret
        that is registered.
        """
        _no_option(name)
        registry = _registry(user=user)
        loaded = registry.view().flavor(self.kind, flavor).load()
        given = self._attributes(loaded, ctx.args)
        found = registry.register(self.kind, name, flavor, given)
        print_result(f"Registered the {self.words} '{name}'.", rows.row(found), format_)

    def update(
        self,
        ctx: typer.Context,
        name: ActiveArgument = None,
        *,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Change fields of a component, given as --KEY=VALUE."""
        registry = _registry()
        name, rest = attributes.split_name(name, ctx.args)
        view = registry.view()
        found = self._found(view, name)
        given = self._attributes(view.flavor_of(found), rest)
        if not given:
            message = "Nothing is to be changed; give --KEY=VALUE."
            raise typer.BadParameter(message)
        changed = registry.update(self.kind, name or view.typed_name(found), given)
        print_result(f"Updated the {self.words} '{found.name}'.", rows.row(changed), format_)

    def remove_attribute(
        self,
        ctx: typer.Context,
        name: NameArgument,
        *,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Take fields away from a component, given as --KEY; they have their defaults then."""
        _no_option(name)
        keys = attributes.parsed(ctx.args)
        if not keys or any(value is not None for value in keys.values()):
            message = "Say which to take away: --KEY, without a value."
            raise typer.BadParameter(message)
        changed = _registry().update(self.kind, name, {}, remove=list(keys))
        message = f"Removed {', '.join(keys)} from the {self.words} '{name}'."
        print_result(message, rows.row(changed), format_)

    def rename(
        self,
        name: NameArgument,
        new: Annotated[str, typer.Argument(metavar="NEW_NAME", help="Its new name.")],
        *,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Give a component another name, also in the stacks that use it."""
        _registry().rename(self.kind, name, new)
        message = f"Renamed the {self.words} '{name}' to '{new}'."
        print_result(message, {"name": new, "was": name}, format_)

    def copy(
        self,
        name: NameArgument,
        new: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The name of the copy.")],
        *,
        user: GlobalOption = False,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Register a copy of a component under another name."""
        found = _registry(user=user).copy(self.kind, name, new)
        print_result(f"Copied the {self.words} '{name}' to '{new}'.", rows.row(found), format_)

    def delete(
        self, name: NameArgument, *, format_: FormatOption = DescriptionFormat.table
    ) -> None:
        """Delete the registration of a component that no stack uses; its data stays as it is."""
        _registry().delete(self.kind, name)
        print_result(f"Deleted the {self.words} '{name}'.", {"deleted": name}, format_)

    # Showing

    def list_(self, *, format_: FormatOption = DescriptionFormat.table) -> None:
        """List what is registered, the active one marked."""
        from mlmd_lineage.stacks import description

        view = _registry().view()
        active = self._active(view)
        listed = [
            {
                "active": found == active,
                **rows.row(found),
                "layer": view.layer_label(found.layer),
                "where": description.location(view, found),
            }
            for found in view.components(self.kind).values()
        ]
        print_rows(listed, format_, mark="👉")

    def get(self, *, format_: FormatOption = DescriptionFormat.table) -> None:
        """Show which component the active stack has."""
        found = self._found(_registry().view(), None)
        print_result(found.name, rows.row(found), format_)

    def describe(
        self, name: ActiveArgument = None, *, format_: FormatOption = DescriptionFormat.table
    ) -> None:
        """Show the fields of a component; those that are secret as ********."""
        from mlmd_lineage.stacks import description

        view = _registry().view()
        found = self._found(view, name)
        active = found == self._active(view)
        heading = f"{self.words} '{found.name}'{' (active)' if active else ''}"
        described = {
            "type": self.kind_name,
            "flavor": found.record.flavor,
            "name": found.name,
            "uuid": str(found.record.uuid),
            "layer": view.layer_label(found.layer),
            **description.described_fields(view, found),
        }
        print_properties(heading, described, format_, "COMPONENT_PROPERTY")

    def explain(self, *, format_: FormatOption = DescriptionFormat.table) -> None:
        """Say what a component is, and which rules bind it."""
        text = lifecycle.EXPLANATIONS[self.kind_name]
        if format_ is DescriptionFormat.json:
            print_result("", {"type": self.kind_name, "explanation": text}, format_)
        else:
            output.write(text)

    # Running

    def up(
        self, name: ActiveArgument = None, *, format_: FormatOption = DescriptionFormat.table
    ) -> None:
        """Deploy and start a component, or see whether it can be reached."""
        view = _registry().view()
        component = view.make(self._found(view, name))
        with lifecycle.reporting(format_) as report:
            lifecycle.up(component, report)

    def down(
        self,
        name: ActiveArgument = None,
        *,
        force: lifecycle.ForceOption = False,
        delete_data: lifecycle.DeleteDataOption = False,
        yes: lifecycle.YesOption = False,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Stop a component that 'up' started."""
        view = _registry().view()
        component = view.make(self._found(view, name))
        options = lifecycle.DownOptions(force=force, delete_data=delete_data, yes=yes)
        with lifecycle.reporting(format_) as report:
            lifecycle.down([component], options, report)

    def logs(
        self,
        name: ActiveArgument = None,
        *,
        follow: Annotated[
            bool, typer.Option("--follow", help="Follow the log until Ctrl-C.")
        ] = False,
        format_: FormatOption = DescriptionFormat.table,
    ) -> None:
        """Show the logs of a component that 'up' deployed."""
        view = _registry().view()
        component = view.make(self._found(view, name))
        lifecycle.print_logs(component, format_, follow=follow)

    def _found(self, view: RegistrationView, name: str | None) -> FoundComponent:
        if name is None:
            return view.part(view.active(), self.kind)
        return view.component(self.kind, name)

    def _active(self, view: RegistrationView) -> FoundComponent | None:
        """Return the component of the active stack, or None where it is not registered."""
        from mlmd_lineage.errors import NotFoundError

        try:
            return view.part(view.active(), self.kind)
        except NotFoundError:
            return None

    def _attributes(self, flavor: type[Component], arguments: list[str]) -> dict[str, str]:
        from mlmd_lineage.stacks import fields
        from mlmd_lineage.stores.component import secret_fields

        given = attributes.parsed(arguments)
        fields.checked_fields(flavor, given)
        return attributes.with_values(given, secret_fields(flavor), fields.flag_fields(flavor))


def _registry(*, user: bool = False) -> Registry:
    from mlmd_lineage.stacks.registry import Registry

    return Registry(user=user)


def _no_option(name: str) -> None:
    if name.startswith("-"):
        message = "NAME comes first, before its attributes."
        raise typer.BadParameter(message)
