"""The gRPC server of one worker: MLMD's service, health and reflection, with or without TLS.

It runs in an event loop, so that health is answered and requests are received while calls wait for
the store, and so that no client occupies a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from mlmd_lineage import errors
from mlmd_lineage.server.backend import SERVICE
from mlmd_lineage.server.call_handler import CallHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.server.backend import AsyncBackend
    from mlmd_lineage.server.settings import ServerSettings

_HANDSHAKE_SECONDS = 20


class GRPCServer:
    """A gRPC server; made and used within one event loop."""

    def __init__(
        self,
        backend: AsyncBackend,
        settings: ServerSettings,
        address: str,
        log: Callable[[str], None],
    ) -> None:
        """Bind to an address; ``start()`` begins to serve.

        Args:
            backend: What answers MLMD's methods.
            settings: The server's settings.
            address: The address to listen at, which other processes may share.
            log: Called with a line for each call.

        Raises:
            ConfigurationError: The address is taken, or a certificate cannot be used.
        """
        self._server = grpc.aio.server(options=_options(settings))
        self._server.add_generic_rpc_handlers((CallHandler(backend, settings, log),))
        self._health = _add_health(self._server)
        _add_reflection(self._server)
        _listen(self._server, settings, address)

    async def start(self) -> None:
        """Begin to accept calls."""
        from grpc_health.v1 import health_pb2

        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Accept no more calls, and return when those in flight are done or the grace is over."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    """Return gRPC's channel arguments.

    Source: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
    """
    return [
        ("grpc.so_reuseport", 1),
        # CallHandler says better than gRPC what to do about a response that is too large.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", settings.max_message * 1024 * 1024),
        ("grpc.max_concurrent_streams", settings.max_streams),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.max_connection_idle_ms", int(settings.max_idle * 1000)),
        ("grpc.max_connection_age_ms", int(settings.max_age * 1000)),
        ("grpc.max_connection_age_grace_ms", int(settings.timeout * 1000)),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_SECONDS * 1000),
    ]


def _listen(server: Any, settings: ServerSettings, address: str) -> None:
    try:
        if settings.tls_cert is None or settings.tls_key is None:
            server.add_insecure_port(address)
            return
        authorities = settings.client_ca and settings.client_ca.read_bytes()
        credentials = grpc.ssl_server_credentials(
            [(settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())],
            root_certificates=authorities,
            require_client_auth=authorities is not None,
        )
        server.add_secure_port(address, credentials)
    except OSError as error:
        what = error.filename or "one of the TLS files"
        message = f"{what} cannot be read by this user."
        raise errors.ConfigurationError(message) from None
    except RuntimeError:
        tls = ", or a certificate and its key do not belong together" if settings.tls_cert else ""
        message = f"The server cannot listen at {address}: the port is taken{tls}."
        raise errors.ConfigurationError(message) from None


def _add_health(server: Any) -> Any:
    from grpc_health.v1 import health, health_pb2_grpc

    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer


def _add_reflection(server: Any) -> None:
    from mlmd_lineage.server.reflection import add_reflection

    add_reflection(server)
