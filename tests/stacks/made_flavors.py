"""Flavors of one's own, right and wrong, as the tests register them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pydantic  # noqa: TC002 - pydantic reads it

from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore
from mlmd_lineage.stacks.orchestrators import BaseOrchestrator
from mlmd_lineage.stores import BaseMetadataStore, SQLiteMetadataStore

if TYPE_CHECKING:
    from google.protobuf.message import Message


class TeamStore(BaseMetadataStore):
    FLAVOR: ClassVar[str] = "team"
    team: str
    tokens: dict[str, pydantic.SecretStr] | None = None
    tags: list[str] | None = None

    def connection_config(self) -> Message:
        return SQLiteMetadataStore(uri=f"{self.team}.db").connection_config()


class NoFlavor(BaseMetadataStore):
    def connection_config(self) -> Message:
        return SQLiteMetadataStore(uri="m.db").connection_config()


class NoMethod(BaseMetadataStore):
    FLAVOR: ClassVar[str] = "no-method"


class Taken(TeamStore):
    FLAVOR: ClassVar[str] = "sqlite"


class OddName(TeamStore):
    FLAVOR: ClassVar[str] = "team/../x"


class NoStore:
    FLAVOR = "nothing"


class HadoopArtifactStore(BaseArtifactStore):
    FLAVOR: ClassVar[str] = "hadoop"
    SCHEMES: ClassVar[tuple[str, ...]] = ("hdfs",)


class SlurmOrchestrator(BaseOrchestrator):
    FLAVOR: ClassVar[str] = "slurm"
    ON_THIS_MACHINE: ClassVar[bool] = False


class KubeflowAlike(TeamStore):
    """Stands where the flavor ``kubeflow`` does: rules go by a flavor's name."""

    FLAVOR: ClassVar[str] = "kubeflow"
