"""Text that is safe to print: no control characters, no passwords."""

from __future__ import annotations

import re

# Up to the last @, as a password that was not percent-encoded may hold anything; after one slash
# too, which is what a path makes of two. The example in the library's own messages stays.
_PASSWORD = re.compile(r"(:/{1,2}(?!user:password@)[^\s/:@]*):.*@", re.DOTALL)
_PASSWORD_OPTION = re.compile(r"([?&]password=)[^&\s]*")


def without_passwords(text: str) -> str:
    """Return a text with the passwords of its URLs replaced.

    >>> without_passwords("mysql://reader:secret@db/metadb")
    'mysql://reader:***@db/metadb'
    """
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def printable(text: str) -> str:
    r"""Return a text in one line, its control characters as ``\n`` and the like.

    A name in a store may hold anything, also what would take over a terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
