"""The HTML of the explorer: the page of the server, and one file that opens without it."""

from __future__ import annotations

import html

from mlmd_lineage.lineage.render.labels import printable

_HEAD = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)


def shell(title: str) -> str:
    """Return the page of the server, in which the front end shows a store."""
    return (
        f"{_HEAD}<title>{_text(title)}</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="static/explorer.css">'
        "</head><body>"
        '<div id="explorer"></div><script src="static/explorer.js"></script></body></html>\n'
    )


def refusal(why: str) -> str:
    """Return a page that says why nothing is shown."""
    return f"{_HEAD}<title>Explorer</title></head><body><p>{_text(why)}</p></body></html>\n"


def _text(text: str) -> str:
    return html.escape(printable(text))
