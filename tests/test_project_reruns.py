"""``scripts/test``: a test that fails is run once more, alone, and what then counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

HEAD = """
import os
import pathlib

import pytest

def once(name):
    '''Fail where this is the first call.'''
    seen = pathlib.Path(__file__).with_name(name + ".seen")
    first = not seen.exists()
    seen.touch()
    assert not first, "the first output"

def test_that_passes():
    pass
"""
FLAKY = """
@pytest.mark.parametrize("text", ["a::b c", "[d]"])
def test_flaky(text):
    once("flaky" + text[1:2])

@pytest.fixture
def closing():
    yield
    once("closing")

def test_that_closes(closing):
    pass
"""
BROKEN = """
def test_broken():
    assert not "right"
"""
SKIPPED = """
def test_skipped():
    once("skipped")
    pytest.skip("not here")
"""
MANY = """
@pytest.mark.parametrize("number", range(6))
def test_many(number):
    once(f"many-{number}")
"""
CRASHING = """
def test_crashing():
    seen = pathlib.Path(__file__).with_name("crashing.seen")
    if not seen.exists():
        seen.touch()
        os._exit(1)
"""
NOT_COLLECTED = """
once("collected")
"""


pytestmark = pytest.mark.slow


def run(folder: Path, text: str, processes: int = 0) -> tuple[int, str, list[str] | None]:
    """Run a module of tests, and return the exit status, the output, and whom the note names."""
    (folder / "test_that.py").write_text(HEAD + text)
    (folder / "test_other.py").write_text(HEAD)
    (folder / "pytest.ini").write_text("[pytest]\n")
    note = folder / "note"
    note.write_text("of the last run")
    command = [sys.executable, ROOT / "scripts/_run_tests.py", note, "-q", "-p", "xdist"]
    command += ["-p", "no:cacheprovider", "-n", str(processes)]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    named = note.read_text() if note.exists() else None
    return done.returncode, done.stdout, named and named.split(" test_that.py::")


def test_what_passes_alone_is_named(tmp_path: Path):
    status, output, named = run(tmp_path, FLAKY)
    assert status == 0
    assert named == ["test_that.py::test_flaky[a::b c]", "test_flaky[[d]]", "test_that_closes"]
    first, again = output.split("== running again, alone: ")
    assert "the first output" in first
    assert "2 failed, 3 passed, 1 error" in first
    assert "3 passed" in again


@pytest.mark.parametrize(
    ("text", "told"),
    [(FLAKY + BROKEN, "1 failed, 3 passed"), (SKIPPED, "1 skipped in")],
    ids=["fails-again", "is-skipped-now"],
)
def test_what_does_not_pass_alone_fails(tmp_path: Path, text: str, told: str):
    status, output, named = run(tmp_path, text)
    assert status == 1
    assert told in output.partition("== running again, alone: ")[2]
    assert named is None


@pytest.mark.parametrize(
    ("text", "processes"),
    [(MANY, 0), (CRASHING, 1), (NOT_COLLECTED, 1)],
    ids=["many", "crashing", "not-collected"],
)
def test_some_failures_are_not_run_again(tmp_path: Path, text: str, processes: int):
    status, output, named = run(tmp_path, text, processes)
    assert status != 0
    assert "running again" not in output
    assert named is None
