"""Pictures of stores: the platforms' names, folding, and drawings as wide as a page."""

from __future__ import annotations

import json
import pickle
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import chain

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.lineage.render import coordinates, folding, png
from mlmd_lineage.lineage.render import page as plain_page
from mlmd_lineage.lineage.render.labels import shortened_apart
from mlmd_lineage.lineage.render.scene import Box, EdgeLine, scene_of
from mlmd_lineage.lineage.render.svg import STATUS_MARKS
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def tfx(shared_store: Callable[[str], Path]) -> ml.Store:
    return ml.connect(shared_store("tfx_local.db"))


def texts_in(picture: str) -> list[str]:
    root = ET.fromstring(picture)  # noqa: S314 - made here
    return [" ".join(element.itertext()) for element in root.iter(f"{SVG}text")]


# Names


@pytest.mark.parametrize(
    ("store", "node", "told"),
    [
        ("tfx_local.db", "execution/4", ["Trainer", "completed", "2026-11-21T02:44:15.589538"]),
        ("tfx_local.db", "artifact/4", ["model", None, "2026-11-21T02:44:15.589538"]),
        (
            "kfp2_emulated.db",
            "execution/102",
            ["Train model", "completed", "9c5c12c3-ced3-5fae-8d62-5150a487b0ac"],
        ),
        ("zenml_0132.db", "execution/133", ["slow", "running", "long-2-killed"]),
        ("zenml_0132.db", "artifact/96", ["output", None, "long-1-ok"]),
    ],
)
def test_nodes_have_the_names_that_their_platforms_give_them(
    shared_store: Callable[[str], Path],
    store: str,
    node: str,
    told: list[str | None],
):
    opened = ml.connect(shared_store(store))
    for graph in (opened.lineage(), opened.upstream(node)):
        assert list(graph.labels.columns) == ["label", "status", "run", "pipeline"]
        row = graph.labels.loc[node, ["label", "status", "run"]]
        assert [None if value is pd.NA else value for value in row] == told


def test_labels_are_those_of_the_views(tfx: ml.Store):
    labels = tfx.lineage().labels
    for run in tfx.get_runs():
        for step in run.steps:
            row = labels.loc[step.node_key]
            status = "cached" if step.is_cached else step.status
            assert (row["label"], row["status"], row["run"]) == (step.name, status, run.name)


def test_exports_have_the_names(tfx: ml.Store):
    nodes = {
        node["node"]: node for node in json.loads(tfx.upstream("artifact/11").to_json())["nodes"]
    }
    assert nodes["execution/4"]["label"] == "Trainer"
    assert nodes["execution/4"]["status"] == "completed"
    assert nodes["artifact/4"]["run"] == "2026-11-21T02:44:15.589538"
    graph = nx.parse_graphml(tfx.upstream("artifact/11").to_graphml(), force_multigraph=True)
    assert graph.nodes["artifact/4"]["label"] == "model"


def test_names_are_pickled_too(tfx: ml.Store):
    trace = tfx.upstream("artifact/11")
    again = pickle.loads(pickle.dumps(trace))  # noqa: S301 - made here
    assert again.labels.equals(trace.labels)
    assert again.upstream("artifact/4").labels.loc["execution/4", "label"] == "Trainer"
    assert again.to_svg() == trace.to_svg()


def test_long_names_keep_what_tells_them_apart():
    names = [f"{'a' * 40}{middle}{'z' * 40}" for middle in ("one", "two")]
    short = shortened_apart([*names, "short"], 28)
    assert len(set(short)) == 3
    assert all(len(name) <= 28 for name in short)
    assert "one" in short[0]
    assert short[2] == "short"
    assert len(set(shortened_apart([names[0], names[0]], 28))) == 1


def test_lines_that_could_be_confused_have_labels(tfx: ml.Store):
    drawn = texts_in(tfx.upstream("artifact/43").to_svg())
    assert {"model", "baseline_model"} <= set(drawn)
    # Of one model, none is needed.
    assert "pushed_model" in texts_in(tfx.upstream("artifact/11").to_svg())
    assert not any(line.label for line in scene_of(tfx.upstream("artifact/11")).lines)


def test_statuses_have_marks_and_words(tfx: ml.Store):
    run = tfx.get_run("2026-11-21T02:45:03.601410")
    drawn = texts_in(run.to_svg())
    assert {STATUS_MARKS[name][0] for name in ("completed", "cached", "failed")} <= set(drawn)
    assert {"completed", "cached", "failed"} <= set(drawn)


# Folding


