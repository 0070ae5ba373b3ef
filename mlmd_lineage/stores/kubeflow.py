"""The ``kubeflow`` flavor: MLMD's gRPC service, as Kubeflow runs it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pydantic

from mlmd_lineage import _proto, errors
from mlmd_lineage.config.environment import TOKEN_VARIABLE, secret_from_environment
from mlmd_lineage.config.pem import PEMFile  # noqa: TC001 - pydantic reads it
from mlmd_lineage.stores.base import BaseMetadataStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

# Set by Kubernetes in each pod beside the service metadata-grpc-service.
HOST_VARIABLE = "METADATA_GRPC_SERVICE_HOST"
PORT_VARIABLE = "METADATA_GRPC_SERVICE_PORT"

# gRPC's own rule for the names of metadata; binary values ("-bin") are no headers of a gateway.
_HEADER = re.compile(r"[0-9a-z_.-]+")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def _service_host() -> str:
    return os.environ.get(HOST_VARIABLE) or "127.0.0.1"


def _service_port() -> Any:
    return os.environ.get(PORT_VARIABLE) or 8081


def _token_from_environment() -> dict[str, pydantic.SecretStr]:
    token = secret_from_environment(TOKEN_VARIABLE)
    if token is None:
        return {}
    return {"authorization": pydantic.SecretStr(f"Bearer {token.get_secret_value()}")}


def _proper_headers(headers: dict[str, pydantic.SecretStr]) -> dict[str, pydantic.SecretStr]:
    lowered = {name.lower(): value for name, value in headers.items()}
    if len(lowered) != len(headers):
        message = "gives one of its names twice."
        raise ValueError(message)
    for name, value in lowered.items():
        if not _HEADER.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin"):
            message = f"{name!r} cannot be the name of a header that gRPC sends."
            raise ValueError(message)
        text = value.get_secret_value()
        if not text.isascii() or not text.isprintable():
            message = f"the value of {name!r} holds a character that no header can."
            raise ValueError(message)
    return lowered


Headers = Annotated[dict[str, pydantic.SecretStr], pydantic.AfterValidator(_proper_headers)]


class KubeflowMetadataStore(BaseMetadataStore):
    """An MLMD store that is reached through MLMD's gRPC service.

    >>> KubeflowMetadataStore(host="metadata.example", port=8080).location()
    'grpc://metadata.example:8080'
    >>> KubeflowMetadataStore(kube_context="prod", kube_namespace="kubeflow").location()
    'kubeflow://prod/kubeflow'

    Fields:
        host: A name or an address; in a pod beside the service, ``METADATA_GRPC_SERVICE_HOST``.
        port: The TCP port; in a pod beside the service, ``METADATA_GRPC_SERVICE_PORT``.
        kube_context: A context of the kubeconfig. ``kubectl`` then forwards a port to the
            service in ``kube_namespace``, instead of a connection to ``host``.
        kube_namespace: The namespace of the service ``metadata-grpc-service``.
        ssl: Ask for TLS, checked against the system's authorities unless ``ssl_ca`` is given.
        ssl_ca: A PEM file with the authorities to trust; asks for TLS.
        ssl_cert: A PEM file with the client's certificate; asks for TLS.
        ssl_key: A PEM file with the key of ``ssl_cert``.
        headers: What to send with each call, such as ``{"authorization": "Bearer ..."}`` for a
            service behind a gateway. Where none are given, ``MLMD_LINEAGE_TOKEN`` is such a token.
        timeout: For how many seconds to wait for the answer to one call.
        max_message: How many MiB the answer to one call may have, decompressed.
        max_answer: How many MiB one question may receive; None for half of this machine's memory.
    """

    FLAVOR: ClassVar[str] = "kubeflow"

    host: str = pydantic.Field(
        default_factory=_service_host, min_length=1, max_length=255, pattern=r"^[^\s/@,\x00]+$"
    )
    port: int = pydantic.Field(default_factory=_service_port, ge=1, le=65535, validate_default=True)
    kube_context: str | None = pydantic.Field(
        default=None, min_length=1, max_length=1024, pattern=r"^[^-\x00-\x1f][^\x00-\x1f]*$"
    )
    kube_namespace: str | None = pydantic.Field(default=None, pattern=_NAMESPACE)
    ssl: bool | None = None
    ssl_ca: PEMFile | None = None
    ssl_cert: PEMFile | None = None
    ssl_key: PEMFile | None = None
    headers: Headers = pydantic.Field(
        default_factory=_token_from_environment, validate_default=True
    )
    timeout: float = pydantic.Field(default=60.0, gt=0, le=86400)
    max_message: int = pydantic.Field(default=256, ge=1, le=2047)
    max_answer: int | None = pydantic.Field(default=None, ge=1)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> KubeflowMetadataStore:
        if (self.ssl_cert is None) != (self.ssl_key is None):
            message = "ssl_cert and ssl_key go together; give both or neither."
            raise ValueError(message)
        if self.ssl is False and (self.ssl_ca or self.ssl_cert):
            message = "ssl=False contradicts the other ssl_ settings; leave one of them out."
            raise ValueError(message)
        if (self.kube_context is None) != (self.kube_namespace is None):
            message = "kube_context and kube_namespace go together; give both or neither."
            raise ValueError(message)
        if self.kube_context is not None and self.model_fields_set & {"host", "port"}:
            message = (
                "a forwarded port has an address of its own; leave out host and port, or "
                "kube_context and kube_namespace."
            )
            raise ValueError(message)
        return self

    @property
    def tls(self) -> bool:
        """Whether a secure connection is asked for."""
        return bool(self.ssl or self.ssl_ca or self.ssl_cert)

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the service that the headers are sent to."""
        context, namespace = fields.get("kube_context"), fields.get("kube_namespace")
        if context is not None:
            return f"kubeflow://{context}/{namespace}"
        return f"{fields.get('host') or _service_host()}:{fields.get('port') or _service_port()}"

    def location(self) -> str:
        """Return the store's URL."""
        if self.kube_context is not None:
            return f"kubeflow://{self.kube_context}/{self.kube_namespace}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"grpc{'s' if self.tls else ''}://{host}:{self.port}"

    def connection_config(self) -> Message:
        """Return MLMD's ``MetadataStoreClientConfig``: the address, TLS and timeout.

        MLMD's own client can send no headers and forward no port: neither is part of it.

        Raises:
            ConfigurationError: The port is still to be forwarded by ``kubectl``.
        """
        if self.kube_context is not None:
            message = (
                f"{self.location()} has no address of its own, so MLMD's client cannot be given "
                "one: run 'kubectl port-forward', and give its host and port instead."
            )
            raise errors.ConfigurationError(message)
        config: Any = _proto.client_config_class()()
        config.host, config.port = self.host, self.port
        config.client_timeout_sec = self.timeout
        # MLMD's default is 4 MB.
        config.channel_arguments.max_receive_message_length = self.max_message << 20
        if self.tls:
            # What these fields hold is the PEM text itself.
            ssl = config.ssl_config
            ssl.SetInParent()
            for field, path in (
                ("custom_ca", self.ssl_ca),
                ("server_cert", self.ssl_cert),
                ("client_key", self.ssl_key),
            ):
                if path is not None:
                    setattr(ssl, field, path.read_text(encoding="ascii"))
        return config  # type: ignore[no-any-return]  # messages have no types
