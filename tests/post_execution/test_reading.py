"""What artifacts hold, read from files in every format, and what is said where it cannot be."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import tarfile
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_runs import Made

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.config import filesystem_schemes
from mlmd_lineage.post_execution import materializers
from mlmd_lineage.post_execution.materializers import register_materializer
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
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
    with pytest.raises(errors.ArtifactReadError, match=r"memory:// unless you list it"):
        artifact("memory://store/model.json").read()
    for scheme in ("memory", "ours"):
        unregister = ml.register_scheme(scheme, "memory")
        assert artifact(f"{scheme}://store/model.json").read() == [1]
        assert artifact(f"{scheme}://store").read() == [1]
        with pytest.raises(errors.ArtifactReadError, match="2 are read at most"):
            artifact(f"{scheme}://store").read(max_bytes=2)
        with pytest.raises(errors.ArtifactReadError, match="nothing at its URI"):
            artifact(f"{scheme}://store/other").read()
        unregister()


def test_schemes_are_listed_by_settings(config_folder: Path, monkeypatch: pytest.MonkeyPatch):
    fsspec.filesystem("memory").pipe("/store/one.json", b"1")
    config_folder.mkdir()
    (config_folder / "filesystem_schemes.json").write_text('{"mem": {"protocol": "memory"}}')
    assert artifact("mem://store/one.json").read() == 1
    monkeypatch.setenv("MLMD_LINEAGE_SCHEMES", '{"more": {"protocol": "memory"}}')
    assert artifact("more://store/one.json").read() == artifact("mem://store/one.json").read()
    for wrong in ("[1]", "{", '{"x": 1}', '{"x y": {}}', "[" * 10_000):
        monkeypatch.setenv("MLMD_LINEAGE_SCHEMES", wrong)
        with pytest.raises(errors.ConfigurationError, match="MLMD_LINEAGE_SCHEMES"):
            artifact("mem://store/one.json").read()


@pytest.mark.parametrize("protocol", ["reference", "simplecache", "filecache"])
def test_filesystems_that_read_other_uris_are_refused(protocol: str):
    with pytest.raises(errors.ConfigurationError, match="never read"):
        ml.register_scheme("x", protocol)
    with pytest.raises(errors.ArtifactReadError, match="unless you list it"):
        artifact(f"{protocol}://x").read()


def test_what_minio_needs_is_said(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(errors.ArtifactReadError, match=r"endpoint_url.*AWS_ENDPOINT_URL"):
        artifact("minio://bucket/x.json").read()


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    def missing(protocol: str) -> None:
        message = f"Install {protocol}fs"
        raise ImportError(message)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    monkeypatch.setattr(filesystem_schemes, "_places", {})
    filesystem_schemes.list_place("gs://of-an-artifact-store", {"token": "anon"})
    for uri, extra in (
        ("s3://b/x", "s3"),
        ("gs://b/x", "gcs"),
        ("gs://of-an-artifact-store/x", "gcs"),
        ("az://b/x", "azure"),
    ):
        with pytest.raises(
            errors.ArtifactReadError, match=rf"pip install 'mlmd-lineage\[{extra}\]'"
        ):
            artifact(uri).read()


@pytest.mark.parametrize(
    "uri",
    [
        "simplecache::memory://store/model.json",
        "zip://x.json::/tmp/a.zip",
        "http://127.0.0.1:9/x.json",
        "ftp://127.0.0.1/x",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/environ",
        "file:///sys/kernel/notes",
        "x\0y",
    ],
)
def test_uris_that_are_never_followed(uri: str):
    with pytest.raises(errors.ArtifactReadError, match="cannot be read"):
        artifact(uri).read()


def test_only_regular_files_are_read(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "environ.txt").symlink_to("/proc/self/environ")
    for name in ("fifo.json", "zero", "environ.txt"):
        with pytest.raises(errors.ArtifactReadError, match=r"no regular file|no file of data"):
            artifact(tmp_path / name).read()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises(errors.ArtifactReadError, match="cannot be read"):
            artifact(tmp_path / "socket").read()


def test_large_files_are_refused_before_they_are_read(tmp_path: Path):
    with (tmp_path / "sparse.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(errors.ArtifactReadError, match=r"1,099,511,627,776 bytes.*max_bytes"):
        artifact(tmp_path / "sparse.txt").read()
    (tmp_path / "x.txt").write_text("12345")
    assert artifact(tmp_path / "x.txt").read(max_bytes=5) == "12345"
    with pytest.raises(errors.ArtifactReadError, match="5 bytes, and 4 are read"):
        artifact(tmp_path / "x.txt").read(max_bytes=4)


@pytest.mark.parametrize("materializer", [None, "DataFrameMaterializer", "zenml.NumpyMaterializer"])
@pytest.mark.parametrize("kind", ["nulls", "texts", "lists", "lists of numbers"])
def test_parquet_of_few_bytes_takes_little_memory(
    tmp_path: Path, kind: str, materializer: str | None
):
    """Equal values take a few bytes, however many they are."""
    rows, text = 1_000_000, "x" * 2_000
    column: Any = {
        "nulls": lambda: pa.nulls(rows * 20, pa.int64()),
        "texts": lambda: pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text]),
        "lists": lambda: pa.array([[text] * 1000]).take(pa.array(np.zeros(100, np.int32))),
        "lists of numbers": lambda: pa.ListArray.from_arrays([0, rows * 20], np.zeros(rows * 20)),
    }[kind]()
    folder = tmp_path / "artifact"
    folder.mkdir()
    table = pa.table({"a": column})
    pq.write_table(table, folder / "data.parquet", store_schema=False)
    (folder / "shape.json").write_text('{"a": 1}')
    assert (folder / "data.parquet").stat().st_size < 500_000
    if materializer == "DataFrameMaterializer":
        materializer = f"mlmd_lineage.materializers.built_in.{materializer}"
    found = materializers.DescribedArtifact("artifact/1", "D", None, materializer, str(folder))
    before = pa.total_allocated_bytes()
    with pytest.raises(errors.ArtifactReadError, match="when it is unpacked"):
        materializers.read(
            found, file=None if materializer else "data.parquet", max_bytes=100_000_000
        )
    assert pa.total_allocated_bytes() - before < 50_000_000


def test_a_sparse_file_in_an_archive_is_refused(tmp_path: Path):
    """A member of a tar file may have more bytes than the archive."""
    size = 3_000_000_000

    def number(value: int) -> bytes:
        return b"\x80" + value.to_bytes(11, "big")

    header = bytearray(tarfile.TarInfo("data.json").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:410] = number(size) + number(0)
    header[483:495] = number(size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "x.tgz").write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    with pytest.raises(errors.ArtifactReadError, match="when it is unpacked"):
        artifact(tmp_path / "x.tgz").read()


def test_files_of_a_materializer_have_one_limit_together(tmp_path: Path):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("x" * 50)
    name = "mlmd_lineage.materializers.built_in.TextMaterializer"
    found = materializers.DescribedArtifact("artifact/1", "D", None, name, str(tmp_path))
    with pytest.raises(errors.ArtifactReadError, match="its files hold more than 100 bytes"):
        materializers.read(found, max_bytes=100)


def test_what_unpacks_to_more_is_refused(tmp_path: Path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("x.txt")
        info.size = 1 << 20
        archive.addfile(info, io.BytesIO(bytes(1 << 20)))
    (tmp_path / "x.tgz").write_bytes(buffer.getvalue())
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1 << 17))
    pd.DataFrame({"a": np.arange(1 << 17)}).to_parquet(tmp_path / "x.parquet")
    for name in ("x.tgz", "x.npz", "x.parquet"):
        size = (tmp_path / name).stat().st_size
        with pytest.raises(errors.ArtifactReadError, match=r"when it is unpacked|read at most"):
            artifact(tmp_path / name).read(max_bytes=max(size, 100_000))
        assert len(artifact(tmp_path / name).read()) > 0


def test_a_root_keeps_reading_within(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.json").write_text("1")
    (tmp_path / "out.json").write_text("2")
    (root / "link.json").symlink_to(tmp_path / "out.json")
    assert artifact(root / "in.json").read(root=str(root)) == 1
    for outside in (tmp_path / "out.json", root / ".." / "out.json", root / "link.json"):
        with pytest.raises(errors.ArtifactReadError, match="outside of the artifact store's root"):
            artifact(outside).read(root=str(root))
    with pytest.raises(errors.ArtifactReadError, match="no file in its folder"):
        artifact(root).read(file="../out.json")
    with pytest.raises(errors.ArtifactReadError, match="root is s3://bucket"):
        artifact(root / "in.json").read(root="s3://bucket")
    for uri in ("s3://other/x", "s3://bucket/a/../../other/x", "s3://bucket-2/x", "gs://bucket/x"):
        with pytest.raises(errors.ArtifactReadError, match="outside of the artifact store's root"):
            artifact(uri).read(root="s3://bucket")


def test_a_store_may_have_a_root(tmp_path: Path):
    (tmp_path / "x.json").write_text("1")
    store = InMemoryStore()
    contexts = [store.put_context("Run", "r")]
    store.put_execution(
        "T",
        contexts=contexts,
        outputs={"x": store.put_artifact("Data", uri=str(tmp_path / "x.json"))},
    )
    assert store.get_artifact(1).read() == 1
    store.artifact_root = str(tmp_path / "elsewhere")
    with pytest.raises(errors.ArtifactReadError, match="outside"):
        store.get_artifact(1).read()
    assert ml.connect("metadata.db", artifact_root=tmp_path).artifact_root == str(tmp_path)
    loaded = pickle.loads(pickle.dumps(ml.connect("metadata.db", artifact_root="s3://b")))  # noqa: S301
    assert loaded.artifact_root == "s3://b"


def test_arrays_of_older_zenml(tmp_path: Path):
    array = np.arange(6.0).reshape(2, 3)
    pd.DataFrame({"data_var": array.flatten()}).to_parquet(tmp_path / "data.parquet")
    (tmp_path / "shape.json").write_text('{"0": 2, "1": 3}')
    written = "zenml.materializers.numpy_materializer.NumpyMaterializer@zenml_0.10.0"
    made = InMemoryStore()
    contexts = [made.put_context("pipeline", "p"), made.put_context("pipeline_run", "r")]
    data = made.put_artifact(
        "DataArtifact",
        uri=str(tmp_path),
        properties={"materializer": written, "datatype": "numpy.ndarray"},
    )
    made.put_execution(
        "step",
        contexts=contexts,
        outputs={"output": data},
        custom_properties={"zenml-step_source": '"x"'},
    )
    found = made.get_run("r").steps[0].output.read()
    np.testing.assert_array_equal(found, array)


def test_single_numbers_are_metrics_where_they_are_asked_for(tmp_path: Path):
    made = InMemoryStore()
    pipeline = made.put_context("pipeline", "p")
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        if number < 2:
            (folder / "data.json").write_text(str(0.5 + number / 4))
        run = made.put_context("pipeline_run", f"r{number}")
        value = made.put_artifact(
            "DataArtifact", uri=str(folder), properties={"datatype": "builtins.float"}
        )
        made.put_execution(
            "evaluator",
            contexts=[pipeline, run],
            outputs={"accuracy": value},
            custom_properties={"zenml-pipeline_parameter_name": '"evaluator"'},
        )
    assert made.frames.metrics().empty
    read = made.frames.metrics(read_artifacts=True)
    assert read["name"].tolist() == ["accuracy"] * 3
    assert read["value"].fillna(-1).tolist() == [0.5, 0.75, -1]
    comparison = made.get_pipeline("p").compare_runs(read_artifacts=True)
    compared = comparison.to_pandas()
    assert compared["metrics.evaluator.accuracy"].fillna(-1).tolist() == [0.5, 0.75, -1]
    [(key, reason)] = comparison.unread.items()
    assert key == "artifact/3"
    assert "artifact/3 (DataArtifact)" in reason
    assert "<p>artifact/3 could not be read</p>" in comparison._repr_html_()
    assert made.get_pipeline("p").compare_runs().unread == {}


def test_a_plot_without_metrics_says_where_they_are(shared_store: Callable[[str], Path]):
    pipeline = ml.connect(shared_store("zenml_0132.db")).get_pipeline("iris_training")
    with pytest.raises(errors.ConfigurationError, match=r"read_artifacts=True\) reads them"):
        pipeline.compare_runs().plot()
    moved = pipeline.compare_runs(read_artifacts=True)
    assert len(moved.unread) > 1
    assert moved.metrics.empty
    with pytest.raises(errors.ConfigurationError, match=r"could not be read .*nothing at its URI"):
        moved.plot()


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
        ("minio://bucket/x", "not read from minio://"),
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
