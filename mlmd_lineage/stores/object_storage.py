"""Archives in object storage and on web servers: their URLs, and fsspec's filesystems for them.

Which filesystem reads a scheme, and with which arguments, is as for artifacts: built in, or listed
by ``register_scheme()``, ``MLMD_LINEAGE_SCHEMES`` or ``filesystem_schemes.json``. Credentials come
from there or from where the filesystem itself looks for them, never from a URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mlmd_lineage import errors
from mlmd_lineage.config import filesystem_schemes, web_sessions
from mlmd_lineage.config.filesystem_schemes import FilesystemScheme

if TYPE_CHECKING:
    from typing import Any

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "https", "http")
"""The schemes that an archive may have without being listed.

``https`` is one, as an archive's URL is the user's own; that of an artifact was written by others.
"""
_WEB = ("http", "https")
OtherServerError = web_sessions.OtherServerError
"""What such a filesystem raises where a server redirects to another one."""
SILENCE = web_sessions.SILENCE
"""How many seconds a web server may send nothing."""
TooMuchSentError = web_sessions.TooMuchSentError
"""What it raises where a server sends more than was asked for."""


def is_object_url(text: str) -> bool:
    """Return whether a text is a URL of object storage or of a web server.

    >>> is_object_url("s3://bucket/archive"), is_object_url("archive")
    (True, False)
    """
    scheme, separator, _ = text.partition("://")
    name = scheme.lower()
    if not separator or name == "file":
        return False
    return name in SCHEMES or filesystem_schemes.filesystem_scheme(name, text) is not None


def checked_url(url: str) -> str:
    """Return a URL of a folder, without a slash at its end.

    Raises:
        ConfigurationError: It holds credentials or a query, or is a chain of filesystems.
    """
    try:
        parts = urlsplit(url)
        has_user = parts.username is not None and parts.scheme in _WEB
        holds_secret = parts.password is not None or has_user or bool(parts.query)
    except ValueError:
        holds_secret = True
        parts = urlsplit("")
    if holds_secret or parts.fragment:
        message = (
            "The URL of an archive is that of its folder, without a user, a password or a query, "
            "so it is not repeated here; credentials come from the environment or from "
            "register_scheme()."
        )
        raise errors.ConfigurationError(message)
    if "::" in url or "\0" in url or not (parts.netloc or parts.path.strip("/")):
        message = "The URL of an archive names one folder, as s3://bucket/archive does."
        raise errors.ConfigurationError(message)
    return url.rstrip("/")


def filesystem(url: str) -> tuple[Any, str]:
    """Return the filesystem of fsspec that reads a URL, and the path of the URL there.

    Raises:
        ConfigurationError: The package that it needs is not installed.
    """
    import fsspec

    name, _, rest = url.partition("://")
    scheme = filesystem_schemes.filesystem_scheme(name, url) or FilesystemScheme(
        name.lower(), web_sessions.web_options(name.lower(), {})
    )
    try:
        made = fsspec.get_filesystem_class(scheme.protocol)(**scheme.options)
    except (ImportError, ValueError):
        how = (
            f"pip install 'mlmd-lineage[{scheme.extra}]'"
            if scheme.extra
            else f"install the package that fsspec needs for {scheme.protocol!r}"
        )
        message = f"{name}:// cannot be read here: {how}."
        raise errors.ConfigurationError(message) from None
    return made, str(made._strip_protocol(f"{scheme.protocol}://{rest}"))  # noqa: SLF001 - fsspec's own name for it
