"""Metrics of runs over time as small panels that share their axis of time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.lineage.render.labels import printable, shortened_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_WIDTH, _HEIGHT = 4.0, 2.4  # inches of a panel
_LONGEST = 44


def draw(
    pipeline: str,
    runs: pd.DataFrame,
    drawn: Mapping[str, pd.Series[Any]],
    figure: Figure | None,
) -> list[Axes]:
    """Draw columns of numbers over the time at which runs started, and return a panel for each.

    Args:
        pipeline: The title.
        runs: The comparison's frame.
        drawn: The values by the columns' names.
        figure: Where to draw; a new one where None is given.

    Raises:
        ConfigurationError: Matplotlib is not installed.
    """
    across = min(_COLUMNS, len(drawn))
    down = math.ceil(len(drawn) / across)
    if figure is None:
        size = (max(_WIDTH * across, 6.0), max(_HEIGHT * down, 3.0) + 0.5)
        figure = _pyplot().figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, sharex=True, squeeze=False)
    flat = panels.ravel()
    names = [printable(name.removeprefix("metrics.")) for name in drawn]
    titles = shortened_apart(names, _LONGEST)
    failed = runs["status"].eq("failed").fillna(value=False).to_numpy(bool)
    for panel, title, values in zip(flat, titles, drawn.values(), strict=False):
        there = values.notna().to_numpy()
        panel.plot(runs["started"][there], values[there], marker="o", markersize=4, linewidth=1.2)
        crossed = there & failed
        if crossed.any():
            times = runs["started"][crossed]
            panel.plot(times, values[crossed], "x", color="#c0392b", markersize=8, label="failed")
            panel.legend(fontsize="small")
        panel.set_title(title, fontsize="medium", parse_math=False)
        panel.grid(visible=True, alpha=0.25)
        panel.tick_params(labelsize="small")
    for panel in flat[len(drawn) :]:
        panel.set_visible(False)
    for column in range(across):
        last = [panel for panel in panels[:, column] if panel.get_visible()][-1]
        last.tick_params(labelbottom=True)
        for label in last.get_xticklabels():  # autofmt_xdate() warns of this layout
            label.set(rotation=30, horizontalalignment="right")
    figure.suptitle(printable(pipeline), parse_math=False)
    figure.supxlabel("started (UTC)", fontsize="small")
    return list(flat[: len(drawn)])


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        message = "plot() needs matplotlib: pip install 'mlmd-lineage[plot]'."
        raise errors.ConfigurationError(message) from None
    return plt
