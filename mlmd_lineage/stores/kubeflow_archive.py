"""The ``kubeflow_archive`` flavor: transfer archives of Kubeflow Pipelines 2.18, which are JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, NoReturn

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials


class KubeflowArchiveMetadataStore(BaseMetadataStore):
    """JSON files that ``tools/run-history`` or the namespace transfer of Kubeflow wrote.

    >>> KubeflowArchiveMetadataStore(uri="run-history.json").location()
    'run-history.json'

    Several are one store: what came from the same installation is one node, however many of the
    files hold it. They can't be written to.

    Fields:
        uri: The path of a file, or of a folder of such files.
        others: The paths of further files.
    """

    FLAVOR: ClassVar[str] = "kubeflow_archive"
    REQUIRES: ClassVar[tuple[str, ...]] = ("ijson",)
    EXTRA: ClassVar[str] = "kubeflow"
    PATHS: ClassVar[tuple[str, ...]] = ("uri",)

    uri: str
    others: tuple[str, ...] = ()

    @pydantic.field_validator("uri", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if isinstance(value, str) and holds_credentials(value) and not Path(value).exists():
            raise ValueError(MISTYPED)
        return value

    @property
    def path(self) -> Path:
        """The absolute path of the first file, or of the folder."""
        return Path(self.uri).expanduser().absolute()

    @property
    def files(self) -> tuple[Path, ...]:
        """The absolute paths of all files, those of a folder by their names."""
        first = sorted(self.path.glob("*.json")) if self.path.is_dir() else [self.path]
        return (*first, *(Path(other).expanduser().absolute() for other in self.others))

    @property
    def local_path(self) -> Path:
        """The first file, which is on this machine."""
        return self.path

    def location(self) -> str:
        """Return the path of the first file, and how many others there are."""
        more = len(self.others)
        return f"{self.uri} and {more} more" if more else self.uri

    def connection_config(self) -> NoReturn:
        """Refuse: an archive is no database, so MLMD has no ``ConnectionConfig`` for it.

        Raises:
            ConfigurationError: Always.
        """
        message = (
            f"{self.uri} is a transfer archive of Kubeflow Pipelines, which ml_metadata cannot "
            "open; read it with this library."
        )
        raise errors.ConfigurationError(message)
