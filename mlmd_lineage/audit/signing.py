"""Signatures: in-toto statements in DSSE envelopes, signed with keys of the user's.

The formats: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. Keys and signatures are those of
the library securesystemslib; the extra ``sign`` installs it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlmd_lineage import errors
from mlmd_lineage.audit.records import canonical_json

if TYPE_CHECKING:
    from typing import TypeAlias

    Key: TypeAlias = "str | os.PathLike[str] | Signer"

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PASSWORD_VARIABLE = "MLMD_LINEAGE_KEY_PASSWORD"  # noqa: S105 - its name
_MOST_KEY_BYTES = 1 << 16


@runtime_checkable
class Signer(Protocol):
    """Anything that signs as ``securesystemslib.signer.Signer`` does."""

    @property
    def public_key(self) -> Any:
        """The public key, a ``securesystemslib.signer.Key``."""

    def sign(self, payload: bytes) -> Any:
        """Return a ``securesystemslib.signer.Signature`` of some bytes."""


@dataclasses.dataclass(frozen=True)
class SignedPayload:
    """The payload of an envelope, and the keys whose signatures of it were verified.

    Attributes:
        payload: The payload's bytes.
        keyids: The ids of those keys.
    """

    payload: bytes
    keyids: tuple[str, ...]


class SignatureError(Exception):
    """An envelope cannot be read, or no signature in it is right."""


def signer_for(key: Key, public_key: str | os.PathLike[str] | None = None) -> Signer:
    """Return what signs with a key.

    >>> signer_for("key.pem")

    Args:
        key: The path of a private key in PEM (ed25519, ECDSA or RSA; where it is encrypted, the
            password is in ``MLMD_LINEAGE_KEY_PASSWORD``); a URI of securesystemslib's, such as
            ``hsm:``, ``awskms:`` or ``gcpkms:``; or one of its signers.
        public_key: The path of the public key in PEM that belongs to a URI.

    Raises:
        ConfigurationError: There is no such key, or it cannot be used.
    """
    if isinstance(key, Signer):
        return key
    library = _library()
    text = os.fspath(key)
    scheme = text.partition(":")[0]
    if scheme in library.SIGNER_FOR_URI_SCHEME and not os.path.exists(text):  # noqa: PTH110
        if public_key is None:
            message = f"A key given by a {scheme}: URI needs its public key too, a file in PEM."
            raise errors.ConfigurationError(message)
        return _from_uri(library, text, load_public_key(public_key))
    return _from_file(library, Path(text))


def _from_uri(library: Any, uri: str, public_key: Any) -> Signer:
    try:
        made: Signer = library.Signer.from_priv_key_uri(uri, public_key, _secret)
    except Exception as error:  # noqa: BLE001 - each kind of key has errors of its own
        scheme = uri.partition(":")[0]
        what = type(error).__name__
        message = f"The key of the {scheme}: URI cannot be used ({what}): {error}"
        raise errors.ConfigurationError(message) from None
    return made


def _secret(what: str) -> str:
    """Return the PIN or password of a key.

    Raises:
        ConfigurationError: There is none.
    """
    found = os.environ.get(PASSWORD_VARIABLE)
    if found is None:
        message = f"The key needs its {what}: set {PASSWORD_VARIABLE}."
        raise errors.ConfigurationError(message)
    return found


def _from_file(library: Any, path: Path) -> Signer:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    raw = _key_bytes(path)
    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        private = load_pem_private_key(raw, password.encode() if password else None)
    except TypeError:
        message = (
            f"The key {path} is encrypted; put its password into {PASSWORD_VARIABLE}."
            if password is None
            else f"The key {path} is not encrypted, and {PASSWORD_VARIABLE} is set; unset it."
        )
        raise errors.ConfigurationError(message) from None
    except Exception as error:  # noqa: BLE001 - cryptography's errors differ by its releases
        message = (
            f"{path} is no private key in PEM that can be read ({type(error).__name__}); "
            "'openssl genpkey -algorithm ed25519 -out key.pem' makes one."
        )
        raise errors.ConfigurationError(message) from None
    try:
        made: Signer = library.CryptoSigner(private)
    except Exception as error:  # noqa: BLE001 - securesystemslib's errors have no common base
        message = f"A key such as {path} cannot sign: {error}"
        raise errors.ConfigurationError(message) from None
    return made


def load_public_key(path: str | os.PathLike[str]) -> Any:
    """Return the public key in a file, in PEM.

    Raises:
        ConfigurationError: There is none.
    """
    try:
        return public_key_from(_key_bytes(Path(path)), str(path))
    except SignatureError as error:
        message = f"{error}."
        raise errors.ConfigurationError(message) from None


def public_key_from(pem: bytes, what: str) -> Any:
    """Return the public key that a text in PEM is.

    Raises:
        SignatureError: It is none.
    """
    library = _library()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return library.SSlibKey.from_crypto(load_pem_public_key(pem))
    except Exception as error:  # noqa: BLE001 - the errors of two libraries
        message = f"{what} is no public key in PEM ({type(error).__name__})"
        raise SignatureError(message) from None


def public_pem(signer: Signer) -> str:
    """Return a signer's public key in PEM; an empty text where it has another form."""
    value = signer.public_key.keyval.get("public", "")
    return value if isinstance(value, str) and value.startswith("-----BEGIN") else _pem(signer)


