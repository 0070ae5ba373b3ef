from __future__ import annotations

import csv
import io
import json

import pytest
import terminal

DEMO = str(terminal.DEMO_STORE)
COLD, CHANGED = "2026-11-21T02:44:15.589538", "2026-11-21T02:44:51.735874"


def run(*arguments: str, code: int = 0) -> str:
    done = terminal.invoke(*arguments)
    assert done.exit_code == code, done.output
    return done.stdout if code != 1 else done.stderr


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("pipelines", DEMO), 2),
        (("runs", DEMO), 8),
        (("runs", DEMO, "--pipeline", "penguin-eda"), 2),
        (("runs", DEMO, "--limit", "-3"), 3),
        (("steps", DEMO), 57),
        (("steps", DEMO, "--run", COLD), 9),
        (("steps", DEMO, "--pipeline", "penguin-eda", "--limit", "5"), 5),
        (("compare", DEMO, "penguin-train"), 6),
        (("compare", DEMO, "penguin-train", "--last", "2"), 2),
        (("compare", DEMO, "penguin-train", "--run", COLD, "--only-changes"), 1),
        (("diff", DEMO, "4", "15"), 2),
        (("impact", DEMO, "1"), 6),
    ],
)
def test_every_format_has_the_same_rows(arguments: tuple[str, ...], rows: int):
    answer = json.loads(run(*arguments, "--format", "json"))
    if arguments[0] == "diff":
        answer = [found for pair in answer["divergences"] for found in pair["differences"]]
    elif arguments[0] == "impact":
        answer = answer["reached"]
    assert len(answer) == rows
    assert len(list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv"))))) == rows
    if arguments[0] not in {"diff", "impact"}:
        assert len(run(*arguments).splitlines()) == rows + 1


def test_durations_are_seconds():
    [row, *_] = json.loads(run("compare", DEMO, "penguin-train", "-f", "json"))
    assert row["duration"] == pytest.approx(20.856)
    assert row["run"] == COLD


def test_only_changes():
    written = run("compare", DEMO, "penguin-train", "--only-changes", "-f", "csv")
    [header, *_] = csv.reader(io.StringIO(written))
    assert "parameters.Trainer.custom_config.lr" in header
    assert "parameters.Trainer.module_path" not in header


def test_differences_in_words_and_as_an_exit_code():
    assert "the parameter custom_config.lr is 0.01 in a and 0.03 in b" in run(
        "diff", DEMO, COLD, CHANGED
    )
    assert run("diff", DEMO, COLD, CHANGED, "--exit-code", code=3)
    assert "They are the same." in run("diff", DEMO, COLD, COLD, "--exit-code")


def test_deployments_in_words_and_as_an_exit_code():
    assert "reached 2 models and 4 deployments." in run("impact", DEMO, "1")
    assert run("impact", DEMO, "1", "--exit-code", code=3)
    assert "reached no models" in run("impact", DEMO, "7", "--exit-code")
    assert "reached 4 models" in run("impact", DEMO, "1", "--models", "ModelBlessing")
    assert "and 4 deployments" in run("impact", DEMO, "1", "--deployments", "ScoreModel")
    misspelt = ("impact", DEMO, "1", "--deployments", "PushedModle")
    assert "is called 'PushedModle'" in run(*misspelt)
    assert "PushedModle" in terminal.invoke(*misspelt, "-f", "csv").stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("runs", DEMO, "--pipeline", "penguin"), "Did you mean 'penguin-eda'"),
        (("steps", DEMO, "--run", "2026-11-21T02:44"), "Did you mean"),
        (("compare", DEMO, "penguins"), "Did you mean"),
        (("compare", DEMO, "penguin-train", "--run", "nothing"), "has no run 'nothing'"),
        (("diff", DEMO, "4", COLD), "compare two of the same kind"),
        (("impact", DEMO, "context/2"), "is a context"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(arguments: tuple[str, ...], told: str):
    said = run(*arguments, code=1)
    assert told in said
    assert said.count("\n") == 1
