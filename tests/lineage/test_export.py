from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import TYPES, chain, events, made, nodes, stored, tangled

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.lineage.graph import LineageGraph

NASTY = (
    'quo"te',
    "back\\slash\\N\\G",
    "line\nbreak\r\ntab\tend",
    "<b>&amp;</b> & 'x' <script>alert(1)</script>",
    "ünïcödé 模型 🚀 \u202e rtl",
    "nul\x00bell\x07vt\x0b\x1b[31m\ufffe",
    "]]> --> %% ; { } [ ] ( ) | # $$x$$ `code` *b* _i_ ~s~",
    "1. list",
    "- list",
    "end",
    "subgraph x",
    "é" * 300,
    "%%{init: {}}%%",
    "__MLMD_NULL__",
    " ",
    "a#quot;b#35;",
)


def nasty(texts: tuple[str, ...] | list[str] = NASTY) -> LineageGraph:
    """Return a graph with texts in its names, types, uris, contexts, paths and properties."""
    count = len(texts)
    types = [
        {"id": 10 + number, "name": text, "type_kind": number % 2}
        for number, text in enumerate(texts)
    ]
    return made(
        properties=True,
        Type=[*TYPES, *types],
        Artifact=[
            {"id": n, "type_id": 9 + n, "name": text, "uri": text}
            for n, text in enumerate(texts, 1)
        ],
        Execution=nodes(1, type_id=1, name="e"),
        Event=events(*[(n, 1, 3 + n % 2) for n in range(1, count + 1)]),
        EventPath=[
            {"event_id": n, "is_index_step": False, "step_key": text}
            for n, text in enumerate(texts, 1)
        ],
        Context=[{"id": 1, "type_id": 10, "name": texts[0]}] if texts else [],
        Attribution=[{"id": n, "context_id": 1, "artifact_id": n} for n in range(1, count + 1)],
        ArtifactProperty=[
            {"artifact_id": n, "name": text, "is_custom_property": True, "string_value": text}
            for n, text in enumerate(texts, 1)
        ],
    )


TEXTS = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30), max_size=6, unique=True
)


def read_graphml(graph: LineageGraph) -> nx.MultiDiGraph[Any]:
    file = io.BytesIO(graph.to_graphml().encode())
    return nx.read_graphml(file, edge_key_type=int, force_multigraph=True)


@pytest.mark.parametrize("method", ["to_json", "to_dot", "to_mermaid", "to_graphml"])
def test_the_same_graph_gives_the_same_text(shared_stores: Path, method: str) -> None:
    texts = {
        getattr(stored(shared_stores, "tfx_local.db").upstream("artifact/11"), method)()
        for _ in range(2)
    }
    assert len(texts) == 1
    assert texts.pop().endswith("\n")


# JSON


def test_json_holds_the_graph() -> None:
    graph = tangled()
    found = json.loads(graph.to_json())
    assert list(found) == ["format", "version", "source", "nodes", "edges"]
    assert (found["format"], found["version"], found["source"]) == ("mlmd-lineage-graph", 1, "made")
    assert [node["node"] for node in found["nodes"]] == list(graph)
    assert found["nodes"][2] == {
        "node": "artifact/44",
        "kind": "artifact",
        "id": 44,
        "missing": True,
    }
    assert found["edges"][3] == {
        "event": 4,
        "source": "artifact/10",
        "target": "execution/7",
        "type": "DECLARED_INPUT",
        "role": "uses",
        "path": [],
    }
    assert [edge["event"] for edge in found["edges"]] == list(range(1, 8))


def test_json_of_a_trace_says_what_bounds_it(shared_stores: Path) -> None:
    graph = stored(shared_stores, "tfx_local.db")
    trace = graph.upstream("artifact/11", max_hops=3, until="Examples", reuse=True, as_of=2**42)
    found = json.loads(trace.to_json())
    assert found["question"] == {
        "direction": "upstream",
        "start": ["artifact/11"],
        "end": None,
        "max_hops": 3,
        "until": ["Examples"],
        "types": [],
        "reuse": True,
        "internal": False,
        "later": False,
        "as_of": 2**42,
    }
    assert found["complete"] is False
    assert found["truncated_by"] == ["max_hops"]
    assert found["boundary"] == list(trace.boundary)
    assert found["boundary"]
    assert {node["node"]: node["hops"] for node in found["nodes"]} == dict(
        zip(trace, trace.hops.tolist(), strict=True)
    )
    between = json.loads(graph.between("artifact/1", "artifact/11").to_json())
    assert between["question"]["direction"] == "between"
    assert between["question"]["end"] == "artifact/11"


