"""Commands ``mlmd-lineage config``, kept from the first versions: set one store of a stack."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import attributes
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_result

# Their names in the first versions.
_OLD_NAMES = {"passwd": "password", "user": "username", "db": "database"}


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog=examples("config metadata set sqlite --uri metadata.db"),
    )
    metadata = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        help="The metadata store of the stack 'config'.",
        epilog=examples("config metadata set sqlite --uri metadata.db"),
    )
    metadata.command(
        "set",
        cls=Command,
        context_settings=attributes.ACCEPT_ANY,
        epilog=examples(
            "config metadata set sqlite --uri metadata.db",
            "config metadata set mysql --host db --port 3306 --username u --passwd --database d",
        ),
    )(_metadata_set)
    artifacts = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        help="The artifact store of the stack 'config'.",
        epilog=examples("config artifacts set gs://bucket/folder"),
    )
    artifacts.command(
        "set",
        cls=Command,
        context_settings=attributes.ACCEPT_ANY,
        epilog=examples("config artifacts set gs://bucket/folder", "config artifacts set /data"),
    )(_artifacts_set)
    group.add_typer(metadata, name="metadata")
    group.add_typer(artifacts, name="artifacts")
    app.add_typer(group, name="config", help="Set one store at a time, as the first versions did.")


def _metadata_set(
    ctx: typer.Context,
    flavor: Annotated[str, typer.Argument(metavar="FLAVOR", help="Which one.", show_default=False)],
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Register or change the metadata store 'config', and make its stack the active one."""
    given = {_OLD_NAMES.get(key, key): value for key, value in attributes.parsed(ctx.args).items()}
    _put("metadata_store", flavor, given, format_)


def _artifacts_set(
    ctx: typer.Context,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The folder or bucket.", show_default=False)
    ],
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Register or change the artifact store 'config', and make its stack the active one."""
    from mlmd_lineage.stacks.artifact_stores import flavor_of

    given = attributes.parsed(ctx.args)
    _put("artifact_store", flavor_of(path), {**given, "path": path}, format_)


def _put(
    kind_name: str, flavor: str, given: dict[str, str | None], format_: DescriptionFormat
) -> None:
    from mlmd_lineage.stacks import config_stack, fields
    from mlmd_lineage.stacks.component_kinds import KINDS
    from mlmd_lineage.stacks.registry import Registry
    from mlmd_lineage.stores.component import secret_fields

    kind = next(kind for name, kind in KINDS.items() if name == kind_name)
    registry = Registry()
    loaded = registry.view().flavor(kind, flavor).load()
    fields.checked_fields(loaded, given)
    secret, flags = secret_fields(loaded), fields.flag_fields(loaded)
    values = attributes.with_values(given, secret, flags)
    component = config_stack.put(registry, kind, flavor, values)
    message = (
        f"The {kind.words} of the stack '{config_stack.NAME}' is {component.location()}; "
        "it is the active stack."
    )
    done = {"stack": config_stack.NAME, kind.name: config_stack.NAME, "flavor": flavor}
    print_result(message, done, format_)
