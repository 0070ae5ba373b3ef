"""Dossiers: what is in them, what is not known, and that they are the same every time."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import odd_stores
import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit.dossier import rendering
from mlmd_lineage.lineage.render.labels import LONGEST_TEXT
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from browser import Browser

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
HOSTILE = (
    '<script>alert(1)</script><img src="https://evil.example/x" onerror="alert(2)">'
    "'\"&amp;{{ 7*7 }}{% raw %}</td></table></style></svg><iframe src=javascript:alert(3)>"
    "\u202e|`$(x)`[a](javascript:alert(4))\x00\x1b"
)


def made_store(steps: int = 5, text: str = "churn") -> tuple[InMemoryStore, str]:
    """Return a store in TFX's way, with so many steps above a model, and the model's key."""
    store = InMemoryStore()
    pipeline = store.put_context("pipeline", text)
    before: dict[str, str] = {}
    for number in range(0, steps, 5):
        run = store.put_context("pipeline_run", f"{text}-{number}", parents=[pipeline])
        held = [pipeline, run]
        data = store.put_artifact(
            "Examples",
            uri=f"s3://bucket/{text}/{number}",
            contexts=held,
            properties={"span": number, "split_names": text},
            custom_properties={"sha256": f"{number:064x}"},
        )
        store.put_execution("CsvExampleGen", outputs={"examples": data}, contexts=held)
        taken = {"examples": data, **before}
        for name in ("StatisticsGen", "SchemaGen", "Transform"):
            out = store.put_artifact(f"{name}Output", uri=f"s3://b/{name}/{number}", contexts=held)
            store.put_execution(name, inputs={"examples": data}, outputs={"o": out}, contexts=held)
            taken[name] = out
        model = store.put_artifact("Model", name=text, uri=f"s3://m/{number}", contexts=held)
        store.put_execution(
            "Trainer",
            inputs=taken,
            outputs={"model": model},
            contexts=held,
            custom_properties={"learning_rate": 0.1, "git_commit": "4be1d0c", "user": text},
        )
        before = {"base_model": model}
    blessing = store.put_artifact("ModelBlessing", custom_properties={"blessed": 1})
    metrics = store.put_artifact("Metrics", custom_properties={"auc": 0.91, text: 1.5})
    outputs = {"blessing": blessing, "evaluation": metrics}
    store.put_execution("Evaluator", inputs={"model": model}, outputs=outputs, contexts=held)
    pushed = store.put_artifact("PushedModel", uri="s3://serving", custom_properties={"pushed": 1})
    store.put_execution("Pusher", inputs={"model": model}, outputs={"p": pushed}, contexts=held)
    return store, model


@pytest.fixture(scope="module")
def demo() -> ml.Dossier:
    return ml.connect(DEMO_STORE).dossier("artifact/15", compare="artifact/4")


def nodes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["node"] for row in rows]


def test_it_holds_the_whole_provenance(demo: ml.Dossier):
    data = demo.data
    assert nodes(data["data_sets"]) == ["artifact/1"]
    [examples] = data["data_sets"]
    assert examples["origin"]["text"] == "brought in by CsvExampleGen (execution/1)"
    assert examples["spans"] == {"span": 0, "split_names": '["train", "eval"]'}
    assert list(examples["digests"]) == ["input_fingerprint"]
    assert nodes(data["steps"]) == ["execution/1", "execution/22"]
    trainer = data["steps"][1]
    assert trainer["parameters"]["train_args"] == '{\n  "num_steps": 60\n}'
    assert "97013203c2bc4eb7" in trainer["code"]["module_path"]
    assert trainer["environment"] == {"tfx_version": "1.15.1"}
    assert (trainer["status"], trainer["started"]) == ("completed", "2026-11-21 02:44:51 UTC")
    assert trainer["inputs"] == {"examples": ["artifact/1"]}
    assert [(row["node"], row["direct"]) for row in data["deployments"]] == [
        ("artifact/21", True),
        ("artifact/32", False),
    ]
    assert "1 recorded deployment" in next(
        row["shows"] for row in data["annex_iv"] if row["point"] == "1(d)"
    )
    assert len(data["downstream"]) == 13
    assert set(demo.trace) == {*nodes(data["steps"]), "artifact/1", "artifact/15"}


def test_a_blessing_of_another_model_is_no_approval_of_this_one(demo: ml.Dossier):
    # It was the baseline of execution/36, which blessed artifact/25.
    assert [(row["node"], row["approved"]) for row in demo.data["approvals"]] == [
        ("artifact/18", True)
    ]
    taken = {row["node"]: row["taken_as"] for row in demo.data["metrics"]}
    assert taken == {"artifact/17": "model", "artifact/27": "baseline_model"}


def test_two_models_side_by_side(demo: ml.Dossier):
    compared = demo.data["comparison"]
    assert compared["b"] == "artifact/4"
    found = {
        (one["name"], one["value_a"], one["value_b"])
        for pair in compared["divergences"]
        for one in pair["differences"]
    }
    assert ("custom_config.lr", 0.03, 0.01) in found
    rows = {row["name"]: row for row in compared["rows"]}
    assert rows["data sets"]["same"]
    assert not rows["URI"]["same"]


def test_what_is_not_known_is_listed(demo: ml.Dossier):
    told = {(row["about"], row["text"]): row["nodes"] for row in demo.data["unknown"]}
    text = "Of 2 steps it is not recorded who ran it."
    assert told["steps", text] == ["execution/1", "execution/22"]
    assert told["approval", "Of 1 approval it is not recorded which person is answerable."]
    assert told["evaluation", "The values of 2 evaluations are in files, and not in the record."]
    lone = InMemoryStore()
    model = lone.put_artifact("Model")
    said = " ".join(row["text"] for row in lone.dossier(model).data["unknown"])
    for part in ("names no step and no data set", "No metric", "No approval", "No deployment"):
        assert part in said


def test_what_is_known_is_not_listed_as_unknown():
    store, model = made_store()
    said = [row["text"] for row in store.dossier(model).data["unknown"]]
    assert not any("No metric" in text or "No deployment" in text for text in said)
    assert any("Of 4 steps it is not recorded who ran it." in text for text in said)


def test_every_point_of_the_annex_says_what_it_cannot_show(demo: ml.Dossier):
    rows = demo.data["annex_iv"]
    points = [row["point"] for row in rows]
    assert points[:4] == ["1(a)", "1(b)", "1(c)", "1(d)"]
    assert points[-5:] == ["5", "6", "7", "8", "9"]
    assert all(row["cannot"] for row in rows)
    assert [one["article"] for one in demo.data["articles"]] == [
        "Article 12",
        "Article 18",
        "Article 19",
    ]
    for made in (demo.to_html(), demo.to_markdown()):
        assert "no claim of compliance is made" in made


def test_sections_of_the_annex_are_sections_of_the_page(demo: ml.Dossier):
    made = demo.to_html()
    ids = set(re.findall(r' id="([^"]+)"', made))
    for address in re.findall(r'href="#([^"]+)"', made):
        assert address in ids


def test_the_same_store_gives_the_same_bytes(demo: ml.Dossier, tmp_path: Path):
    other = tmp_path / "elsewhere" / DEMO_STORE.name
    other.parent.mkdir()
    shutil.copyfile(DEMO_STORE, other)
    again = ml.connect(other).dossier("artifact/15", compare="artifact/4")
    assert again.to_json() == demo.to_json()
    assert again.to_html() == demo.to_html()
    assert again.to_markdown() == demo.to_markdown()


def test_it_is_saved_by_its_name(demo: ml.Dossier, tmp_path: Path):
    for name, made in (
        ("a.html", demo.to_html()),
        ("a.md", demo.to_markdown()),
        ("a.json", demo.to_json()),
    ):
        path = demo.save(tmp_path / name)
        assert path.read_text(encoding="utf-8") == made
    assert json.loads(demo.to_json())["node"] == "artifact/15"
    for name in ("a.bundle", "a.zip"):
        report = ml.verify_bundle(demo.save(tmp_path / name))
        assert report.ok
    inside = tmp_path / "a.bundle" / "dossier" / "dossier.html"
    assert inside.read_text(encoding="utf-8") == demo.to_html()
    with pytest.raises(errors.ConfigurationError, match="says no format"):
        demo.save(tmp_path / "a.docx")
    with pytest.raises(errors.ConfigurationError, match="takes no options"):
        demo.save(tmp_path / "a.html", key="k")


def test_what_cannot_be_a_model_is_refused():
    store = ml.connect(DEMO_STORE)
    with pytest.raises(errors.ConfigurationError, match="is no artifact"):
        store.dossier("execution/1")
    with pytest.raises(errors.ConfigurationError, match="with itself"):
        store.dossier("artifact/4", compare=4)
    with pytest.raises(errors.NotFoundError, match="artifact/99"):
        store.dossier("artifact/99")


@pytest.mark.parametrize(
    ("name", "model", "steps", "said"),
    [
        ("kfp2_emulated.db", "artifact/7", 3, "accuracy"),
        ("zenml_0132.db", "artifact/5", 2, "Annex IV"),
        ("kfp1_emulated.db", "artifact/5", 3, "Xgboost train"),
        ("real/cmf_getting_started.db", "artifact/29", 4, "Git_Start_Commit"),
        ("real/model_registry.db", "artifact/1", 0, "registered as"),
        ("real/tfx_sepsis_2022_06.db", "artifact/16", 6, "tfx_version"),
    ],
)
def test_real_stores(name: str, model: str, steps: int, said: str, shared_stores: Path):
    made = ml.connect(shared_stores / name).dossier(model)
    assert len(made.data["steps"]) == steps
    assert said in made.to_html()
    assert made.node in made.to_markdown()


def test_texts_mean_nothing_in_markdown():
    store, model = made_store(text=HOSTILE)
    made = store.dossier(model).to_markdown()
    assert "<script" not in made
    assert "<img" not in made
    assert "](javascript" not in made.replace("\\]", "")
    columns = [
        len(re.findall(r"(?<!\\)\|", line)) for line in made.splitlines() if line.startswith("|")
    ]
    assert set(columns) <= {3, 4, 5, 6}
    assert rendering.escaped("1. a\n# b") == "1\\. a # b"
    assert rendering.escaped("# a | b") == "\\# a \\| b"


def test_texts_do_nothing_in_the_browser(browser: Browser, tmp_path: Path):
    store, model = made_store(text=HOSTILE)
    path = store.dossier(model).save(tmp_path / "hostile.html")
    asked = "['script', 'img', 'iframe'].map(name => document.querySelectorAll(name).length)"
    seen = browser.visit(path, lambda page: (page.evaluate(asked), page.inner_text("h1")))
    assert seen.wrong == []
    counts, title = seen.found
    assert counts == [0, 0, 0]
    assert "<script>alert(1)</script>" in title
    assert "\\u202e" in title
    assert "49" not in title


LOOK = """() => ({
    wide: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
    paper: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    sections: [...document.querySelectorAll('main > section')].map(s => s.id),
    pictures: document.querySelectorAll('figure svg').length,
    steps: document.querySelectorAll('#steps article').length,
})"""


@pytest.mark.parametrize("steps", [5, 500])
def test_it_opens_in_a_browser(steps: int, browser: Browser, tmp_path: Path):
    store, model = made_store(steps)
    dossier = store.dossier(model)
    path = dossier.save(tmp_path / "dossier.html")
    inks = set()
    for scheme in ("light", "dark"):
        size = {"width": 900, "height": 1200}
        seen = browser.visit(
            path, lambda page: page.evaluate(LOOK), color_scheme=scheme, viewport=size
        )
        assert seen.wrong == []
        found = seen.found
        assert found["wide"]
        assert found["steps"] == steps
        assert found["pictures"] == (1 if steps == 5 else 2)
        assert found["sections"] == [
            *("model", "lineage", "data", "steps", "evaluation", "approvals", "downstream"),
            *("findings", "unknown", "annex"),
        ]
        inks.add((found["paper"], found["ink"]))
    assert len(inks) == 2
    if steps == 500:
        assert "what repeats is drawn as one box" in dossier.to_html()


def test_it_prints_on_paper(browser: Browser, tmp_path: Path):
    path = made_store()[0].dossier("artifact/5").save(tmp_path / "dossier.html")
    seen = browser.visit(path, lambda page: page.pdf(prefer_css_page_size=True))
    assert seen.found.startswith(b"%PDF")
    sizes = {
        tuple(round(float(n)) for n in box.split())
        for box in re.findall(rb"/MediaBox \[([^\]]+)\]", seen.found)
    }
    assert sizes == {(0, 0, 595, 842), (0, 0, 842, 595)}  # A4, and across for the picture


@pytest.mark.slow
def test_what_has_lost_its_row_is_said_to(tmp_path: Path):
    odd_stores.odd(tmp_path / "odd.db")
    store = ml.connect(tmp_path / "odd.db")
    for node in store.lineage():
        if node.startswith("artifact/"):
            made = store.dossier(node)
            assert made.to_html().startswith("<!DOCTYPE html>")
            assert made.to_markdown().startswith("# Dossier of")
    said = [row["text"] for row in store.dossier("artifact/8").data["unknown"]]
    assert "The rows of 1 step are lost: nothing else is known." in said


def test_long_texts_say_how_much_is_left_out():
    store, model = made_store(text="é" * 300_000)
    dossier = store.dossier(model)
    left = f"({300_000 - LONGEST_TEXT:,} more characters; all of them in the dossier"
    for made in (dossier.to_html(), dossier.to_markdown()):
        assert left in html.unescape(made)
        assert len(made) < 200_000
    assert "é" * 300_000 in json.loads(dossier.to_json())["model"]["name"]