def test_repeats_fold_with_their_count(tfx: ml.Store):
    trace = tfx.downstream("artifact/1")
    scene = scene_of(trace)
    assert len(trace) > 40 > len(scene.boxes)
    names = [box.lines[0] for box in scene.boxes]
    assert "StatisticsGen \N{MULTIPLICATION SIGN} 3" in names
    assert (
        scene.boxes[names.index("StatisticsGen \N{MULTIPLICATION SIGN} 3")].lines[1] == "3 cached"
    )
    assert len(scene_of(trace, folded=False).boxes) == len(trace)
    assert scene.folded in trace.to_svg()
    assert scene.folded not in trace.to_svg(fold=False)


@pytest.mark.parametrize(
    "store", ["tfx_local.db", "kfp2_emulated.db", "zenml_0132.db", "real/tfx_sepsis_2022_06.db"]
)
def test_every_node_is_in_one_group(shared_store: Callable[[str], Path], store: str):
    graph = ml.connect(shared_store(store)).lineage()
    keep = list(graph)[:3]
    groups = folding.fold(graph, keep)
    members = [member for group in groups for member in group.members]
    assert sorted(members) == list(range(len(graph)))
    assert len(groups) <= folding.MOST_BOXES + len(keep)
    assert all((number,) in [group.members for group in groups] for number in range(3))
    scene = scene_of(graph)
    hidden = int(scene.folded.split(" ")[0].replace(",", ""))
    alone = sum(not box.is_folded for box in scene.boxes)
    assert hidden + alone == len(graph)
    # A picture of a folded graph has all lines between its boxes.
    box_of = {k: at for at, g in enumerate(folding.fold(graph)) for k in g.members}
    ends = zip(graph.index.sources.tolist(), graph.index.targets.tolist(), strict=True)
    pairs = {(box_of[a], box_of[b]) for a, b in ends if box_of[a] != box_of[b]}
    assert {(line.source, line.target) for line in scene.lines} == pairs


def test_what_differs_in_its_neighbours_does_not_fold(tfx: ml.Store):
    graph = tfx.lineage()
    keys = list(graph)
    groups = {m: group for group in folding.fold(graph) for m in group.members}
    assert groups[keys.index("artifact/4")].level == "run"
    trace = tfx.downstream("artifact/1")
    boxes = {box.key: box for box in scene_of(trace).boxes}
    # Of two models, one was pushed from a run that another one was not.
    assert boxes["artifact/4"].lines[0] == boxes["artifact/15"].lines[0] == "model"


def test_a_deep_graph_without_runs_is_not_folded():
    assert len(folding.fold(chain(100))) == 201


def test_flowcharts_fold_too(tfx: ml.Store):
    trace = tfx.downstream("artifact/1")
    assert "StatisticsGen \N{MULTIPLICATION SIGN} 3" in trace.to_dot()
    assert 'peripheries="2"' in trace.to_dot()
    assert "StatisticsGen \N{MULTIPLICATION SIGN} 3" in trace.to_mermaid()
    assert trace.to_dot(fold=False).count("\n") > trace.to_dot().count("\n")
    assert 'label="run ' in tfx.lineage().to_dot()


# Layout


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.booleans(), st.data())
def test_wide_drawings_go_on_in_bands(length: int, from_right: bool, data: st.DataObject):  # noqa: FBT001
    boxes = [Box(f"artifact/{n}", "artifact", ("n", ""), "", width=120.0) for n in range(length)]
    more = data.draw(
        st.lists(st.tuples(st.integers(0, length - 1), st.integers(0, length - 1)), max_size=6)
    )
    pairs = [(n, n + 1) for n in range(length - 1)] + [(a, b) for a, b in more if a < b]
    lines = [EdgeLine(a, b, "uses") for a, b in pairs]
    width, height = coordinates.set_coordinates(boxes, lines, from_right=from_right)
    assert width <= 1_700
    places = {(box.x, box.y) for box in boxes}
    assert len(places) == length
    for box in boxes:
        assert 60 <= box.x <= width - 60
        assert 20 <= box.y <= height - 20
    for line in lines:
        assert all(-1 <= x <= width + 1 for x, _ in line.points)
    if not more:
        at_top = boxes[-1] if from_right else boxes[0]
        assert at_top.y == min(box.y for box in boxes)


def test_an_image_fits_the_page(tfx: ml.Store):
    picture = tfx.upstream("artifact/43").to_svg()
    head = picture[: picture.index(">")]
    assert re.search(r"\b(width|height)=", head) is None
    assert "viewBox=" in head
    shown = tfx.upstream("artifact/43")._repr_html_()
    assert re.match(r'<div class="[^"]+" style="max-width: \d+px"><svg', shown)


