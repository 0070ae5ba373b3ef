"""Recognizes parameters that look like secrets, by their names or values, and masks them."""

from __future__ import annotations

import itertools
import re
import warnings
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import RecordingWarning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_NAMES = {"password", "passwd", "passphrase", "secret", "token", "credential", "credentials"}
_KEYS = {"api", "access", "private", "secret", "auth", "account", "storage"}
HIDDEN = "***"
_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)|"
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|"  # Amazon
    r"\bgh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w*|"  # GitHub
    r"\bhf_[0-9A-Za-z]{20,}|"  # Hugging Face
    r"\bsk-[0-9A-Za-z_-]{20,}|"
    r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]*|"  # a JSON web token
    r"://[^/\s:@]*:[^/\s@]+@"  # a URL with a password
)
_NAMED = (
    r"(?:password|passwd|passphrase|secret|token|credential|"
    r"(?:api|access|private|auth|account|storage)[_-]?key)"
)
_TEXT = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s'\";&|]+)"
# What is repeated is bounded: the time grows with the length of the text, not with its square.
_ASSIGNED = re.compile(
    rf"(?P<name>{_NAMED}\w{{0,60}})(?P<sign>[\"']?[ \t]{{0,8}}[=:][ \t]{{0,8}}){_TEXT}",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    rf"(?P<name>(?<!-)--(?=\w)[\w-]{{0,60}}?{_NAMED}[\w-]{{0,60}})(?P<sign>[ \t]{{1,8}}){_TEXT}",
    re.IGNORECASE,
)
_SETTING = re.compile(r"-*\w[\w.-]*")
_PASSWORD_OPTION = re.compile(r"-p[^=\s-].*", re.DOTALL)
_CLIENTS = {"mysql", "mariadb", "mysqldump", "mariadb-dump", "sshpass", "mysqladmin"}


def looks_secret(name: str, value: Any) -> bool:
    """Tell whether a parameter looks like a secret.

    >>> looks_secret("db_password", "x"), looks_secret("max_tokens", 512), looks_secret("k", "AKIA")
    (True, False, False)
    """
    if not isinstance(value, str) or not value:
        return False
    words = [word.lower() for word in _WORDS.findall(name)]
    named = bool(_NAMES & set(words)) or any(
        word in _KEYS and following == "key" for word, following in itertools.pairwise(words)
    )
    return named or "apikey" in words or _VALUES.search(value) is not None


def without_secrets(words: Sequence[str]) -> list[str]:
    """Return the words of a command without what looks like a secret.

    >>> without_secrets(["train.py", "--api-key", "abc", "--token=abc", "--lr=1"])
    ['train.py', '--api-key', '***', '--token=***', '--lr=1']
    """
    found = []
    before = ""
    client = any(word.rpartition("/")[2] in _CLIENTS for word in words)
    for word in words:
        name, _, value = word.partition("=")
        if _is_option_of_secret(before):
            found.append(HIDDEN)
        elif before != "-c" and _SETTING.fullmatch(name) and _names_secret(name, value):
            found.append(f"{name}={HIDDEN}")
        elif client and _PASSWORD_OPTION.fullmatch(word):
            found.append(f"-p{HIDDEN}")
        else:
            found.append(without_secrets_in(word))
        before = word
    return found


def without_secrets_in(text: str) -> str:
    """Return a text, such as the output of a command, without what looks like a secret.

    >>> without_secrets_in("cd x && DB_PASSWORD=hunter2 python t.py")
    'cd x && DB_PASSWORD=*** python t.py'
    """
    text = _VALUES.sub(HIDDEN, text)
    return _GIVEN.sub(_hidden, _ASSIGNED.sub(_hidden, text))


def _hidden(found: re.Match[str]) -> str:
    if not looks_secret(found["name"], found["value"]):
        return found[0]
    return f"{found['name']}{found['sign']}{HIDDEN}"


def _is_option_of_secret(word: str) -> bool:
    """Tell whether a word is an option whose value, the next word, is a secret."""
    return word.startswith("-") and "=" not in word and looks_secret(word, "value")


def _names_secret(name: str, value: str) -> bool:
    return looks_secret(name, value) and _VALUES.search(value) is None


def warn_of_secrets(parameters: Mapping[str, Any], what: str, stacklevel: int) -> None:
    """Warn of parameters that look like secrets, before they are recorded."""
    found = sorted(name for name, value in parameters.items() if looks_secret(name, value))
    if found:
        message = (
            f"{', '.join(map(repr, found))} of {what} looks like a secret, and parameters can be "
            "read by everyone who can read the store. Leave it out, and have the code take it from "
            "where secrets are kept."
        )
        warnings.warn(RecordingWarning(message), stacklevel=stacklevel + 1)
