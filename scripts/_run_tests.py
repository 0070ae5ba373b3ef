"""pytest, with the few tests that fail run once more and alone.

    python scripts/_run_tests.py NOTE [pytest arguments]

Where all of them pass then, the run ends well, and the file NOTE names them. Nothing is run again
after more than ``MOST`` failures, or where pytest could not run everything: a module that cannot be
collected, a process of pytest-xdist's that died, a run that was interrupted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

MOST = 5
"""Tests that are run again at most: more than this is no coincidence."""


class Outcomes:
    """What became of each test, collected as pytest runs."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}  # the file of each, by name
        self.passed: set[str] = set()
        self.complete = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the outcome of one phase of a test."""
        if report.failed:
            self.failed[report.nodeid] = report.fspath
        elif report.passed and report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a module could not be collected."""
        self.complete = self.complete and not report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002
        """Note that a process of pytest-xdist's died."""
        self.complete = self.complete and not error


class Only:
    """The collection of nothing but certain tests."""

    def __init__(self, wanted: dict[str, str]) -> None:
        self.wanted = wanted

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Pass over the other files."""
        files = {(config.rootpath / file).resolve() for file in self.wanted.values()}
        return True if collection_path.is_file() and collection_path not in files else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Pass over the other tests of the files."""
        items[:] = [item for item in items if item.nodeid in self.wanted]


def run(note: Path, arguments: list[str]) -> int:
    """Run the tests, those that fail twice, and return the exit status."""
    note.unlink(missing_ok=True)
    outcomes = Outcomes()
    status = int(pytest.main(arguments, plugins=[outcomes]))
    failed = outcomes.failed
    if status != pytest.ExitCode.TESTS_FAILED or not outcomes.complete:
        return status
    if not 0 < len(failed) <= MOST:
        return status
    names = " ".join(failed)
    sys.stdout.write(f"\n== running again, alone: {names}\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.json")
        wanted.write_text(json.dumps(failed), encoding="utf-8")
        # Another process, as this one has loaded what the first run needed.
        again = [sys.executable, __file__, "--only", str(wanted), *arguments, "-n", "0"]
        if subprocess.run(again, check=False).returncode:  # noqa: S603
            return status
    note.write_text(names, encoding="utf-8")
    return 0


def run_only(wanted: Path, arguments: list[str]) -> int:
    """Run certain tests, and return 0 where every one of them passed."""
    names = json.loads(wanted.read_text(encoding="utf-8"))
    outcomes = Outcomes()
    status = int(pytest.main(arguments, plugins=[Only(names), outcomes]))
    # One that is skipped now, or not found, has not passed.
    return status or int(outcomes.passed != set(names))


if __name__ == "__main__":
    if sys.argv[1] == "--only":
        sys.exit(run_only(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
