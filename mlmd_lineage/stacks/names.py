"""Names of components and stacks."""

from __future__ import annotations

import re

from mlmd_lineage import errors

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""No dot, slash or colon, so that a name is never mistaken for a path or a URL."""

QUALIFIED_NAME = r"^((user|project):)?[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""A name, or one with the layer that it is looked up in: ``user:prod``, ``project:prod``."""


def split_layer(text: str) -> tuple[str | None, str]:
    """Return the layer that a name begins with, or None, and the name itself.

    >>> split_layer("user:prod"), split_layer("prod")
    (('user', 'prod'), (None, 'prod'))
    """
    layer, colon, name = text.partition(":")
    return (layer, name) if colon and layer in {"user", "project"} else (None, text)


def is_qualified_name(text: str) -> bool:
    """Return whether a text can name a component or a stack, its layer before it or not.

    >>> is_qualified_name("project:prod"), is_qualified_name("mysql://u@h/d")
    (True, False)
    """
    return re.fullmatch(QUALIFIED_NAME, text) is not None


def is_name(text: str) -> bool:
    """Return whether a text can name a component or a stack.

    >>> is_name("prod"), is_name("metadata.db")
    (True, False)
    """
    return re.fullmatch(NAME, text) is not None


def checked_name(text: str) -> str:
    """Return a name.

    Raises:
        ConfigurationError: It cannot be one.
    """
    if not is_name(text):
        message = (
            f"{text!r} cannot be a name: it takes up to 64 letters, digits, - and _, and begins "
            "with a letter or digit."
        )
        raise errors.ConfigurationError(message)
    return text
