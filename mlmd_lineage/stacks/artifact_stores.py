"""Artifact stores: folders and buckets that hold a stack's artifacts, reached through fsspec."""

from __future__ import annotations

import os
import re
import uuid as uuids
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mlmd_lineage.config import filesystem_schemes
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.stacks.reachability import Reach, reach_of
from mlmd_lineage.stores.component import Component

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")


class BaseArtifactStore(Component):
    """The folder or bucket that holds the artifacts of a stack.

    A flavor of your own inherits from this class and sets ``FLAVOR`` and ``SCHEMES``, and where its
    filesystem takes arguments, ``options()``::

        class HadoopArtifactStore(BaseArtifactStore):
            FLAVOR = "hadoop"
            SCHEMES = ("hdfs",)

    Fields:
        name: The name under which it is registered.
        uuid: Its identity, whatever it is called.
        path: The folder or bucket, with its scheme.
    """

    KIND: ClassVar[str] = "artifact store"
    SCHEMES: ClassVar[tuple[str, ...]]
    """The schemes that its paths may have."""

    path: str

    @pydantic.field_validator("path")
    @classmethod
    def _checked_path(cls, value: str) -> str:
        scheme = _SCHEME.match(value)
        begins = " or ".join(f"{known}://" for known in cls.SCHEMES)
        if scheme is None or scheme[1] not in cls.SCHEMES:
            message = f"has to begin with {begins}."
            raise ValueError(message)
        rest = value[scheme.end() :]
        if not rest.strip("/") or rest.startswith("/"):
            message = f"names no bucket; write {scheme[1]}://BUCKET/FOLDER."
            raise ValueError(message)
        if "@" in rest and ":" in rest.split("@", 1)[0]:
            message = "holds a password; give credentials as fields of their own."
            raise ValueError(message)
        if any(ord(character) < ord(" ") for character in rest):
            message = "holds a control character."
            raise ValueError(message)
        return value.rstrip("/")

    def location(self) -> str:
        """Return the path."""
        return self.path

    def options(self) -> dict[str, Any]:
        """Return the arguments of its fsspec filesystem: credentials, endpoints."""
        return {}

    def filesystem(self) -> Any:
        """Return the fsspec filesystem that reads and writes the artifacts.

        Raises:
            ImportError: The package that fsspec needs for it is not installed.
        """
        import fsspec

        return fsspec.filesystem(self.path.split("://")[0], **self.options())

    def list_place(self) -> None:
        """Have what lies in it read with its own credentials from now on, in this process."""
        if self.local_path is None:
            filesystem_schemes.list_place(self.path, self.options())

    def reach(self) -> Reach:
        """Try to list the path, and return whether it can be reached, and if not, why."""
        return reach_of(self.filesystem, self.path, self.EXTRA)


