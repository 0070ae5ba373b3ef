from __future__ import annotations

import dataclasses
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import mlmd_lineage as ml
from mlmd_lineage.materializers import choice, storage
from mlmd_lineage.materializers.base import BaseMaterializer, full_name
from mlmd_lineage.materializers.built_in import PickleMaterializer, TextMaterializer
from mlmd_lineage.post_execution import artifact_files
from mlmd_lineage.post_execution import materializers as reading
from mlmd_lineage.recording.saved_values import ValueSaver
from mlmd_lineage.recording.values import ValuePlace
from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore, LocalArtifactStore

PLACE = ValuePlace("churn", "run", "train", "model", "0" * 32)


class MemoryArtifactStore(BaseArtifactStore):
    FLAVOR: ClassVar[str] = "memory"
    SCHEMES: ClassVar[tuple[str, ...]] = ("memory",)


class Forest:
    def __init__(self, trees: int) -> None:
        self.trees = trees


class Jungle(Forest):
    pass


class ForestMaterializer(BaseMaterializer):
    TYPES = (Forest,)
    ARTIFACT_TYPE = "Model"

    def save(self, value: Any, folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "inner" / "trees.txt").write_text(str(value.trees))
        (folder / "kind.txt").write_text(type(value).__name__)

    def load(self, folder: Path) -> Any:
        return Forest(int((folder / "inner" / "trees.txt").read_text()))


def kept(value: Any, root: Path, **options: Any) -> reading.DescribedArtifact:
    """Keep a value, and return the artifact that a store would have of it."""
    saved = ValueSaver(LocalArtifactStore(path=str(root)), **options)(value, PLACE)
    return described(saved)


def described(saved: Any) -> reading.DescribedArtifact:
    return reading.DescribedArtifact(
        "artifact/1",
        saved.type,
        saved.properties["datatype"],
        saved.properties["materializer"],
        saved.uri,
    )


EXACT = [
    None,
    True,
    7,
    10**40,
    0.1,
    -0.0,
    math.inf,
    "",
    "two\r\nlines, ü, \0 and \N{PENGUIN}",
    "\ud800",
    b"\0\xff",
    [1, [2.5, {"a": None, "": []}]],
    {"b": 1, "a": {"c": "x"}},
    np.float32(2.5),
    np.int64(3),
    np.datetime64("2026-11-28"),
]


@pytest.mark.parametrize("value", EXACT, ids=repr)
def test_values_read_back_as_they_were(value: Any, tmp_path: Path):
    found = reading.read(kept(value, tmp_path))
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_arrays_read_back_as_they_were(tmp_path: Path):
    for value in (
        np.arange(6).reshape(2, 3),
        np.array(2.5),
        np.array(["a", "ü"]),
        np.zeros((0, 3)),
    ):
        found = reading.read(kept(value, tmp_path))
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, value)
        assert found.dtype == value.dtype


def test_frames_and_series_read_back_as_they_were(tmp_path: Path):
    frame = pd.DataFrame(
        {"a": [1, 2], "ü": ["x", None], "t": pd.to_datetime(["2026-11-28", None], utc=True)},
        index=pd.Index(["i", "j"], name="key"),
    )
    pd.testing.assert_frame_equal(reading.read(kept(frame, tmp_path)), frame)
    numbered = pd.DataFrame([[1, 2], [3, 4]])
    pd.testing.assert_frame_equal(reading.read(kept(numbered, tmp_path)), numbered)
    for series in (frame["a"], pd.Series([1.5]), pd.Series([1], name="0")):
        pd.testing.assert_series_equal(reading.read(kept(series, tmp_path)), series)


def test_a_file_and_a_folder_are_copied(tmp_path: Path):
    file = tmp_path / "model.bin"
    file.write_bytes(b"\0model")
    folder = tmp_path / "saved"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "x").write_text("x")
    assert reading.read(kept(file, tmp_path / "store")).read_bytes() == b"\0model"
    assert (reading.read(kept(folder, tmp_path / "other")) / "inner" / "x").read_text() == "x"


@pytest.mark.parametrize("kind", ["secret", "folder", "around", "circle", "nowhere", "pipe"])
def test_links_that_lead_out_of_a_folder_are_not_copied(kind: str, tmp_path: Path):
    folder, secret = tmp_path / "unpacked", tmp_path / "secret"
    (folder / "inner").mkdir(parents=True)
    secret.write_text("of this machine")
    odd = folder / "inner" / "odd"
    targets = {"secret": secret, "folder": tmp_path, "around": folder, "circle": odd}
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to(targets.get(kind, tmp_path / "nowhere"))
    with pytest.raises(ml.errors.MaterializerError, match=r"odd is (a link|neither)"):
        kept(folder, tmp_path / "store")
    assert not list((tmp_path / "store").rglob("odd"))


