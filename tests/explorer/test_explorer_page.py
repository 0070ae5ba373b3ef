"""The explorer as one file, opened from disk by a browser that reaches no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.explorer import static_files, store_page

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Browser

pytestmark = pytest.mark.skipif(
    not static_files.is_built(), reason="the front end is not built (npm run build in explorer-ui/)"
)


def names(page: Any) -> list[str]:
    """Return the keys of the nodes that are drawn, in order."""
    page.wait_for_selector(".node")
    page.wait_for_function("() => document.querySelector('.mlmd-explorer').dataset.waiting === '0'")
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.node')].map(node => node.dataset.id)"
    )
    return sorted(found)


def go(page: Any, fragment: str) -> None:
    page.evaluate("to => { location.hash = to }", fragment)
    page.wait_for_function(
        "to => location.hash === to"
        " && document.querySelector('.mlmd-explorer').dataset.waiting === '0'"
        " && !document.querySelector('.mlmd-explorer .spinner')",
        arg=fragment,
    )


def test_a_trace_is_explored_without_python(browser: Browser, shared_stores: Path, tmp_path: Path):
    store = ml.connect(shared_stores / "tfx_local.db")
    text, has_explorer = store_page.store_page(store, "artifact/1", "downstream")
    assert has_explorer
    file = tmp_path / "trace.html"
    file.write_text(text, encoding="utf-8")
    trace = store.downstream("artifact/1")

    def look(page: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        go(page, "#/lineage/artifact:1?direction=downstream&hops=all&fold=none")
        found["all"] = names(page)
        go(page, "#/lineage/artifact:1?direction=downstream&hops=1&fold=none")
        found["one hop"] = names(page)
        found["said"] = page.locator(".said").inner_text()
        page.locator(".handle").first.click()
        page.wait_for_function(
            "before => document.querySelectorAll('.node').length > before",
            arg=len(found["one hop"]),
        )
        go(page, "#/lineage/artifact:1?direction=downstream&hops=all&fold=run&select=artifact/1")
        found["runs"] = page.locator(".node.group").count()
        found["details"] = page.locator("aside.details").inner_text()
        go(page, "#/path?from=artifact/1&to=artifact/3&fold=none")
        found["path"] = names(page)
        go(page, "#/diff?a=artifact/4&b=artifact/15")
        found["diff"] = page.locator("table.diff").inner_text()
        go(page, "#/search?text=trainer")
        found["hits"] = page.locator(".found li").count()
        return found

    seen = browser.visit(file, look, offline=True)
    assert seen.wrong == []
    found = seen.found
    assert found["all"] == sorted(trace)
    assert found["one hop"] == sorted(store.downstream("artifact/1", max_hops=1))
    assert "Cut by 1 hop" in found["said"]
    assert found["runs"] > 0
    assert "split_names" in found["details"]
    assert found["path"] == sorted(store.between("artifact/1", "artifact/3"))
    assert found["hits"] > 0
    assert "structure" in found["diff"] or "parameter" in found["diff"]


def test_a_store_with_its_runs_opens_without_python(
    browser: Browser, shared_stores: Path, tmp_path: Path
):
    store = ml.connect(shared_stores / "tfx_local.db")
    file = tmp_path / "store.html"
    file.write_text(store_page.store_page(store, None, "both")[0], encoding="utf-8")

    compared: list[str] = []

    def look(page: Any) -> list[str]:
        go(page, "#/pipeline/penguin-train?sort=duration")
        page.wait_for_selector(".runs tbody tr")
        runs: list[str] = page.locator(".runs tbody td:nth-child(2)").all_inner_texts()
        page.locator(".runs tbody tr").first.click()
        page.wait_for_selector(".node")
        assert page.locator(".message.error").count() == 0
        page.go_back()
        page.wait_for_selector(".runs tbody tr")
        for row in (0, 1):
            page.locator(".runs tbody input").nth(row).check()
        page.get_by_role("button", name="Compare", exact=True).click()
        page.wait_for_selector("table.diff")
        compared.extend(page.locator("h1 a").all_inner_texts())
        assert page.locator(".message.error").count() == 0
        return runs

    seen = browser.visit(file, look, offline=True)
    assert seen.wrong == []
    runs = sorted(store.get_pipeline("penguin-train").runs, key=lambda run: run.duration)
    assert seen.found == [run.display_name for run in runs]
    assert compared == [run.display_name for run in runs[:2]]
