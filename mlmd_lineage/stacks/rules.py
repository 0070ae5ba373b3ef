"""Rules that a stack's components have to follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.stacks.orchestrators import BaseOrchestrator
    from mlmd_lineage.stores.component import Component

PLATFORM_METADATA = "platform-metadata"
LOCAL_FILES = "local-files"
COUPLED_STORES = "coupled-stores"


def check_combination(
    metadata_store: Component,
    artifact_store: Component,
    orchestrator: BaseOrchestrator,
    known_orchestrators: Iterable[type[BaseOrchestrator]],
) -> None:
    """Refuse components that cannot work together.

    Raises:
        ConfigurationError: They break a rule; the message names it.
    """
    flavor = metadata_store.FLAVOR
    fitting = sorted(c.FLAVOR for c in known_orchestrators if flavor in c.METADATA_STORES)
    if fitting and flavor not in orchestrator.METADATA_STORES:
        broken = (
            f"a {flavor!r} metadata store goes only with the orchestrators "
            f"{' and '.join(fitting)}, and {_named(orchestrator)} is {orchestrator.FLAVOR!r}"
        )
        raise _breaks(PLATFORM_METADATA, broken)
    if orchestrator.ON_THIS_MACHINE:
        return
    for component in (metadata_store, artifact_store):
        if component.local_path is not None:
            broken = (
                f"the {orchestrator.FLAVOR!r} orchestrator does not run on this machine, where "
                f"the {component.KIND} {_named(component)} keeps its files "
                f"({component.local_path})"
            )
            raise _breaks(LOCAL_FILES, broken)


def check_coupling(pair: tuple[str, str], others: Mapping[str, tuple[str, str]]) -> None:
    """Refuse stores that already belong to others.

    A metadata store and an artifact store belong together: an artifact's path names neither its
    pipeline nor its run, so that two metadata stores would overwrite each other's artifacts.

    Args:
        pair: The names of a stack's metadata store and artifact store.
        others: The pairs of the other stacks, by stack; those that decouple theirs are left out.

    Raises:
        ConfigurationError: One of them belongs to another.
    """
    metadata_store, artifact_store = pair
    for other, (its_metadata, its_artifacts) in others.items():
        if (its_metadata == metadata_store) == (its_artifacts == artifact_store):
            continue
        if its_metadata == metadata_store:
            held, its = f"metadata store {metadata_store!r}", f"artifact store {its_artifacts!r}"
        else:
            held, its = f"artifact store {artifact_store!r}", f"metadata store {its_metadata!r}"
        broken = (
            f"the {held} belongs with the {its} in the stack {other!r}; use both, or decouple "
            "them with --decouple-stores"
        )
        raise _breaks(COUPLED_STORES, broken)


def _named(component: Component) -> str:
    return repr(component.name) if component.name else "of this stack"


def _breaks(rule: str, broken: str) -> errors.ConfigurationError:
    return errors.ConfigurationError(f"This stack breaks the rule {rule!r}: {broken}.")
