"""The snapshot that users hold, and its frames."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import odd_stores
import pandas as pd
import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot.frames import Frames
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from mlmd_lineage.snapshot.snapshot import Snapshot

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "frames.md"
TABLES = ("artifacts", "executions", "contexts", "events", "types")


@pytest.fixture
def odd(tmp_path: Path) -> ml.Store:
    return ml.connect(odd_stores.odd(tmp_path / "odd.db"))


@pytest.fixture
def empty(tmp_path: Path) -> ml.Store:
    path = odd_stores.store(tmp_path / "empty.db", {})
    return ml.connect(path)


def test_a_snapshot_does_not_change(odd: ml.Store):
    snapshot = odd.snapshot()
    for change in (
        lambda: setattr(snapshot, "source", "elsewhere"),
        lambda: setattr(snapshot, "anything", 1),
        lambda: delattr(snapshot, "source"),
    ):
        with pytest.raises(AttributeError, match="immutable"):
            change()
    with pytest.raises(TypeError):
        snapshot._tables["Event"] = None
    assert snapshot.findings is snapshot.findings


def test_a_snapshot_goes_to_another_process(odd: ml.Store):
    snapshot = odd.snapshot()
    for other in (pickle.loads(pickle.dumps(snapshot)), copy.deepcopy(snapshot)):  # noqa: S301
        assert type(other) is type(snapshot)
        assert other.findings == snapshot.findings
        assert (other.source, other.taken_at) == (snapshot.source, snapshot.taken_at)
        assert all(other[name].equals(snapshot[name]) for name in SCHEMAS)


def test_a_snapshot_has_every_table_by_a_plain_name(odd: ml.Store):
    snapshot = odd.snapshot()
    assert snapshot.names == tuple(SCHEMAS)
    properties = {
        n for n in dir(type(snapshot)) if isinstance(getattr(type(snapshot), n), property)
    }
    held = [
        getattr(snapshot, name) for name in sorted(properties - {"frames", "findings", "names"})
    ]
    assert {id(table) for table in held} == {id(snapshot[name]) for name in SCHEMAS}
    assert "9 artifacts, 10 executions, 3 contexts, 25 events" in repr(snapshot)
    assert re.search(r"at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", repr(snapshot))


def test_a_table_that_is_not_there_is_said(odd: ml.Store):
    with pytest.raises(ml.errors.NotFoundError, match="Did you mean 'Event'"):
        odd.snapshot()["Events"]
    with pytest.raises(ml.errors.NotLoadedError, match="properties=True"):
        odd.lineage().tables["ArtifactProperty"]


def documented() -> dict[str, list[tuple[str, str]]]:
    text = GUIDE.read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    row = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| .+ \|$", re.MULTILINE)
    return {section.split("\n", 1)[0]: row.findall(section) for section in sections}


def held(frame: pd.DataFrame) -> list[tuple[Any, str]]:
    index = [(frame.index.name, str(frame.index.dtype))]
    return index + [(column, str(dtype)) for column, dtype in frame.dtypes.items()]


@pytest.mark.parametrize("which", ["odd", "empty", "old"])
def test_every_frame_has_the_columns_of_the_guide_whatever_it_holds(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
):
    if which == "old":
        store = ml.connect(odd_stores.old(tmp_path / "old.db"))
    else:
        store = request.getfixturevalue(which)
    pages = documented()
    for name in TABLES:
        expected = pages[name]
        if name == "artifacts":  # a store's also tell the step that made each
            expected = expected[: expected.index(("type_id", "int64")) + 1]
        for frames in (store.snapshot().frames, Frames.live(store._reader)):
            assert held(getattr(frames, name)()) == expected, name
    graph = store.lineage()
    assert held(graph.nodes) == [row for row in pages["trace.nodes"] if row[0] != "hops"]
    assert held(graph.edges) == pages["trace.edges"]
    if len(graph):
        for asked in (store, graph):
            trace = asked.upstream(1)
            assert held(trace.nodes) == pages["trace.nodes"]
            assert held(trace.edges) == pages["trace.edges"]
            nothing = asked.between(1, 3)
            assert held(nothing.nodes) == pages["trace.nodes"]


def test_each_property_has_a_column_of_its_kind(odd: ml.Store):
    frame = odd.snapshot().frames.artifacts(properties=True)
    base = list(odd.snapshot().frames.artifacts().columns)
    assert list(frame.columns)[: len(base)] == base
    added = list(frame.columns)[len(base) :]
    plain = [name for name in added if name.startswith("properties.")]
    assert added == sorted(plain) + sorted(set(added) - set(plain))
    dtypes = {
        "int": "Int64",
        "double": "Float64",
        "text": "string",
        "true": "boolean",
        "struct": "object",
        "proto": "object",
        "no value": "object",
        "mixed": "object",
        "name": "string",
        "Größe": "string",
    }
    for name, dtype in dtypes.items():
        assert str(frame[f"custom_properties.{name}"].dtype) == dtype, name
    one = frame.loc[1]
    assert one["custom_properties.int"] == 7
    assert one["custom_properties.double"] == 0.1
    assert one["custom_properties.text"] == "Zoë 中文 \U0001f600"
    assert one["custom_properties.true"] is True or one["custom_properties.true"]
    assert one["custom_properties.struct"] == {"a": 3.0}
    assert one["custom_properties.proto"] == ml.ProtoValue("a", b"b")
    assert one["custom_properties.no struct"] == "mlmd-struct::!"
    # A property may be called like a column of every artifact.
    assert (one["name"], one["properties.name"]) == ("données", "like a column")
    assert frame["custom_properties.mixed"].dropna().to_dict() == {2: 1, 3: "one"}
    assert frame.loc[5:].filter(like="properties.").isna().all(axis=None)
    for column in added:
        assert frame[column].isna().sum() >= len(frame) - 2


def test_large_integers_are_kept_whole(tmp_path: Path):
    rows = {
        "Artifact": [odd_stores.artifact(n) for n in (1, 2, 3)],
        "ArtifactProperty": [
            {"artifact_id": n, "name": "rows", "is_custom_property": 1, "int_value": 2**62 + n}
            for n in (1, 2)
        ],
    }
    frame = (
        ml.connect(odd_stores.store(tmp_path / "big.db", rows))
        .snapshot()
        .frames.artifacts(properties=True)
    )
    assert frame["custom_properties.rows"].tolist()[:2] == [2**62 + 1, 2**62 + 2]
    assert frame["custom_properties.rows"].isna().tolist() == [False, False, True]


def test_a_type_means_all_its_versions_and_those_of_which_it_is_the_base(odd: ml.Store):
    for frames in (odd.snapshot().frames, Frames.live(odd._reader)):
        assert frames.artifacts(type="Model").index.tolist() == [2]
        assert frames.artifacts(type="mlmd.Model").index.tolist() == [2]
        assert frames.artifacts(type="Model")["type_version"].tolist() == ["v2"]
        assert frames.executions(type="Resolve").index.tolist() == [3]
        for wrong in ("Modle", "Train"):  # Train is no type of artifacts
            with pytest.raises(ml.errors.NotFoundError, match="no artifact type"):
                frames.artifacts(type=wrong)
        with pytest.raises(ml.errors.NotFoundError, match="Did you mean 'Model'"):
            frames.artifacts(type="Modle")


def test_what_is_not_there_or_not_known_shows_as_such(odd: ml.Store):
    artifacts = odd.snapshot().frames.artifacts()
    assert artifacts.loc[4, "state"] == "UNKNOWN(55)"
    assert pd.isna(artifacts.loc[6, "state"])
    assert pd.isna(artifacts.loc[3, "type"])
    assert artifacts.loc[3, "type_id"] == 77
    assert artifacts.loc[5, "create_time_since_epoch"] is pd.NaT
    assert artifacts.loc[1, "create_time_since_epoch"] == pd.Timestamp(
        odd_stores.START + 1, unit="ms", tz="UTC"
    )
    events = odd.snapshot().frames.events()
    assert events.loc[[20, 21], "type"].tolist() == ["UNKNOWN", "UNKNOWN(9)"]
    types = odd.snapshot().frames.types()
    assert types.loc[odd_stores.MODEL, "base_type"] == "mlmd.Model"
    assert types.loc[odd_stores.DATA, "properties"] == {"int": "INT"}
    assert types["kind"].tolist()[-1] == "CONTEXT_TYPE"


def test_frames_of_a_snapshot_read_nothing(odd: ml.Store):
    snapshot: Snapshot = odd.snapshot()
    Path(odd.location).unlink()
    assert len(snapshot.frames.events()) == 25
