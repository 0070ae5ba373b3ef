"""Secrets in the operating system's keyring."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICE = "mlmd-lineage"


def usable() -> bool:
    """Return whether this machine has a keyring that encrypts values and asks no questions."""
    try:
        import keyring
    except ImportError:
        return False
    try:
        # The bound that keyring recommends; backends that keep values in plain text are below it.
        return bool(keyring.get_keyring().priority >= 1)
    except Exception:  # noqa: BLE001 - whatever a backend raises, it is not usable
        return False


class KeyringBackend:
    """Keeps each value as a password of the service ``mlmd-lineage``, the user ``name.key``."""

    def __init__(self) -> None:
        try:
            import keyring
        except ImportError:
            message = (
                "This secret is kept in the keyring, and the package keyring is not installed: "
                "pip install 'mlmd-lineage[secrets]'."
            )
            raise errors.ConfigurationError(message) from None
        self._keyring: Any = keyring

    def get(self, name: str, key: str) -> str | None:
        """Return a value, or None where it is not there."""
        with _explained():
            value: str | None = self._keyring.get_password(SERVICE, f"{name}.{key}")
        return value

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Keep values, in place of those of the same name and key."""
        with _explained():
            for key, value in values.items():
                self._keyring.set_password(SERVICE, f"{name}.{key}", value)

    def drop(self, name: str, keys: list[str]) -> None:
        """Delete values; those that are not there are no error."""
        for key in keys:
            with _explained(), contextlib.suppress(self._keyring.errors.PasswordDeleteError):
                self._keyring.delete_password(SERVICE, f"{name}.{key}")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Backends raise errors of any type, whose texts may quote the value.
        if type(error).__name__ == "PasswordDeleteError":
            raise
        message = (
            f"The keyring refuses ({type(error).__name__}): unlock it, or set "
            "MLMD_LINEAGE_SECRETS=file to keep secrets in an encrypted file."
        )
        raise errors.ConfigurationError(message) from None
