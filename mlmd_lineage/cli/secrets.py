"""Commands ``mlmd-lineage secret``: passwords and keys that registrations refer to."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import attributes, completion, output
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_result, print_rows


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
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Keep a secret: --KEY asks for its value, --KEY=@FILE reads a file, --KEY=VALUE gives it.

    It is kept in the keyring of the operating system, or where there is none, in an encrypted
    file. A registration refers to it as {{NAME.KEY}}.
    """
    from mlmd_lineage.config.secrets import secret_store

    if name.startswith("-"):
        message = "NAME comes first, before its values."
        raise typer.BadParameter(message)
    keys = attributes.parsed(ctx.args)
    values = attributes.with_values(keys, secret=set(keys), flags=())
    kept = secret_store.register(name, values, replace=replace)
    where = "the keyring" if kept == "keyring" else "an encrypted file"
    references = ", ".join(secret_store.reference(name, key) for key in values)
    message = f"Registered the secret '{name}' in {where}; refer to it as {references}."
    print_result(message, {"name": name, "keys": sorted(values), "kept_in": kept}, format_)


def _list(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """List the secrets: their names and keys, never their values."""
    from mlmd_lineage.config.secrets import secret_store
    from mlmd_lineage.stacks.registry import Registry, secret_users

    view = Registry().view()
    rows = [
        {
            "name": name,
            "keys": ", ".join(entry["keys"]),
            "kept_in": entry["backend"],
            "used_by": ", ".join(f"{u.kind.words} {u.name}" for u in secret_users(view, name)),
        }
        for name, entry in sorted(secret_store.secrets().items())
    ]
    if not rows and format_ is DescriptionFormat.table:
        output.write("No secrets are registered.")
        return
    print_rows(rows, format_, mark="")


def _delete(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Its name.", autocompletion=completion.secrets),
    ],
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Forget a secret that no registered component refers to."""
    from mlmd_lineage.stacks import registry

    registry.delete_secret(registry.Registry(), name)
    print_result(f"Deleted the secret '{name}'.", {"deleted": name}, format_)