def test_links_within_a_folder_are_copied_as_files(tmp_path: Path):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "weights").write_text("w")
    (folder / "latest").symlink_to("weights")
    copied = reading.read(kept(folder, tmp_path / "store"))
    assert (copied / "latest").read_text() == "w"
    assert not (copied / "latest").is_symlink()


@pytest.mark.parametrize("name", ["../out/x", "/out/x", "a/../../out/x"])
def test_names_that_lead_out_make_no_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Object storage may hold any names; folders were made before a name was checked."""
    made = tmp_path / "made"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))

    def read(name: str) -> bytes:
        artifact_files._check_name(name)
        return b""

    with pytest.raises(artifact_files.UnreadableError):
        storage.load(TextMaterializer(), ["data.txt", name], read)
    assert {path.name for path in tmp_path.iterdir()} == {"made"}
    assert not list(made.rglob("out"))


@pytest.mark.parametrize(
    "value", [(1, 2), {1: 2}, {"a": (1,)}, np.array([object()]), pd.DataFrame({1: [1], "a": [2]})]
)
def test_what_would_not_read_back_exactly_is_refused_without_pickle(value: Any, tmp_path: Path):
    with pytest.raises(ml.errors.MaterializerError, match="allow_pickle=True"):
        kept(value, tmp_path)
    assert isinstance(choice.materializer_for(value, allow_pickle=True), PickleMaterializer)


def test_a_pickle_is_read_only_where_it_is_allowed(tmp_path: Path):
    artifact = kept((1, 2), tmp_path, allow_pickle=True)
    with pytest.raises(ml.errors.ArtifactReadError, match="read\\(allow_pickle=True\\)"):
        reading.read(artifact)
    assert reading.read(artifact, allow_pickle=True) == (1, 2)


def test_one_of_your_own_is_in_force_once_it_is_defined(tmp_path: Path):
    for forest in (Forest(3), Jungle(4)):
        artifact = kept(forest, tmp_path / str(forest.trees))
        assert artifact.type == "Model"
        assert artifact.materializer == full_name(ForestMaterializer)
        assert reading.read(artifact).trees == forest.trees


def test_one_can_be_chosen_for_an_output(tmp_path: Path):
    artifact = kept(Forest(3), tmp_path, materializers={"model": PickleMaterializer})
    assert artifact.materializer == full_name(PickleMaterializer)
    with pytest.raises(ml.errors.MaterializerError, match="TextMaterializer cannot hold"):
        kept(3, tmp_path, materializers={"model": TextMaterializer})


def test_a_materializer_that_a_store_names_is_never_imported(tmp_path: Path):
    artifact = kept({"a": 1}, tmp_path)
    named = reading.DescribedArtifact(
        "artifact/1", "Data", None, "antigravity.Materializer", artifact.uri
    )
    assert reading.read(named) == {"a": 1}  # by its file's name
    assert "antigravity" not in sys.modules


def test_a_bucket_holds_the_same_files():
    store = MemoryArtifactStore(path="memory://bucket/steps")
    saved = ValueSaver(store)(Forest(5), PLACE)
    assert saved.uri.startswith("memory://bucket/steps/churn/")
    assert store.filesystem().cat_file(f"{saved.uri}/inner/trees.txt") == b"5"
    assert reading.read(described(saved)).trees == 5
    elsewhere = dataclasses.replace(described(saved), uri="memory://bucket/other/x")
    with pytest.raises(ml.errors.ArtifactReadError, match="memory"):
        reading.read(elsewhere)  # its scheme is not listed


def test_names_of_pipelines_are_no_way_out_of_the_store(tmp_path: Path):
    place = ValuePlace("..", "run", "../../x/y", "/etc", "1" * 32)
    saved = ValueSaver(LocalArtifactStore(path=str(tmp_path / "root")))(1, place)
    assert Path(saved.uri).resolve().is_relative_to(tmp_path / "root")


def test_what_a_materializer_raises_is_reported_as_its_own(tmp_path: Path):
    class Failing(BaseMaterializer):
        def save(self, value: Any, folder: Path) -> None:
            del value, folder
            raise ValueError("no disk")  # noqa: EM101, TRY003 - a test's

    with pytest.raises(
        ml.errors.MaterializerError, match=r"by Failing: ValueError: no disk \(.*test_"
    ):
        storage.save(1, Failing(), LocalArtifactStore(path=str(tmp_path)), str(tmp_path / "x"))
