"""Start and stop of components, for one of them or for a whole stack."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import output, registration_tables
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.prompts import confirm
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlmd_lineage.stores.component import Component

ForceOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--force", "-f", help="Delete what 'up' made too, after asking; its volume stays."
    ),
]
DeleteDataOption: TypeAlias = Annotated[
    bool, typer.Option("--delete-data", help="With --force: delete the volume and all data in it.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

EXPLANATIONS = {
    "metadata_store": """\
A metadata store says where the history of pipelines is: an ML Metadata (MLMD) database, with its
artifacts, executions, contexts and the events between them. It is a description: registering one
opens nothing, and reading one never changes it.

Its flavor says what it is: 'mlmd-lineage metadata-store flavor list' shows them.

Rules: a kubeflow metadata store goes only with a Kubeflow orchestrator. Files of this machine
(sqlite) go only with an orchestrator on this machine. A metadata store belongs together with one
artifact store, unless they are decoupled with --decouple-stores.""",
    "artifact_store": """\
An artifact store says where the artifacts of pipelines lie: datasets, models, reports. Their paths
stand in the metadata store, their contents here: a folder of this machine, or a bucket of Google
Cloud Storage, S3 or Azure, reached through fsspec.

Its flavor says what it is: 'mlmd-lineage artifact-store flavor list' shows them.

Rules: a local folder goes only with an orchestrator on this machine. An artifact store belongs
together with one metadata store, unless they are decoupled with --decouple-stores.""",
    "orchestrator": """\
An orchestrator says what runs the pipelines, and so which stores their steps can reach.
mlmd-lineage runs no pipelines itself.

Its flavor says what it is: 'mlmd-lineage orchestrator flavor list' shows them.

Rules: local, local_kubernetes and local_kubeflow run on this machine, and go with files of this
machine; kubernetes and kubeflow do not. A kubeflow metadata store goes only with kubeflow and
local_kubeflow.""",
}


@dataclasses.dataclass(frozen=True)
class DownOptions:
    """Options of ``down``."""

    force: bool
    delete_data: bool
    yes: bool


@contextlib.contextmanager
def reporting(format_: DescriptionFormat) -> Iterator[Callable[[str], None]]:
    """Give a function that reports each action: at once, or all as JSON at the end."""
    done: list[str] = []
    as_json = format_ is DescriptionFormat.json
    yield done.append if as_json else lambda sentence: output.write(printable(sentence))
    if as_json:
        registration_tables.print_result("", {"done": done}, format_)


def up(component: Component, report: Callable[[str], None]) -> None:
    """Deploy and start a component, or check that an artifact store can be reached.

    Raises:
        MLMDLineageError: It cannot be started, or cannot be reached.
    """
    from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore
    from mlmd_lineage.stores.lifecycle import is_deployed

    if is_deployed(component):
        component.provision(report)
        component.resume(report)
    elif isinstance(component, BaseArtifactStore):
        if component.local_path is not None:
            component.local_path.mkdir(parents=True, exist_ok=True)
        reach = component.reach()
        reach.raise_for_state()
        report(f"The {_label(component)} is ready: {reach.message}")
    else:
        report(f"The {_label(component)} needs no starting: {component.location()}.")


def down(
    components: Sequence[Component], options: DownOptions, report: Callable[[str], None]
) -> None:
    """Stop components, and with ``--force`` delete what ``up`` made.

    Raises:
        MLMDLineageError: One cannot be stopped.
    """
    from mlmd_lineage.stores.lifecycle import is_deployed

    if options.delete_data and not options.force:
        message = "--delete-data goes with --force."
        raise typer.BadParameter(message)
    for component in components:
        if not is_deployed(component):
            report(f"The {_label(component)} needs no stopping: {component.location()}.")
            continue
        if options.force:
            what = "all that was made, and its DATA" if options.delete_data else "all that was made"
            confirm(f"Delete {what}, of {component.location()}?", yes=options.yes)
        component.suspend(report)
        if options.force:
            component.deprovision(report, delete_data=options.delete_data)


def print_logs(component: Component, format_: DescriptionFormat, *, follow: bool) -> None:
    """Print the logs of a component."""
    from mlmd_lineage.stores.lifecycle import is_deployed

    if not is_deployed(component):
        with reporting(format_) as report:
            report(f"The {_label(component)} is not started by mlmd-lineage: it has no logs here.")
        return
    lines = component.logs(follow=follow)
    if format_ is DescriptionFormat.json:
        registration_tables.print_result("", {"logs": list(lines)}, format_)
        return
    with contextlib.suppress(KeyboardInterrupt):
        for line in lines:
            output.write(printable(line))


def _label(component: Component) -> str:
    return f"{component.KIND} '{component.name}'"
