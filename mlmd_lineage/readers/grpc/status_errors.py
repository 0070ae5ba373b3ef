"""Errors of gRPC calls, explained to the readers of a store."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.stores import KubeflowMetadataStore

_PROBE_SECONDS = 5.0
_LONGEST = 300
# "CLIENT: Received message larger than max (5 vs. 4)", "Decompressed message larger than max".
_TOO_LARGE = "message larger than max"


class GRPCStatus(NamedTuple):
    """How a call failed: the name of gRPC's code, and what the server said."""

    code: str
    details: str

    @classmethod
    def of(cls, error: Any, headers: Sequence[tuple[str, str]]) -> GRPCStatus:
        """Return the status of a call that failed, without what its headers hold."""
        details = " ".join((error.details() or "").split())
        for _, value in headers:
            # A server may repeat the token that it refuses, with or without its scheme.
            for secret in {value, *value.split(" ", 1)} - {"", "Bearer", "Basic"}:
                details = details.replace(secret, "**********")
        return cls(error.code().name, details[:_LONGEST])


def is_too_large(status: GRPCStatus) -> bool:
    """Tell whether gRPC itself refused a message for its size, at this end or at the other."""
    return status.code == "RESOURCE_EXHAUSTED" and _TOO_LARGE in status.details


class MissingMethodError(errors.ReadError):
    """The service lacks a method, as an older one may."""


class Address(NamedTuple):
    """Where a service listens, and what to call it."""

    host: str
    port: int
    location: str


def explained(
    store: KubeflowMetadataStore, address: Address, method: str, status: GRPCStatus
) -> errors.StoreError:
    """Return the error for a status that does not go away."""
    where, said = address.location, f" ({status.code}: {status.details.removesuffix('.')})"
    if status.code == "UNAVAILABLE":
        return _unreachable(store, address, said)
    if status.code == "DEADLINE_EXCEEDED":
        return errors.UnreachableError(
            f"{where} did not answer {method} within {store.timeout:g} seconds. Check that it is "
            "an MLMD service and not overloaded, or give a longer timeout."
        )
    if status.code == "UNAUTHENTICATED":
        what = "refuses the token in the headers" if store.headers else "asks for a token"
        return errors.AuthenticationError(
            f"{where} {what}{said}. Give headers={{'authorization': 'Bearer ...'}} or set "
            "MLMD_LINEAGE_TOKEN."
        )
    if status.code == "PERMISSION_DENIED":
        why = "The token, or the client's certificate, is not allowed to read"
        if method.startswith("Put"):
            why = "The service only reads, or the token or the certificate may not write"
        return errors.StorePermissionError(
            f"{where} refuses {method}{said}. {why}; ask whoever runs the service or the gateway "
            "before it."
        )
    if status.code == "UNIMPLEMENTED":
        return errors.NotAMetadataStoreError(
            f"{where} is no MLMD service: it has no method {method}{said}. Check the host and "
            "the port; MLMD's usual port is 8080, and Envoy's beside it speaks gRPC-Web, not gRPC."
        )
    hint = "Its own log says more."
    if is_too_large(status):
        hint = (
            f"One message may have {store.max_message} MiB at this side, and what the service "
            "allows at its own. If you trust the service, allow more with max_message."
        )
    return errors.ReadError(f"{where} failed in {method}{said}. {hint}")


def _unreachable(store: KubeflowMetadataStore, address: Address, said: str) -> errors.StoreError:
    """Tell why no call comes through: by trying again without gRPC, whose reasons vary."""
    where = address.location
    try:
        raw = socket.create_connection(address[:2], timeout=min(_PROBE_SECONDS, store.timeout))
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        return errors.UnreachableError(
            f"Nothing answers at {where}: {reason}. Check the host and the port, and that the "
            "service runs."
        )
    with raw:
        refusal = _tls_refusal(store, address, raw)
    if refusal is not None:
        return errors.TLSError(f"{where} gives no secure connection: {refusal}")
    return errors.UnreachableError(
        f"Something listens at {where}, but no call comes through{said}. Check that it is an "
        "MLMD service, and that it did not stop in the midst of the read; then try again."
    )


def _tls_refusal(store: KubeflowMetadataStore, address: Address, raw: socket.socket) -> str | None:
    """Return why a secure connection cannot be had, or None where that is not the matter."""
    try:
        context = ssl.create_default_context(cafile=store.ssl_ca and str(store.ssl_ca))
        if not store.tls:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif store.ssl_cert is not None and store.ssl_key is not None:
            context.load_cert_chain(store.ssl_cert, store.ssl_key)
    except (OSError, ssl.SSLError):
        return "ssl_ca, ssl_cert or ssl_key is no PEM file, or the key is not the certificate's."
    context.set_alpn_protocols(["h2"])
    try:
        secure = context.wrap_socket(raw, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not to be trusted ({error.verify_message or error.reason}). Give "
            "the authority that signed it as ssl_ca, and the name that it is made out to as host."
        )
    except (OSError, ssl.SSLError):
        if store.tls:
            return "it does not speak TLS. Write grpc:// in place of grpcs://, or leave out ssl."
        return None
    with contextlib.closing(secure):
        if not store.tls:
            return "it takes TLS only, and the store does not use it. Write grpcs://, or ssl=True."
        return _client_refusal(store, secure)


def _client_refusal(store: KubeflowMetadataStore, secure: ssl.SSLSocket) -> str | None:
    """Return whether it is the client's certificate that the server refuses."""
    secure.settimeout(1.0)
    try:
        # With TLS 1.3 a server refuses after the handshake, by an alert or by hanging up; one that
        # is content begins to speak HTTP/2, or waits.
        refused = not secure.recv(1)
    except TimeoutError:
        refused = False
    except (OSError, ssl.SSLError):
        refused = True
    if refused:
        what = "refuses the client's" if store.ssl_cert else "asks for a client's"
        return f"it {what} certificate. Give one that it trusts as ssl_cert, with its ssl_key."
    return None