# Files


def test_png_is_an_image_of_twice_the_size(tfx: ml.Store):
    pytest.importorskip("resvg_py")
    trace = tfx.upstream("artifact/11")
    image = trace.to_png()
    assert image.startswith(b"\x89PNG\r\n")
    wide = int(trace.to_svg().split('viewBox="')[1].split()[2])
    assert abs(int.from_bytes(image[16:20], "big") - 2 * wide) <= 2


def test_no_text_of_dot_is_longer_than_graphviz_takes():
    store = InMemoryStore()
    made = store.put_artifact("D", uri="\N{ROCKET}" * 30_000, properties={"text": "x" * 30_000})
    store.put_execution("T" * 30_000, outputs={"o" * 30_000: made})
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', store.lineage().to_dot())
    assert 0 < max(len(text.encode()) for text in texts) <= 16_384


def test_png_has_so_many_pixels_at_most(tfx: ml.Store, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("resvg_py")
    trace = tfx.upstream("artifact/11")
    wide, high = map(float, trace.to_svg().split('viewBox="')[1].split('"')[0].split()[2:])
    monkeypatch.setattr(png, "MOST_PIXELS", int(wide * high) + 1)
    assert abs(int.from_bytes(trace.to_png()[16:20], "big") - wide) <= 2
    monkeypatch.setattr(png, "MOST_PIXELS", int(wide * high) - 1)
    with pytest.raises(errors.ConfigurationError, match=r"pixels.*SVG or HTML"):
        trace.to_png()


def test_png_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(errors.ConfigurationError, match=r"mlmd-lineage\[png\]"):
        png.png("<svg/>")


def test_a_page_holds_all_of_it_and_no_script(tfx: ml.Store):
    trace = tfx.downstream("artifact/1")
    page = plain_page.page(trace)
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert all(f"<td>{key}</td>" in page for key in trace)
    assert page.count("<tr>") == len(trace) + len(trace.edges) + 2


# Runs


def test_a_run_is_the_graph_of_its_steps(shared_store: Callable[[str], Path]):
    run = ml.connect(shared_store("tfx_local.db")).get_run("2026-11-21T02:44:15.589538")
    drawn = texts_in(run.to_svg())
    assert {step.name for step in run.steps if len(step.name) <= 28} <= set(drawn)
    assert "run 2026-11-21T02:44:15.589538: completed in 21 s, 9 steps" in drawn
    assert "#1 · 1.4 s" in drawn
    assert "<svg" in run._repr_html_()


def test_groups_of_steps_are_opened_or_folded(
    shared_store: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    from mlmd_lineage.post_execution import run_picture

    store = ml.connect(shared_store("kfp2_emulated.db"))
    run = max(store.get_runs(), key=lambda run: len(run.steps))
    opened = run.to_svg()
    assert {"0/train", "1/train", "2/train", "ingest"} <= {
        text.replace("Train model", "train") for text in texts_in(opened)
    }
    monkeypatch.setattr(run_picture, "MOST_BOXES", 4)
    folded = texts_in(run.to_svg())
    assert "guard" in folded
    assert any("steps are folded into their groups" in text for text in folded)
    assert run.to_svg(fold=False) == opened


def test_a_pipeline_shows_its_runs(shared_store: Callable[[str], Path]):
    pipeline = ml.connect(shared_store("kfp2_emulated.db")).get_pipelines()[0]
    shown = pipeline._repr_html_()
    assert all(run.name in shown for run in pipeline.runs)
    assert "accuracy" in shown
    assert f"{STATUS_MARKS['failed'][0]} failed" in shown


def test_long_texts_say_how_much_is_left_out():
    store = InMemoryStore()
    long = "é" * 300_000
    data = store.put_artifact("Dataset", name=long, uri=long)
    store.put_execution(
        "Trainer",
        name=long,
        inputs={long: data},
        outputs={"model": store.put_artifact("Model", name=long)},
    )
    graph = store.lineage()
    [run] = store.get_runs()
    pictures = (graph.to_svg(), graph._repr_html_(), graph.to_dot())
    for picture in (*pictures, graph.to_mermaid(), run.to_svg(), run._repr_html_()):
        assert len(picture) < 200_000
    # The front end is in the page, and JSON takes six letters for an "é".
    assert len(graph.to_html()) < 1_000_000
    assert "more characters)" in graph.to_svg()
    assert "more characters)" in graph.to_html()
