from __future__ import annotations

import itertools
import re
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import chain, events, made, nodes, stored, tangled
from test_export import NASTY, TEXTS, nasty

from mlmd_lineage.lineage.render import html, layered_layout

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.lineage.graph import LineageGraph

SVG = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "g", "title", "path", "rect", "circle", "text"}


class Drawn:
    """An SVG image, read as a browser does."""

    def __init__(self, graph: LineageGraph) -> None:
        self.text = html.svg(graph, fold=False)
        self.root = ET.fromstring(self.text)  # noqa: S314 - made here
        self.groups = {
            name: [g for g in self.root.iter(f"{SVG}g") if g.get("class") == name]
            for name in ("node", "edge")
        }
        self.nodes = {
            self.title(group).split(": ")[0]: group.find(f"{SVG}rect")
            for group in self.groups["node"]
        }
        self.texts = [" ".join(element.itertext()) for element in self.root.iter(f"{SVG}text")]

    @staticmethod
    def title(group: ET.Element) -> str:
        return group.findtext(f"{SVG}title") or ""

    def box(self, key: str) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of a node."""
        rect = self.nodes[key]
        x, y, width, height = (float(rect.get(name, "")) for name in ("x", "y", "width", "height"))
        return x, y, x + width, y + height


# Layout

EDGES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40)


@settings(max_examples=200, deadline=None)
@given(EDGES)
def test_layout_keeps_nodes_apart_and_edges_forward(edges: list[tuple[int, int]]) -> None:
    found = layered_layout.arrange(12, edges)
    places = sorted(zip(found.layers, found.heights, strict=True))
    for (layer, height), (other_layer, other) in itertools.pairwise(places):
        assert layer != other_layer or other - height >= 0.999
    assert min(found.layers) == 0
    for a, b in {(a, b) for a, b in edges if a != b}:
        assert found.layers[a] != found.layers[b]
        passed = [layer for layer, _ in found.passes[a, b]]
        step = 1 if found.layers[a] < found.layers[b] else -1
        assert passed == list(range(found.layers[a] + step, found.layers[b], step))
        for layer, height in found.passes[a, b]:
            assert all(
                abs(height - other) >= 0.599
                for other_layer, other in places
                if other_layer == layer
            )


@settings(max_examples=100, deadline=None)
@given(EDGES)
def test_layout_points_edges_of_graphs_without_cycles_to_the_right(
    edges: list[tuple[int, int]],
) -> None:
    forward = [(a, b) for a, b in edges if a < b]
    found = layered_layout.arrange(12, forward)
    assert all(found.layers[a] < found.layers[b] for a, b in forward)


def test_layout_turns_only_what_closes_a_cycle() -> None:
    found = layered_layout.arrange(4, [(0, 1), (1, 2), (2, 3), (3, 1)])
    assert found.layers == [0, 1, 2, 3]


def test_layout_draws_a_chain_on_one_line() -> None:
    found = layered_layout.arrange(5, [(n, n + 1) for n in range(4)])
    assert len(set(found.heights)) == 1


def test_layout_avoids_crossings() -> None:
    # Two ladders, with their nodes numbered so that the plain order crosses.
    found = layered_layout.arrange(6, [(0, 5), (1, 4), (2, 3), (0, 4)])
    ends = sorted(
        [(found.heights[a], found.heights[b]) for a, b in [(0, 5), (1, 4), (2, 3), (0, 4)]]
    )
    assert [b for _, b in ends] == sorted(b for _, b in ends)


def test_layout_puts_what_is_used_late_beside_its_use() -> None:
    found = layered_layout.arrange(5, [(0, 1), (1, 2), (2, 3), (4, 3)])
    assert found.layers[4] == found.layers[3] - 1


# SVG


def test_svg_shows_every_node_and_edge(shared_stores: Path) -> None:
    graph = stored(shared_stores, "tfx_local.db").upstream("artifact/11")
    drawn = Drawn(graph)
    assert list(drawn.nodes) == list(graph)
    assert len(drawn.groups["edge"]) == graph.to_networkx().number_of_edges()
    assert {"CsvExampleGen", "Trainer", "PushedModel"} <= set(drawn.texts)
    assert (
        drawn.texts[-1] == "upstream of artifact/11: 4 artifacts, 4 executions, 9 events; complete"
    )
    tooltip = drawn.title(drawn.groups["node"][list(graph).index("artifact/11")])
    assert "uri: /srv/tfx/pipelines/penguin-train/Pusher/pushed_model/9" in tooltip
    assert "state: LIVE" in tooltip
    assert "created: 2026-11-21 02:" in tooltip
    assert any(", pushed_model, 2026-" in drawn.title(group) for group in drawn.groups["edge"])


@pytest.mark.parametrize("name", ["tfx_local.db", "zenml_0132.db", "real/tfx_sepsis_2022_06.db"])
def test_boxes_do_not_overlap_and_stay_inside(shared_stores: Path, name: str) -> None:
    graph = stored(shared_stores, name)
    drawn = Drawn(graph)
    boxes = sorted(drawn.box(key) for key in graph)
    x, y, width, height = map(float, drawn.root.get("viewBox", "").split())
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert x < left < right < x + width
        assert y < top < bottom < y + height
        for other in boxes[number + 1 :]:
            if other[0] >= right:
                break
            assert other[1] >= bottom or other[3] <= top


def test_edges_run_from_left_to_right(shared_stores: Path) -> None:
    trace = stored(shared_stores, "tfx_local.db").upstream("artifact/11")
    drawn = Drawn(trace)
    for source, target in trace.to_networkx().edges():
        assert drawn.box(source)[2] < drawn.box(target)[0]


def test_kinds_start_and_boundary_look_different() -> None:
    trace = chain().upstream("artifact/4", max_hops=2)
    drawn = Drawn(trace)
    looks = {
        key: {name: rect.get(name) for name in ("rx", "fill", "stroke", "stroke-width")}
        for key, rect in drawn.nodes.items()
    }
    assert looks["artifact/4"]["rx"] != looks["execution/3"]["rx"]
    assert looks["artifact/4"]["fill"] != looks["execution/3"]["fill"]
    assert looks["artifact/4"]["stroke-width"] != looks["artifact/3"]["stroke-width"]
    assert looks["artifact/4"]["stroke"] != looks["artifact/3"]["stroke"]
    assert "more lies beyond" in drawn.title(drawn.groups["node"][0])
    assert not any("more lies beyond" in drawn.title(group) for group in drawn.groups["node"][1:])
    # Upstream of it, so on its left.
    dots = [float(c.get("cx", "")) for c in drawn.groups["node"][0].iter(f"{SVG}circle")]
    assert len(dots) == 3
    assert max(dots) < drawn.box("artifact/3")[0]
    assert drawn.texts[-1].endswith("2 artifacts, 1 execution, 2 events; cut by max_hops at 1 node")
    assert "more was left out here" in drawn.texts


def test_roles_show_as_lines_and_in_the_legend() -> None:
    graph = made(
        Artifact=nodes(1, 2, type_id=2),
        Execution=[
            {"id": 1, "type_id": 1, "last_known_state": 5},
            {"id": 2, "type_id": 1, "last_known_state": 4},
            {"id": 3, "type_id": 1, "last_known_state": 1},
        ],
        Event=events((1, 1, 4), (1, 2, 4), (2, 2, 7), (1, 3, 5), (2, 3, 4), (1, 1, 6)),
    )
    drawn = Drawn(graph)
    lines = {}
    for group in drawn.groups["edge"]:
        role = re.search(r"\((\w+)\)", drawn.title(group))
        assert role is not None
        lines[role[1]] = group.find(f"{SVG}path").get("stroke-dasharray")  # type: ignore[union-attr]
    assert set(lines) == {"reuses", "produces", "pending", "internal", "phantom", "resolves"}
    assert len(set(lines.values())) == len(lines)
    assert lines["produces"] is None
    assert set(lines) <= set(drawn.texts)
    assert "#1 · cached" in drawn.texts
    assert "#2 · failed" in drawn.texts
    assert "uses, produces" not in Drawn(chain()).texts


def test_cycles_parallel_edges_and_missing_nodes_are_drawn() -> None:
    drawn = Drawn(tangled())
    assert len(drawn.nodes) == 7
    assert len(drawn.groups["edge"]) == 6
    assert "\N{MULTIPLICATION SIGN}2" in drawn.texts
    assert drawn.nodes["artifact/44"].get("stroke-dasharray")
    assert drawn.nodes["artifact/10"].get("stroke-dasharray") is None
    assert "#44 · missing" in drawn.texts


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_svg_is_valid_whatever_the_texts(texts: list[str]) -> None:
    drawn = Drawn(nasty(texts))
    assert len(drawn.nodes) == len(texts) + 1
    assert {element.tag.removeprefix(SVG) for element in drawn.root.iter()} <= ALLOWED


def test_texts_are_no_markup() -> None:
    for text in (html.svg(nasty()), html.html(nasty())):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
    assert NASTY[0] in "".join(Drawn(nasty()).texts)


def test_svg_needs_no_style_no_script_and_no_reference(shared_stores: Path) -> None:
    text = html.svg(stored(shared_stores, "tfx_local.db").upstream("artifact/11"))
    assert not re.search(r"<style|style=|<script|url\(|href| id=|<use|<defs|\son\w+=", text)


def test_pictures_are_the_same_each_time(shared_stores: Path) -> None:
    made_twice = {
        html.html(stored(shared_stores, "zenml_0132.db").downstream("execution/25"))
        for _ in range(2)
    }
    assert len(made_twice) == 1


def test_between_says_so() -> None:
    trace = chain().between("artifact/2", "artifact/4")
    drawn = Drawn(trace)
    assert drawn.texts[-1].startswith("between artifact/2 and artifact/4: 3 artifacts")
    assert drawn.nodes["artifact/4"].get("stroke-width") == "3"
    assert drawn.nodes["artifact/3"].get("stroke-width") != "3"


def test_captions_name_the_question() -> None:
    trace = chain().downstream(
        "artifact/1", until="Data", types=["Step", "Data"], reuse=True, as_of=1_000_000_000_000
    )
    (caption,) = html.captions(trace)
    assert caption == (
        "downstream of artifact/1, until Data, types Step, Data, reuse, as of "
        "2001-09-09 01:46:40 UTC: 2 artifacts, 1 execution, 2 events; cut by until at 1 node"
    )


def test_nothing_is_drawn_of_nothing() -> None:
    assert "0 artifacts, 0 executions, 0 events" in Drawn(made()).texts
    assert html.html(made())


# HTML


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "tr":
            self.rows.append([])
        self.cell = tag in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self.cell:
            self.rows[-1].append(data)
            self.cell = False


def test_small_graphs_show_a_picture_and_large_ones_a_table(
    shared_stores: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = stored(shared_stores, "tfx_local.db")
    assert "<svg" in graph.upstream("artifact/11")._repr_html_()
    monkeypatch.setattr(html, "DRAWN_BOXES", 5)
    shown = graph._repr_html_()
    assert "<svg" not in shown
    for hint in ("47 artifacts, 57 executions, 136 events", "until=", "max_hops="):
        assert hint in shown
    rows = Reader(shown).rows
    assert rows[0] == ["kind", "type", "nodes", "roots", "leaves"]
    frame = graph.nodes
    counts = frame[frame.kind == "artifact"].type.value_counts()
    found = {name: int(number) for kind, name, number, *_ in rows[1:] if kind == "artifacts"}
    assert sum(found.values()) == 47
    assert {name: found[name] for name in ("Model", "Examples")} == {
        "Model": counts["Model"],
        "Examples": counts["Examples"],
    }
    assert sum(int(row[3]) for row in rows[1:]) == len(graph.roots)
    assert sum(int(row[4]) for row in rows[1:]) == len(graph.leaves)


def test_a_large_graph_is_counted_fast() -> None:
    graph = chain(50_000)
    len(graph.index.incoming.edges), len(graph.index.outgoing.edges)
    start = time.process_time()
    shown = html.html(graph)
    assert time.process_time() - start < 20
    assert "50,001 artifacts" in shown
    assert len(shown) < 2_000


def test_rare_types_are_summed_up() -> None:
    count = 100
    graph = made(
        Type=[{"id": n, "name": f"T{n:03}", "type_kind": 1} for n in range(1, count + 1)],
        Artifact=[{"id": n, "type_id": n} for n in range(1, count + 1)],
    )
    rows = Reader(html.html(graph)).rows
    assert rows[-1] == ["artifacts", "88 more types", "88", "88", "88"]
    assert len(rows) == 1 + 12 + 1


@pytest.mark.slow
def test_a_large_graph_can_be_drawn_when_asked_for() -> None:
    start = time.process_time()
    text = html.svg(chain(1_500), fold=False)
    assert time.process_time() - start < 60
    assert text.count('class="node"') == 3_001
