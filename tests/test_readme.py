from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import terminal

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]


def test_the_readme_shows_what_the_demo_prints(monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    monkeypatch.chdir(ROOT)
    assert shown[1] == terminal.invoke("demo").stdout


def test_every_picture_and_guide_is_there():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
