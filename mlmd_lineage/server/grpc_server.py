"""The gRPC server of one worker: MLMD's service, health and reflection, with or without TLS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from mlmd_lineage import errors
from mlmd_lineage.server.backend import SERVICE
from mlmd_lineage.server.call_handler import CallHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.server.backend import Backend
    from mlmd_lineage.server.settings import ServerSettings

_OPTIONS = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


class GRPCServer:
    """A gRPC server that accepts calls from its creation until ``stop()``."""

    def __init__(
        self,
        backend: Backend,
        settings: ServerSettings,
        address: str,
        log: Callable[[str], None],
    ) -> None:
        """Start the server.

        Args:
            backend: What answers MLMD's methods.
            settings: The server's settings.
            address: The address to listen at, which other processes may share.
            log: Called with a line for each call.

        Raises:
            ConfigurationError: The address is taken, or a certificate cannot be used.
        """
        self._server = grpc.server(ThreadPoolExecutor(settings.threads), options=_OPTIONS)
        service = CallHandler(backend, read_only=settings.read_only, log=log)
        self._server.add_generic_rpc_handlers((service,))
        self._health = _add_health(self._server)
        _add_reflection(self._server)
        _listen(self._server, settings, address)
        self._server.start()

    def stop(self, grace: float) -> None:
        """Accept no more calls, and return when those in flight are done or the grace is over."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()


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
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.HealthServicer()
    servicer.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer


def _add_reflection(server: Any) -> None:
    from mlmd_lineage.server.reflection import add_reflection

    add_reflection(server)
