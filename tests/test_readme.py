from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import terminal

import mlmd_lineage as ml

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
