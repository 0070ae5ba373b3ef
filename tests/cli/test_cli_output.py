"""Output: nothing that takes over a terminal, no value lost, CSV that stays what it was."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sqlite3
import unicodedata
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import terminal
from hypothesis import given, settings
from hypothesis import strategies as st

import mlmd_lineage
from mlmd_lineage.cli.common import output, tables, text

if TYPE_CHECKING:
    from pathlib import Path

STORE = str(terminal.DEMO_STORE)

# What may not reach a terminal: ESC, OSC, C1, marks of direction, characters that do not show.
HOSTILE = [
    "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x9d8;;http://x\x9c", "\u202e", "\u2066", "\u061c",
    "\u200b", "\ufeff", "\U000e0041\U000e007f", "\r", "\x00", "\x7f", "\u2028", "\u2029", "\x08",
]  # fmt: skip
COMMANDS = [
    ["describe"],
    ["artifacts"],
    ["artifacts", "--properties"],
    ["artifacts", "--columns", "name,uri"],
    ["executions"],
    ["contexts"],
    ["events"],
    ["types"],
    ["pipelines"],
    ["runs"],
    ["steps"],
    ["parameters"],
    ["metrics"],
    ["upstream", "43"],
    ["upstream", "43", "--edges"],
    ["upstream", "43", "--only", "Model"],
    ["downstream", "1"],
    ["between", "22", "43"],
    ["show", "43"],
    ["show", "execution/44"],
    ["show", "context/1"],
    ["diff", "4", "15"],
    ["impact", "1"],
    ["compare", "penguin-train"],
]
CSV = [["artifacts"], ["upstream", "43"], ["diff", "4", "15"], ["impact", "1"], ["types"]]


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the demo store with every text that people read made hostile."""
    path = tmp_path_factory.mktemp("hostile") / "metadata.db"
    shutil.copyfile(STORE, path)
    marks = "".join(HOSTILE).replace("\x00", "")
    with sqlite3.connect(path) as connection:
        run = connection.execute(
            "UPDATE Artifact SET uri = uri || ?, name = 'a' || ? || id", [marks] * 2
        )
        assert run.rowcount > 40
        connection.execute("UPDATE Execution SET name = name || ?", [marks])
        connection.execute(
            "UPDATE Context SET name = name || ? WHERE name NOT IN ('penguin-train')", [marks]
        )
        connection.execute(
            "UPDATE EventPath SET step_key = step_key || ? WHERE is_index_step = 0", [marks]
        )
        for table in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
            connection.execute(
                f"UPDATE {table} SET string_value = string_value || ?, name = name || ? "  # noqa: S608
                "WHERE string_value IS NOT NULL AND name LIKE '%module%' OR name LIKE '%dest%'",
                [marks] * 2,
            )
        connection.execute(
            "UPDATE TypeProperty SET name = name || ? WHERE name LIKE 'sp%'", [marks]
        )
    connection.close()
    return str(path)


def bad_characters(shown: str) -> set[str]:
    """Return the characters that do not print, but for what ends lines and parts columns."""
    return {c for c in shown if not c.isprintable() and c not in "\n\t"}


