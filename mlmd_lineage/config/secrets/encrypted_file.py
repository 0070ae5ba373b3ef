"""The encrypted file of secrets, for machines without a keyring.

The key is ``MLMD_LINEAGE_SECRETS_KEY``, any text, from which the real key is derived by scrypt.
Where that is not set, it is a random one in ``secrets.key`` beside the file, for its owner's eyes
only: that keeps the secrets from whoever sees the file alone (a backup, a commit, a screen), not
from whoever can read all that the owner can.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import locked, write_whole
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.config.json_text import parse_json
from mlmd_lineage.config.owned_files import read_owned

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_VARIABLE = "MLMD_LINEAGE_SECRETS_KEY"
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_MAGIC = b"mlmd-lineage secrets 1\n"
_SALT = 16
# What RFC 7914 gives for interactive use, doubled since: a tenth of a second, 32 MB.
_SCRYPT = {"n": 2**15, "r": 8, "p": 1}


class FileBackend:
    """Keeps all values in one file, encrypted with Fernet (AES-128 and HMAC-SHA256)."""

    def __init__(self) -> None:
        try:
            from cryptography import fernet
        except ImportError:
            message = (
                "This machine has no keyring, and an encrypted file needs the package "
                "cryptography: pip install 'mlmd-lineage[secrets]'. Or give the password in "
                "MLMD_LINEAGE_PASSWORD, and register none."
            )
            raise errors.ConfigurationError(message) from None
        self._fernet: Any = fernet
        self.path = config_folder() / "secrets.enc"

    def get(self, name: str, key: str) -> str | None:
        """Return a value, or None where it is not there."""
        return self._read().get(name, {}).get(key)

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Keep values, in place of those of the same name and key."""
        with locked(self.path):
            kept = self._read()
            kept[name] = {**kept.get(name, {}), **values}
            self._write(kept)

    def drop(self, name: str, keys: list[str]) -> None:
        """Delete values; those that are not there are no error."""
        with locked(self.path):
            kept = self._read()
            left = {key: value for key, value in kept.pop(name, {}).items() if key not in keys}
            self._write(kept | ({name: left} if left else {}))

    def _read(self) -> dict[str, dict[str, str]]:
        data = read_owned(self.path)
        if data is None:
            return {}
        head, salt, token = (
            data[: len(_MAGIC)],
            data[len(_MAGIC) : len(_MAGIC) + _SALT],
            data[len(_MAGIC) + _SALT :],
        )
        key = _key(salt, make=False) if head == _MAGIC else None
        try:
            text = self._fernet.Fernet(key or b"").decrypt(token)
            kept: dict[str, dict[str, str]] = parse_json(text)
        except (self._fernet.InvalidToken, ValueError):
            message = (
                f"{self.path} cannot be decrypted: {KEY_VARIABLE} or secrets.key is not the key "
                "it was written with, or it is damaged. It is left as it is; move it away to "
                "register its secrets again."
            )
            raise errors.ConfigurationError(message) from None
        return kept

    def _write(self, kept: Mapping[str, Mapping[str, str]]) -> None:
        salt = os.urandom(_SALT)
        key = _key(salt, make=True)
        token = self._fernet.Fernet(key).encrypt(json.dumps(kept, sort_keys=True).encode())
        write_whole(self.path, _MAGIC + salt + token, mode=_OWNER_ONLY)


def _key(salt: bytes, *, make: bool) -> bytes | None:
    """Return the key in Fernet's form; None where there is none and none is to be made."""
    given = os.environ.get(KEY_VARIABLE)
    if given:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        derived = Scrypt(salt=salt, length=32, **_SCRYPT).derive(given.encode())
        return base64.urlsafe_b64encode(derived)
    path = config_folder() / "secrets.key"
    kept = read_owned(path)
    if kept is not None and sys.platform != "win32" and path.stat().st_mode & _OTHERS:
        message = (
            f"{path} can be read by other users, so it may no longer be secret. Run 'chmod 600 "
            f"{path}'; if others may have read it, register the secrets again after moving it and "
            "secrets.enc away."
        )
        raise errors.ConfigurationError(message)
    if kept is None and make:
        kept = base64.urlsafe_b64encode(os.urandom(32))
        write_whole(path, kept + b"\n", mode=_OWNER_ONLY)
    return kept.strip() if kept is not None else None
