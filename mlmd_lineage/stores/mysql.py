"""The ``mysql`` flavor: MLMD in a MySQL or MariaDB database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mlmd_lineage import _proto
from mlmd_lineage.config.environment import password_from_environment
from mlmd_lineage.config.pem import PEMFile, from_environment, path_for_library
from mlmd_lineage.stores.base import BaseMetadataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

# MySQL's own limit for identifiers: https://dev.mysql.com/doc/refman/8.0/en/identifier-length.html
_LONGEST_NAME = 64


class MySQLMetadataStore(BaseMetadataStore):
    """An MLMD store in a MySQL or MariaDB database.

    >>> MySQLMetadataStore(host="db.example", database="metadb", username="reader", password="pw")
    MySQLMetadataStore(host='db.example', port=3306, database='metadb', username='reader', password=SecretStr('**********'), connect_timeout=10.0, read_timeout=60.0)

    Fields:
        host: A name or an address. ``localhost`` means the TCP port too, never a socket file.
        port: The TCP port.
        database: The name of the database.
        username: The user's name.
        password: The user's password; where none is given, ``MLMD_LINEAGE_PASSWORD`` is used.
        ssl_ca: A PEM file with the authorities to trust; asks for TLS and checks the server's
            certificate and name.
        ssl_cert: A PEM file with the client's certificate; asks for TLS.
        ssl_key: A PEM file with the key of ``ssl_cert``.
        ssl: Ask for TLS, checked against the system's authorities unless ``ssl_ca`` is given.
        ssl_verify_server_cert: ``False`` takes any certificate: safe from listeners only, not
            from impostors.
        server_public_key: A PEM file with the key that encrypts the password where the server
            asks for that and there is no TLS; a key that the server sends is taken only from one
            on this machine.
        connect_timeout: For how many seconds to wait for the server to answer.
        read_timeout: For how many seconds a server may send nothing while it owes an answer.
        max_answer: How many MiB one question may receive; None for half of this machine's memory.
    """  # noqa: E501 - the example shows a whole repr

    FLAVOR: ClassVar[str] = "mysql"
    PATHS: ClassVar[tuple[str, ...]] = (
        "ssl_ca",
        "ssl_cert",
        "ssl_key",
        "server_public_key",
    )

    host: str = pydantic.Field(min_length=1, max_length=255, pattern=r"^[^\s/@\x00]+$")
    port: int = pydantic.Field(default=3306, ge=1, le=65535)
    database: str = pydantic.Field(min_length=1, max_length=_LONGEST_NAME, pattern=r"^[^\x00/\\]+$")
    username: str = pydantic.Field(min_length=1, max_length=128, pattern=r"^[^\x00]+$")
    password: pydantic.SecretStr | None = pydantic.Field(default_factory=password_from_environment)
    ssl_ca: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_ca"))
    ssl_cert: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_cert"))
    ssl_key: PEMFile | None = pydantic.Field(default_factory=from_environment("ssl_key"))
    ssl: bool | None = None
    ssl_verify_server_cert: bool | None = None
    server_public_key: PEMFile | None = None
    connect_timeout: float = pydantic.Field(default=10.0, gt=0, le=3600)
    read_timeout: float = pydantic.Field(default=60.0, gt=0, le=86400)
    max_answer: int | None = pydantic.Field(default=None, ge=1)

    @pydantic.model_validator(mode="after")
    def _consistent_tls(self) -> MySQLMetadataStore:
        if (self.ssl_cert is None) != (self.ssl_key is None):
            message = "ssl_cert and ssl_key go together; give both or neither."
            raise ValueError(message)
        if self.ssl is False and (self.ssl_ca or self.ssl_cert or self.ssl_verify_server_cert):
            message = "ssl=False contradicts the other ssl_ settings; leave one of them out."
            raise ValueError(message)
        return self

    @property
    def tls(self) -> bool:
        """Whether a secure connection is asked for."""
        return bool(self.ssl or self.ssl_ca or self.ssl_cert or self.ssl_verify_server_cert)

    @property
    def address(self) -> str:
        """The host to connect to: ``localhost`` stands for its TCP port, not for a socket file."""
        return "127.0.0.1" if self.host.lower() == "localhost" else self.host

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that the password is sent to."""
        return f"{fields.get('host', '')}:{fields.get('port') or 3306}".lower()

    def location(self) -> str:
        """Return the store's URL without its password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mysql://{self.username}@{host}:{self.port}/{self.database}"

    def connection_config(self) -> Message:
        """Return a ``ConnectionConfig`` that makes no database and, for TLS, checks the server."""
        config: Any = _proto.connection_config_class()()
        mysql = config.mysql
        mysql.host, mysql.port, mysql.database = self.address, self.port, self.database
        mysql.user = self.username
        mysql.skip_db_creation = True
        if self.password is not None:
            mysql.password = self.password.get_secret_value()
        if self.tls:
            options = mysql.ssl_options
            for option, path in (
                ("ca", self.ssl_ca),
                ("cert", self.ssl_cert),
                ("key", self.ssl_key),
            ):
                if path is not None:
                    setattr(options, option, path_for_library(path))
            options.verify_server_cert = self.ssl_verify_server_cert is not False
        return config  # type: ignore[no-any-return]  # messages have no types
