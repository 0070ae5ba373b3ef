"""Passwords and TLS material from environment variables."""

from __future__ import annotations

import os

import pydantic

PASSWORD_VARIABLE = "MLMD_LINEAGE_PASSWORD"  # noqa: S105 - the name of a variable, not a password
TLS_VARIABLES = {
    "ssl_ca": "MLMD_LINEAGE_SSL_CA",
    "ssl_cert": "MLMD_LINEAGE_SSL_CERT",
    "ssl_key": "MLMD_LINEAGE_SSL_KEY",
}


def password_from_environment() -> pydantic.SecretStr | None:
    """Return the password in ``MLMD_LINEAGE_PASSWORD``, or None where that is unset or empty."""
    value = os.environ.get(PASSWORD_VARIABLE)
    return pydantic.SecretStr(value) if value else None
