from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import terminal

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]
_STEP_ID = re.compile(r"(?<=/)[0-9a-f]{8}(?= )")
"""The part of a step's name that is another in every run."""


def demo() -> str:
    """Return what the demo prints, each time as if for the first time."""
    return _STEP_ID.sub("1a2b3c4d", terminal.invoke("demo").stdout)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path))
    assert shown[1] == demo()


def test_the_demo_reuses_all_when_it_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path))
    demo()
    lines = [line for line in demo().splitlines() if line.startswith("demo-")]
    assert "demo-4, learning rate 0.01: split cached, train cached, evaluate cached" in lines


def test_every_picture_and_guide_is_there():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
