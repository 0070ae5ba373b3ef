"""The three kinds of components that make a stack."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.stacks import artifact_stores, orchestrators
from mlmd_lineage.stores import BUILT_IN as METADATA_STORES
from mlmd_lineage.stores import BaseMetadataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.stacks.registration_file import KindName
    from mlmd_lineage.stores.component import Component


@dataclasses.dataclass(frozen=True)
class ComponentKind:
    """A kind of component.

    Attributes:
        name: As the fields of a stack have it: ``metadata_store``.
        base: What its flavors inherit from.
        built_in: The flavors that come with this library.
        default: The flavor of the component ``default``.
    """

    name: KindName
    base: type[Component]
    built_in: Mapping[str, type[Component]]
    default: str

    @property
    def words(self) -> str:
        """The name for people: ``metadata store``."""
        return self.base.KIND

    @property
    def plural(self) -> str:
        """The name of the section of the registrations: ``metadata_stores``."""
        return f"{self.name}s"

    @property
    def command(self) -> str:
        """The name of its commands: ``metadata-store``."""
        return self.name.replace("_", "-")

    @property
    def entry_points(self) -> str:
        """The group of the entry points in which packages name their flavors."""
        return f"mlmd_lineage.{self.plural}"


KINDS: dict[KindName, ComponentKind] = {
    kind.name: kind
    for kind in (
        ComponentKind("metadata_store", BaseMetadataStore, METADATA_STORES, "sqlite"),
        ComponentKind(
            "artifact_store", artifact_stores.BaseArtifactStore, artifact_stores.BUILT_IN, "local"
        ),
        ComponentKind(
            "orchestrator", orchestrators.BaseOrchestrator, orchestrators.BUILT_IN, "local"
        ),
    )
}
