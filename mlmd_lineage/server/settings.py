"""The settings of a server: address, processes, TLS."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Literal

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.pem import PEMFile  # noqa: TC001 - pydantic reads it
from mlmd_lineage.stores.component import problems_of


class ServerSettings(pydantic.BaseModel):
    """The settings of a server: address, number of processes, TLS.

    Fields:
        host: The address to listen at, or a host name of this machine.
        port: The TCP port; with 0 the system chooses one.
        workers: How many processes answer calls.
        engine: What answers calls: ``own``, this library's readers and writers, or ``native``,
            MLMD's own library.
        read_only: Refuse every method that writes.
        create: Make MLMD's tables in an empty database or a new file.
        tls_cert: A PEM file with the server's certificate and those that lead to its authority.
        tls_key: A PEM file with the key of ``tls_cert``.
        client_ca: A PEM file with certificate authorities; only clients that they certified
            may connect.
        grace: How many seconds calls in flight may still take after the server is told to stop.
        threads: How many calls our own engine answers at a time in one worker.
        timeout: How many seconds a call may take.
        max_calls: How many calls a worker may have in hand, answered or waiting.
        max_message: How many MiB a request may have.
        max_response: How many MiB a response may have.
        max_connections: How many connections a worker may have.
        max_streams: How many calls may be open on a connection at a time.
        max_idle: After how many seconds without a call a connection is closed.
        max_age: After how many seconds a connection is closed once it has no call.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = pydantic.Field(default=8080, ge=0, le=65535)
    workers: int = pydantic.Field(default=1, ge=1, le=256)
    engine: Literal["own", "native"] = "own"
    read_only: bool = False
    create: bool = False
    tls_cert: PEMFile | None = None
    tls_key: PEMFile | None = None
    client_ca: PEMFile | None = None
    grace: float = pydantic.Field(default=30.0, ge=0, le=3600)
    threads: int = pydantic.Field(default=8, ge=1, le=1024)
    timeout: float = pydantic.Field(default=60.0, gt=0, le=86400)
    max_calls: int = pydantic.Field(default=500, ge=1)
    max_message: int = pydantic.Field(default=64, ge=1, le=2047)
    max_response: int = pydantic.Field(default=512, ge=1, le=2047)
    max_connections: int = pydantic.Field(default=1000, ge=1, le=2**31 - 1)
    max_streams: int = pydantic.Field(default=100, ge=1, le=2**31 - 1)
    max_idle: float = pydantic.Field(default=1800.0, ge=1, le=2_000_000)
    max_age: float = pydantic.Field(default=86400.0, ge=1, le=2_000_000)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except pydantic.ValidationError as error:
            problems = problems_of(type(self).model_fields, error)
            message = f"These server settings are not valid: {problems}"
            raise errors.ConfigurationError(message) from None

    @pydantic.model_validator(mode="after")
    def _consistent_access(self) -> ServerSettings:
        if self.create and self.read_only:
            message = "create and read_only exclude each other; give one of them."
            raise ValueError(message)
        return self

    @pydantic.model_validator(mode="after")
    def _consistent_tls(self) -> ServerSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            message = "tls_cert and tls_key go together; give both or neither."
            raise ValueError(message)
        if self.client_ca is not None and self.tls_cert is None:
            message = (
                "client_ca needs tls_cert and tls_key: clients show certificates only with TLS."
            )
            raise ValueError(message)
        return self

    @property
    def is_native(self) -> bool:
        """Whether MLMD's own library answers."""
        return self.engine == "native"

    @property
    def address(self) -> tuple[socket.AddressFamily, str]:
        """The address family and the first address of the host.

        Raises:
            ConfigurationError: The host name cannot be resolved.
        """
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            message = f"The host {self.host!r} is not known; give an address of this machine."
            raise errors.ConfigurationError(message) from None
        family, _, _, _, name = found[0]
        return family, str(name[0])


def target(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 address.

    >>> target("::1", 8080)
    '[::1]:8080'
    """
    try:
        if ipaddress.ip_address(host.partition("%")[0]).version == 6:
            return f"[{host}]:{port}"
    except ValueError:
        pass
    return f"{host}:{port}"
