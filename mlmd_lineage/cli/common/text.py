"""Text that is safe to print: no control characters, no passwords."""

from __future__ import annotations

import json
import re

from mlmd_lineage.lineage.render.labels import one_line, printable_lines

__all__ = ["printable", "printable_json", "printable_lines", "without_passwords"]

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


printable = one_line
"""Returns a text in one line, in which what does not print is escaped."""


def printable_json(text: str) -> str:
    r"""Return JSON that means the same, what does not print as ``\u202e``."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
