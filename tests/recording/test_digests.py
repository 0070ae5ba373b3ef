"""Digests of files, folders and URLs, and URIs as they are recorded."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import fsspec
import pytest

from mlmd_lineage.recording.files import digest_cache, digests
from mlmd_lineage.recording.files.uris import recorded_uri


def of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.usefixtures("config_folder")
def test_a_folder_is_digested_by_its_files():
    for name, data in (("b/x.csv", b"1"), ("a.csv", b"2"), ("b/é", b"")):
        Path("data", name).parent.mkdir(parents=True, exist_ok=True)
        Path("data", name).write_bytes(data)
    assert digests.sha256("data/a.csv") == of(b"2")
    listed = "".join(
        f"{of(Path('data', name).read_bytes())}  {name}\n" for name in ("a.csv", "b/x.csv", "b/é")
    )
    assert digests.sha256("data") == of(listed.encode())
    memory = fsspec.filesystem("memory")
    memory.put("data", "/digested/data", recursive=True)
    assert digests.sha256("memory://digested/data/a.csv") == of(b"2")
    assert digests.sha256("memory://digested/data") == digests.sha256("data")
    with pytest.raises(digests.DigestError, match="nothing at"):
        digests.sha256("memory://digested/none")
    os.mkfifo("pipe")
    with pytest.raises(digests.DigestError, match="no regular file"):
        digests.sha256("pipe")


@pytest.mark.usefixtures("config_folder")
def test_an_unchanged_file_is_not_read_again(monkeypatch: pytest.MonkeyPatch):
    large, old = Path("large"), time.time() - 100
    large.write_bytes(b"x" * 100_000)
    assert digests.sha256("large") == of(b"x" * 100_000)
    # It was changed just now: a second change could leave its times as they are.
    assert digest_cache.known("large", large.stat()) is None
    monkeypatch.setattr(digest_cache, "_SETTLED", -1e9)
    os.utime(large, (old, old))
    digests.sha256("large")
    assert digest_cache.known("large", large.stat()) == of(b"x" * 100_000)
    with monkeypatch.context() as patch:
        patch.setattr("os.open", None)
        assert digests.sha256("large") == of(b"x" * 100_000)
    large.write_bytes(b"y" * 100_000)
    os.utime(large, (old, old))
    assert digests.sha256("large") == of(b"y" * 100_000)


@pytest.mark.usefixtures("config_folder")
@pytest.mark.parametrize("change", ["appended", "replaced", "replaced by a pipe"])
def test_a_file_that_changes_while_it_is_read_has_no_digest(
    change: str, monkeypatch: pytest.MonkeyPatch
):
    path, real = Path("log"), os.fstat
    path.write_bytes(b"x")
    changes = []

    def fstat(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if len(changes) < most:
            changes.append(change)
            if change == "appended":
                with path.open("ab") as file:
                    file.write(b"y" * 5_000_000)
            else:
                path.unlink()
                if change == "replaced":
                    path.write_bytes(b"z")
                else:
                    os.mkfifo(path)
        return found

    monkeypatch.setattr(os, "fstat", fstat)
    most = 1
    if change == "replaced by a pipe":
        with pytest.raises(digests.DigestError, match="was changed each time"):
            digests.sha256("log")
        return
    now = digests.sha256("log")
    assert now == of(path.read_bytes())
    most = 100
    with pytest.raises(digests.DigestError, match="was changed each time"):
        digests.sha256("log")


def test_uris_are_whole_and_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for given, recorded in (
        ("a/../b", str(tmp_path / "b")),
        ("file:///data/a%20b", "/data/a b"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key?versionId=1"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("https://h/x?a=1&X-Amz-Signature=s&X-Amz-Credential=c", "https://h/x?a=1"),
        ("abfss://container@account/x", "abfss://container@account/x"),
        (os.fsdecode(b"\xff"), f"{tmp_path.as_uri()}/%FF"),
    ):
        assert recorded_uri(given) == recorded
