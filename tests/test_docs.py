"""The guides: their Python runs, and what they say of frames is so.

The examples of ``spark.md`` run in ``tests/spark``, where Spark is started.

The ```python blocks of a page run one after the other in one namespace, in a folder where
``metadata.db`` is the demo store, or an archive of the one that ``platform_stores`` has for it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import platform_stores
import pytest

import mlmd_lineage as ml

ROOT = Path(__file__).parents[1]
DEMO_STORE = ROOT / "mlmd_lineage" / "data" / "tfx_local.db"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if BLOCK.search(page.read_text(encoding="utf-8")) and page.stem != "spark"
]
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| .+ \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    if page.stem in platform_stores.STORES:
        platform_stores.STORES[page.stem](tmp_path).snapshot().save(tmp_path / "metadata.db")
    else:
        shutil.copyfile(DEMO_STORE, tmp_path / "metadata.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as where Python is started
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path / "config"))
    namespace: dict[str, object] = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), namespace)  # noqa: S102 - our own pages


def frames(store: ml.Store) -> dict[str, object]:
    trace = store.upstream("artifact/43")
    named = {name: getattr(store.frames, name)() for name in documented() if "." not in name}
    changes = store.changes(store.snapshot())
    return {
        **named,
        "trace.nodes": trace.nodes,
        "trace.edges": trace.edges,
        "store.changes": changes,
    }


def documented() -> dict[str, list[tuple[str, str]]]:
    text = (ROOT / "docs" / "frames.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {section.split("\n", 1)[0]: ROW.findall(section) for section in sections}


def test_frames_have_the_columns_that_the_guide_lists():
    made = frames(ml.connect(DEMO_STORE))
    assert set(made) == set(documented())
    for name, rows in documented().items():
        frame = made[name]
        held = [] if frame.index.name is None else [(frame.index.name, str(frame.index.dtype))]
        held += [(column, str(dtype)) for column, dtype in frame.dtypes.items()]
        assert held == rows, name
