"""The explorer's front end: its types, its rules and its unit tests, as npm runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "explorer-ui"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["check", "test"])
def test_the_front_end_keeps_its_rules(script: str):
    npm = shutil.which("npm")
    if npm is None or not (FOLDER / "node_modules" / "typescript").exists():
        pytest.skip("no npm, or its packages are not installed (npm ci in explorer-ui/)")
    done = subprocess.run(
        [npm, "run", script],
        cwd=FOLDER,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_the_lock_names_no_registry():
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []


def test_what_the_page_is_made_of_is_permissive():
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    found = {name: lock["packages"][f"node_modules/{name}"] for name in package["dependencies"]}
    licences = {"MIT", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Apache-2.0"}
    assert {name for name, one in found.items() if one["license"] not in licences} == set()
