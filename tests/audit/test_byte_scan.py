"""The bytes of artifacts: gone, changed, the same; in parallel, and resumed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import fsspec
import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit import byte_scan
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"a,b\n1,2\n"


@pytest.fixture
def store(tmp_path: Path) -> InMemoryStore:
    """Return a store with an artifact for each thing that can be found."""
    made = InMemoryStore()
    digest = hashlib.sha256(TEXT).hexdigest()
    for name in ("same", "changed", "present"):
        (tmp_path / name).write_bytes(TEXT if name != "changed" else b"other")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one").write_bytes(TEXT)
    (tmp_path / "empty").mkdir()
    kept = {"sha256": digest}
    made.put_artifact("D", uri=str(tmp_path / "same"), custom_properties=kept)
    made.put_artifact("D", uri=f"file://{tmp_path}/changed", custom_properties=kept)
    made.put_artifact("D", uri=str(tmp_path / "present"))
    made.put_artifact("D", uri=str(tmp_path / "gone"))
    made.put_artifact("D", uri=str(folder), custom_properties={"digest": f"sha256:{digest}"})
    made.put_artifact("D", uri=str(tmp_path / "empty"))
    made.put_artifact("D", uri="ftp://host/file")
    made.put_artifact("D", uri="relative/file")
    made.put_artifact("D", uri=str(tmp_path / "deleted"), state="DELETED")
    made.put_artifact("D", uri=str(tmp_path / "same"), custom_properties={"md5": "not a digest"})
    return made


STATUSES = {
    "bytes_changed": ["artifact/2"],
    "bytes_missing": ["artifact/4", "artifact/6"],
    "bytes_unchecked": ["artifact/7", "artifact/8"],
}


def test_each_is_found(store: InMemoryStore):
    found = store.audit(check_bytes=True)
    of_bytes = found[found["check"].str.startswith("bytes_")]
    assert of_bytes.groupby("check")["node"].agg(list).to_dict() == STATUSES
    report = store.audit_report(check_bytes=True)
    assert report.byte_counts == {
        "changed": 1,
        "missing": 2,
        "present": 2,
        "same": 2,
        "unchecked": 2,
    }
    [changed] = found[found["check"] == "bytes_changed"]["message"]
    assert hashlib.sha256(b"other").hexdigest() in changed
    assert "bytes" not in " ".join(report.notes())


def test_a_flipped_bit_is_found(store: InMemoryStore, tmp_path: Path):
    (tmp_path / "same").write_bytes(bytes([TEXT[0] ^ 1]) + TEXT[1:])
    found = store.audit(check_bytes=True, only="bytes_changed")
    assert found["node"].tolist() == ["artifact/1", "artifact/2"]


def test_a_scope_looks_at_its_own_only(store: InMemoryStore):
    assert store.audit("artifact/4", check_bytes=True, only="bytes_missing")["node"].tolist() == [
        "artifact/4"
    ]
    report = store.audit_report("artifact/1", check_bytes=True)
    assert report.byte_counts == {"same": 1}


def test_nothing_outside_of_the_root_is_read(store: InMemoryStore, tmp_path: Path):
    store.artifact_root = str(tmp_path / "folder")
    found = store.audit(check_bytes=True, only="bytes_unchecked")
    assert "artifact/1" in set(found["node"])
    assert any("outside" in message for message in found["message"])


def test_other_filesystems_where_they_are_listed(store: InMemoryStore):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/file", TEXT)
    good, bad = hashlib.md5(TEXT).hexdigest(), "0" * 32  # noqa: S324 - what stores hold
    store.put_artifact("D", uri="memory://bucket/file", custom_properties={"md5": good})
    store.put_artifact("D", uri="memory://bucket/file", custom_properties={"md5": bad})
    store.put_artifact("D", uri="memory://bucket/none")
    unregister = ml.register_scheme("memory")
    try:
        found = store.audit(check_bytes=True)
    finally:
        unregister()
        memory.rm("/bucket", recursive=True)
    of_bytes = found[found["check"].str.startswith("bytes_")]
    at = of_bytes.set_index("node")["check"].to_dict()
    assert at["artifact/12"] == "bytes_changed"
    assert at["artifact/13"] == "bytes_missing"
    assert "artifact/11" not in at


def test_a_scan_goes_on_where_it_was(store: InMemoryStore, tmp_path: Path):
    kept = tmp_path / "bytes.jsonl"

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.audit(check_bytes=True, resume=kept, progress=stop)
    held = kept.read_text(encoding="utf-8").splitlines()
    assert len(held) == 3
    kept.write_text("\n".join(held) + '\n{"uri": "cut', encoding="utf-8")
    told: list[tuple[int, int]] = []
    found = store.audit(
        check_bytes=True, resume=kept, progress=lambda done, all_: told.append((done, all_))
    )
    assert (
        found[found["check"].str.startswith("bytes_")].groupby("check")["node"].agg(list).to_dict()
        == STATUSES
    )
    done = [line for line in held if json.loads(line)["status"] != "unchecked"]
    assert told[0] == (len(done), 9)
    assert told[-1] == (9, 9)


def test_what_was_found_is_not_looked_at_again(
    store: InMemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kept = tmp_path / "bytes.jsonl"
    first = store.audit(check_bytes=True, resume=kept)
    asked = []
    look_at = byte_scan.look_at

    def noted(uri: str, digests: byte_scan.Digests, *, root: str | None) -> object:
        asked.append(uri)
        return look_at(uri, digests, root=root)

    monkeypatch.setattr(byte_scan, "look_at", noted)
    assert store.audit(check_bytes=True, resume=kept).equals(first)
    assert sorted(asked) == ["ftp://host/file", "relative/file"]  # which may be there by now


def test_a_file_that_cannot_be_used_is_refused(store: InMemoryStore, tmp_path: Path):
    with pytest.raises(errors.ConfigurationError, match="cannot be used"):
        store.audit(check_bytes=True, resume=tmp_path)