def test_json_holds_every_value() -> None:
    rows = [
        ("a", {"double_value": float("nan")}, "NaN"),
        ("b", {"double_value": float("-inf")}, "-Infinity"),
        ("c", {"proto_value": b"\n\x01u\x12\x01v"}, {"type_url": "u", "value": "dg=="}),
        ("d", {"byte_value": b"\xff"}, "/w=="),
        ("e", {"int_value": 2**63 - 1}, 2**63 - 1),
        ("f", {"string_value": "ü\x00"}, "ü\x00"),
        ("g", {"string_value": "mlmd-struct::Cg4KAWESCREAAAAAAAD4fw=="}, {"a": "NaN"}),
    ]
    graph = made(
        properties=True,
        Artifact=nodes(1, type_id=2),
        ArtifactProperty=[
            {"artifact_id": 1, "name": name, "is_custom_property": False, **value}
            for name, value, _ in rows
        ],
    )
    text = graph.to_json()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["nodes"][0]["properties"] == {name: value for name, _, value in rows}
    assert "ü" in text


def test_json_of_an_empty_graph() -> None:
    assert json.loads(made().to_json())["nodes"] == []


# GraphML


@pytest.mark.parametrize("name", ["tfx_local.db", "kfp2_emulated.db", "real/tfx_phantoms_v6.db"])
def test_graphml_is_what_networkx_sees(shared_stores: Path, name: str) -> None:
    graph = stored(shared_stores, name)
    view, read = graph.to_networkx(), read_graphml(graph)
    assert list(read.nodes) == list(view.nodes)
    assert set(read.edges(keys=True)) == set(view.edges(keys=True))
    for node, attributes in view.nodes(data=True):
        expected = {
            name: value if isinstance(value, (str, int)) else json.loads(json.dumps(value))
            for name, value in attributes.items()
        }
        found = {
            name: json.loads(value)
            if name in {"contexts", "properties", "custom_properties"}
            else value
            for name, value in read.nodes[node].items()
        }
        assert found == expected
    for *edge, attributes in view.edges(keys=True, data=True):
        found = dict(read.edges[edge])
        assert json.loads(found.pop("path")) == list(attributes["path"])
        found.pop("id", None)
        assert found == {name: value for name, value in attributes.items() if name != "path"}


def test_graphml_holds_cycles_and_parallel_edges() -> None:
    read = read_graphml(tangled())
    assert set(read.edges(keys=True)) == set(tangled().to_networkx().edges(keys=True))
    assert read.nodes["artifact/44"]["missing"] is True


def test_graphml_holds_nasty_texts() -> None:
    graph = nasty()
    read = read_graphml(graph)
    assert read.nodes["artifact/1"]["name"] == NASTY[0]
    assert read.nodes["artifact/3"]["name"] == NASTY[2]
    assert read.nodes["artifact/4"]["uri"] == NASTY[3]
    assert read.nodes["artifact/6"]["name"] == r"nul\x00bell\x07vt\x0b\x1b[31m\ufffe"


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_graphml_is_valid_whatever_the_texts(texts: list[str]) -> None:
    root = ET.fromstring(nasty(texts).to_graphml().encode())  # noqa: S314 - made here
    names = [
        data.text or ""
        for data in root.iter("{http://graphml.graphdrawing.org/xmlns}data")
        if data.get("key") == "node_name"
    ]
    assert len(names) == len(texts) + 1
    assert [n for n, t in zip(names, texts, strict=False) if t.isprintable()] == [
        t for t in texts if t.isprintable()
    ]


# DOT


def test_dot_shows_roles_boundary_and_start() -> None:
    graph = made(
        Artifact=nodes(1, 2, 3, type_id=2, name="data"),
        Execution=[
            {"id": 1, "type_id": 1, "last_known_state": 5},
            {"id": 2, "type_id": 1, "last_known_state": 2},
            {"id": 3, "type_id": 1, "last_known_state": 3},
        ],
        Event=events((1, 1, 4), (1, 3, 4), (2, 2, 4), (3, 2, 7), (2, 3, 3), (99, 3, 3)),
        EventPath=[
            {"event_id": 2, "is_index_step": False, "step_key": "out"},
            {"event_id": 2, "is_index_step": True, "step_index": 1},
        ],
    )
    lines = graph.to_dot().splitlines()
    edges = {line.split(" [")[0].strip(): line for line in lines if "->" in line}
    assert "dashed" in edges['"execution/1" -> "artifact/1"']
    assert "style" not in edges['"execution/3" -> "artifact/1"']
    assert 'label="out[1]"' in edges['"execution/3" -> "artifact/1"']
    assert "dotted" in edges['"execution/2" -> "artifact/2"']
    assert "dotted" in edges['"execution/2" -> "artifact/3"']
    missing = next(line for line in lines if line.startswith('  "artifact/99" ['))
    assert "missing" in missing
    trace = chain().upstream("artifact/4", max_hops=2).to_dot().splitlines()
    marked = [line for line in trace if "left out" in line]
    assert len(marked) == 1
    assert marked[0].startswith('  "artifact/3" [')
    assert next(line for line in trace if "penwidth" in line).startswith('  "artifact/4" [')


