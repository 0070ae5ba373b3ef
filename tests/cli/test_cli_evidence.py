"""Commands ``bundle``, ``verify``, ``ledger``, ``changes`` and ``export``."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import bundle_keys
import pytest
import sqlite_stores
import terminal

DEMO = str(terminal.DEMO_STORE)


def run(*arguments: object, code: int = 0) -> str:
    done = terminal.invoke(*map(str, arguments))
    assert done.exit_code == code, done.output
    return done.stdout if code != 1 else done.stderr


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(terminal.DEMO_STORE, tmp_path / "metadata.db"))


def test_a_bundle_is_made_verified_and_found_changed(tmp_path: Path):
    private, public = bundle_keys.key_pair(tmp_path)
    bundle = tmp_path / "model.bundle"
    said = run("bundle", DEMO, "artifact/33", bundle, "--key", private)
    assert said.endswith("signed.\n")
    said = run("verify", bundle, "--key", public)
    assert "is whole" in said
    assert "the key given" in said
    assert "anyone may have put there" in run("verify", bundle)
    answer = json.loads(run("verify", bundle, "--key", public, "--format", "json"))
    assert answer["ok"]
    assert answer["key_is_trusted"]

    records = bundle / "records.jsonl"
    records.write_text(records.read_text().replace('"COMPLETE"', '"FAILED"', 1))
    said = run("verify", bundle, code=3)
    assert 'execution/41, was changed: last_known_state: "COMPLETE" became "FAILED"' in said
    answer = json.loads(run("verify", bundle, "-f", "json", code=3))
    assert "execution/41" in {finding["record"] for finding in answer["findings"]}
    assert "exists already" in run("bundle", DEMO, "artifact/33", bundle, code=1)
    said = run("bundle", DEMO, "artifact/15", tmp_path / "d.zip", "--dossier")
    assert said.startswith("Saved the dossier of artifact/15")
    assert "is whole" in run("verify", tmp_path / "d.zip")
    assert "There is no bundle" in run("verify", tmp_path / "none", code=1)


def test_a_ledger_tells_what_was_tampered_with(store: Path, tmp_path: Path):
    private, public = bundle_keys.key_pair(tmp_path)
    ledger = tmp_path / "ledger"
    assert "ledger add" in run("ledger", "check", store, ledger, code=1)
    run("ledger", "add", store, ledger, "--key", private, "--snapshot")
    assert "0 changed" in run("ledger", "check", store, ledger, "--key", public)
    sqlite_stores.change(store, "UPDATE Execution SET last_known_state = 4 WHERE id = 41")
    said = run("ledger", "check", store, ledger, "--key", public, code=3)
    assert 'changed: execution/41, last_known_state: "COMPLETE" became "FAILED"' in said
    answer = json.loads(run("ledger", "check", store, ledger, "-f", "json", code=3))
    assert answer["counts"] == {"added": 0, "finished": 0, "changed": 1, "removed": 0}
    assert "Added entry 2" in run("ledger", "add", store, ledger, "--key", private, code=3)
    [first, second] = run("ledger", "list", ledger, "--key", public).splitlines()
    assert first.startswith("1 ")
    assert "1 changed" in second
    assert run("ledger", "check", store, ledger, "--key", public).startswith(
        "Records since entry 2"
    )
    entries = ledger / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().splitlines(keepends=True)[1])
    assert "does not follow" in run("ledger", "check", store, ledger, code=3)
    assert "damaged" in run("ledger", "list", ledger, code=1)


def test_without_a_snapshot_it_says_how_to_know_more(store: Path, tmp_path: Path):
    run("ledger", "add", store, tmp_path / "ledger")
    sqlite_stores.change(store, "DELETE FROM Event WHERE id = 9")
    said = run("ledger", "check", store, tmp_path / "ledger", code=3)
    assert "event/0..63 was changed" in said
    assert "--snapshot" in said


def test_changes_are_rows(store: Path):
    sqlite_stores.change(store, "UPDATE Execution SET last_known_state = 4 WHERE id = 41")
    [row] = csv.DictReader(io.StringIO(run("changes", store, DEMO, "-f", "csv", code=3)))
    assert (row["kind"], row["record"]) == ("changed", "execution/41")
    assert list(row) == ["kind", "record", "field", "old", "new"]
    assert json.loads(run("changes", DEMO, DEMO, "-f", "json")) == []


@pytest.mark.parametrize(
    ("to", "begins"),
    [
        ("prov", "{"),
        ("prov-n", "document"),
        ("openlineage", '{"event'),
        ("ml-bom", "{"),
        ("ro-crate", "{"),
        ("spdx", "{"),
        ("graphml", "<?xml"),
        ("dot", "digraph"),
    ],
)
def test_every_format_is_written(to: str, begins: str, tmp_path: Path):
    said = run("export", DEMO, "artifact/33", "--to", to)
    assert said.startswith(begins)
    path = tmp_path / "export"
    done = terminal.invoke("export", str(DEMO), "artifact/33", "--to", to, "--output", str(path))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"Wrote {path}.\n")
    assert path.read_text(encoding="utf-8").rstrip("\n") == said.rstrip("\n")
    assert "cannot be written" in run("export", DEMO, "33", "--to", to, "-o", path, code=1)


def test_what_an_export_is_of_can_be_said():
    up, down = (
        json.loads(run("export", DEMO, "artifact/33", "--to", "ml-bom", *more))
        for more in ((), ("--downstream", "--spec-version", "1.7"))
    )
    assert (up["specVersion"], down["specVersion"]) == ("1.6", "1.7")
    assert len(down["components"]) > len(up["components"])
    run("export", DEMO, "artifact/33", "--to", "dot", "--url", "http://127.0.0.1:9/", code=2)
    said = run("export", DEMO, "33", "--to", "openlineage", "--url", "http://127.0.0.1:9/", code=1)
    assert "took 0 of" in said
