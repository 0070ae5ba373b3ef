from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
import terminal

if TYPE_CHECKING:
    from pathlib import Path

DEMO = str(terminal.DEMO_STORE)


def run(*arguments: str, code: int = 0) -> str:
    done = terminal.invoke(*arguments)
    assert done.exit_code == code, done.output
    return done.stdout if code != 1 else done.stderr


def test_every_format_has_the_same_findings():
    answer = json.loads(run("audit", DEMO, "-f", "json"))
    rows = [(one["check"], one["node"]) for one in answer["findings"]]
    assert len(rows) == 11
    assert answer["counts"] == {"error": 0, "warning": 1, "note": 10}
    read = csv.DictReader(io.StringIO(run("audit", DEMO, "-f", "csv")))
    assert [(row["check"], row["node"]) for row in read] == rows
    plain = run("audit", DEMO).splitlines()
    assert [tuple(line.split("\t")[0:3:2]) for line in plain[1:]] == rows
    sarif = json.loads(run("audit", DEMO, "-f", "sarif"))
    assert len(sarif["runs"][0]["results"]) == 11
    junit = ET.fromstring(run("audit", DEMO, "-f", "junit"))  # noqa: S314 - our own text
    assert junit.attrib["failures"] == "1"


def test_a_finding_is_an_exit_code_where_that_is_asked_for():
    run("audit", DEMO)
    run("audit", DEMO, "--fail-on", "error")
    run("audit", DEMO, "--fail-on", "warning", code=3)
    run("audit", DEMO, "artifact/43", "--fail-on", "warning")
    run("audit", DEMO, "artifact/43", "--fail-on", "note", code=3)
    run("audit", DEMO, "--check", "cycle", "--fail-on", "note")


def test_the_report_goes_to_a_file(tmp_path: Path):
    path = tmp_path / "audit.sarif"
    told = run("audit", DEMO, "-f", "sarif", "-o", str(path), "--fail-on", "warning", code=3)
    assert told == f"The store: 1 warning, 10 notes. See {path}.\n"
    assert json.loads(path.read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert list(tmp_path.iterdir()) == [path]
    told = run("audit", DEMO, "-o", str(tmp_path / "none" / "x"), code=1)
    assert "cannot be written" in told


def test_what_limits_the_report_stands_beside_it(tmp_path: Path):
    settings = tmp_path / "audit.json"
    settings.write_text('{"off": {"missing_digest": "None is kept."}}', encoding="utf-8")
    done = terminal.invoke("audit", DEMO, "--settings", str(settings))
    assert "The check missing_digest is off: None is kept." in done.stderr
    assert len(done.stdout.splitlines()) == 2
    root = run("audit", DEMO, "--settings", str(settings), "-f", "junit")
    assert "None is kept." in root


def test_bytes_are_looked_at_where_that_is_asked_for(tmp_path: Path):
    kept = tmp_path / "kept.jsonl"
    options = ("--check-bytes", "--resume", str(kept), "--root", str(tmp_path), "-f", "json")
    answer = json.loads(run("audit", DEMO, *options))
    assert answer["bytes"] == {"unchecked": 47}
    assert len(kept.read_text(encoding="utf-8").splitlines()) >= 45


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((DEMO, "artifact/99"), "artifact/99"),
        ((DEMO, "--check", "cycel"), "Did you mean 'cycle'"),
        (("nothing.db",), "nothing.db"),
    ],
)
def test_errors_say_what_is_wrong(arguments: tuple[str, ...], told: str):
    assert told in run("audit", *arguments, code=1)


def test_a_node_without_a_store_is_that_of_the_active_stack(config_folder: Path):
    assert config_folder
    assert "No STORE was given" in run("audit", "artifact/3", code=1)


@pytest.mark.slow
def test_a_dossier_goes_to_a_file_or_is_printed(tmp_path: Path):
    path = tmp_path / "model.html"
    told = run("dossier", DEMO, "artifact/15", "-o", str(path))
    assert told == f"artifact/15: 2 steps, 1 data set, 9 things not known. See {path}.\n"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run("dossier", DEMO, "15").startswith("# Dossier of Model artifact/15\n")
    made = json.loads(run("dossier", DEMO, "15", "--compare", "4", "-f", "json"))
    assert made["comparison"]["b"] == "artifact/4"
    assert run("dossier", DEMO, "15", "-f", "html").startswith("<!DOCTYPE html>")
    assert "says no format" in run("dossier", DEMO, "15", "-o", str(tmp_path / "x.doc"), code=1)
