"""The command ``mlmd-lineage serve``: a store as MLMD's gRPC service."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import StoreOptions

_LIMITS = "Limits"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "serve",
        cls=Command,
        epilog=examples(
            "serve metadata.db --port 8080",
            "serve new.db --create",
            "serve mysql://mlmd@db.example/metadb --host 0.0.0.0 --workers 4",
            "serve archive/ --read-only --tls-cert server.pem --tls-key server.key",
        ),
    )(_serve)


def _limit(metavar: str, what: str) -> Any:
    return typer.Option(metavar=metavar, help=what, rich_help_panel=_LIMITS)


@with_groups
def _serve(  # noqa: PLR0913 - each stands alone
    *,
    target: StoreOptions,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="The port; 0 to have one chosen.")
    ] = 8080,
    workers: Annotated[int, typer.Option(metavar="N", help="How many processes answer.")] = 1,
    create: Annotated[
        bool, typer.Option("--create", help="Make MLMD's tables in an empty or new database.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE", help="own: this library; native: MLMD's own, through ml_metadata."
        ),
    ] = "own",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Refuse all that would write.")
    ] = False,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="The server's certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option(metavar="FILE", help="The key of the certificate (PEM).")
    ] = None,
    client_ca: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Let in only clients certified by these (PEM)."),
    ] = None,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long calls in flight may take at the end.")
    ] = 30.0,
    # Not named "timeout", which would bound the command itself: see Command.invoke.
    call_timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long a call may take.",
            rich_help_panel=_LIMITS,
        ),
    ] = 60.0,
    max_calls: Annotated[
        int, _limit("N", "Calls that a worker may have in hand, answered or waiting.")
    ] = 500,
    max_message: Annotated[int, _limit("MIB", "The size of a request.")] = 64,
    max_response: Annotated[int, _limit("MIB", "The size of a response.")] = 512,
    max_connections: Annotated[int, _limit("N", "Connections to a worker.")] = 1000,
    max_streams: Annotated[int, _limit("N", "Calls at a time on a connection.")] = 100,
    max_idle: Annotated[
        float, _limit("SECONDS", "When a connection without calls is closed.")
    ] = 1800.0,
    max_age: Annotated[
        float, _limit("SECONDS", "When any connection is closed, after its calls.")
    ] = 86400.0,
) -> None:
    """Serve a store as MLMD's gRPC service, until Ctrl-C or SIGTERM.

    Every MLMD client can use it: TFX, Kubeflow Pipelines, ml-metadata. It needs no ml-metadata.
    With --read-only nothing in the store is ever changed, and old schemas and archives do too.
    """
    from mlmd_lineage.server.log import write_line
    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.server.supervisor import Supervisor

    store = target.open()
    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        engine=engine,
        read_only=read_only,
        create=create,
        tls_cert=tls_cert,
        tls_key=tls_key,
        client_ca=client_ca,
        grace=grace,
        timeout=call_timeout,
        max_calls=max_calls,
        max_message=max_message,
        max_response=max_response,
        max_connections=max_connections,
        max_streams=max_streams,
        max_idle=max_idle,
        max_age=max_age,
    )

    def announce(address: str) -> None:
        output.write(f"Serving {store.location} at {address}.")

    Supervisor(store, settings, write_line).run(announce)
