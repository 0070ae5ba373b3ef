"""The explorer's answers: what Python says, as JSON, for stores of every platform."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.explorer import api
from mlmd_lineage.explorer.scenes.folds import FOLDS

if TYPE_CHECKING:
    from pathlib import Path

STORES = [
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "tfx_local.db",
    "zenml_0132.db",
    "real/cmf_getting_started.db",
    "real/model_registry.db",
    "real/tfx_phantoms_v6.db",
]


@pytest.fixture(scope="module")
def tfx(shared_stores: Path) -> ml.Store:
    return ml.connect(shared_stores / "tfx_local.db")


def ask(store: ml.Store, name: str, /, **parameters: Any) -> Any:
    """Ask as a page does: what goes there and back is JSON."""
    given = json.loads(json.dumps(parameters))
    answer = api.ask(store, name, given)
    return json.loads(json.dumps(answer, allow_nan=False))


@pytest.mark.parametrize("name", STORES)
def test_the_overview_is_what_python_says(shared_stores: Path, name: str):
    store = ml.connect(shared_stores / name)
    found = ask(store, "overview")
    description = store.describe()
    assert found["kinds"] == dict(description.counts)
    assert [p["name"] for p in found["pipelines"]] == [p.name for p in store.get_pipelines()]
    assert {p["name"]: p["runs"] for p in found["platforms"]} == dict(description.platforms)
    assert sum(f["count"] for f in found["findings"]) == len(store.audit())
    for pipeline, view in zip(found["pipelines"], store.get_pipelines(), strict=True):
        newest = [run.node_key for run in reversed(view.runs)][:12]
        assert [run["key"] for run in pipeline["last"]] == newest


@pytest.mark.parametrize("name", STORES)
def test_runs_are_what_python_says(shared_stores: Path, name: str):
    store = ml.connect(shared_stores / name)
    for view in store.get_pipelines()[:2]:
        table = ask(store, "pipeline", name=view.node_key)
        frame = view.compare_runs().to_pandas()
        assert table["total"] == table["runs"] == len(frame)
        assert [row["status"] for row in reversed(table["rows"])] == frame["status"].tolist()
        known = {column["key"] for column in table["columns"]}
        assert {str(c).replace("s.", ".", 1) for c in frame.columns} - known <= {"started"}
        assert set(table["changing"]) <= known
        metrics = ask(store, "metrics", name=view.node_key)["metrics"]
        assert set(metrics) == set(view.compare_runs().metrics.columns)
        run = view.last_run
        found = ask(store, "run", name=run.node_key, pipeline=view.node_key)
        steps = [step for step in run.steps if not step.is_root]
        assert [step["key"] for step in found["steps"]] == [step.node_key for step in steps]
        drawn = ask(store, "run", name=run.node_key, pipeline=view.node_key, fold="none")["scene"]
        leaves = {s.node_key for s in steps if not s.children}
        assert leaves <= {node["key"] for node in drawn["nodes"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_a_lineage_is_whole_however_it_is_folded(shared_stores: Path, name: str):
    store = ml.connect(shared_stores / name)
    keys = list(store.lineage())
    key = keys[len(keys) // 2]
    up, down = store.upstream(key), store.downstream(key)
    nodes = {*up, *down}
    for fold in FOLDS:
        scene = ask(store, "lineage", key=key, direction="both", fold=fold)
        shown = [k for node in scene["nodes"] for k in node.get("keys", [node["key"]])]
        assert sorted(shown) == sorted(nodes)
        assert sum(node["count"] for node in scene["nodes"]) == len(nodes)
        assert scene["complete"]
        assert scene["focus"] == key
        ids = [node["id"] for node in scene["nodes"]]
        assert len(ids) == len(set(ids))
        assert {end for e in scene["edges"] for end in (e["from"], e["to"])} <= set(ids)
    plain = ask(store, "lineage", key=key)
    pairs = {(edge["from"], edge["to"]) for edge in plain["edges"]}
    assert pairs == set(zip(up.edges["source"], up.edges["target"], strict=True))


@pytest.mark.parametrize("name", STORES)
def test_a_node_is_what_python_says(shared_stores: Path, name: str):
    store = ml.connect(shared_stores / name)
    keys = list(store.lineage())
    for key in (keys[0], keys[-1]):
        found = ask(store, "node", key=key)
        assert (found["key"], found["kind"]) == (key, key.partition("/")[0])
        trace = store.upstream(key, max_hops=0)
        assert found["type"] == trace.nodes["type"].iloc[0]
        if key.startswith("execution"):
            step = store.get_step(key)
            assert found["run"] == step.run_name
            assert found["label"] == step.display_name
        for context in found["contexts"][:1]:
            inside = ask(store, "node", key=context["key"])
            assert key in {member["key"] for member in inside["members"]}


def test_hops_bound_a_scene_and_say_so(tfx: ml.Store):
    scene = ask(tfx, "lineage", key="artifact/11", hops=2)
    whole = ask(tfx, "lineage", key="artifact/11")
    assert not scene["complete"]
    assert "cut by 2 hops" in scene["said"]
    assert 1 < len(scene["nodes"]) < len(whole["nodes"])
    # What is hidden upstream is what the whole scene has more.
    shown = {node["key"] for node in scene["nodes"]}
    hidden = {
        node["key"]: {e["from"] for e in whole["edges"] if e["to"] == node["key"]} - shown
        for node in scene["nodes"]
    }
    assert {n["key"]: n["more"]["upstream"] for n in scene["nodes"]} == {
        key: len(some) for key, some in hidden.items()
    }
    edge = next(key for key, some in hidden.items() if some)
    opened = ask(tfx, "lineage", key="artifact/11", hops=2, expand=[f"upstream:{edge}"])
    assert {node["key"] for node in opened["nodes"]} == shown | hidden[edge]


def test_folds_are_opened(tfx: ml.Store):
    both = {"key": "artifact/11", "direction": "both"}
    folded = ask(tfx, "lineage", **both, fold="pipeline")
    folds = [node for node in folded["nodes"] if node["kind"] == "fold"]
    assert folds
    assert {node["of"] for node in folds} == {"pipeline"}
    opened = ask(tfx, "lineage", **both, fold="pipeline", expand=[folds[0]["id"]])
    runs = [node["id"] for node in opened["nodes"] if node.get("of") == "run"]
    assert runs
    further = ask(tfx, "lineage", **both, fold="pipeline", expand=[folds[0]["id"], *runs])
    assert not [node for node in further["nodes"] if node.get("of") == "run"]
    assert len(folded["nodes"]) <= len(opened["nodes"]) < len(further["nodes"])


def test_paths_lead_from_one_to_the_other_or_back(tfx: ml.Store):
    there = ask(tfx, "path", **{"from": "artifact/1", "to": "artifact/11"})
    back = ask(tfx, "path", **{"from": "artifact/11", "to": "artifact/1"})
    keys = {node["key"] for node in there["nodes"]}
    assert keys == {*tfx.between("artifact/1", "artifact/11")} == {n["key"] for n in back["nodes"]}
    assert "these lead from artifact/1" in back["said"]


def test_the_impact_comes_with_its_paths(tfx: ml.Store):
    found = ask(tfx, "impact", key="artifact/1")
    impact = tfx.impact("artifact/1")
    assert [row["key"] for row in found["rows"]] == impact.to_pandas()["node"].tolist()
    on_paths = {key for row in impact.reached for key in row.path}
    assert {node["key"] for node in found["scene"]["nodes"]} == on_paths | {"artifact/1"}


def test_a_difference_has_its_first_divergence_on_top(tfx: ml.Store):
    models = tfx.frames.artifacts(type="Model").index
    a, b = f"artifact/{models[0]}", f"artifact/{models[-1]}"
    found, diff = ask(tfx, "diff", a=a, b=b), tfx.diff(a, b)
    assert len(found["rows"]) == len(diff)
    assert found["said"] == diff.text()
    if diff.first:
        assert found["rows"][found["first"]]["step"] == diff.first[0].role


def test_the_table_is_sorted_filtered_and_cut(tfx: ml.Store):
    name = tfx.get_pipelines()[0].node_key
    whole = ask(tfx, "pipeline", name=name)
    by_time = ask(tfx, "pipeline", name=name, sort={"key": "start"})["rows"]
    assert [row["key"] for row in by_time] == [row["key"] for row in reversed(whole["rows"])]
    one = whole["rows"][1]
    assert ask(tfx, "pipeline", name=name, offset=1, limit=1)["rows"] == [one]
    found = ask(tfx, "pipeline", name=name, filter=one["run"].upper())
    assert one["key"] in {row["key"] for row in found["rows"]}
    assert found["total"] <= found["runs"]
    with pytest.raises(errors.ConfigurationError, match=r"no column .strat..*Did you mean .start."):
        ask(tfx, "pipeline", name=name, sort={"key": "strat"})


def test_a_search_finds_names_uris_types_and_filters(tfx: ml.Store):
    assert ask(tfx, "search", text="artifact/11")["hits"][0]["key"] == "artifact/11"
    uri = tfx.frames.artifacts(runs=False)["uri"].iloc[0]
    assert ask(tfx, "search", text=uri)["hits"][0]["uri"] == uri
    assert any(hit["why"] == "type" for hit in ask(tfx, "search", text="odel")["hits"])
    run = tfx.get_runs()[0]
    assert f"run:{run.node_key}" in {
        hit["key"] for hit in ask(tfx, "search", text=run.name)["hits"]
    }
    found = ask(tfx, "search", text="filter: type = 'Model'", limit=1)
    assert found["total"] == len(tfx.find_artifacts("type = 'Model'"))
    assert len(found["hits"]) == 1
    assert ask(tfx, "search", text="100%_'\\\n")["hits"] == []
    with pytest.raises(errors.FilterError):
        ask(tfx, "search", text="filter: type == ")


def test_columns_are_the_scene_in_numbers(tfx: ml.Store):
    scene = ask(tfx, "lineage", key="artifact/11")

    def asked(method: str = "lineage", **params: Any) -> bytes:
        answer = api.ask(tfx, "columns", {"method": method, "params": params})
        assert isinstance(answer, bytes)
        return answer

    data = asked(key="artifact/11")
    header, columns = decoded(data)
    assert header["count"] == len(scene["nodes"])
    names = ("artifact", "execution")
    keys = [f"{names[k]}/{i}" for k, i in zip(columns["kind"], columns["id"], strict=True)]
    assert keys == [node["key"] for node in scene["nodes"]]
    assert keys[header["focus"]] == "artifact/11"
    pairs = {(keys[s], keys[t]) for s, t in zip(columns["source"], columns["target"], strict=True)}
    assert pairs == {(edge["from"], edge["to"]) for edge in scene["edges"]}
    types = [header["types"][number] for number in columns["type"]]
    assert types == [node["type"] for node in scene["nodes"]]
    assert (columns["x"][columns["source"]] < columns["x"][columns["target"]]).all()
    folded, columns = decoded(asked(key="artifact/11", fold="run"))
    assert folded["folds"]
    assert sum(fold[3] for fold in folded["folds"]) + (columns["kind"] < 2).sum() == len(keys)
    for method, params in (
        ("path", {"from": "artifact/1", "to": "artifact/11"}),
        ("impact", {"key": "artifact/1"}),
    ):
        scene = ask(tfx, method, **params)
        header, _ = decoded(asked(method, **params))
        assert header["count"] == len(scene.get("scene", scene)["nodes"])
    with pytest.raises(errors.ConfigurationError, match="Did you mean 'lineage'"):
        asked("lineag", key="artifact/11")


def test_the_statuses_of_a_large_scene_are_those_of_the_platform(shared_stores: Path):
    store = ml.connect(shared_stores / "zenml_0132.db")
    for fold in ("none", "run"):
        params = {"key": "artifact/99", "fold": fold}
        header, columns = decoded(
            api.ask(store, "columns", {"method": "lineage", "params": params})
        )
        codes = ask(store, "statuses", method="lineage", params=params)["statuses"]
        scene = ask(store, "lineage", **params)
        assert [header["statuses"][code] for code in codes] == [
            node["status"] for node in scene["nodes"]
        ]
        assert len(columns["status"]) == len(codes)


def test_whole_numbers_that_a_browser_cannot_hold_are_texts(tmp_path: Path):
    store = ml.connect(tmp_path / "large.db", create=True)
    large = 2**53 + 1
    with store.record("demo") as run, run.step("train") as step:
        step.log_parameters(large=large, small=3)
    key = "execution/1"
    parameters = ask(store, "node", key=key)["parameters"]
    assert parameters == {"large": str(large), "small": 3}
    assert str(large) + '"' in store.upstream(key).to_html()


def decoded(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the binary form of a scene as docs/explorer-api.md describes it."""
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    at, found = 4 + length, {}
    for name, kind in header["columns"]:
        count = header["edges" if name in {"source", "target", "role"} else "count"]
        found[name] = np.frombuffer(data, f"<{kind}", count, at)
        at += -(-found[name].nbytes // 4) * 4
    assert at == len(data)
    return header, found


def test_a_large_scene_comes_without_its_boxes(tfx: ml.Store):
    found = ask(tfx, "lineage", key="artifact/11", limit=5)
    assert found["big"]
    assert found["nodes"] == len(tfx.upstream("artifact/11"))


def test_labels_are_those_of_the_scene(tfx: ml.Store):
    scene = ask(tfx, "lineage", key="artifact/11")
    keys = [node["key"] for node in scene["nodes"]][:5]
    found = ask(tfx, "labels", keys=keys)["labels"]
    assert list(found) == sorted(keys, key=keys.index)
    labels = tfx.upstream("artifact/11").node_labels
    assert all(found[key][0] == labels[key].name for key in keys if labels[key].name)


@pytest.mark.parametrize("to", ["svg", "dot", "csv", "json"])
def test_what_is_seen_is_exported(tfx: ml.Store, to: str):
    params = {"key": "artifact/11", "hops": 3}
    scene = ask(tfx, "lineage", **params)
    made = ask(tfx, "export", method="lineage", params=params, to=to)
    assert made["name"] == f"lineage.{to}"
    for node in scene["nodes"]:
        assert (node["key"] if to in {"dot", "csv"} else node["label"]) in made["text"]
    if to == "json":
        assert json.loads(made["text"]) == scene


def test_what_cannot_be_right_is_refused_in_a_sentence(tfx: ml.Store):
    for method, given, said in (
        ("nod", {}, "no method 'nod'. Did you mean 'node'"),
        ("node", {}, "needs the parameter 'key'"),
        ("node", {"kay": "artifact/1"}, "no parameter 'kay'. Did you mean 'key'"),
        ("node", {"key": 3}, "'key' of 'node' is a text, not 3"),
        ("lineage", {"key": "artifact/1", "hops": "2"}, "a whole number"),
        ("lineage", {"key": "artifact/1", "fold": "runs"}, "Did you mean 'run'"),
        ("lineage", {"key": "artifact/1", "direction": "up"}, "upstream"),
        ("export", {"method": "lineage", "params": {}, "to": "pdf"}, "no export of the format"),
    ):
        with pytest.raises(errors.ConfigurationError, match=said):
            api.ask(tfx, method, given)
    with pytest.raises(errors.NotFoundError):
        api.ask(tfx, "node", {"key": "artifact/999999"})
