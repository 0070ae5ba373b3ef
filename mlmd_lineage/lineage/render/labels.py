"""The texts of pictures: short names for nodes and paths, without control characters."""

from __future__ import annotations

import html
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 48
"""How many characters a line of a label has at most."""
LONGEST_TEXT = 4_000
"""How many characters a tooltip or a cell of a page has at most, beside how many are left out."""
NO_FORMULAS = "mathjax_ignore tex2jax_ignore"
"""The classes that keep notebooks from setting what stands between two dollar signs as formulas."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# All that XML 1.0 cannot hold, C1 controls, marks that turn the direction of the text round, line
# ends that are none in HTML, and what does not show; but for the two that join and part letters in
# Persian, Indic scripts and emoji. The explorer's text.ts escapes the same.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)
_LINES = re.compile(r"[^\n\t]+")


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID, which says nothing to people."""
    return _UUID.fullmatch(text) is not None


def path_text(path: Sequence[str | int | None]) -> str:
    """Return an event's path as pictures show it; an index of 0 after a key is left out.

    >>> path_text(("examples", 0)), path_text(("model", 2)), path_text(("a", 0, "b", 0))
    ('examples', 'model[2]', 'a, b')
    """
    texts: list[str] = []
    for step in path:
        if not isinstance(step, int):
            texts.append(step or "")
        elif not texts:
            texts.append(f"[{step}]")
        elif step:
            texts[-1] += f"[{step}]"
    return ", ".join(text for text in texts if text)


def shortened(text: str, length: int) -> str:
    """Return a text with its middle left out where it is longer than that.

    >>> shortened("abcdefghij", 7)
    'abc…hij'
    """
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def shortened_apart(texts: Sequence[str], length: int) -> list[str]:
    """Return texts shortened so that what tells them apart stays.

    >>> shortened_apart(["a" * 20 + "1" + "z" * 20, "a" * 20 + "2" + "z" * 20], 11)
    ['…aaa1z…zzzz', '…aaa2z…zzzz']
    """
    short = [shortened(text, length) for text in texts]
    alike: dict[str, set[str]] = {}
    for text, made in zip(texts, short, strict=True):
        alike.setdefault(made, set()).add(text)
    first = {
        text: len(os.path.commonprefix(sorted(some)))  # noqa: RUF071 - of letters, not of paths
        for some in alike.values()
        if len(some) > 1
        for text in some
    }
    before = min(10, (length - 1) // 3)
    return [
        f"…{shortened(text[max(first[text] - before, 0) :], length - 1)}" if text in first else made
        for text, made in zip(texts, short, strict=True)
    ]


def printable(text: str) -> str:
    r"""Return a text whose control characters are written as escapes, such as ``\x00``.

    Tabs and line ends stay.
    """
    if text.isprintable():  # as nearly every text is, and quick to tell
        return text
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    r"""Return a text in one line, what does not print as ``\n``, ``\x1b`` or ``\u202e``.

    A name in a store may hold anything: control sequences that would take over a terminal,
    marks that turn the direction of the text, characters that do not show. All that Unicode
    does not count as printable is escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )


def printable_lines(text: str) -> str:
    """Return a text of several lines like ``one_line()``, its line ends and tabs as they are."""
    return _LINES.sub(lambda found: one_line(found[0]), text)


def limited(text: str, whole_in: str = "") -> str:
    """Return a text that says how much of it was left out where it is very long.

    >>> limited("x" * 4_002).removeprefix("x" * 4_000)
    ' … (2 more characters)'

    Args:
        text: The text.
        whole_in: Where all of it is, for those who read it.
    """
    if len(text) <= LONGEST_TEXT:
        return text
    told = f"; {whole_in}" if whole_in else ""
    return f"{text[:LONGEST_TEXT]} … ({len(text) - LONGEST_TEXT:,} more characters{told})"


def escaped(text: str) -> str:
    """Return a text as it stands in HTML and SVG: limited, printable, without markup."""
    return html.escape(printable(limited(text)))
