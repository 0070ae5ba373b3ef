"""The explorer in a real browser: views on real stores, keys, links, files, no harm done."""

from __future__ import annotations

import base64
import contextlib
import csv
import functools
import io
import itertools
import json
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
import waiting

import mlmd_lineage as ml
from mlmd_lineage.explorer import api, static_files
from mlmd_lineage.explorer.methods import lineage
from mlmd_lineage.explorer.web.server import ExplorerServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from browser import Browser, Visit

pytestmark = pytest.mark.skipif(
    not static_files.is_built(), reason="the front end is not built (npm run build in explorer-ui/)"
)

AXE = Path(__file__).parents[2] / "explorer-ui" / "node_modules" / "axe-core" / "axe.min.js"
# How large a mark of a picture shows is up to its reader, and the table has the same.
OF_PICTURES = {"target-size"}
STORES = [
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "tfx_local.db",
    "zenml_0132.db",
    "real/model_registry.db",
    "real/tfx_phantoms_v6.db",
]
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&{{7*7}}\u202e\x1b[31m"


@contextlib.contextmanager
def served(path: Path) -> Iterator[ExplorerServer]:
    server = ExplorerServer(ml.connect(path))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        waiting.until(lambda: server.started)
        yield server
    finally:
        server.stop()
        thread.join()


def visit(
    browser: Browser,
    server: ExplorerServer,
    look: Callable[[Any], Any],
    fragment: str = "",
    **options: Any,
) -> Any:
    """Look at a page of the server; nothing may go wrong, and nothing be loaded from elsewhere."""

    def settled_look(page: Any) -> Any:
        settle(page)
        return look(page)

    seen: Visit = browser.visit(server.url(fragment), settled_look, **options)
    own = f"request: http://127.0.0.1:{server.port}/"
    # Of the second, screenshots of WebGL that is computed in software are the cause.
    expected = (own, "console: [.WebGL")
    assert [wrong for wrong in seen.wrong if not wrong.startswith(expected)] == [], seen.wrong[-8:]
    return seen.found


def settle(page: Any) -> None:
    """Wait until all questions are answered and shown."""
    page.wait_for_function(
        "() => document.querySelector('.mlmd-explorer')?.dataset.waiting === '0'"
        " && !document.querySelector('.mlmd-explorer .spinner')"
    )


def go(page: Any, fragment: str) -> None:
    """Open a view, as a link does."""
    page.evaluate(
        "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')) }",
        fragment,
    )
    settle(page)


def fragment_of(page: Any) -> str:
    return str(page.evaluate("location.hash"))


def names(page: Any) -> list[str]:
    """Return the keys of the nodes that are drawn, in order."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.node')].map(node => node.dataset.id)"
    )
    return sorted(found)


def views(store: ml.Store) -> dict[str, str]:
    """Return an address of each kind of view, as far as a store has one."""
    found = {"overview": "#/", "search": "#/search?text=e"}
    pipelines = api.ask(store, "overview", {})["pipelines"]
    if pipelines:
        found["pipeline"] = f"#/pipeline/{quote(pipelines[0]['name'])}"
        runs = [run["key"] for run in pipelines[0]["last"]]
        address = quote(runs[0].replace("/", ":", 1), safe=":")
        found["run"] = f"#/run/{address}"
        found["times"] = f"#/run/{address}?show=times"
        if len(runs) > 1:
            a, b = (quote(key, safe="") for key in runs[:2])
            found["diff"] = f"#/diff?a=run:{a}&b=run:{b}"
    artifacts = store.frames.artifacts().index
    if len(artifacts):
        last = int(artifacts[-1])
        found["lineage"] = f"#/lineage/artifact:{last}?select=artifact/{last}"
        found["folded"] = f"#/lineage/artifact:{last}?hops=all&fold=run&table=1"
        found["path"] = f"#/path?from=artifact/{int(artifacts[0])}&to=artifact/{last}"
        found["impact"] = f"#/impact/artifact:{int(artifacts[0])}"
    return found


def shown(page: Any, name: str) -> str:
    """Return what a view says, after the marks of its kind were seen."""
    marks = {
        "overview": ".tile",
        "search": ".found",
        "pipeline": ".runs tbody tr",
        "run": ".pane",
        "times": ".gantt, .message",
        "diff": ".toolbar",
        "lineage": ".node.focus",
        "folded": ".node.focus",
        "path": ".pane",
        "impact": ".pane",
    }
    assert page.locator(".message.error").all_inner_texts() == []
    assert page.locator(marks[name]).count() > 0, name
    return str(page.locator("main.view").inner_text())


@pytest.mark.parametrize("name", STORES)
def test_every_view_of_every_store(browser: Browser, shared_stores: Path, name: str):
    check_views(browser, shared_stores / name)


@pytest.mark.slow
def test_main_views_of_every_other_store(browser: Browser, shared_stores: Path, shared_cases: Path):
    cases = [*shared_cases.glob("*.db"), *(shared_stores / "real").glob("*.db")]
    # The lineage of all, and one of the others in turn: all of them would take a minute.
    for path, kind in zip(sorted(cases), itertools.cycle(("overview", "run")), strict=False):
        check_views(browser, path, {kind, "lineage"})


def check_views(browser: Browser, path: Path, kinds: AbstractSet[str] = frozenset()) -> None:
    """Open a view of each kind, or of some kinds only, one after the other."""
    found = views(ml.connect(path))
    addresses = {name: found[name] for name in found if name in kinds or not kinds}

    def look(page: Any) -> None:
        for name, address in addresses.items():
            go(page, address)
            assert shown(page, name) != ""

    with served(path) as server:
        visit(browser, server, look)


@pytest.fixture(scope="module")
def tfx(shared_stores: Path) -> Iterator[ExplorerServer]:
    with served(shared_stores / "tfx_local.db") as server:
        yield server


def test_lineage_grows_folds_and_goes_back(browser: Browser, tfx: ExplorerServer):
    def look(page: Any) -> dict[str, list[str]]:
        found = {"start": names(page)}
        page.locator('.node[data-id="artifact/1"] .handle[data-side=downstream]').click()
        settle(page)
        found["expanded"], link = names(page), fragment_of(page)
        page.locator("label:has-text('Fold') select").select_option("type")
        settle(page)
        found["folded"] = names(page)
        assert page.locator(".node.group, .node .behind").count() > 0
        page.go_back()
        settle(page)
        assert fragment_of(page) == link
        found["back"] = names(page)
        page.reload()
        settle(page)
        found["reloaded"] = names(page)
        page.go_back()
        settle(page)
        found["again"] = names(page)
        return found

    found = visit(browser, tfx, look, "#/lineage/artifact:3?hops=2")
    assert set(found["start"]) < set(found["expanded"])
    assert len(found["folded"]) < len(found["expanded"])
    assert found["expanded"] == found["back"] == found["reloaded"]
    assert found["again"] == found["start"]


def test_a_link_shows_the_same_to_another_reader(
    browser: Browser, tfx: ExplorerServer, shared_stores: Path
):
    link = "#/lineage/artifact:3?direction=upstream&hops=all&fold=none&select=execution/4"
    seen = [
        visit(browser, tfx, lambda page: (names(page), page.locator("aside h2").inner_text()), link)
        for _ in range(2)
    ]
    assert seen[0] == seen[1]
    python = ml.connect(shared_stores / "tfx_local.db").upstream("artifact/3")
    assert seen[0][0] == sorted(python)
    assert seen[0][1] == "Trainer"


def test_paths_show_under_the_pointer_and_a_click_locks_them(browser: Browser, tfx: ExplorerServer):
    def lit(page: Any) -> list[str]:
        found: list[str] = page.evaluate(
            "[...document.querySelectorAll('.dimmed .node.on')].map(node => node.dataset.id)"
        )
        return sorted(found)

    def look(page: Any) -> None:
        assert lit(page) == []
        page.locator('.node[data-id="execution/4"] .box').hover()
        on_path = ["artifact/1", "execution/4"]
        assert set(lit(page)) >= set(on_path)
        page.locator('.node[data-id="execution/4"] .box').click()
        settle(page)
        locked = lit(page)
        page.locator('.node[data-id="artifact/1"] .box').hover()
        assert lit(page) == locked
        assert page.locator("aside.details h2").inner_text() == "Trainer"
        page.keyboard.press("Escape")
        settle(page)
        assert page.locator("aside.details").count() == 0

    visit(browser, tfx, look, "#/lineage/artifact:1?direction=downstream&hops=all&fold=none")


def test_all_of_it_works_with_keys(browser: Browser, tfx: ExplorerServer):
    def look(page: Any) -> None:
        page.keyboard.press("/")
        page.keyboard.type("artifact/3")
        page.wait_for_selector('[role=option]:has-text("artifact")')
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_selector(".node.focus")
        settle(page)
        assert fragment_of(page) == "#/lineage/artifact:3"
        page.locator(".node.focus").focus()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.dataset.id") == "execution/4"
        assert "Trainer" in page.evaluate("document.activeElement.ariaLabel")
        page.keyboard.press("Enter")
        settle(page)
        assert page.locator("aside.details h2").inner_text() == "Trainer"
        drawn = len(names(page))
        page.keyboard.press("e")
        settle(page)
        assert len(names(page)) > drawn
        page.keyboard.press("Escape")
        page.keyboard.press("t")
        page.wait_for_selector(".beside tbody tr")
        assert page.locator(".beside table").get_attribute("aria-rowcount") == str(
            len(names(page)) + 1
        )
        page.keyboard.press("?")
        assert page.locator("dialog.keys").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("dialog.keys").is_visible()

    visit(browser, tfx, look)


def test_runs_sort_filter_and_compare(browser: Browser, tfx: ExplorerServer, shared_stores: Path):
    store = ml.connect(shared_stores / "tfx_local.db")
    answer = api.ask(store, "pipeline", {"name": "penguin-train"})

    def runs(page: Any) -> list[str]:
        found: list[str] = page.locator(".runs tbody td:nth-child(2)").all_inner_texts()
        return found

    def look(page: Any) -> str:
        assert runs(page) == [row["run"] for row in answer["rows"]]
        columns = page.locator(".runs thead th").count()
        page.get_by_label("Only what changes").check()
        settle(page)
        assert page.locator(".runs thead th").count() < columns
        page.get_by_role("button", name="duration").click()
        settle(page)
        assert runs(page) != [row["run"] for row in answer["rows"]]
        page.get_by_label("Filter runs").fill("failed")
        page.wait_for_function("() => document.querySelectorAll('.runs tbody tr').length === 1")
        page.get_by_label("Filter runs").fill("")
        page.wait_for_function("() => document.querySelectorAll('.runs tbody tr').length > 1")
        page.locator(".runs tbody tr").first.focus()
        page.keyboard.press("Space")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.get_by_role("button", name="Compare", exact=True).click()
        settle(page)
        assert fragment_of(page).startswith("#/diff?")
        return str(page.locator(".page").inner_text())

    text = visit(browser, tfx, look, "#/pipeline/penguin-train")
    assert "First divergence" in text


def test_what_is_seen_can_be_had_as_files(browser: Browser, tfx: ExplorerServer):
    def look(page: Any) -> tuple[list[str], dict[str, bytes]]:
        files = {}
        for end in (".svg", ".png", ".json", ".nodes.csv", ".edges.csv", ".dot"):
            page.locator(".menu > summary").click()
            with page.expect_download() as download:
                page.locator(f'.menu [data-to="{end}"]').click()
            assert download.value.suggested_filename.endswith(end)
            files[end] = Path(download.value.path()).read_bytes()
        return names(page), files

    drawn, files = visit(browser, tfx, look, "#/lineage/artifact:3?hops=all&fold=none")
    picture = ET.fromstring(files[".svg"])  # noqa: S314 - made here
    texts = [text for text in picture.itertext() if text.strip()]
    assert {"Trainer", "model_run", "examples"} <= set(texts)
    assert not picture.findall(".//*[@class]")
    edges = len(list(csv.reader(io.StringIO(files[".edges.csv"].decode())))) - 1
    assert len(picture.findall(".//{*}path")) == 2 * edges > 0
    assert files[".png"].startswith(b"\x89PNG")
    assert sorted(node["id"] for node in json.loads(files[".json"])["nodes"]) == drawn
    rows = list(csv.DictReader(io.StringIO(files[".nodes.csv"].decode())))
    assert sorted(row["key"] for row in rows) == drawn
    assert files[".dot"].decode().count(" -> ") == edges


def test_what_is_hostile_stays_text(browser: Browser, shared_stores: Path, tmp_path: Path):
    path = tmp_path / "hostile.db"
    shutil.copyfile(shared_stores / "tfx_local.db", path)
    long = MARKUP + "x" * 100_000
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for kind in ("Artifact", "Execution", "Context"):
            connection.execute(f"UPDATE {kind} SET name = coalesce(name, '') || ? || id", [MARKUP])  # noqa: S608
            connection.execute(
                f"UPDATE {kind}Property SET string_value = ? WHERE name != 'pipeline_name'"  # noqa: S608
                " AND string_value IS NOT NULL AND rowid % 3 = 0",
                [long],
            )
        connection.execute("UPDATE Artifact SET uri = uri || ?", [MARKUP])
        connection.execute("UPDATE EventPath SET step_key = step_key || ?", [MARKUP])
    addresses = views(ml.connect(path))

    def look(page: Any) -> None:
        for name, address in addresses.items():
            go(page, address)
            text = shown(page, name)
            assert "\u202e" not in text
            assert "\x1b" not in text
            assert page.locator(".mlmd-explorer :is(img, script, iframe)").count() == 0

    with served(path) as server:
        visit(browser, server, look)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm ci in explorer-ui/)")
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Browser, tfx: ExplorerServer, shared_stores: Path, colours: str
):
    axe = AXE.read_text(encoding="utf-8")
    addresses = views(ml.connect(shared_stores / "tfx_local.db"))
    addresses["lineage"] = "#/lineage/artifact:3?hops=3&select=execution/4&table=1"
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    def look(page: Any) -> list[tuple[str, str, str]]:
        page.evaluate(axe)
        found = []
        for name, address in addresses.items():
            go(page, address)
            # Of all rules, those of contrast alone depend on the colours.
            report = page.evaluate(
                "only => axe.run({ resultTypes: ['violations'], runOnly: only })",
                rules if colours == "light" else ["color-contrast"],
            )
            found += [
                (name, one["id"], node["html"][:200])
                for one in report["violations"]
                if one["impact"] in {"serious", "critical"}
                for node in one["nodes"][:3]
                if not (one["id"] in OF_PICTURES and node["html"].startswith("<g"))
            ]
        return found

    found = visit(browser, tfx, look, color_scheme=colours)
    assert found == [], "\n".join(map(str, found))


_FIRST_PIXEL = """async ([picture, property]) => {
  const image = new Image();
  image.src = 'data:image/png;base64,' + picture;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, image.width, image.height);
  const colour = getComputedStyle(document.querySelector('.canvas')).getPropertyValue(property);
  const wanted = [1, 3, 5].map(at => parseInt(colour.trim().slice(at, at + 2), 16));
  const here = at => wanted.every((part, n) => Math.abs(data[4 * at + n] - part) < 3);
  // Three pixels in a row lie inside of a box, and not on an edge that is blended.
  for (let at = 0; at + 2 < data.length / 4; at++) {
    if (here(at) && here(at + 1) && here(at + 2)) {
      return [(at + 1) % image.width, Math.floor(at / image.width)];
    }
  }
  return null;
}"""


def pixel(page: Any, colour: str) -> dict[str, dict[str, int]]:
    """Return where the picture has one of its colours, by the name of that; nothing without it."""
    picture = base64.b64encode(page.locator(".canvas").screenshot()).decode()
    found = page.evaluate(_FIRST_PIXEL, [picture, colour])
    return {colour: {"x": found[0], "y": found[1]}} if found else {}


def test_a_large_picture_shows_its_nodes_and_a_click_opens_one(
    browser: Browser, tfx: ExplorerServer, shared_stores: Path, monkeypatch: pytest.MonkeyPatch
):
    small = functools.partial(lineage.lineage, limit=5)
    monkeypatch.setitem(api.METHODS, "lineage", small)

    def look(page: Any) -> tuple[str, str]:
        stage = page.locator(".canvas.big")
        stage.wait_for()
        page.mouse.move(0, 0)
        places: dict[str, dict[str, int]] = {}
        for look in ("--artifact", "--execution"):
            waiting.until(lambda look=look: places.update(pixel(page, look)) or look in places)
        stage.click(position=places["--execution"])
        page.locator("aside.details h2").wait_for()
        kind = page.locator("aside.details .kind").inner_text()
        page.keyboard.press("t")
        row = page.locator('.beside tbody tr:has-text("Trainer")')
        row.first.wait_for()
        settle(page)
        return kind, page.locator(".beside table").get_attribute("aria-rowcount")

    kind, rows = visit(
        browser, tfx, look, "#/lineage/artifact:3?direction=upstream&hops=all&fold=none"
    )
    assert kind.startswith("execution ")
    assert rows == str(1 + len(ml.connect(shared_stores / "tfx_local.db").upstream("artifact/3")))


def test_narrow_windows_need_no_scrolling_sideways(browser: Browser, tfx: ExplorerServer):
    def look(page: Any) -> list[str]:
        wide = []
        for address in ("#/", "#/pipeline/penguin-train", "#/lineage/artifact:3?select=artifact/3"):
            go(page, address)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(address)
        return wide

    size = {"width": 400, "height": 700}
    assert visit(browser, tfx, look, viewport=size, reduced_motion="reduce") == []