class LocalArtifactStore(BaseArtifactStore):
    """A folder of this machine.

    Fields:
        path: The folder. Where none is given, it is one below the configuration folder, made from
            the store's ``uuid``.
    """

    FLAVOR: ClassVar[str] = "local"
    PATHS: ClassVar[tuple[str, ...]] = ("path",)
    SCHEMES: ClassVar[tuple[str, ...]] = ("file",)

    path: str = ""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _default_path(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "path" in fields:
            return fields
        own = fields.get("uuid") or uuids.uuid4()
        return {**fields, "uuid": own, "path": str(config_folder() / "local_stores" / str(own))}

    @pydantic.field_validator("path")
    @classmethod
    def _checked_path(cls, value: str) -> str:
        scheme = _SCHEME.match(value)
        if scheme is not None and scheme[1] != "file":
            message = f"{scheme[1]}:// is not a folder of this machine."
            raise ValueError(message)
        path = value[len("file://") :] if scheme else value
        if not path.strip() or "\0" in path:
            message = "names no folder."
            raise ValueError(message)
        return os.path.expanduser(path)  # noqa: PTH111 - a "~name" without a home folder stays

    @property
    def local_path(self) -> Path:
        """The folder, which is on this machine."""
        return Path(self.path).absolute()

    def filesystem(self) -> Any:
        """Return fsspec's filesystem of this machine."""
        import fsspec

        return fsspec.filesystem("file")


class S3ArtifactStore(BaseArtifactStore):
    """A bucket of S3, or of anything with the same protocol.

    Fields:
        path: ``s3://BUCKET/FOLDER``.
        key: The access key's id. Where none is given, boto's own search finds the credentials.
        secret: The secret access key.
        token: The session token of temporary credentials.
        endpoint_url: The address of a server other than Amazon's, such as MinIO.
    """

    FLAVOR: ClassVar[str] = "s3"
    SCHEMES: ClassVar[tuple[str, ...]] = ("s3", "s3a")
    REQUIRES: ClassVar[tuple[str, ...]] = ("s3fs",)
    EXTRA: ClassVar[str] = "s3"

    key: str | None = None
    secret: pydantic.SecretStr | None = None
    token: pydantic.SecretStr | None = None
    endpoint_url: str | None = pydantic.Field(default=None, pattern=r"^https?://[^@\s]+$")

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that the credentials are sent to."""
        address = str(fields.get("endpoint_url") or "https://s3.amazonaws.com")
        return address.split("://", 1)[-1].split("/", 1)[0].lower()

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``s3fs.S3FileSystem``."""
        return _given(
            key=self.key,
            secret=_plain(self.secret),
            token=_plain(self.token),
            endpoint_url=self.endpoint_url,
        )


class GCSArtifactStore(BaseArtifactStore):
    """A bucket of Google Cloud Storage.

    Fields:
        path: ``gs://BUCKET/FOLDER``.
        project: The project that pays.
        token: The path of a service account's key, or ``anon``; where none is given, Google's own
            search finds the credentials.
    """

    FLAVOR: ClassVar[str] = "gcs"
    SCHEMES: ClassVar[tuple[str, ...]] = ("gs", "gcs")
    REQUIRES: ClassVar[tuple[str, ...]] = ("gcsfs",)
    EXTRA: ClassVar[str] = "gcs"

    project: str | None = None
    token: pydantic.SecretStr | None = None

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that the credentials are sent to."""
        del fields
        return "storage.googleapis.com"

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``gcsfs.GCSFileSystem``."""
        return _given(project=self.project, token=_plain(self.token))


class AzureArtifactStore(BaseArtifactStore):
    """A container of Azure Blob Storage or Data Lake.

    Fields:
        path: ``az://CONTAINER/FOLDER``, or with ``abfs://`` or ``abfss://``.
        account_name: The storage account.
        account_key: Its key. Where no credentials are given, Azure's own search finds them.
        connection_string: All in one.
        sas_token: A shared access signature.
    """

    FLAVOR: ClassVar[str] = "azure"
    SCHEMES: ClassVar[tuple[str, ...]] = ("az", "abfs", "abfss")
    REQUIRES: ClassVar[tuple[str, ...]] = ("adlfs",)
    EXTRA: ClassVar[str] = "azure"

    account_name: str | None = None
    account_key: pydantic.SecretStr | None = None
    connection_string: pydantic.SecretStr | None = None
    sas_token: pydantic.SecretStr | None = None

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that the credentials are sent to."""
        account = fields.get("account_name") or "ACCOUNT"
        return f"{account}.blob.core.windows.net".lower()

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``adlfs.AzureBlobFileSystem``."""
        return _given(
            account_name=self.account_name,
            account_key=_plain(self.account_key),
            connection_string=_plain(self.connection_string),
            sas_token=_plain(self.sas_token),
        )


def _plain(secret: pydantic.SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _given(**options: object) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


BUILT_IN: dict[str, type[BaseArtifactStore]] = {
    flavor.FLAVOR: flavor
    for flavor in (LocalArtifactStore, GCSArtifactStore, S3ArtifactStore, AzureArtifactStore)
}


def flavor_of(path: str) -> str:
    """Return the built-in flavor whose paths look like this one.

    >>> flavor_of("gs://bucket/folder")
    'gcs'
    """
    scheme = _SCHEME.match(path)
    if scheme is None:
        return LocalArtifactStore.FLAVOR
    fitting = (name for name, flavor in BUILT_IN.items() if scheme[1] in flavor.SCHEMES)
    return next(fitting, LocalArtifactStore.FLAVOR)
