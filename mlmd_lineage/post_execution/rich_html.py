"""Reports and frames as HTML for a notebook, in which names of a store are nothing but text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.render import labels

if TYPE_CHECKING:
    import pandas as pd


def report_html(text: str) -> str:
    r"""Return lines of text as HTML, each limited and printable.

    >>> report_html("a<b>\n\u202ec")
    '<pre>a&lt;b&gt;\n\\u202ec</pre>'
    """
    lines = "\n".join(map(labels.escaped, text.split("\n")))
    return f"<pre>{lines}</pre>"


def frame_html(frame: pd.DataFrame, *, index: bool = True, longest: int = 0) -> str:
    """Return a frame as HTML; pandas itself lets through what turns the direction of the text.

    Args:
        frame: The frame.
        index: Show its index.
        longest: How many letters a text may have; 0 for as many as a page shows.
    """
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    def shown(value: Any) -> Any:
        if isinstance(value, str):
            whole = labels.shortened(value, longest) if longest else labels.limited(value)
            return labels.printable(whole)
        if isinstance(value, (list, tuple)):
            return tuple(map(shown, value))
        if isinstance(value, dict):
            return {shown(name): shown(item) for name, item in value.items()}
        return value

    made = frame.apply(
        lambda column: (
            column
            if is_numeric_dtype(column) or is_datetime64_any_dtype(column)
            else pd.Series(list(map(shown, column)), column.index, dtype=object)
        )
    )
    made.columns = made.columns.map(shown)
    if index:
        made.index = made.index.map(shown)
    return str(made.to_html(index=index, na_rep="", classes=labels.NO_FORMULAS))
