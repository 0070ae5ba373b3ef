"""The ``archive`` flavor: a snapshot saved as Parquet files, by itself or in a bundle."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import ClassVar, NoReturn

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.stores import object_storage
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials


class ArchiveMetadataStore(BaseMetadataStore):
    """A folder that ``Snapshot.save()`` wrote, or a bundle: Parquet files and a manifest.

    It answers every question that the store did, on a machine that has neither the database nor
    ``ml_metadata``. It can't be written to.

    Fields:
        uri: The path of the folder; of a bundle it may be a zip file. Or the URL of a folder in
            object storage or on a web server: ``s3://bucket/archive``.
        as_of: A moment: the newest generation is read that was taken then or before.
    """

    FLAVOR: ClassVar[str] = "archive"
    PATHS: ClassVar[tuple[str, ...]] = ("uri",)

    uri: str
    as_of: dt.datetime | None = None

    @pydantic.field_validator("as_of")
    @classmethod
    def _in_utc(cls, value: dt.datetime | None) -> dt.datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=dt.timezone.utc)

    @pydantic.field_validator("uri", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if isinstance(value, str) and holds_credentials(value) and not Path(value).exists():
            raise ValueError(MISTYPED)
        return value

    @pydantic.field_validator("uri")
    @classmethod
    def _checked(cls, value: str) -> str:
        return object_storage.checked_url(value) if object_storage.is_object_url(value) else value

    @property
    def url(self) -> str | None:
        """The URL of the folder; None where it is on this machine."""
        return self.uri if object_storage.is_object_url(self.uri) else None

    @property
    def path(self) -> Path:
        """The absolute path of the folder or zip file on this machine."""
        return Path(self.uri).expanduser().absolute()

    @property
    def local_path(self) -> Path | None:
        """The folder or zip file, where it is on this machine."""
        return None if self.url is not None else self.path

    def location(self) -> str:
        """Return the path or the URL of the folder or zip file."""
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


def as_of(store: BaseMetadataStore, milliseconds: int) -> ArchiveMetadataStore:
    """Return an archive as it was at a moment.

    Args:
        store: The archive.
        milliseconds: The moment, since 1970 in UTC.

    Raises:
        ConfigurationError: The store is no archive.
    """
    if not isinstance(store, ArchiveMetadataStore):
        message = (
            f"as_of is for archives, which hold generations, and {store.location()} is none; "
            "upstream(node, as_of=...) answers with the nodes that existed then."
        )
        raise errors.ConfigurationError(message)
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    return store.model_copy(update={"as_of": moment})
