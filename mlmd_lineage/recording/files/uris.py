"""URIs of artifacts as they are recorded: absolute, and without secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from urllib.request import url2pathname

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(//|/)")
_SECRET_PARAMETERS = re.compile(
    r"(?i)^(sig|signature|token|access_?token|key|api_?key|awsaccesskeyid|password|secret|"
    r"x-(amz|goog)-(signature|credential|security-token))$"
)


def scheme_of(uri: str) -> str:
    """Return the scheme of a URI in lower case; ``file`` for a path."""
    match = _SCHEME.match(uri)
    return "file" if match is None else match[1].lower()


def is_local(uri: str) -> bool:
    """Tell whether a URI is a path of this machine."""
    return scheme_of(uri) == "file"


def local_path(uri: str) -> str:
    """Return the path that a local URI means."""
    if _SCHEME.match(uri) is None:
        return os.path.expanduser(uri)  # noqa: PTH111 - a text
    return url2pathname(urlsplit(uri).path)


def recorded_uri(given: str | os.PathLike[str]) -> str:
    """Return a path or a URI as it is recorded.

    >>> recorded_uri("https://user:secret@host/data.csv?sig=abc&part=1")
    'https://host/data.csv?part=1'

    A path becomes absolute. A URL loses its user, its password and what signs it.
    """
    text = os.fspath(given)
    if is_local(text):
        path = os.path.abspath(local_path(text))  # noqa: PTH100 - a link stays one
        return path if _is_text(path) else Path(path).as_uri()
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2] if ":" in parts.netloc.rpartition("@")[0] else None
    query = parts.query
    if any(_SECRET_PARAMETERS.match(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
        kept = [
            (name, value)
            for name, value in parse_qsl(query, keep_blank_values=True)
            if not _SECRET_PARAMETERS.match(name)
        ]
        query = urlencode(kept, quote_via=quote)
    if host is None and query == parts.query:
        return text
    # What remains names the same, for whoever has the right to read it.
    return urlunsplit(parts._replace(netloc=parts.netloc if host is None else host, query=query))


def _is_text(path: str) -> bool:
    """Tell whether a path is text, and not bytes that no encoding reads."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
