"""The settings of a server: address, processes, TLS."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.pem import PEMFile  # noqa: TC001 - pydantic reads it
from mlmd_lineage.stores.component import problems_of


class ServerSettings(pydantic.BaseModel):
    """The settings of a server: address, number of processes, TLS.

    Fields:
        host: The address to listen at, or a host name of this machine.
        port: The TCP port; with 0 the system chooses one.
        workers: How many processes answer.
        read_only: Refuse every method that writes.
        tls_cert: A PEM file with the server's certificate and those that lead to its authority.
        tls_key: A PEM file with the key of ``tls_cert``.
        client_ca: A PEM file with certificate authorities; only clients that they certified
            may connect.
        grace: How many seconds calls in flight may still take after the server is told to stop.
        threads: How many calls one process handles at a time.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = pydantic.Field(default=8080, ge=0, le=65535)
    workers: int = pydantic.Field(default=1, ge=1, le=256)
    read_only: bool = False
    tls_cert: PEMFile | None = None
    tls_key: PEMFile | None = None
    client_ca: PEMFile | None = None
    grace: float = pydantic.Field(default=30.0, ge=0, le=3600)
    threads: int = pydantic.Field(default=8, ge=1, le=1024)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except pydantic.ValidationError as error:
            problems = problems_of(type(self).model_fields, error)
            message = f"These server settings are not valid: {problems}"
            raise errors.ConfigurationError(message) from None

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
