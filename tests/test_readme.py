from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import terminal

import mlmd_lineage as ml

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


def test_the_pictures_are_those_that_the_store_gives():
    """``scripts/pictures`` draws them."""
    store = ml.connect(str(ROOT / "mlmd_lineage" / "data" / "tfx_local.db"))
    run = store.get_run("2026-11-21T02:45:03.601410")
    for name, picture in (
        ("pushed_model", store.upstream("artifact/43").to_svg() + "\n"),
        ("dataset", store.downstream("artifact/1").to_svg() + "\n"),
        ("run", run.to_svg()),
    ):
        drawn = (ROOT / "docs" / "images" / f"{name}.svg").read_text(encoding="utf-8")
        assert drawn == picture
