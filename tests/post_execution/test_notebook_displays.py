"""What a notebook shows of hostile names, and what a browser makes of it."""

from __future__ import annotations

import html.parser
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.explorer import static_files
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.post_execution import rich_html

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browser import Browser

FIRES = "top.fired=1"
MARKUP = (
    f"$x$</script></pre></style></td></svg>\"'><script>{FIRES}</script>"
    f"<img src=x onerror={FIRES}>\" onmouseover={FIRES} x='<!--]]>"
)
ODD = "\u202e\u2066\u061c\u200b\u2028\ufeff\U000e0041\xad\x1b[31m\x9b"
SEEN = """page => {
  const range = document.createRange();
  range.selectNode(document.body);
  document.body.append(range.createContextualFragment(page));
  for (const element of document.body.querySelectorAll('*'))
    for (const kind of ['mouseover', 'click', 'error', 'load'])
      element.dispatchEvent(new Event(kind));
}"""


class Elements(html.parser.HTMLParser):
    """Collects what elements and attributes a page has, and the texts that may be formulas."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.unguarded: set[str] = set()
        self._open: list[tuple[str, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}
        ignored = labels.NO_FORMULAS in (dict(attrs).get("class") or "") or tag == "pre"
        self._open.append((tag, ignored))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "$" in data and not any(ignored for _, ignored in self._open):
            self.unguarded.add(data)


def recorded(folder: Path, text: str) -> ml.Store:
    """Record two runs in which everything that has a name is called that."""
    store = ml.connect(folder / "m.db", create=True)
    name = text.replace("/", "\u2215").strip()
    for number in range(2):
        with store.record(text, f"{text}{number}", parameters={text: number}) as run:
            with run.step(name, parameters={text: f"{text}{number}"}) as step:
                (folder / "data").write_text(str(number))
                made = step.produce(
                    text,
                    uri=str(folder / "data"),
                    type="Model",
                    properties={text: text},
                    metrics={f"{text}.": number / 2},
                )
            with run.step(f"deploy {name}") as step:
                step.use(made)
                (folder / "deployed").write_text(str(number))
                step.produce("deployed", uri=str(folder / "deployed"), type="PushedModel")
    return store


def displays(store: ml.Store) -> Iterator[Any]:
    runs, pipeline = store.get_runs(), store.get_pipelines()[0]
    yield from (store, store.describe(), store.frames, pipeline, *runs, *runs[0].steps)
    yield from (store.get_artifact(1), store.lineage(properties=True), store.upstream("artifact/2"))
    yield from (store.between("artifact/1", "artifact/2"), store.impact("artifact/1"))
    yield from (store.diff(runs[0], runs[1]), pipeline.compare_runs(), store.dossier("artifact/1"))
    yield from (store.audit(), store.audit_report())


def pages(store: ml.Store) -> list[str]:
    shown = [one._repr_html_() for one in displays(store) if hasattr(one, "_repr_html_")]
    assert len(shown) > 12
    return shown


def test_names_are_text_and_print(tmp_path: Path):
    for page in pages(recorded(tmp_path, MARKUP + ODD)):
        elements = Elements(page)
        assert not elements.found & {"script", "img", "iframe", "object", "link", "form"}
        assert not {name for name in elements.attributes if name.startswith("on")}
        assert elements.unguarded == set()
        assert all(character.isprintable() or character in "\n\t" for character in page)


def test_reports_print(tmp_path: Path):
    store = recorded(tmp_path, ODD)
    for report in (store.impact("artifact/1"), store.diff(*store.get_runs()), store.audit()):
        assert str(report).replace("\n", "").isprintable()


@pytest.mark.slow
def test_long_names_and_many_properties_make_no_large_pages(tmp_path: Path):
    store = recorded(tmp_path, "x" * 1_000_000)
    for page in pages(store):
        assert len(page) < 500_000
    # The front end alone has 300 kB.
    assert len(store.upstream("artifact/2").to_html()) < 2_000_000
    assert len(store.dossier("artifact/1").to_html()) < 2_000_000


def test_a_frame_shows_as_pandas_shows_it_but_for_what_does_not_print():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"a": ["x", None], "n": [0.5, 2.0], "t": pd.to_datetime(["2026-01-01", None])},
        index=pd.Index(["one", "two"], name="run"),
    )
    assert rich_html.frame_html(frame) == frame.to_html(na_rep="", classes=labels.NO_FORMULAS)
    odd = pd.DataFrame({ODD: [(ODD, {ODD: [ODD]})]}, index=[ODD])
    assert rich_html.frame_html(odd).replace("\n", "").isprintable()


@pytest.mark.slow
@pytest.mark.skipif(not static_files.is_built(), reason="the front end is not built")
def test_nothing_runs_in_a_browser(browser: Browser, tmp_path: Path):
    """A notebook sets what it shows as HTML, and runs the scripts of it that it trusts."""
    store = recorded(tmp_path, MARKUP)
    from mlmd_lineage.explorer.widget import frame

    shown = [*pages(store), frame(store.upstream("artifact/2").to_html(), 640)]
    file = tmp_path / "notebook.html"
    file.write_text("<!doctype html><meta charset=utf-8><body></body>", encoding="utf-8")

    def look(page: Any) -> tuple[object, int, str]:
        for each in shown:
            page.evaluate(SEEN, each)
        [inner] = [one for one in page.frames if one != page.main_frame]
        inner.wait_for_selector(".node.focus")
        found = page.evaluate("[window.fired, document.querySelectorAll('script, img').length]")
        return (*found, inner.evaluate("document.body.innerText"))

    seen = browser.visit(file, look)
    fired, elements, text = seen.found
    assert (fired, elements) == (None, 0)
    assert "deployed" in text
    assert [wrong for wrong in seen.wrong if not wrong.startswith("console: [.WebGL")] == []
