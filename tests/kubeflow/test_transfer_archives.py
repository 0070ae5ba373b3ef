"""Transfer archives answer as the stores do from which they were made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import transfer_archives as archives

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.readers.kubeflow_archive import archive_file, json_stream

SHARED = Path(__file__).resolve().parents[3] / "shared"
EMULATED = SHARED / "stores" / "kfp2_emulated.db"
STORES = [EMULATED, SHARED / "cases" / "kfp_attempts_in_loop.db"]
FORMS = (archives.RUN_HISTORY, archives.NAMESPACE_TRANSFER)
SOURCE = "f9f317ad-bc46-4ad8-8a96-c0495f004beb"

pytestmark = pytest.mark.usefixtures("shared_cases")


def made(path: Path, store: Path = EMULATED, form: str = FORMS[1], **names: str) -> Path:
    graph = archives.graph_of(ml.connect(store).snapshot())
    return archives.write(path, archives.archive(graph, SOURCE, form, **names))


def assert_same(given: pd.DataFrame, wanted: pd.DataFrame, *without: str) -> None:
    pd.testing.assert_frame_equal(
        given.drop(columns=list(without), errors="ignore"),
        wanted.drop(columns=list(without), errors="ignore"),
        check_dtype=False,
    )


def same_answers(store: ml.Store, before: ml.Store, *more: str) -> None:
    """Hold a store to the answers of the one that it was made from."""
    for kind in ("artifacts", "executions", "contexts"):
        given = getattr(store.frames, kind)(properties=True)
        assert_same(given, getattr(before.frames, kind)(properties=True), "type_id", *more)
    ours = ["display_name", "experiment", "schedule", "namespace", "recorded_state"]
    assert_same(store.frames.runs().drop(columns=ours), before.frames.runs())
    assert_same(store.frames.steps(), before.frames.steps())
    for number in before.frames.artifacts(runs=False).index[::7].tolist():
        assert_same(store.upstream(number).nodes, before.upstream(number).nodes, *more)
        given, wanted = store.downstream(number).edges, before.downstream(number).edges
        by = ["artifact_id", "execution_id", "type"]
        assert_same(
            given.sort_values(by).reset_index(drop=True),
            wanted.sort_values(by).reset_index(drop=True),
        )


@pytest.mark.parametrize("form", FORMS, ids=["history", "namespace"])
@pytest.mark.parametrize("store", STORES, ids=lambda path: path.name)
@pytest.mark.slow
def test_an_archive_answers_as_its_store(store: Path, form: str, tmp_path: Path):
    path = made(tmp_path / "run-history.json", store, form)
    same_answers(ml.connect(path), ml.connect(store))


def test_a_run_has_the_name_that_people_gave_it(tmp_path: Path):
    run = ml.connect(EMULATED).get_runs()[0].name
    for form in FORMS:
        store = ml.connect(made(tmp_path / f"{form[4:7]}.json", form=form, **{run: "weekly"}))
        found = store.get_run("weekly")
        assert (found.name, found.display_name) == (run, "weekly")
        assert (found.experiment, found.schedule) == ("Zürich <1>", "every night")
        pipeline = store.get_pipeline(found.pipeline_name)
        assert pipeline.get_run("weekly").node_key == found.node_key
        assert "weekly, experiment Z" in found.to_svg()
        assert store.frames.runs().loc[found.node_key, "experiment"] == "Zürich <1>"


def test_an_archive_is_described_and_saved(tmp_path: Path):
    store = ml.connect(made(tmp_path / "run-history.json"))
    assert "kubeflow_archive" in str(store.describe())
    store.kubeflow_save(tmp_path / "saved")
    saved = ml.connect(tmp_path / "saved")
    assert_same(saved.frames.runs(), store.frames.runs())
    with pytest.raises(errors.ConfigurationError, match="transfer archive"):
        store.metadata_store.connection_config()


# Imported nodes


@pytest.mark.slow
def test_imported_nodes_show_what_they_were(tmp_path: Path):
    before = ml.connect(EMULATED)
    graph = archives.imported(archives.graph_of(before.snapshot()), SOURCE)
    path = archives.write(tmp_path / "a.json", archives.archive(graph, "destination"))
    ml.connect(path).snapshot().save(tmp_path / "parquet")
    for store in (ml.connect(path), ml.connect(tmp_path / "parquet")):
        for kind in ("artifacts", "executions", "contexts"):
            was = getattr(before.frames, kind)()
            for properties in (False, True):
                frame = getattr(store.frames, kind)(properties=properties)
                assert frame["original_id"].tolist() == was.index.tolist()
                assert set(frame["imported_from"]) == {SOURCE}
                for name in ("name", "create_time_since_epoch", "last_update_time_since_epoch"):
                    assert frame[name].tolist() == was[name].tolist() or name == "name"
                    assert frame[name].isna().tolist() == was[name].isna().tolist()
        runs, were = store.get_runs(), before.get_runs()
        assert [(r.pipeline_name, r.name, r.started) for r in runs] == [
            (r.pipeline_name, r.name, r.started) for r in were
        ]
        step = runs[0].get_step("ingest")
        assert step.original is not None
        assert (step.original.source, step.original.id) == (SOURCE, were[0].get_step("ingest").id)
        number = int(store.frames.artifacts(runs=False).index[10])
        view = store.get_artifact(number)
        assert view.original is not None
        assert "imported_from" in repr(view)
        assert not any(name.startswith("kfp_history") for name in view.properties)
        wanted = before.upstream(view.original.id).nodes
        times = ["create_time_since_epoch", "last_update_time_since_epoch"]
        for graph_ in (store.upstream(number), store.lineage().upstream(number)):
            nodes = graph_.nodes
            assert sorted(nodes["original_id"]) == sorted(wanted["id"])
            shown = nodes.sort_values(["kind", "original_id"])[times].to_numpy().tolist()
            assert shown == wanted.sort_values(["kind", "id"])[times].to_numpy().tolist()
            attributes = graph_.to_networkx().nodes[f"artifact/{number}"]
            assert attributes["original_id"] == view.original.id
        first = before.upstream(view.original.id).nodes[times[0]].max()
        then = before.upstream(view.original.id, as_of=first)
        assert len(store.upstream(number, as_of=first)) == len(then)


@pytest.mark.slow
def test_copies_of_a_node_are_one(tmp_path: Path):
    before = ml.connect(EMULATED)
    graph = archives.graph_of(before.snapshot())
    original = archives.write(tmp_path / "a.json", archives.archive(graph, SOURCE))
    copied = archives.archive(archives.imported(graph, SOURCE), "destination")
    copy = archives.write(tmp_path / "b.json", copied)
    again = archives.write(tmp_path / "c.json", archives.archive(graph, SOURCE, FORMS[0]))
    for files in ([copy, original], [again, copy]):
        same_answers(ml.connect(files), before, "original_id", "imported_from")


def test_a_folder_of_archives_is_a_store(tmp_path: Path):
    graph = archives.graph_of(ml.connect(EMULATED).snapshot())
    folder = tmp_path / "histories"
    folder.mkdir()
    archives.write(folder / "a.json", archives.archive(graph, "one"))
    archives.write(folder / "b.json", archives.archive(graph, "two"))
    store = ml.connect(folder)
    frame = store.frames.executions(properties=True)
    assert len(frame) == 2 * len(graph["executions"])
    others = frame[frame["imported_from"] == "two"]
    assert others.index.tolist() == [1000 + number for number in others["original_id"]]
    parents = others["custom_properties.parent_dag_id"].dropna()
    assert set(parents) <= set(others.index)
    # Nothing leads from one installation to the other.
    number = int(store.frames.artifacts(runs=False).index[-1])
    assert set(store.upstream(number).nodes["imported_from"]) == {"two"}


def test_only_archives_are_opened_together(tmp_path: Path):
    path = made(tmp_path / "a.json")
    with pytest.raises(errors.ConfigurationError, match="transfer archives"):
        ml.connect([path, EMULATED])
    with pytest.raises(errors.ConfigurationError, match="there are none"):
        ml.connect([])


# Files that are not as they should be


SMALL = SHARED / "cases" / "kfp_nested_outputs.db"
DAMAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a type that is not there": ("artifacts", {"type_id": "999999"}),
    "an artifact that is not there": ("events", {"artifact_id": "999999"}),
    "an id of another node": ("artifacts", {"id": "2"}),
    "an id that is none": ("artifacts", {"id": "1e400"}),
    "a time beyond 64 bits": ("artifacts", {"create_time_since_epoch": "9" * 30}),
    "a state that is none": ("artifacts", {"state": "SUPERB"}),
    "a value of another kind": ("artifacts", {"custom_properties": {"a": {"other_value": 1}}}),
    "properties that are none": ("executions", {"custom_properties": ["a"]}),
    "a path that is none": ("events", {"path": {"steps": "a"}}),
    "a value that was edited": ("artifacts", {"uri": "s3://elsewhere"}),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_an_edited_archive_is_refused(what: str, tmp_path: Path):
    rows, fields = DAMAGE[what]
    graph = archives.graph_of(ml.connect(SMALL).snapshot())
    path = archives.write(tmp_path / "a.json", archives.archive(graph, SOURCE))
    held = json.loads(path.read_text(encoding="utf-8"))
    held["metadata"][rows][0] |= fields
    path.write_text(json.dumps(held, separators=(",", ":")), encoding="utf-8")
    with pytest.raises(errors.DamagedStoreError, match=r"a\.json cannot be read"):
        ml.connect(path).snapshot()


@pytest.mark.parametrize("change", [{"digest": ""}, {"digest": 5}, {}])
def test_a_file_of_another_form_is_refused(change: dict[str, Any], tmp_path: Path):
    path = made(tmp_path / "a.json", SMALL)
    held = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(held, indent=1), encoding="utf-8")
    with pytest.raises(errors.DamagedStoreError, match="digest"):
        ml.connect(path).snapshot()


def test_an_edited_history_is_refused(tmp_path: Path):
    path = made(tmp_path / "a.json", SMALL, form=FORMS[0])
    text = path.read_text(encoding="utf-8")
    # What changes when another run begins is no part of the digest; nor are spaces.
    path.write_text(text.replace('InSec": 7', 'InSec": 8').replace("\n", ""), encoding="utf-8")
    ml.connect(path).snapshot()
    path.write_text(text.replace('"team-a"', '"team-b"', 1), encoding="utf-8")
    with pytest.raises(errors.DamagedStoreError, match="digest"):
        ml.connect(path).snapshot()


def test_a_truncated_archive_is_refused(tmp_path: Path):
    whole = made(tmp_path / "a.json", SMALL).read_bytes()
    path = tmp_path / "b.json"
    for length in range(0, len(whole) - 2, len(whole) // 11):
        path.write_bytes(whole[:length])
        with pytest.raises(errors.StoreError, match=r"b\.json"):
            ml.connect(path).snapshot()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"[" * 200_000, errors.StoreError),
        (b'{"a":' * 200_000, errors.DamagedStoreError),
        (b'{"format":"kfp-history-native/v1"}', errors.UnsupportedSchemaError),
        (b'{"format":"other"}', errors.NotAMetadataStoreError),
        (b'{"nodes":[]}', errors.NotAMetadataStoreError),
        (b'"text"', errors.NotAMetadataStoreError),
        (b"\xff\xfe{", errors.StoreError),
        (b'{"a":"\xff"}', errors.StoreError),
        (b'{"a":NaN}', errors.DamagedStoreError),
        (b"{}{}", errors.StoreError),
        (b'{"format":"' + b"kfp-" * 100_000 + b'"}', errors.UnsupportedSchemaError),
    ],
)
def test_what_is_no_archive_is_refused(text: bytes, error: type[Exception], tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(error) as raised:
        ml.connect(path).snapshot()
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("text", ['{"a":[%s1]}', '{"a":{"b":{"c":[%s1]}}}'])
def test_too_many_rows_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_stream, "MOST_PARTS", 1000)
    monkeypatch.setattr(archive_file, "MOST_RECORDS", 1000)
    path = tmp_path / "a.json"
    path.write_text(text % ("1," * 1001), encoding="utf-8")
    with pytest.raises(errors.DamagedStoreError, match=r"holds more"):
        ml.connect(path).snapshot()


def test_files_that_are_not_there_or_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(errors.StoreNotFoundError, match=r"no\.json"):
        ml.connect(tmp_path / "no.json").snapshot()
    path = made(tmp_path / "a.json", SMALL)
    monkeypatch.setattr(json_stream, "MOST_BYTES", 1000)
    with pytest.raises(errors.DamagedStoreError, match="more than the 1,000"):
        ml.connect(path).snapshot()


MEASURE = """
import resource, sys
import mlmd_lineage as ml
store = ml.connect(sys.argv[1])
store.snapshot()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(path: Path) -> int:
    """Return how many bytes a process takes at most that reads an archive."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


@pytest.mark.slow
def test_what_is_not_kept_takes_no_memory(tmp_path: Path):
    graph = archives.graph_of(ml.connect(EMULATED).snapshot())
    small = archives.archive(graph, SOURCE)
    large: dict[str, Any] = {**small, "runs": list(small["runs"])}
    run = {**small["runs"][0]["run"], "PipelineSpecManifest": "x" * 100_000}
    large["runs"] += [{"run": {**run, "UUID": f"run-{n}"}, "tasks": []} for n in range(100)]
    small_path = archives.write(tmp_path / "small.json", small)
    large_path = archives.write(tmp_path / "large.json", large)
    assert large_path.stat().st_size > 10e6
    assert peak(large_path) - peak(small_path) < 6e6
