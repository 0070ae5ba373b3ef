"""The explorer as one file and as a widget, and the command that serves or writes it."""

from __future__ import annotations

import html
import json
import re
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import pytest
import terminal
import waiting

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.explorer import static_files
from mlmd_lineage.explorer.web import server_start
from mlmd_lineage.lineage.render import explorer_page

if TYPE_CHECKING:
    from browser import Browser

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
HOSTILE = "</script><!--<script>alert(1)</script>\u2028\u202e'\"&"
FRONT_END = ("document.getElementById('explorer').textContent='here';", "main{}", [])


@pytest.fixture
def front_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a front end, whether one was built here or not."""
    monkeypatch.setattr(explorer_page, "bundle", lambda: FRONT_END)


@pytest.fixture(scope="module")
def tfx(shared_stores: Path) -> ml.Store:
    return ml.connect(shared_stores / "tfx_local.db")


def data_of(page: str) -> dict[str, Any]:
    (found,) = DATA.findall(page)
    return json.loads(found)


@pytest.mark.usefixtures("front_end")
def test_a_page_holds_all_of_its_trace(tfx: ml.Store):
    trace = tfx.upstream("artifact/11")
    page = trace.to_html()
    held = data_of(page)
    assert [node["key"] for node in held["graph"]["nodes"]] == list(trace)
    pairs = [(edge["from"], edge["to"]) for edge in held["graph"]["edges"]]
    assert pairs == list(zip(trace.edges["source"], trace.edges["target"], strict=True))
    assert held["start"] == "#/lineage/artifact:11?direction=upstream&hops=all"
    assert held["complete"]
    assert set(held["nodes"]) == set(trace)
    assert page == trace.to_html()
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.usefixtures("front_end")
def test_hostile_texts_end_nothing(tmp_path: Path):
    store = ml.connect(tmp_path / "hostile.db", create=True)
    model = ml.message("Artifact")(type="Model", name=HOSTILE, uri=f"s3://bucket/{HOSTILE}")
    model.custom_properties[HOSTILE].string_value = HOSTILE
    with store.writer() as writer:
        types = [{"name": "Model"}]
        writer.put(ml.message("PutBatchRequest")(artifact_types=types, artifacts=[model]))
    page = store.lineage(properties=True).to_html()
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<!--" not in page
    assert page.isascii()
    held = data_of(page)
    assert held["graph"]["nodes"][0]["uri"] == f"s3://bucket/{HOSTILE}"
    assert held["nodes"]["artifact/1"]["properties"][0]["value"] == HOSTILE


def test_the_policy_lets_only_the_page_s_own_script_run(browser: Browser, tmp_path: Path):
    data = {"title": HOSTILE}
    script = (
        "document.body.dataset.title=JSON.parse(document.getElementById('data').textContent).title"
    )
    file = tmp_path / "page.html"
    page = explorer_page.document(HOSTILE, data, script, "body { color: rgb(1, 2, 3) }")
    file.write_text(page, encoding="utf-8")
    colour = "getComputedStyle(document.body).color"
    seen = browser.visit(
        file, lambda page: page.evaluate(f"[document.body.dataset.title, {colour}]")
    )
    assert seen.found == [HOSTILE, "rgb(1, 2, 3)"]
    assert seen.wrong == []
    other = page.replace("dataset.title=", "dataset.other=")
    file.write_text(other, encoding="utf-8")
    seen = browser.visit(file, lambda page: page.evaluate("document.body.dataset.other"))
    assert seen.found is None
    assert "Content Security Policy" in seen.wrong[0]


def test_without_a_front_end_a_page_is_plain_and_says_so(
    tfx: ml.Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(explorer_page, "bundle", lambda: None)
    page = tfx.upstream("artifact/11").to_html()
    assert "<script" not in page
    assert "This page is plain" in page
    file = tmp_path / "page.html"
    done = terminal.invoke("explore", tfx.location, "artifact/11", "-o", str(file))
    assert done.exit_code == 0
    assert "not part of this installation" in done.stderr
    assert file.read_text(encoding="utf-8") == page


def test_without_a_front_end_explore_says_what_is_missing(
    tfx: ml.Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(static_files, "is_built", lambda: False)
    done = terminal.invoke("explore", tfx.location, "--no-browser")
    assert done.exit_code == 1
    assert "front end is not part of this installation" in done.stderr
    with pytest.raises(errors.ConfigurationError, match="front end"):
        tfx.explore()


@pytest.mark.usefixtures("front_end")
def test_a_store_goes_to_a_file_with_its_pipelines(tfx: ml.Store, tmp_path: Path):
    file = tmp_path / "store.html"
    done = terminal.invoke("explore", tfx.location, "-o", str(file))
    assert (done.exit_code, done.stderr) == (0, f"Wrote {file}.\n")
    held = data_of(file.read_text(encoding="utf-8"))
    assert len(held["graph"]["nodes"]) == len(tfx.lineage())
    methods = [answer["method"] for answer in held["answers"]]
    assert methods.count("run") == len(tfx.get_runs())
    assert held["start"] == "#/"


@pytest.mark.usefixtures("front_end")
def test_both_directions_are_one_graph(tfx: ml.Store, tmp_path: Path):
    file = tmp_path / "both.html"
    options = ("artifact/4", "--direction", "both", "-o", str(file))
    assert terminal.invoke("explore", tfx.location, *options).exit_code == 0
    graph = data_of(file.read_text(encoding="utf-8"))["graph"]
    both = {*tfx.upstream("artifact/4"), *tfx.downstream("artifact/4")}
    assert {node["key"] for node in graph["nodes"]} == both
    assert graph["direction"] == "both"


def test_the_command_prints_an_address_that_lets_in(tfx: ml.Store, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr(static_files, "is_built", lambda: True)
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    made: list[Any] = []
    make = server_start.explorer_server

    def remember(*arguments: Any, **options: Any) -> Any:
        made.append(make(*arguments, **options))
        # A signal's handler is set in the main thread only; where the test runs it, this ends it.
        threading.Thread(target=ask).start()
        return made[0]

    answers: list[int] = []
    led_to: list[str] = []

    def ask() -> None:
        waiting.until(lambda: made and made[0].started and opened, "the server")
        file = Path(url2pathname(urlsplit(opened[0]).path))
        assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
        [link] = re.findall('href="(.*)"', file.read_text(encoding="utf-8"))
        led_to.append(html.unescape(link))
        with httpx.Client() as client:
            answers.append(client.get(led_to[0]).status_code)
        made[0].stop()

    monkeypatch.setattr(server_start, "explorer_server", remember)
    done = terminal.invoke("explore", tfx.location, "artifact/11", "--direction", "both")
    assert done.exit_code == 0
    assert answers == [200]
    assert "token=" not in opened[0]
    assert made[0].gate.token not in opened[0]
    assert led_to[0] in done.stdout
    assert led_to[0].endswith("#/lineage/artifact:11?direction=both&hops=all")
    assert led_to[0].startswith("http://127.0.0.1:")


def test_a_direction_that_is_none_is_refused(tfx: ml.Store):
    done = terminal.invoke("explore", tfx.location, "artifact/11", "--direction", "up")
    assert done.exit_code == 2
    assert "upstream, downstream or both" in done.stderr


class TestWidget:
    """The widget, without a notebook: what it sends is looked at."""

    @pytest.fixture(autouse=True)
    def _built(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("anywidget")
        held = {
            "widget.js": b"export default {}",
            "explorer.css": b"main{}",
            "licences.json": b"[]",
        }
        monkeypatch.setattr(static_files, "is_built", lambda: True)
        monkeypatch.setattr(static_files, "content", held.__getitem__)
        monkeypatch.setattr(explorer_page, "bundle", lambda: FRONT_END)

    def test_it_shows_what_was_asked(self, tfx: ml.Store):
        start = "#/lineage/artifact:11?direction=upstream&hops="
        assert tfx.explore().start == ""
        assert tfx.explore("artifact/11").start == f"{start}all"
        trace = tfx.upstream("artifact/11", max_hops=2)
        assert trace.explore(height=300).start == f"{start}2"
        shown = trace.explore()._repr_mimebundle_()
        data = shown[0] if isinstance(shown, tuple) else shown
        assert "<iframe srcdoc=" in data["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in data

    def test_it_answers_as_the_server_does(self, tfx: ml.Store, monkeypatch: pytest.MonkeyPatch):
        widget = tfx.explore()
        sent: list[Any] = []
        monkeypatch.setattr(type(widget), "send", lambda _, *message: sent.append(message))
        columns = {"method": "lineage", "params": {"key": "artifact/11"}}
        for number, (method, params) in enumerate(
            [("node", {"key": "artifact/11"}), ("nod", {}), ("columns", columns)]
        ):
            widget._asked(widget, {"id": number, "method": method, "params": params}, [])
            waiting.until(lambda at=number: len(sent) > at, "the answer")
        assert sent[0][0]["answer"]["key"] == "artifact/11"
        assert "Did you mean 'node'" in sent[1][0]["error"]
        assert isinstance(sent[2][1][0], bytes)

    def test_a_graph_without_a_store_says_what_to_do(self, tfx: ml.Store):
        import pickle

        trace = pickle.loads(pickle.dumps(tfx.upstream("artifact/11")))  # noqa: S301 - ours
        with pytest.raises(errors.ConfigurationError, match="to_html"):
            trace.explore()


def test_a_store_that_is_missing_is_said_before_anything_is_served(tmp_path: Path):
    done = terminal.invoke("explore", str(tmp_path / "none.db"), "--no-browser")
    assert done.exit_code == 1
    assert "There is no file" in done.output
    assert "Exploring" not in done.output


@pytest.mark.parametrize("options", [("--port", "80000"), ("-o", "lineage.png")])
def test_options_that_cannot_be_met_are_refused(tfx: ml.Store, options: tuple[str, str]):
    assert terminal.invoke("explore", tfx.location, *options).exit_code == 2
