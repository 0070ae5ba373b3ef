"""Commands ``mlmd-lineage stack``: which components belong together, and which are in use."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mlmd_lineage.cli.common import completion, output
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.prompts import confirm
from mlmd_lineage.cli.common.registration_tables import (
    FormatOption,
    GlobalOption,
    print_properties,
    print_result,
    print_rows,
)
from mlmd_lineage.cli.components import lifecycle

if TYPE_CHECKING:
    from mlmd_lineage.stacks.registration_view import FoundStack
    from mlmd_lineage.stacks.registry import Registry

NameArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.stacks)
]
ActiveArgument: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="Its name; the active one where none is given.",
        show_default=False,
        autocompletion=completion.stacks,
    ),
]
NewNameArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="NEW_NAME", help="The new name.", show_default=False)
]


def _component(kind: str, letter: str, complete: Any) -> Any:
    return typer.Option(
        f"--{kind}",
        f"-{letter}",
        metavar="NAME",
        help=f"The name of its {kind.replace('-', ' ')}.",
        autocompletion=complete,
    )


_METADATA = _component("metadata-store", "m", completion.metadata_stores)
_ARTIFACTS = _component("artifact-store", "a", completion.artifact_stores)
_ORCHESTRATOR = _component("orchestrator", "o", completion.orchestrators)
DecoupleOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--decouple-stores", help="Let its stores belong to other stacks with other stores too."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog=examples("stack list", "stack register prod -m prod -a bucket -o cluster --set"),
    )
    for name, function, calls in (
        (
            "register",
            _register,
            (
                "stack register prod -m prod -a bucket -o default",
                "stack register p -m p -a b -o c --set",
            ),
        ),
        ("list", _list, ("stack list", "stack list --format json")),
        ("describe", _describe, ("stack describe", "stack describe prod")),
        ("set", _set, ("stack set prod", "stack set prod --global")),
        ("get", _get, ("stack get",)),
        ("update", _update, ("stack update prod -a other",)),
        ("rename", _rename, ("stack rename prod main",)),
        ("copy", _copy, ("stack copy prod trial",)),
        ("delete", _delete, ("stack delete prod", "stack delete prod --yes")),
        ("up", _up, ("stack up", "stack up prod")),
        ("down", _down, ("stack down", "stack down prod --force")),
        ("export", _export, ("stack export prod prod.json", "stack export prod")),
        ("import", _import, ("stack import prod.json", "stack import prod.json --name mine")),
    ):
        group.command(name, cls=Command, epilog=examples(*calls))(function)
    app.add_typer(
        group,
        name="stack",
        help="Say which metadata store, artifact store and orchestrator belong together.",
    )


def _registry(*, user: bool = False) -> Registry:
    from mlmd_lineage.stacks.registry import Registry

    return Registry(user=user)


def _row(stack: FoundStack) -> dict[str, Any]:
    record = stack.record
    return {
        "stack_name": stack.name,
        "metadata_store": record.metadata_store,
        "artifact_store": record.artifact_store,
        "orchestrator": record.orchestrator,
    }


def _register(  # noqa: PLR0913 - the parts of a stack
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="How to call it.", show_default=False)
    ],
    *,
    metadata_store: Annotated[str, _METADATA],
    artifact_store: Annotated[str, _ARTIFACTS],
    orchestrator: Annotated[str, _ORCHESTRATOR],
    activate: Annotated[bool, typer.Option("--set", help="Make it the active stack.")] = False,
    decouple_stores: DecoupleOption = False,
    user: GlobalOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Register a stack of components that are registered.

    What cannot be combined is refused, and the rule named.
    """
    from mlmd_lineage.stacks import stack_registry

    found = stack_registry.register(
        _registry(user=user),
        name,
        metadata_store,
        artifact_store,
        orchestrator,
        decouple_stores=decouple_stores,
        activate=activate,
    )
    message = f"Registered the stack '{name}'{', the active one now' if activate else ''}."
    print_result(message, _row(found), format_)


