"""Keys and bundles for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

if TYPE_CHECKING:
    from pathlib import Path

MAKERS = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def key_pair(
    folder: Path, kind: str = "ed25519", password: bytes | None = None
) -> tuple[Path, Path]:
    """Write a private and a public key in PEM, and return their paths."""
    private = MAKERS[kind]()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = folder / f"{kind}.pem", folder / f"{kind}.pub.pem"
    paths[0].write_bytes(private.private_bytes(pem, pkcs8, encryption))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    paths[1].write_bytes(private.public_key().public_bytes(pem, spki))
    return paths
