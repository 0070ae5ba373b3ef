"""What artifacts hold, read from files in every format, and what is said where it cannot be."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from made_runs import Made

from mlmd_lineage import errors
from mlmd_lineage.post_execution.materializers import register_materializer

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.post_execution.views import ArtifactView


def artifact(uri: str | Path | None, kind: str = "Data", **properties: str) -> ArtifactView:
    made = Made()
    data = made.artifact(kind, uri=None if uri is None else str(uri), properties=properties)
    made.execution("T", [made.context("Run", "r")], outputs={"data": data})
    return made.store().get_run("r").steps[0].output


def packed(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"42"))
    return buffer.getvalue()


def numpy_bytes(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("data.json", b'{"a": [1, null]}', {"a": [1, None]}),
        ("data.txt", "Zoë".encode(), "Zoë"),
        ("page.html", b"<p>", "<p>"),
        ("data.csv", b"a,b\n1,x\n2,y\n", FRAME),
        ("data.tsv", b"a\tb\n1\tx\n2\ty\n", FRAME),
        ("data.parquet", parquet_bytes(FRAME), FRAME),
        ("df", parquet_bytes(FRAME), FRAME),
        ("data.npy", numpy_bytes(np.arange(3)), np.arange(3)),
        ("data", numpy_bytes(np.arange(3)), np.arange(3)),
        ("out.tgz", packed("data"), "42"),
        ("value", b"hello", "hello"),
    ],
    # The bytes of an archive hold the time, and every process must name the tests alike.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formats(tmp_path: Path, name: str, raw: bytes, expected: Any):
    path = tmp_path / name
    path.write_bytes(raw)
    for uri in (str(path), path.as_uri()):
        found = artifact(uri).read()
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected, check_dtype=False)
        elif isinstance(expected, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [("Float", "0.5", 0.5), ("Integer", "7", 7), ("Boolean", "1", True), ("JsonValue", "[1]", [1])],
)
def test_value_artifacts_of_tfx(tmp_path: Path, kind: str, text: str, expected: Any):
    (tmp_path / "value").write_text(text)
    assert artifact(tmp_path / "value", kind).read() == expected


def test_other_file_systems():
    fsspec.filesystem("memory").pipe("/store/model.json", b"[1]")
    assert artifact("memory://store/model.json").read() == [1]


def test_folders(tmp_path: Path):
    (tmp_path / "data.json").write_text("1")
    assert artifact(tmp_path).read() == 1
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.txt").write_text("x")
    with pytest.raises(errors.ArtifactReadError, match=r"2 files: 'data.json', 'sub/more.txt'"):
        artifact(tmp_path).read()
    assert artifact(tmp_path).read(file="sub/more.txt") == "x"
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.ArtifactReadError, match="empty"):
        artifact(tmp_path / "empty").read()


@pytest.mark.parametrize("name", ["model.pkl", "model"])
def test_pickles_only_where_they_are_allowed(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(errors.ArtifactReadError, match=r"may run any code.*allow_pickle=True"):
        artifact(tmp_path / name).read()
    assert artifact(tmp_path / name).read(allow_pickle=True) == {"a": 1}


def test_pickles_inside_numpy_files(tmp_path: Path):
    objects = np.array([{"a": 1}, None], object)
    np.save(tmp_path / "x.npy", objects, allow_pickle=True)
    with pytest.raises(errors.ArtifactReadError, match="may run any code"):
        artifact(tmp_path / "x.npy").read()
    assert artifact(tmp_path / "x.npy").read(allow_pickle=True)[0] == {"a": 1}
    np.savez(tmp_path / "y.npz", a=np.arange(2))
    assert list(artifact(tmp_path / "y.npz").read()) == ["a"]


def test_errors_name_the_artifact_and_what_to_do(tmp_path: Path):
    (tmp_path / "x.xyz").write_bytes(b"?")
    (tmp_path / "broken.json").write_bytes(b"{")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "two.tgz").write_bytes(packed("a", "b"))
    for uri, said in (
        (tmp_path / "none.json", "there is nothing at its URI"),
        (None, "it has no URI"),
        (tmp_path / "x.xyz", r"x\.xyz is of no format.*register a materializer for 'Data'"),
        (tmp_path / "broken.json", r"broken\.json cannot be read: JSONDecodeError"),
        (tmp_path / "binary", "nothing says what format binary has"),
        (tmp_path / "two.tgz", "its archive holds 2 files"),
        ("minio://bucket/x", "no driver for minio://"),
    ):
        with pytest.raises(errors.ArtifactReadError, match=said) as caught:
            artifact(uri).read()
        assert "artifact/1 (Data)" in str(caught.value)


def test_materializers_go_first_and_can_be_taken_back(tmp_path: Path):
    (tmp_path / "data.json").write_text(json.dumps(1))
    forget = register_materializer("Data", lambda view: f"read {view.id}")
    inner = register_materializer("my.Class", lambda view: view.data_type)
    try:
        assert artifact(tmp_path / "data.json").read() == "read 1"
        made = Made()
        properties = {"datatype": "my.Class"}
        data = made.artifact("Data", properties=properties)
        contexts = [made.context("pipeline", "p"), made.context("pipeline_run", "r")]
        made.execution("T", contexts, custom={"zenml-x": "1"}, outputs={"o": data})
        assert made.store().get_run("r").steps[0].output.read() == "my.Class"
    finally:
        forget()
        inner()
    assert artifact(tmp_path / "data.json").read() == 1
