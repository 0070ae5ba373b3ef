"""Archives on web servers and in object storage: read in ranges, and within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import http.server
import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
import waiting
from made_runs import Made

import mlmd_lineage as ml
from mlmd_lineage.config import web_sessions
from mlmd_lineage.readers.remote_archive_files import RemoteArchiveFiles
from mlmd_lineage.snapshot.tables import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class FileServer(http.server.SimpleHTTPRequestHandler):
    """Serves files, and parts of them."""

    protocol_version = "HTTP/1.1"
    with_ranges = True
    status: int | None = None
    asked: list[tuple[str, int]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer with a file or a part of it."""
        if self.status is not None:
            self.send_error(self.status)
            return
        try:
            with open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123 - a text
                content = file.read()
        except OSError:
            self.send_error(404)
            return
        wanted = RANGE.fullmatch(self.headers.get("Range", "")) if self.with_ranges else None
        if wanted is not None:
            size = len(content)
            first, last = int(wanted[1]), min(int(wanted[2]), size - 1)
            content = content[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.asked.append((self.path.rpartition("/")[2], len(content)))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def served(folder: Path, **settings: Any) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve a folder on a free port; yield its URL, and what is asked for."""
    handler = type("Handler", (FileServer,), {**settings, "asked": []})
    bound = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def archive(shared_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    snapshot = ml.connect(shared_stores / "zenml_0132.db").snapshot()
    return snapshot.save(tmp_path_factory.mktemp("remote") / "archive")


def answers_are_the_same(url: str, archive: Path) -> None:
    local = ml.connect(archive)
    for number in local.snapshot().artifacts["id"].to_pylist()[::40]:
        found, expected = ml.connect(url).upstream(number), local.upstream(number)
        assert found.nodes.equals(expected.nodes)
        assert found.edges.equals(expected.edges)
    remote, whole = ml.connect(url).snapshot(), local.snapshot()
    assert all(remote[name].equals(whole[name]) for name in ALL_TABLES)
    assert len(ml.connect(url).lineage()) == len(local.lineage())


@pytest.mark.slow
def test_an_archive_on_a_web_server(archive: Path):
    with served(archive.parent) as (url, asked):
        store = ml.connect(f"{url}/archive/")
        assert store.location == f"{url}/archive"
        answers_are_the_same(f"{url}/archive", archive)
        asked.clear()
        store.upstream(5)
        assert {name for name, _ in asked} < {path.name for path in archive.iterdir()}


@pytest.mark.slow
def test_generations_on_a_web_server(shared_stores: Path, tmp_path: Path):
    folder = ml.connect(shared_stores / "tfx_local.db").snapshot().save(tmp_path / "archive")
    first = ml.connect(folder).snapshot()
    other = ml.connect(shared_stores / "kfp2_emulated.db").snapshot()
    other.save(folder, update=True, other_source=True)
    with served(tmp_path) as (url, _):
        [old, new] = ml.connect(f"{url}/archive").generations()
        assert new.number == 2
        before = ml.connect(f"{url}/archive", as_of=old.taken_at).snapshot()
        assert before.artifacts.equals(first.artifacts)
        assert not ml.connect(f"{url}/archive").snapshot().artifacts.equals(first.artifacts)


def test_a_server_without_ranges_is_named(archive: Path):
    with (
        served(archive.parent, with_ranges=False) as (url, _),
        pytest.raises(ml.errors.UnreachableError, match="in parts"),
    ):
        RemoteArchiveFiles(f"{url}/archive").read_range("Event.parquet", 10, 20)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, ml.errors.NotAMetadataStoreError),
        (403, ml.errors.StoreError),
        (500, ml.errors.UnreachableError),
    ],
)
def test_a_server_that_refuses(archive: Path, status: int, error: type[Exception]):
    with (
        served(archive.parent, status=status) as (url, _),
        pytest.raises(error, match=re.escape(f"{url}/archive")) as caught,
    ):
        ml.connect(f"{url}/archive").upstream(5)
    assert caught.value.__cause__ is None


def test_no_server_is_there():
    with served(ml.__path__[0]) as (url, _):  # type: ignore[arg-type]
        pass
    with pytest.raises(ml.errors.UnreachableError, match="does not answer"):
        ml.connect(f"{url}/archive").upstream(5)


class Hostile(http.server.BaseHTTPRequestHandler):
    """Sends what nobody asked for, or stops in the middle of an answer."""

    protocol_version = "HTTP/1.1"
    stops: threading.Event
    endless = True
    compressed = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Send spaces without end, or one of them."""
        self.send_response(206)
        self.send_header("Content-Length", str(1 << 40))
        if self.compressed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        part = gzip.compress(b" " * (1 << 20)) if self.compressed else b" " * (1 << 20)
        with contextlib.suppress(OSError):
            self.wfile.write(part if self.endless else b" ")
            while self.endless and not self.stops.is_set():
                self.wfile.write(part)
        self.stops.wait(waiting.LONG)


@contextlib.contextmanager
def hostile(**settings: Any) -> Iterator[str]:
    """Run a hostile server; yield the URL of an archive there."""
    stops = threading.Event()
    handler = type("Handler", (Hostile,), {**settings, "stops": stops})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/archive"
        finally:
            stops.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_server_that_sends_without_end(*, compressed: bool):
    with (
        hostile(compressed=compressed) as url,
        waiting.ends_early(),
        pytest.raises(ml.errors.StoreError, match=r"more than"),
    ):
        ml.connect(url).snapshot()


def test_a_server_that_stops_in_the_middle_of_an_answer():
    with (
        hostile(endless=False) as url,
        waiting.ends_early(),
        pytest.raises(ml.errors.DeadlineExceededError),
        ml.Deadline(0.5),
    ):
        ml.connect(url).snapshot()


def test_a_question_to_a_silent_server_is_cancelled():
    with hostile(endless=False) as url, ml.Deadline() as limit:
        timer = threading.Timer(0.2, limit.cancel)
        timer.start()
        with waiting.ends_early(), pytest.raises(ml.errors.CancelledError):
            ml.connect(url).snapshot()


@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize("options", [{}, {"headers": {"X-Api-Key": "kept-secret"}}])
def test_a_server_may_be_silent_for_a_minute(protocol: str, options: dict[str, Any]):
    async def timeout() -> Any:
        session = await web_sessions.web_options(protocol, options)["get_client"]()
        await session.close()
        return session.timeout

    found = asyncio.run(timeout())
    assert (found.total, found.sock_connect, found.sock_read) == (None, 60, 60)


def test_a_file_that_a_manifest_names_many_times_is_not_read(archive: Path, tmp_path: Path):
    copy = tmp_path / "archive"
    shutil.copytree(archive, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["tables"]["Artifact"] = ["Artifact.parquet"] * 2
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ml.errors.DamagedStoreError, match="lacks what a manifest has"):
        ml.connect(copy).snapshot()


@pytest.mark.parametrize(("scheme", "extra"), [("https", "http"), ("gs", "gcs")])
def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str):
    def missing(protocol: str) -> None:
        message = f"Install what reads {protocol}"
        raise ImportError(message)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(ml.errors.ConfigurationError, match=rf"mlmd-lineage\[{extra}\]"):
        ml.connect(f"{scheme}://files.example/archive").upstream(5)


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Redirects to another server, and notes the headers that it gets."""

    target = ""
    got: list[dict[str, str]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Redirect, or say that there is nothing."""
        self.got.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(302 if self.target else 404)
        if self.target:
            self.send_header("Location", self.target + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the library's name


@contextlib.contextmanager
def redirecting(target: str = "") -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run a server that redirects; yield its URL, and the headers that it got."""
    got: list[dict[str, str]] = []
    handler = type("Handler", (Redirecting,), {"target": target, "got": got})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Api-Key": "kept-secret"}},
        {"client_kwargs": {"headers": {"X-Api-Key": "kept-secret"}}},
        {"client_kwargs": {"cookies": {"session": "kept-secret"}}},
    ],
)
def test_given_headers_go_to_no_other_server(options: dict[str, Any]):
    made = Made()
    with redirecting() as (other, got_there), redirecting(other) as (url, got):
        model = made.artifact("Model", uri=f"{url}/model.json")
        made.execution("T", [made.context("Run", "r")], outputs={"model": model})
        unregister = ml.register_scheme("http", "http", **options)
        try:
            with pytest.raises(ml.errors.UnreachableError, match="redirects to another") as caught:
                ml.connect(f"{url}/archive").upstream(5)
            with pytest.raises(ml.errors.ArtifactReadError):
                made.store().get_run("r").steps[0].output.read()
        finally:
            unregister()
    assert any("kept-secret" in " ".join(headers.values()) for headers in got)
    assert got_there == []
    assert "kept-secret" not in str(caught.value)


def test_redirects_are_followed_where_nothing_was_given(archive: Path):
    with served(archive.parent) as (other, _), redirecting(other) as (url, _):
        assert len(ml.connect(f"{url}/archive").lineage()) == len(ml.connect(archive).lineage())


def test_a_part_that_was_changed_on_its_way_is_refused(archive: Path, tmp_path: Path):
    copy = tmp_path / "archive"
    copy.mkdir()
    for path in archive.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / "Event.parquet").read_bytes())
    content[200] ^= 1
    (copy / "Event.parquet").write_bytes(content)
    with (
        served(tmp_path) as (url, _),
        pytest.raises(ml.errors.DamagedStoreError, match="changed or damaged"),
    ):
        ml.connect(f"{url}/archive").upstream(5)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:geheim@host/archive",
        "https://geheim@host/archive",
        "https://host/archive?token=geheim",
        "s3://key:geheim@bucket/archive",
        "az://container/archive?sig=geheim",
    ],
)
def test_credentials_in_a_url_are_refused_and_never_shown(url: str):
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        ml.connect(url)
    assert "geheim" not in repr(caught.value) + str(caught.value)
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        ml.ArchiveMetadataStore(uri=url)
    assert "geheim" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("url", ["https://", "s3://", "https://host/a::file:///etc/passwd"])
def test_urls_that_name_no_folder(url: str):
    with pytest.raises(ml.errors.ConfigurationError, match="names one folder"):
        ml.connect(url)


def test_other_schemes_have_to_be_listed():
    with pytest.raises(ml.errors.ConfigurationError, match="not a kind of store"):
        ml.connect("dropbox://folder/archive")
    unregister = ml.register_scheme("team", "memory")
    try:
        assert isinstance(ml.connect("team://folder").metadata_store, ml.ArchiveMetadataStore)
        with pytest.raises(
            ml.errors.NotAMetadataStoreError, match=r"team://folder holds no manifest"
        ):
            ml.connect("team://folder").snapshot()
    finally:
        unregister()


@pytest.fixture
def bucket(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve an archive by a local server that speaks S3; yield its URL."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    import s3fs

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    endpoint = f"http://{host}:{port}"
    try:
        files = s3fs.S3FileSystem(endpoint_url=endpoint)
        files.mkdir("bucket")
        for path in archive.iterdir():
            files.pipe_file(f"bucket/archive/{path.name}", path.read_bytes())
        unregister = ml.register_scheme("s3", "s3", endpoint_url=endpoint)
        yield "s3://bucket/archive"
        unregister()
    finally:
        server.stop()


def test_an_archive_in_a_bucket(bucket: str, archive: Path):
    answers_are_the_same(bucket, archive)
    with pytest.raises(ml.errors.NotAMetadataStoreError, match="holds no manifest"):
        ml.connect("s3://bucket/nothing").snapshot()
