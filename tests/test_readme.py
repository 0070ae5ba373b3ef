from __future__ import annotations

import re
from pathlib import Path

import pytest
import terminal

import mlmd_lineage as ml

ROOT = Path(__file__).parents[1]
_STEP_ID = re.compile(r"\b[0-9a-f]{32}\b")
"""The folder of a step's outputs, which is another in every run."""


def demo(config: Path) -> str:
    """Return what the demo prints, as if its folders were those of a user of Linux."""
    shown = _STEP_ID.sub("1a2b3c4d5e6f708192a3b4c5d6e7f809", terminal.invoke("demo").stdout)
    shown = shown.replace(str(config), "/home/me/.config/mlmd_lineage")
    return shown.replace(str(ROOT), "/home/me/clone")


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path))
    assert shown[1] == demo(tmp_path)


@pytest.mark.slow
def test_the_demo_reuses_all_when_it_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path))
    demo(tmp_path)
    lines = [line for line in demo(tmp_path).splitlines() if line.startswith("demo-")]
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
