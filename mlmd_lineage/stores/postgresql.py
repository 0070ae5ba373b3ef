"""The ``postgresql`` flavor: MLMD in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pydantic

from mlmd_lineage import _proto
from mlmd_lineage.config.environment import password_from_environment
from mlmd_lineage.config.pem import PEMFile, from_environment, path_for_library
from mlmd_lineage.stores.base import BaseMetadataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

# PostgreSQL's limit for identifiers, NAMEDATALEN - 1.
_LONGEST_NAME = 63

SSLMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class PostgreSQLMetadataStore(BaseMetadataStore):
    """An MLMD store in a PostgreSQL database.

    >>> PostgreSQLMetadataStore(host="db.example", database="metadb", username="reader").location()
    'postgresql://reader@db.example:5432/metadb'

    Fields:
        host: A name or an address.
        port: The TCP port.
        database: The name of the database.
        username: The user's name.
        password: The user's password; where none is given, ``MLMD_LINEAGE_PASSWORD`` is used.
        sslmode: libpq's mode. With ``ssl_ca`` it is ``verify-full`` unless you say otherwise;
            without, it is ``prefer``.
        ssl_ca: A PEM file with the authorities to trust.
        ssl_cert: A PEM file with the client's certificate.
        ssl_key: A PEM file with the key of ``ssl_cert``.
        table_case: Which tables to read where a database holds two sets: MLMD's, in ``lower`` case,
            or others that are capitalised as MLMD's are elsewhere, in ``mixed`` case.
        connect_timeout: For how many seconds to wait for the server to answer.
        read_timeout: For how many seconds a server may send nothing while it owes an answer.
        max_answer: How many MiB one question may receive; None for half of this machine's memory.
    """

    FLAVOR: ClassVar[str] = "postgresql"
    PATHS: ClassVar[tuple[str, ...]] = ("ssl_ca", "ssl_cert", "ssl_key")

    host: str = pydantic.Field(min_length=1, max_length=255, pattern=r"^[^\s/@\x00]+$")
    port: int = pydantic.Field(default=5432, ge=1, le=65535)
    database: str = pydantic.Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"^[^\x00]+$")
    username: str = pydantic.Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"^[^\x00]+$")
    password: pydantic.SecretStr | None = pydantic.Field(default_factory=password_from_environment)
    sslmode: SSLMode | None = None
    ssl_ca: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_ca"))
    ssl_cert: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_cert"))
    ssl_key: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_key"))
    table_case: Literal["lower", "mixed"] | None = None
    connect_timeout: float = pydantic.Field(default=10.0, gt=0, le=3600)
    read_timeout: float = pydantic.Field(default=60.0, gt=0, le=86400)
    max_answer: int | None = pydantic.Field(default=None, ge=1)

    @pydantic.model_validator(mode="after")
    def _consistent_tls(self) -> PostgreSQLMetadataStore:
        if (self.ssl_cert is None) != (self.ssl_key is None):
            message = "ssl_cert and ssl_key go together; give both or neither."
            raise ValueError(message)
        if self.ssl_ca is not None and self.sslmode in {"disable", "allow", "prefer", "require"}:
            message = (
                f"sslmode {self.sslmode!r} does not check the server against ssl_ca; use "
                "'verify-full' or 'verify-ca', or leave one of them out."
            )
            raise ValueError(message)
        return self

    @property
    def effective_sslmode(self) -> SSLMode:
        """The mode in force: never a plaintext connection once TLS was asked for."""
        if self.sslmode is not None:
            return self.sslmode
        if self.ssl_ca is not None:
            return "verify-full"
        return "require" if self.ssl_cert is not None else "prefer"

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that the password is sent to."""
        return f"{fields.get('host', '')}:{fields.get('port') or 5432}".lower()

    def location(self) -> str:
        """Return the store's URL without its password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{self.username}@{host}:{self.port}/{self.database}"

    def connection_config(self) -> Message:
        """Return a ``ConnectionConfig`` that makes no database."""
        config: Any = _proto.connection_config_class()()
        postgresql = config.postgresql
        postgresql.host, postgresql.port = self.host, str(self.port)
        postgresql.dbname, postgresql.user = self.database, self.username
        postgresql.skip_db_creation = True
        if self.password is not None:
            postgresql.password = self.password.get_secret_value()
        postgresql.ssloption.sslmode = self.effective_sslmode
        for field, path in (
            ("sslrootcert", self.ssl_ca),
            ("sslcert", self.ssl_cert),
            ("sslkey", self.ssl_key),
        ):
            if path is not None:
                setattr(postgresql.ssloption, field, path_for_library(path))
        return config  # type: ignore[no-any-return]  # messages have no types
