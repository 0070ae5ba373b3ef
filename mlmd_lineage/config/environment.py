"""Passwords and TLS material from environment variables."""

from __future__ import annotations

import os

import pydantic

from mlmd_lineage.config.origin import environment_allowed

PASSWORD_VARIABLE = "MLMD_LINEAGE_PASSWORD"  # noqa: S105 - the name of a variable, not a password
TOKEN_VARIABLE = "MLMD_LINEAGE_TOKEN"  # noqa: S105 - the name of a variable, not a token
TLS_VARIABLES = {
    "ssl_ca": "MLMD_LINEAGE_SSL_CA",
    "ssl_cert": "MLMD_LINEAGE_SSL_CERT",
    "ssl_key": "MLMD_LINEAGE_SSL_KEY",
}


def secret_from_environment(variable: str) -> pydantic.SecretStr | None:
    """Return the secret in a variable, or None where that is unset, empty or not to be used.

    A project's registrations name a server, and get no secret of the environment; see
    ``mlmd_lineage.config.origin``.
    """
    value = os.environ.get(variable)
    return pydantic.SecretStr(value) if value and environment_allowed() else None


def password_from_environment() -> pydantic.SecretStr | None:
    """Return the password in ``MLMD_LINEAGE_PASSWORD``, or None where there is none to be used."""
    return secret_from_environment(PASSWORD_VARIABLE)
