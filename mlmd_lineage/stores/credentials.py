"""Credentials in a text that was meant to be a URL, and must not be shown in a message."""

from __future__ import annotations

import re

# USER:PASSWORD@, with or without a scheme before it; a Windows path has one letter and a slash.
_USER_AND_PASSWORD = re.compile(r"[^/\\\s:@]+:(?![/\\])[^@]*@")
_NAMED = re.compile(
    r"(?i)(pass(word|wd|phrase)?|pwd|secret|token|api_?key|access_?key)\s*[=:]\s*\S"
)

MISTYPED = (
    "looks like a URL with a password that is mistyped, so it is not repeated here; write "
    "mysql://user:password@host:3306/database, percent-encode what means something in a URL, or "
    "leave the password out and set MLMD_LINEAGE_PASSWORD."
)


def holds_credentials(text: str) -> bool:
    """Return whether a text looks as if it holds a password.

    >>> holds_credentials("reader:PASSWORD@db/metadb"), holds_credentials("data/metadata.db")
    (True, False)
    """
    return _USER_AND_PASSWORD.search(text) is not None or _NAMED.search(text) is not None
