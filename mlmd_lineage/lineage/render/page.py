"""A graph as one HTML page: its picture, its nodes and its edges, without scripts."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pandas as pd

from mlmd_lineage.lineage import frames
from mlmd_lineage.lineage.render import html as render_html
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.node_labels import label_frame

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph_data import GraphData

_PLAIN = (
    "This page is plain: the explorer, in which one can search, fold and follow, is not part of "
    "the installation of mlmd-lineage that made it."
)
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;
  padding: 0 1rem; color: #17212b; background: #fff; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #d5dbe1;
  vertical-align: top; overflow-wrap: anywhere; }
.picture { background: #fff; border-radius: 6px; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { color: #e6eaee; background: #14191f; } th, td { border-color: #36404a; } }
@media print { details > *:not(summary) { display: block; } }
"""


def page(graph: GraphData, *, fold: bool = True) -> str:
    """Return a graph as an HTML page that needs no other file and no network."""
    captions = render_html.captions(graph)
    picture = render_html.page_width(render_html.svg(graph, fold=fold))
    title = labels.escaped(captions[0])
    nodes = frames.nodes(graph).join(label_frame(graph, graph.node_labels))
    first = ["label", "type", "status", "run", "pipeline", "name", "uri", "state"]
    nodes = nodes[[*first, "create_time_since_epoch"]]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        f'<h1>Lineage</h1><p>{title}</p><p>{_source(graph)}</p><div class="picture">{picture}</div>'
        f"<p>{_PLAIN}</p>{_table('Nodes', nodes)}{_table('Events', frames.edges(graph))}"
        "</body></html>\n"
    )


def _source(graph: GraphData) -> str:
    return labels.escaped(graph.tables.source or "")


def _table(title: str, frame: pd.DataFrame) -> str:
    heads = [str(frame.index.name), *map(str, frame.columns)]
    rows = (
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>\n"
        for row in frame.itertuples()
    )
    return (
        f"<details open><summary>{title}: {len(frame):,}</summary><table><thead><tr>"
        + "".join(f'<th scope="col">{html.escape(name)}</th>' for name in heads)
        + f"</tr></thead><tbody>\n{''.join(rows)}</tbody></table></details>\n"
    )


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return labels.escaped(labels.path_text(value))
    if value is pd.NA or value is pd.NaT or value is None:
        return ""
    text = f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, pd.Timestamp) else str(value)
    return labels.escaped(text)
