"""Rendering of a dossier's data as HTML and as Markdown, by the templates in ``templates/``.

Every text of a store was written by somebody else: in HTML all of it is escaped, what does not
print is shown as an escape, and the file allows no script and no address to be loaded; in Markdown
every sign that means something is escaped.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.render.labels import limited, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import jinja2

    from mlmd_lineage.audit.dossier.picture import Picture

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$]|^[#+>=-]|^[0-9]+(?=[.)]))")
_WHOLE = "all of them in the dossier's JSON"
_LISTED = 200
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;"})


def html(data: Mapping[str, Any], pictures: Sequence[Picture]) -> str:
    """Return a dossier as one HTML file, with the pictures of its lineage."""
    import markupsafe

    # The drawing escapes what it shows.
    drawn = [(markupsafe.Markup(one.svg), one.note) for one in pictures]  # noqa: S704
    return _html_templates().get_template("dossier.html.j2").render(**data, pictures=drawn)


def summary_html(data: Mapping[str, Any]) -> str:
    """Return the beginning of a dossier, for a notebook."""
    return _html_templates().get_template("summary.html.j2").render(**data)


def markdown(data: Mapping[str, Any]) -> str:
    """Return a dossier as Markdown."""
    return _markdown_templates().get_template("dossier.md.j2").render(**data)


@functools.cache
def _html_templates() -> jinja2.Environment:
    made = _templates(autoescape=True)
    made.finalize = _printable
    return made


@functools.cache
def _markdown_templates() -> jinja2.Environment:
    # Markdown is no HTML: escaped() is what makes texts harmless there.
    made = _templates(autoescape=False)
    made.finalize = escaped
    return made


def _templates(*, autoescape: bool) -> jinja2.Environment:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("mlmd_lineage.audit.dossier"),
        autoescape=autoescape,  # noqa: S701 - Markdown is escaped by its own rules
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(shown=shown, anchor=anchor, few=few)
    return made


def _printable(value: Any) -> Any:
    # Not of what is marked as safe: that would lose the mark.
    return printable(limited(value, _WHOLE)) if type(value) is str else value


def escaped(value: Any) -> str:
    r"""Return a value as it stands in a line of Markdown, whatever it holds.

    >>> escaped("a|b *c* <script>")
    'a\\|b \\*c\\* &lt;script>'
    """
    text = " ".join(printable(limited(str(value), _WHOLE)).split()).translate(_MARKUP)
    return _MARKDOWN.sub(_backslash, text).replace("://", ":&#47;/").replace("www.", "www&#46;")


def _backslash(found: re.Match[str]) -> str:
    # The number of a list has its mark after it.
    return f"{found[0]}\\" if found[0][0].isdigit() else f"\\{found[0]}"


def shown(value: Any) -> str:
    """Return a value of a property as people read it.

    >>> shown(0.1), shown({"lr": 0.1}), shown(None)
    ('0.1', '{"lr": 0.1}', '')
    """
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def few(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the first of some values with their names, and how many more there are."""
    more = len(values) - _LISTED
    told = [("…", f"{more:,} more; {_WHOLE}")] if more > 0 else []
    return [*itertools.islice(values.items(), _LISTED), *told]


def anchor(key: str) -> str:
    """Return what a node is called in the addresses within the file.

    >>> anchor("artifact/4")
    'artifact-4'
    """
    return key.replace("/", "-")
