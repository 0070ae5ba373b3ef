"""Commands ``mlmd-lineage secret``: passwords and keys that registrations refer to."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import attributes, completion, output
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import (
    FormatOption,
    GlobalOption,
    print_result,
    print_rows,
)


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog=examples("secret register prod --password", "secret list"),
    )
    group.command(
        "register",
        cls=Command,
        context_settings=attributes.ACCEPT_ANY,
        epilog=examples(
            "secret register prod --password",
            "secret register prod --password=@password.txt --ssl-ca=@ca.pem",
            "secret register prod --replace --password",
        ),
    )(_register)
    group.command("list", cls=Command, epilog=examples("secret list"))(_list)
    group.command(
        "allow",
        cls=Command,
        epilog=examples("secret allow prod db.example", "secret allow prod db.example:3307"),
    )(_allow)
    group.command("delete", cls=Command, epilog=examples("secret delete prod"))(_delete)
    app.add_typer(group, name="secret", help="Keep passwords and keys, for {{name.key}}.")


def _register(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="How to call it.", show_default=False)
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change the values of a secret that is registered.")
    ] = False,
    user: GlobalOption = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Keep a secret: --KEY asks for its value, --KEY=@FILE reads a file, --KEY=VALUE gives it.

    It is kept in the keyring of the operating system, or where there is none, in an encrypted
    file. A registration refers to it as {{NAME.KEY}}. It belongs to the project, and outside of a
    project to you, and goes only to the servers of the components that you register with it.
    """
    from mlmd_lineage.config.secrets import secret_store
    from mlmd_lineage.stacks.registry import Registry

    if name.startswith("-"):
        message = "NAME comes first, before its values."
        raise typer.BadParameter(message)
    keys = attributes.parsed(ctx.args)
    values = attributes.with_values(keys, secret=set(keys), flags=())
    layer = Registry(user=user).target.origin
    kept = secret_store.register(name, values, layer=layer, replace=replace)
    where = "the keyring" if kept == "keyring" else "an encrypted file"
    references = ", ".join(secret_store.reference(name, key) for key in values)
    message = f"Registered the secret '{name}' in {where}; refer to it as {references}."
    print_result(message, {"name": name, "keys": sorted(values), "kept_in": kept}, format_)


def _list(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """List the secrets: their names, keys and servers, never their values."""
    from mlmd_lineage.config.secrets import secret_store
    from mlmd_lineage.stacks.component_secrets import secret_users
    from mlmd_lineage.stacks.registry import Registry

    view = Registry().view()
    rows = [
        {
            "name": name,
            "keys": ", ".join(entry.keys),
            "kept_in": entry.backend,
            "used_by": ", ".join(
                f"{user.kind.words} {user.name}" for user in secret_users(view, name, layer)
            ),
            "sent_to": ", ".join(entry.hosts),
            "layer": f"project {layer.folder}" if layer.folder else layer.layer,
        }
        for layer, name, entry in secret_store.all_secrets()
    ]
    if not rows and format_ is DescriptionFormat.table:
        output.write("No secrets are registered.")
        return
    print_rows(rows, format_, mark="")


_NameArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.secrets),
]


def _allow(
    name: _NameArgument,
    host: Annotated[
        str,
        typer.Argument(metavar="HOST", help="The server: HOST, or HOST:PORT.", show_default=False),
    ],
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Let registered components send a secret to one more server.

    Registering or updating a component with it does that too; what others wrote, such as an
    imported stack, does not.
    """
    from mlmd_lineage.config.secrets import secret_store
    from mlmd_lineage.stacks.component_secrets import secret_layer
    from mlmd_lineage.stacks.registry import Registry

    bare, layer = secret_layer(Registry().view(), name)
    hosts = (*secret_store.secrets(layer)[bare].hosts, host)
    secret_store.set_hosts(bare, hosts, layer=layer)
    message = f"The secret '{name}' may be sent to {host}."
    print_result(message, {"name": bare, "sent_to": sorted(set(hosts))}, format_)


def _delete(
    name: _NameArgument,
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Delete a secret that no registered component refers to."""
    from mlmd_lineage.stacks.component_secrets import delete_secret
    from mlmd_lineage.stacks.registry import Registry

    delete_secret(Registry().view(), name)
    print_result(f"Deleted the secret '{name}'.", {"deleted": name}, format_)