def _pem(signer: Signer) -> str:
    """Return the public key of ed25519, which securesystemslib keeps as hexadecimal digits."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if signer.public_key.keytype != "ed25519":
        return ""
    raw = bytes.fromhex(signer.public_key.keyval["public"])
    return (
        Ed25519PublicKey.from_public_bytes(raw)
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def statement(name: str, content: bytes, predicate_type: str, predicate: object) -> bytes:
    """Return an in-toto statement about some bytes, as canonical JSON."""
    digest = {"sha256": hashlib.sha256(content).hexdigest()}
    found = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": digest}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return canonical_json.dumps(found).encode()


def envelope(payload: bytes, signer: Signer, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return a signed DSSE envelope of some bytes, as canonical JSON.

    Raises:
        ConfigurationError: The key does not sign.
    """
    try:
        signature = signer.sign(pre_authentication_encoding(payload_type, payload))
    except errors.MLMDLineageError:
        raise
    except Exception as error:  # noqa: BLE001 - each kind of key has errors of its own
        message = f"The key does not sign ({type(error).__name__}): {error}"
        raise errors.ConfigurationError(message) from None
    made = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [
            {
                "keyid": signature.keyid,
                "sig": base64.b64encode(bytes.fromhex(signature.signature)).decode(),
            }
        ],
    }
    return canonical_json.dumps(made).encode()


def opened(raw: bytes, key: Any, payload_type: str = PAYLOAD_TYPE) -> SignedPayload:
    """Return the payload of an envelope that a key has signed.

    Args:
        raw: The envelope.
        key: The public key, as ``load_public_key()`` returns it.
        payload_type: Its payload's media type.

    Raises:
        SignatureError: It is no such envelope, or the key has not signed it.
    """
    found, payload = payload_of(raw, payload_type)
    signed = pre_authentication_encoding(payload_type, payload)
    keyids = [keyid for keyid, signature in found if _is_signed(key, signature, signed)]
    if not keyids:
        message = f"the key {key.keyid} has not signed it, or what it signed was changed"
        raise SignatureError(message)
    return SignedPayload(payload, tuple(keyids))


def payload_of(
    raw: bytes, payload_type: str = PAYLOAD_TYPE
) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return the signatures in an envelope, with their keys' ids, and its payload, unverified.

    Raises:
        SignatureError: It is no such envelope.
    """
    try:
        content = json.loads(raw)
        kind, shown = content["payloadType"], canonical_json.dumps(content).encode()
        signatures = [(str(each["keyid"]), _decoded(each["sig"])) for each in content["signatures"]]
        payload = _decoded(content["payload"])
    except SignatureError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError):
        message = "it is no DSSE envelope"
        raise SignatureError(message) from None
    if shown != raw:
        message = "its JSON is not in the canonical form"
        raise SignatureError(message)
    if kind != payload_type:
        message = f"its payload is not of the type {payload_type}"
        raise SignatureError(message)
    return signatures, payload


def _decoded(text: str) -> bytes:
    """Return what base64 text means, in the one form in which it can be written."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        message = "its base64 cannot be read"
        raise SignatureError(message) from None
    if base64.b64encode(raw).decode() != text:
        message = "its base64 is not in the canonical form"
        raise SignatureError(message)
    return raw


def _is_signed(key: Any, signature: bytes, signed: bytes) -> bool:
    from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError

    try:
        key.verify_signature(_library().Signature(key.keyid, signature.hex()), signed)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return what DSSE signs.

    >>> pre_authentication_encoding("text/plain", b"hello")
    b'DSSEv1 10 text/plain 5 hello'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_KEY_BYTES)
    except OSError as error:
        message = f"The key {path} cannot be read: {error.strerror}."
        raise errors.ConfigurationError(message) from None


def _library() -> Any:
    try:
        import cryptography  # noqa: F401 - securesystemslib does without it, and cannot sign then
        from securesystemslib import signer
    except ImportError:
        message = (
            "Signing and the verification of signatures need the package securesystemslib: "
            "pip install 'mlmd-lineage[sign]'."
        )
        raise errors.ConfigurationError(message) from None
    return signer
