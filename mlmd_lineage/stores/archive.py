"""The ``archive`` flavor: a snapshot saved as Parquet files, by itself or in a bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, NoReturn

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials

MANIFEST = "manifest.json"
BUNDLE_MANIFEST = "bundle.json"
"""The file that makes a folder a bundle."""
ARCHIVE_FOLDER = "archive"
"""Where in a bundle its archive lies."""
BUNDLE_SUFFIXES = (".bundle", ".zip")
"""How the name of a file ends that is taken for a bundle."""


class ArchiveMetadataStore(BaseMetadataStore):
    """A folder that ``Snapshot.save()`` wrote, or a bundle: Parquet files and a manifest.

    It answers every question that the store did, on a machine that has neither the database nor
    ``ml_metadata``. It can't be written to.

    Fields:
        uri: The path of the folder; of a bundle it may be a zip file.
    """

    FLAVOR: ClassVar[str] = "archive"
    PATHS: ClassVar[tuple[str, ...]] = ("uri",)

    uri: str

    @pydantic.field_validator("uri", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if isinstance(value, str) and holds_credentials(value) and not Path(value).exists():
            raise ValueError(MISTYPED)
        return value

    @property
    def path(self) -> Path:
        """The absolute path of the folder or zip file."""
        return Path(self.uri).expanduser().absolute()

    @property
    def local_path(self) -> Path:
        """The folder or zip file, which is on this machine."""
        return self.path

    def location(self) -> str:
        """Return the path of the folder or zip file."""
        return self.uri

    def connection_config(self) -> NoReturn:
        """Refuse: an archive is no database, so MLMD has no ``ConnectionConfig`` for it.

        Raises:
            ConfigurationError: Always.
        """
        message = (
            f"{self.uri} is a Parquet archive, which ml_metadata cannot open; read it with this "
            "library, or open the database that it was made from."
        )
        raise errors.ConfigurationError(message)
