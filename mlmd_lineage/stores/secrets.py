"""Where passwords come from when they are not given."""

from __future__ import annotations

import os

import pydantic

PASSWORD_VARIABLE = "MLMD_LINEAGE_PASSWORD"  # noqa: S105 - the name of a variable, not a password


def password_from_environment() -> pydantic.SecretStr | None:
    """Return the password in ``MLMD_LINEAGE_PASSWORD``, or None where that is unset or empty."""
    value = os.environ.get(PASSWORD_VARIABLE)
    return pydantic.SecretStr(value) if value else None
