"""Command ``mlmd-lineage explore``: a store in the browser, or in one file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.browser import open_privately
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NODE_HELP, StoreOptions
from mlmd_lineage.config.atomic_files import write_whole

if TYPE_CHECKING:
    from mlmd_lineage.store import Store

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "explore",
        cls=Command,
        epilog=examples(
            "explore metadata.db",
            "explore metadata.db artifact/46",
            "explore metadata.db Model:churn --direction both",
            "explore metadata.db artifact/46 -o model.html",
            "explore mysql://reader@db.example/metadb --port 8000 --no-browser",
        ),
    )(_explore)


@with_groups
def _explore(  # noqa: PLR0913 - each stands alone
    *,
    target: StoreOptions,
    node: Annotated[
        str | None,
        typer.Argument(
            metavar="[NODE]", help=f"{NODE_HELP} Without one, an overview of the store."
        ),
    ] = None,
    direction: Annotated[
        str,
        typer.Option(
            metavar="DIRECTION", help="What of NODE is shown first: upstream, downstream or both."
        ),
    ] = "upstream",
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write one HTML file that opens without a server and without a network.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_535, help="The port; 0 to have one chosen.")
    ] = 0,
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="The address to listen at. Only this machine is let in unless another is given.",
        ),
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open no browser.")
    ] = False,
    # Not named "timeout", which would bound the command itself: see Command.invoke.
    answer_timeout: Annotated[
        float,
        typer.Option("--timeout", metavar="SECONDS", help="How long an answer may take."),
    ] = 120.0,
) -> None:
    """Show a store in the browser: pipelines, runs, lineage, comparisons; until Ctrl-C.

    Nothing in the store is ever changed. The address that is printed holds a token, without which
    nobody is let in.
    """
    if direction not in {"upstream", "downstream", "both"}:
        message = f"--direction is upstream, downstream or both, not {direction!r}."
        raise typer.BadParameter(message)
    if file is not None and file.suffix.lower() not in {".html", ".htm"}:
        message = (
            f"--output writes HTML, so that its name ends in .html, not {file.suffix!r}. "
            "'mlmd-lineage upstream -o FILE' writes SVG and PNG."
        )
        raise typer.BadParameter(message)
    store = target.open()
    if file is not None:
        _write(store, node, direction, file)
    else:
        serve(
            store,
            node,
            direction=direction,
            host=host,
            port=port,
            browser=not no_browser,
            timeout=answer_timeout,
        )


def _write(store: Store, node: str | None, direction: str, file: Path) -> None:
    from mlmd_lineage.explorer.store_page import store_page

    with progress(f"Asking {store.location}"):
        page, is_interactive = store_page(store, node, direction)
    write_whole(file, page.encode())
    output.write(f"Wrote {file}.", error=True)
    if not is_interactive:
        output.write(
            "It is a page without search, folding and other views: the explorer's front end is "
            "not part of this installation.",
            error=True,
        )


def serve(  # noqa: PLR0913 - each stands alone
    store: Store,
    node: str | None = None,
    *,
    direction: str = "upstream",
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool = True,
    timeout: float | None = None,
) -> None:
    """Run the explorer's server until Ctrl-C, and open it in a browser.

    Raises:
        ConfigurationError: What it needs is not installed, or the port is taken.
    """
    from mlmd_lineage.explorer import addresses, static_files
    from mlmd_lineage.explorer.web.server_start import explorer_server

    if not static_files.is_built():
        raise static_files.missing()
    with progress(f"Asking {store.location}"), contextlib.suppress(errors.NotFoundError):
        # A store that cannot be read is told here, not in every view.
        store.upstream("artifact/1", max_hops=0)
    fragment = addresses.address_of(store, node, direction)
    server = explorer_server(store, host=host, port=port, timeout=timeout)
    url = server.url(fragment)
    output.write(f"Exploring {store.location} at")
    output.write(f"  {url}")
    if host not in _LOOPBACK:
        output.write("Other machines can reach it, without encryption; the token lets them in.")
    output.write("Press Ctrl-C to end.")
    if browser and not open_privately(url, server.port, server):
        output.write("No browser was opened; open the address in one.")
    server.run()
