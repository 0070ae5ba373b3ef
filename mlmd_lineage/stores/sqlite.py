"""The ``sqlite`` flavor: MLMD in an SQLite file."""

from __future__ import annotations

import os
import re
import uuid as uuids
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

import pydantic

from mlmd_lineage import _proto
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials
from mlmd_lineage.stores.local_paths import BUSY_TIMEOUT, default_stores

if TYPE_CHECKING:
    from google.protobuf.message import Message

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
# What SQLite's own URIs may say (https://www.sqlite.org/uri.html) without any bearing on a reader.
_HARMLESS = {"mode", "cache", "immutable", "nolock", "psow"}
READWRITE = 2


class SQLiteMetadataStore(BaseMetadataStore):
    """An MLMD store in an SQLite file.

    >>> SQLiteMetadataStore(uri="metadata.db")
    SQLiteMetadataStore(uri='metadata.db', busy_timeout=10.0)

    Fields:
        uri: The path of the file; SQLite's own ``file:`` URIs are taken too. Where none is given,
            it is a path below the configuration folder, made from the store's ``uuid``.
        busy_timeout: For how many seconds to wait for a lock that another process holds.
    """

    FLAVOR: ClassVar[str] = "sqlite"
    PATHS: ClassVar[tuple[str, ...]] = ("uri",)

    uri: str = ""
    busy_timeout: float = pydantic.Field(default=BUSY_TIMEOUT, ge=0, le=3600, allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _default_path(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or "uri" in fields:
            return fields
        own = fields.get("uuid") or uuids.uuid4()
        return {**fields, "uuid": own, "uri": str(default_stores() / str(own) / "metadata.db")}

    @pydantic.field_validator("uri", mode="before")
    @classmethod
    def _a_local_file(cls, value: object) -> object:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
            if isinstance(value, str) and value.startswith("file:"):
                value = os.path.join(".", value)  # noqa: PTH118 - pathlib would drop the dot
        if isinstance(value, bytes):
            value = os.fsdecode(value)
        if not isinstance(value, str):
            return value
        if not value.strip():
            message = "is empty; give the path of an SQLite file."
            raise ValueError(message)
        path = _path_in_uri(value) if value[:5].lower() == "file:" else value
        if holds_credentials(path) and not os.path.exists(path):  # noqa: PTH110
            raise ValueError(MISTYPED)
        if "\0" in path:
            message = "holds a NUL character, which no path can."
            raise ValueError(message)
        if ":memory:" in path:
            message = (
                "an in-memory SQLite database belongs to the one connection that made it, so "
                "there is nothing in it to read; give the path of a file."
            )
            raise ValueError(message)
        scheme = _SCHEME.match(path)
        if scheme:
            message = (
                f"{scheme[1]}:// is not a local file; SQLite needs one. Copy the database to "
                "this machine and give its path."
            )
            raise ValueError(message)
        return path

    @property
    def path(self) -> Path:
        """The absolute path of the file."""
        # Unlike pathlib's, this expansion leaves a "~name" without a home folder unchanged.
        return Path(os.path.expanduser(self.uri)).absolute()  # noqa: PTH111

    @property
    def local_path(self) -> Path:
        """The file, which is on this machine."""
        return self.path

    def location(self) -> str:
        """Return the path of the file."""
        return str(self.uri)

    def connection_config(self) -> Message:
        """Return a ``ConnectionConfig`` that opens the file for reading and writing.

        Not with MLMD's default mode, which makes a missing file.
        """
        config: Any = _proto.connection_config_class()()
        config.sqlite.filename_uri = str(self.path)
        config.sqlite.connection_mode = READWRITE
        return config  # type: ignore[no-any-return]  # messages have no types


def _path_in_uri(uri: str) -> str:
    """Return the path in a URI of SQLite's."""
    parts = urlsplit(uri)
    if parts.netloc not in {"", "localhost"}:
        message = f"the URI names the host {parts.netloc!r}; a local file takes file:///path.db."
        raise ValueError(message)
    if parts.fragment:
        message = "the URI holds a '#', which ends it; write it as %23 if it belongs to the path."
        raise ValueError(message)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if options.get("mode") == "memory":
        return ":memory:"
    unknown = ", ".join(sorted(options.keys() - _HARMLESS))
    if unknown:
        message = f"the URI has options that cannot be kept to when reading: {unknown}."
        raise ValueError(message)
    if not parts.path.strip("/"):
        message = "the URI names no file; write file:///absolute/path.db."
        raise ValueError(message)
    return unquote(parts.path)
