"""Decoding of text that MLMD stored in MySQL encoded twice.

MLMD's client leaves MySQL's default character set, latin1, as it is and sends UTF-8. The server
takes each byte for a letter, so that in a Unicode column ``ü`` stands as ``Ã¼``.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

# MySQL's latin1 is Windows' code page 1252 in which the five bytes without a letter are letters
# too: https://dev.mysql.com/doc/refman/8.0/en/charset-we-sets.html
_LETTERS = "".join(
    chr(byte) if byte in {0x81, 0x8D, 0x8F, 0x90, 0x9D} else bytes([byte]).decode("cp1252")
    for byte in range(256)
)
_BYTES = codecs.charmap_build(_LETTERS)


def once_encoded(text: str) -> str:
    """Return the text that a stored text was when MLMD sent it.

    >>> once_encoded("ZÃ¼rich"), once_encoded("Zürich")
    ('Zürich', 'Zürich')
    """
    if text.isascii():
        return text
    try:
        return codecs.charmap_encode(text, "strict", _BYTES)[0].decode()
    except UnicodeError:
        return text


def twice_encoded(text: str) -> str:
    """Return what a text is in the database when MLMD has sent it; ``once_encoded`` undoes it.

    >>> twice_encoded("Zürich")
    'ZÃ¼rich'
    """
    if text.isascii():
        return text
    return codecs.charmap_decode(text.encode(errors="replace"), "strict", _LETTERS)[0]


def spellings(texts: Collection[int | str]) -> list[int | str]:
    """Return all ways in which texts may stand in the database; numbers stay as they are."""
    found = dict.fromkeys(texts)
    for text in texts:
        if isinstance(text, str) and not text.isascii():
            found[twice_encoded(text)] = None
    return list(found)


def readable(value: Any) -> Any:
    """Return the text that a driver's bytes are; what is not bytes is returned as it is."""
    if not isinstance(value, bytes):
        return value
    return once_encoded(value.decode(errors="backslashreplace"))