def without_styles(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_everything_on_a_terminal_is_printable(command: list[str], hostile_store: str):
    name, *rest = command
    for width in (60, 120):
        shown = terminal.invoke(name, hostile_store, *rest, columns=width)
        assert shown.exit_code == 0, shown.output
        assert bad_characters(without_styles(shown.output)) == set()
        assert (
            r"\u202e" in shown.output or r"\x1b" in shown.output or name in {"metrics", "compare"}
        )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_plain_tables_are_printable(command: list[str], hostile_store: str):
    name, *rest = command
    assert bad_characters(terminal.invoke(name, hostile_store, *rest).output) == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_json_is_printable_and_means_the_same(command: list[str], hostile_store: str):
    name, *rest = [word for word in command if word not in {"--edges", "--only", "Model"}]
    if "--columns" in rest and name == "upstream":
        return
    shown = terminal.invoke(name, hostile_store, *rest, "--format", "json").stdout
    assert bad_characters(shown) == set()
    made = json.dumps(json.loads(shown), ensure_ascii=False)
    assert "\u202e" in made or name in {"metrics", "compare", "parameters", "pipelines"}


@pytest.mark.parametrize("command", CSV, ids=" ".join)
def test_csv_is_printable_on_a_terminal_and_whole_in_a_pipe(command: list[str], hostile_store: str):
    name, *rest = command
    arguments = [name, hostile_store, *rest, "--format", "csv"]
    assert bad_characters(terminal.invoke(*arguments, columns=80).stdout) == set()
    rows = list(csv.reader(io.StringIO(terminal.invoke(*arguments).stdout, newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert any("\u202e" in cell for row in rows for cell in row)


@pytest.mark.parametrize("form", ["dot", "mermaid", "graphml"])
def test_pictures_are_printable_on_a_terminal(form: str, hostile_store: str):
    shown = terminal.invoke("upstream", hostile_store, "43", "--format", form, columns=80)
    assert bad_characters(shown.output) == set()


@given(st.text())
def test_a_printable_text_is_printable(value: str):
    assert text.printable(value).isprintable()
    assert bad_characters(text.printable_lines(value)) == set()
    made = text.printable_json(json.dumps({"a": value}, ensure_ascii=False))
    assert made.isprintable()
    assert json.loads(made) == {"a": value}


def test_usage_errors_are_printable():
    for arguments in (["upstream", STORE, "1", "\x1b[31m"], ["\u202e"], ["artifacts", "--\x9b2J"]):
        shown = terminal.invoke(*arguments)
        assert shown.exit_code == 2
        assert bad_characters(shown.output) == set()


# Tables


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=8), st.integers(20, 120), st.data())
def test_a_table_loses_nothing_at_any_width(lengths: list[int], width: int, data: st.DataObject):
    # Each cell is made of a character of its own, all of which have to be there.
    letters = iter(map(chr, range(0x4DC0, 0x4E00)))  # none of them stands in headings
    folds = data.draw(st.lists(st.booleans(), min_size=len(lengths), max_size=len(lengths)))
    letter_of = [[next(letters), next(letters)] for _ in lengths]
    columns = [
        tables.TableColumn(f"h{n}", [letter * length for letter in letter_of[n]], folds=folds[n])
        for n, length in enumerate(lengths)
    ]
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        from rich.console import Console

        patch.setattr(output, "console", lambda: Console(file=written, width=width))
        tables.print_table(columns)
    shown = written.getvalue()
    for (first, second), length in zip(letter_of, lengths, strict=True):
        assert (shown.count(first), shown.count(second)) == (length, length)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("command", [["steps"], ["runs"], ["events"], ["artifacts"]], ids=" ".join)
def test_no_table_cuts_a_value(command: list[str], width: int):
    lines = without_styles(terminal.invoke(*command, STORE, columns=width).stdout).splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    shown = "".join(line.strip() for line in lines)
    assert "…" not in shown
    frame = getattr(mlmd_lineage.connect(STORE).frames, command[0])()
    assert all(str(key) in shown for key in frame.index)
    states = frame.get("status", frame.get("state", pd.Series(dtype=str))).dropna()
    assert sum(shown.count(value) for value in set(states)) >= len(states)
    times = frame["started" if "started" in frame else frame.columns[-1]]
    if pd.api.types.is_datetime64_any_dtype(times):
        assert f"{times.iloc[0]:%Y-%m-%d %H:%M:%S}" in shown


def test_help_is_whole_at_any_width(monkeypatch: pytest.MonkeyPatch):
    for width in ("60", "80", "160"):
        monkeypatch.setenv("COLUMNS", width)
        shown = " ".join(terminal.invoke("--help").stdout.split())
        assert "..." not in shown.replace("[ARGS]...", "")
        assert "what was executed, what was taken from a cache, what failed." in shown
    monkeypatch.setenv("COLUMNS", "160")
    lines = terminal.invoke("--help").stdout.splitlines()
    assert any(line.startswith("  steps ") and line.endswith("what failed.") for line in lines)


# CSV


def test_csv_quotes_every_kind_of_line_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    values = ["a\rb", "c\nd", "e\r\nf", 'g"h', "i,j", "plain"]
    output.write_csv(pd.DataFrame({"value": values}, index=pd.Index(range(6), name="id")))
    written = capsys.readouterr().out
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert [row[1] for row in rows] == ["value", *values]
    (tmp_path / "a.csv").write_text(written, newline="")
    frame = pd.read_csv(tmp_path / "a.csv", lineterminator="\n")
    assert len(frame) == 6


def test_csv_safe_marks_formulas_and_leaves_numbers(capsys: pytest.CaptureFixture[str]):
    values = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=b", "'x", ""]
    frame = pd.DataFrame(
        {"text": values, "number": [-1.5] * 9}, index=pd.Index(range(9), name="id")
    )
    output.write_csv(frame, safe=True)
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
    marked = ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "a=b", "'x", ""]
    assert [row[1] for row in rows] == marked
    assert {row[2] for row in rows} == {"-1.5"}
    output.write_csv(frame)
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out, newline="")))[1:]
    assert [row[1] for row in rows] == values


