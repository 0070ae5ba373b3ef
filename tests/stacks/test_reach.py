"""Whether artifact stores can be reached, and why not."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.stacks.artifact_stores import (
    AzureArtifactStore,
    GCSArtifactStore,
    LocalArtifactStore,
    S3ArtifactStore,
    flavor_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "pl9-cannot-be-guessed"
LISTING = (
    '<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>1</KeyCount>'
    "<IsTruncated>false</IsTruncated><Contents><Key>model</Key><Size>1</Size>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag></Contents>"
    "</ListBucketResult>"
)


@contextlib.contextmanager
def s3_server(code: int, body: str) -> Iterator[str]:
    """Answer every question of an S3 client alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_HEAD(self) -> None:
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def s3(endpoint: str) -> S3ArtifactStore:
    return S3ArtifactStore(path="s3://bucket", key="me", secret=SECRET, endpoint_url=endpoint)


@pytest.mark.parametrize(
    ("code", "error", "state"),
    [
        (200, "", "ready"),
        (403, "AccessDenied", "credentials"),
        (403, "InvalidAccessKeyId", "credentials"),
        (403, "SignatureDoesNotMatch", "credentials"),
        (404, "NoSuchBucket", "missing"),
    ],
)
def test_s3_tells_what_is_the_matter(code: int, error: str, state: str):
    pytest.importorskip("s3fs")
    told = f"<Error><Code>{error}</Code><Message>{SECRET}</Message></Error>" if error else LISTING
    with s3_server(code, told) as endpoint:
        reach = s3(endpoint).reach()
    assert reach.state == state
    assert SECRET not in reach.message


def test_an_unreachable_server_is_no_matter_of_credentials():
    pytest.importorskip("s3fs")
    reach = s3("http://127.0.0.1:1").reach()
    assert reach.state == "unreachable"
    with pytest.raises(ml.errors.UnreachableError, match="No server answers"):
        reach.raise_for_state()


def test_local_folders(tmp_path: Path):
    assert LocalArtifactStore(path=str(tmp_path)).reach().ready
    missing = LocalArtifactStore(path=str(tmp_path / "none")).reach()
    assert missing.state == "missing"
    with pytest.raises(ml.errors.StoreNotFoundError, match="There is no"):
        missing.raise_for_state()
    (tmp_path / "file").write_text("")
    assert LocalArtifactStore(path=str(tmp_path / "file" / "below")).reach().state == "missing"
    assert LocalArtifactStore(path=f"file://{tmp_path}").local_path == tmp_path


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "gcsfs", None)
    reach = GCSArtifactStore(path="gs://bucket/x").reach()
    assert reach.state == "not installed"
    assert "pip install 'mlmd-lineage[gcs]'" in reach.message
    with pytest.raises(ml.errors.ConfigurationError):
        reach.raise_for_state()


@pytest.mark.parametrize(
    ("flavor", "path", "told"),
    [
        (S3ArtifactStore, "gs://bucket", "has to begin with s3:// or s3a://"),
        (S3ArtifactStore, "bucket", "has to begin with s3:// or s3a://"),
        (S3ArtifactStore, "s3://", "names no bucket"),
        (S3ArtifactStore, "s3:///x", "names no bucket"),
        (S3ArtifactStore, f"s3://me:{SECRET}@bucket", "holds a password"),
        (GCSArtifactStore, "gs://a\nb", "holds a control character"),
        (AzureArtifactStore, "s3://x", "has to begin with az:// or abfs:// or abfss://"),
        (LocalArtifactStore, "gs://bucket", "is not a folder of this machine"),
        (LocalArtifactStore, " ", "names no folder"),
    ],
)
def test_paths_are_checked(flavor: Any, path: str, told: str):
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        flavor(path=path)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


def test_secrets_of_clouds_do_not_show():
    stores = [
        s3("http://x"),
        GCSArtifactStore(path="gs://b", token=SECRET),
        AzureArtifactStore(path="az://c", account_key=SECRET, connection_string=SECRET),
    ]
    assert all(SECRET not in f"{store!r} {store.model_dump_json()}" for store in stores)
    assert stores[2].options() == {"account_key": SECRET, "connection_string": SECRET}


@pytest.mark.parametrize(
    ("path", "flavor"),
    [("gs://b", "gcs"), ("s3://b", "s3"), ("abfs://c", "azure"), ("/x", "local"), ("a/b", "local")],
)
def test_a_path_says_its_flavor(path: str, flavor: str):
    assert flavor_of(path) == flavor
