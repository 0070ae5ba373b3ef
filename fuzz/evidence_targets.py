"""The targets of fuzzing that read evidence and recordings: ledgers, bundles and the spool."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any
from unittest import mock

from store_questions import SEED_STORE, questions, refusals

import mlmd_lineage
from mlmd_lineage.audit.bundle import layout
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.config.folders import CONFIG_VARIABLE
from mlmd_lineage.recording.spooling import spool_sending
from mlmd_lineage.recording.spooling.spool import FOLDER, spooled
from mlmd_lineage.store import Store
from mlmd_lineage.stores import ArchiveMetadataStore, SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store_questions import Target

_BEGUN = "01767225600000000000-00000000"


@contextlib.contextmanager
def spool(folder: Path) -> Iterator[Target]:
    """Send what waits: by the first byte, this is the store's name, a batch, or how a run ended."""
    path = folder / "metadata.db"
    waiting = folder / "config" / FOLDER / "0000000000000000"
    names = (f"{_BEGUN}/00000001.batch", f"{_BEGUN}/00000001.state", "store.json")

    def read(data: bytes) -> list[str]:
        shutil.copyfile(SEED_STORE, path)
        shutil.rmtree(waiting, ignore_errors=True)
        (waiting / _BEGUN).mkdir(parents=True)
        (waiting / "store.json").write_text(json.dumps({"location": str(path)}), encoding="utf-8")
        chosen = names[data[0] % len(names) if data else 0]
        (waiting / chosen).write_bytes(data[1:])
        store = Store(SQLiteMetadataStore(uri=str(path)))

        def send() -> None:
            for run in spooled(store.location):
                with store.record_access() as access:
                    spool_sending.send(access, run)

        return refusals(send, store.snapshot)

    with mock.patch.dict(os.environ, {CONFIG_VARIABLE: str(folder / "config")}):
        yield read


@contextlib.contextmanager
def ledger(folder: Path) -> Iterator[Target]:
    """Check a ledger with this as its entries or, by the first byte, as what it keeps of a store.

    The last entry then has the digest of what is kept.
    """
    path, target = folder / "metadata.db", folder / "ledger"
    shutil.copyfile(SEED_STORE, path)
    store = Store(SQLiteMetadataStore(uri=str(path)))
    made = mlmd_lineage.Ledger(target)
    made.add(store, snapshot=True)
    entries = target / "entries.jsonl"
    envelope = json.loads(entries.read_bytes())
    content = json.loads(base64.b64decode(envelope["payload"]))
    files = {name: (target / "state-000001" / name).read_bytes() for name in content["files"]}
    names = sorted(files)

    def written(said: dict[str, Any]) -> bytes:
        payload = base64.b64encode(canonical_json.dumps(said).encode()).decode()
        return canonical_json.dumps({**envelope, "payload": payload}).encode() + b"\n"

    def read(data: bytes) -> list[str]:
        for name, held in files.items():
            (target / "state-000001" / name).write_bytes(held)
        chosen = data[0] % (len(names) + 2) if data else 0
        if chosen == 0:
            entries.write_bytes(data[1:])
        elif chosen == 1:  # what an unsigned entry says
            payload = base64.b64encode(data[1:]).decode()
            entries.write_bytes(
                canonical_json.dumps({**envelope, "payload": payload}).encode() + b"\n"
            )
        else:
            name = names[chosen - 2]
            (target / "state-000001" / name).write_bytes(data[1:])
            digest = hashlib.sha256(data[1:]).hexdigest()
            entries.write_bytes(written({**content, "files": {**content["files"], name: digest}}))
        refused = refusals(made.entries)
        report = made.check(store)
        _ = report.to_pandas(), report.counts
        return [*refused, *report.problems]

    yield read


@contextlib.contextmanager
def bundle(folder: Path) -> Iterator[Target]:
    """Verify a bundle with this as one of its files or, by the first byte, as its zip file.

    The manifest has the digest of the file.
    """
    seed = folder / "seed.db"
    shutil.copyfile(SEED_STORE, seed)
    store = Store(SQLiteMetadataStore(uri=str(seed)))
    trace = store.upstream("artifact/2")
    made = mlmd_lineage.save_bundle(trace, folder / "kept.bundle", store=store)
    whole = folder / "whole.zip"
    names = sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
    manifest = json.loads((made / layout.MANIFEST).read_bytes())
    target = folder / "changed.bundle"

    def read(data: bytes) -> list[str]:
        chosen = data[0] % (len(names) + 1) if data else 0
        if chosen == 0:
            whole.write_bytes(data[1:])
            return _verified(whole)
        name = names[chosen - 1]
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)
        (target / name).write_bytes(data[1:])
        if name in manifest["files"]:
            described = {"sha256": hashlib.sha256(data[1:]).hexdigest(), "size": len(data) - 1}
            files = {**manifest["files"], name: {**manifest["files"][name], **described}}
            text = canonical_json.dumps({**manifest, "files": files}) + "\n"
            (target / layout.MANIFEST).write_text(text, encoding="utf-8")
        return _verified(target)

    yield read


def _verified(path: Path) -> list[str]:
    found: list[str] = []

    def verify() -> None:
        found.extend(map(str, mlmd_lineage.verify_bundle(path).findings))

    store = Store(ArchiveMetadataStore(uri=str(path)))
    return [*refusals(verify, *questions(store)[:2]), *found]