def test_the_options_of_csv_reach_the_writer(tmp_path: Path):
    path = tmp_path / "m.db"
    shutil.copyfile(STORE, path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE Artifact SET uri = '=cmd()' WHERE id IN (1, 4, 43)")
    connection.close()
    for command in (["artifacts"], ["upstream", "43"], ["impact", "1"]):
        name, *rest = command
        shown = terminal.invoke(name, str(path), *rest, "-f", "csv", "--csv-safe").stdout
        assert "'=cmd()" in shown
        assert ",=cmd()" in terminal.invoke(name, str(path), *rest, "-f", "csv").stdout


def test_the_hostile_characters_are_of_every_kind_that_does_not_print():
    kinds = {unicodedata.category(c) for each in HOSTILE for c in each}
    assert {"Cc", "Cf", "Zl", "Zp"} <= kinds


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("svg", b"<svg "), ("html", b"<!doctype html>"), ("json", b"{"), ("csv", b"node,"),
     ("mmd", b"flowchart LR"), ("gv", b"digraph"), ("graphml", b"<?xml")],
)  # fmt: skip
def test_an_answer_goes_to_a_file_of_the_format_that_its_ending_tells(
    tmp_path: Path, ending: str, begins: bytes
):
    file = tmp_path / f"answer.{ending}"
    done = terminal.invoke("upstream", STORE, "43", "-o", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"Wrote {file}. Complete: 6 artifacts and 6 executions.\n"
    assert file.read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "answer.txt"], "tells no format"),
        (["-o", "answer.svg", "--format", "table"], "A table is not written to a file"),
        (["--format", "json", "--no-fold"], "--no-fold is for"),
        (["-o", "missing-link/answer.svg", "--only", "Model"], "--only is for"),
    ],
)
def test_files_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
):
    monkeypatch.chdir(tmp_path)
    done = terminal.invoke("upstream", STORE, "43", *options)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_what_an_artifact_reached_is_drawn(tmp_path: Path):
    file = tmp_path / "reached.svg"
    done = terminal.invoke("impact", STORE, "artifact/1", "-o", str(file))
    assert "reached 2 models" in done.stdout
    assert (done.exit_code, done.stderr) == (0, f"Wrote {file}.\n")
    assert "PushedModel" in file.read_text(encoding="utf-8")
    assert terminal.invoke("impact", STORE, "artifact/1", "-o", "reached.csv").exit_code == 2