def _list(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """List the stacks, the active one marked."""
    view = _registry().view()
    active = view.active()
    rows = [
        {"active": stack == active, **_row(stack), "layer": view.layer_label(stack.layer)}
        for stack in view.stacks().values()
    ]
    print_rows(rows, format_, mark="👉")


def _describe(
    name: ActiveArgument = None, *, format_: FormatOption = DescriptionFormat.table
) -> None:
    """Show the components of a stack, and where each is."""
    from mlmd_lineage.stacks import description
    from mlmd_lineage.stacks.component_kinds import KINDS

    view = _registry().view()
    active = view.active()
    stack = view.stack(name) if name else active
    described: dict[str, Any] = {
        "name": stack.name,
        "uuid": str(stack.record.uuid),
        "registered_in": str(stack.layer.path) if stack.layer else "built in",
        "layer": view.layer_label(stack.layer),
        "decouple_stores": stack.record.decouple_stores,
    }
    for kind_name, kind in KINDS.items():
        found = view.part(stack, kind)
        where = description.location(view, found)
        described[kind_name] = f"{found.name} ({found.record.flavor}): {where}"
    heading = f"stack '{stack.name}'{' (active)' if stack == active else ''}"
    print_properties(heading, described, format_, "STACK_PROPERTY")


def _set(
    name: NameArgument,
    *,
    user: GlobalOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Make a stack the active one: of the project, or where there is none, of the user."""
    from mlmd_lineage.stacks import stack_registry

    found = stack_registry.activate(_registry(user=user), name)
    print_result(f"The active stack is '{name}'.", _row(found), format_)


def _get(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """Show which stack is the active one."""
    found = _registry().view().active()
    print_result(found.name, _row(found), format_)


def _update(  # noqa: PLR0913 - the parts of a stack
    name: ActiveArgument = None,
    *,
    metadata_store: Annotated[str | None, _METADATA] = None,
    artifact_store: Annotated[str | None, _ARTIFACTS] = None,
    orchestrator: Annotated[str | None, _ORCHESTRATOR] = None,
    decouple_stores: Annotated[
        bool | None,
        typer.Option(
            "--decouple-stores/--couple-stores",
            help="Whether its stores may belong to other stacks with other stores too.",
        ),
    ] = None,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Give a stack other components."""
    from mlmd_lineage.stacks import stack_registry

    given = {
        "metadata_store": metadata_store,
        "artifact_store": artifact_store,
        "orchestrator": orchestrator,
    }
    components = {key: value for key, value in given.items() if value is not None}
    if not components and decouple_stores is None:
        message = "Nothing is to be changed; give -m, -a or -o."
        raise typer.BadParameter(message)
    registry = _registry()
    name = name or registry.view().active().name
    found = stack_registry.update(registry, name, components, decouple_stores=decouple_stores)
    print_result(f"Updated the stack '{name}'.", _row(found), format_)


def _rename(
    name: NameArgument,
    new: NewNameArgument,
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Give a stack another name."""
    from mlmd_lineage.stacks import stack_registry

    stack_registry.rename(_registry(), name, new)
    print_result(f"Renamed the stack '{name}' to '{new}'.", {"name": new, "was": name}, format_)


def _copy(
    name: NameArgument,
    new: NewNameArgument,
    *,
    user: GlobalOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Register a stack under another name too; both have the same components."""
    from mlmd_lineage.stacks import stack_registry

    found = stack_registry.copy(_registry(user=user), name, new)
    print_result(f"Copied the stack '{name}' to '{new}'.", _row(found), format_)


def _delete(
    name: NameArgument,
    *,
    yes: lifecycle.YesOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Delete a stack that is not the active one; its components stay registered."""
    from mlmd_lineage.stacks import stack_registry

    registry = _registry()
    registry.view().stack(name)
    confirm(f"Delete the stack '{name}'?", yes=yes)
    stack_registry.delete(registry, name)
    print_result(f"Deleted the stack '{name}'.", {"deleted": name}, format_)


def _up(name: ActiveArgument = None, *, format_: FormatOption = DescriptionFormat.table) -> None:
    """Start the components of a stack, or see whether they can be reached."""
    view = _registry().view()
    stack = view.stack(name) if name else view.active_to_use()
    view.check_stack(stack)
    with lifecycle.reporting(format_) as report:
        for component in view.parts(stack).values():
            lifecycle.up(component, report)


def _down(
    name: ActiveArgument = None,
    *,
    force: lifecycle.ForceOption = False,
    delete_data: lifecycle.DeleteDataOption = False,
    yes: lifecycle.YesOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Stop the components of a stack that 'up' started."""
    view = _registry().view()
    stack = view.stack(name) if name else view.active_to_use()
    options = lifecycle.DownOptions(force=force, delete_data=delete_data, yes=yes)
    with lifecycle.reporting(format_) as report:
        lifecycle.down(list(view.parts(stack).values()), options, report)


def _export(
    name: ActiveArgument = None,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="The file to write; else it is printed.", show_default=False
        ),
    ] = None,
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Write a stack and its components as JSON, without any secret."""
    from mlmd_lineage.config.atomic_files import write_whole
    from mlmd_lineage.stacks import stack_export

    view = _registry().view()
    document = stack_export.exported(view, name)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if file is None:
        output.write_json_text(text)
        return
    if file.exists():
        message = f"{file} exists already; give another name."
        raise typer.BadParameter(message)
    write_whole(file, f"{text}\n".encode())
    message = f"Exported the stack '{document['name']}' to {file}."
    print_result(message, {"exported": document["name"], "file": str(file)}, format_)


def _import(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What 'stack export' wrote; - for stdin.")
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="Another name for the stack."),
    ] = None,
    decouple_stores: DecoupleOption = False,
    user: GlobalOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Register an exported stack, and those of its components that are not here yet."""
    from mlmd_lineage.stacks import stack_export

    if file != "-" and not Path(file).is_file():
        message = f"There is no file {file}."
        raise typer.BadParameter(message)
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    found = stack_export.imported(_registry(user=user), text, name, decouple_stores=decouple_stores)
    print_result(f"Imported the stack '{found.name}'.", _row(found), format_)