@pytest.fixture(scope="module")
def dot() -> str:
    found = shutil.which("dot")
    if found is None:
        pytest.skip("Graphviz is not installed")
    return found


def drawn(dot: str, graph: LineageGraph) -> str:
    done = subprocess.run(
        [dot, "-Tsvg"], input=graph.to_dot(fold=False).encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.decode()


@pytest.mark.parametrize("name", ["tfx_local.db", "zenml_0132.db", "real/cmf_getting_started.db"])
def test_graphviz_draws_every_node_and_edge(shared_stores: Path, dot: str, name: str) -> None:
    graph = stored(shared_stores, name)
    svg = drawn(dot, graph)
    assert svg.count('class="node"') == len(graph)
    assert svg.count('class="edge"') == graph.to_networkx().number_of_edges()


def test_graphviz_shows_nasty_texts_as_they_are(dot: str) -> None:
    svg = ET.fromstring(drawn(dot, nasty()).encode())  # noqa: S314 - made here
    shown = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {NASTY[0], NASTY[1], "#1", "#2"} <= shown
    assert any(text and "<b>&amp;</b> &" in text for text in shown)
    assert any(text and "模型 🚀" in text for text in shown)
    assert any(text and r"nul\x00bell" in text for text in shown)


@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_graphviz_reads_whatever_the_texts(dot: str, texts: list[str]) -> None:
    assert drawn(dot, nasty(texts)).count('class="node"') == len(texts) + 1


@pytest.mark.parametrize("character", ["a", "&", '"', "\\", "\x00", "模", "\N{ROCKET}", "\udc80"])
def test_dot_has_no_text_that_is_too_long_for_graphviz(character: str) -> None:
    uri = "s3://" + character * 20_000
    printed = {"id": 1, "type_id": 2, "uri": uri.encode(errors="replace").decode()}
    lines = made(Artifact=[printed], Event=[]).to_dot().splitlines()
    longest = max(len(line.encode()) for line in lines)
    assert 2_000 < longest < 16_384
    assert sum("…" in line for line in lines) == 1


# Mermaid

NODE = re.compile(r'  (artifact|execution)\d+(\("[^"]*"\)|\["[^"]*"\])')
EDGE = re.compile(
    r'  (artifact|execution)\d+ (-->|-\.->|-\.-o)(\|"[^"]+"\|)? (artifact|execution)\d+'
)
CLASS = re.compile(r"  (classDef \w+ [\w:#,; .-]+|class [\w,]+ \w+)")
TEXT = re.compile(r"(#\d+;|<br/>|[^!-+;-@\[-^`{-~\n\r\t\x00-\x1f])*")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_mermaid_has_no_markup_in_texts(texts: list[str]) -> None:
    for graph in (nasty(texts), nasty(), tangled()):
        head, *lines = graph.to_mermaid().splitlines()
        assert head == "flowchart LR"
        for line in lines:
            assert NODE.fullmatch(line) or EDGE.fullmatch(line) or CLASS.fullmatch(line), line
            for text in re.findall(r'"([^"]*)"', line):
                assert TEXT.fullmatch(text), text


def test_mermaid_of_a_trace() -> None:
    assert chain().upstream("artifact/4", max_hops=2).to_mermaid().splitlines() == [
        "flowchart LR",
        '  artifact3("Data<br/>#35;3<br/>… more, left out")',
        '  artifact4("Data<br/>#35;4")',
        '  execution3["Step<br/>#35;3"]',
        "  artifact3 --> execution3",
        "  execution3 --> artifact4",
        "  classDef artifact fill:#e3f0fb,stroke:#2f6f9f,color:#10202c",
        "  class artifact3,artifact4 artifact",
        "  classDef execution fill:#fdf0d9,stroke:#a8742a,color:#2c2010",
        "  class execution3 execution",
        "  classDef start stroke-width:4px",
        "  class artifact4 start",
        "  classDef boundary stroke:#c0392b,stroke-width:2px",
        "  class artifact3 boundary",
    ]


# Size


@pytest.mark.parametrize("method", ["to_json", "to_dot", "to_mermaid", "to_graphml"])
@pytest.mark.slow
def test_time_grows_with_the_graph(method: str) -> None:
    def seconds(length: int) -> float:
        graph = chain(length)
        options = {"fold": False} if method in {"to_dot", "to_mermaid"} else {}
        taken = []
        for _ in range(3):
            start = time.process_time()
            getattr(graph, method)(**options)
            taken.append(time.process_time() - start)
        return min(taken)

    # Ten times the graph; a quadratic way would take a hundred times as long.
    assert seconds(2_000) < 40 * seconds(200) + 0.05
