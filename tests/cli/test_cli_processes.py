"""Streams, terminals, exit codes, signals and start-up of the command line as a program."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import terminal

STORE = str(terminal.DEMO_STORE)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return terminal.environment(tmp_path)


def run(*arguments: str, env: dict[str, str], code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mlmd_lineage", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def test_help_is_quick_and_loads_nothing_heavy(env: dict[str, str]):
    code = (
        "import sys, mlmd_lineage.cli\n"
        "sys.argv = ['mlmd-lineage', '--help']\n"
        "try: mlmd_lineage.cli.main()\n"
        "except SystemExit: pass\n"
        "print(*{'pandas', 'numpy', 'pyarrow', 'pydantic', 'rich.console'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert "upstream" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


def test_output_to_a_pipe_is_plain(monkeypatch: pytest.MonkeyPatch):
    # Also where the environment asks for colours.
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = terminal.invoke("upstream", STORE, "43")
    lines = done.stdout.splitlines()
    assert lines[0].split("\t") == [
        "node", "hops", "type", "name", "uri", "state", "create_time_since_epoch", "role",
    ]  # fmt: skip
    assert lines[1].startswith("artifact/43\t0\tPushedModel\t\t/srv/tfx/")
    assert lines[-1] == "# Complete: 6 artifacts and 6 executions."
    assert len(lines) == 1 + 12 + 1
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_a_terminal_shows_a_tree_in_colours(tmp_path: Path, env: dict[str, str]):
    del env["NO_COLOR"]
    command = f"mlmd-lineage upstream {shlex.quote(STORE)} 43"
    code, shown = terminal.on_terminal(command, tmp_path, env)
    assert code == 0
    assert "\x1b[" in shown
    lines = terminal.uncoloured(shown).splitlines()
    assert lines[1].startswith("└── execution/49 Pusher")
    assert sum("artifact/35" in line for line in lines) == 2
    assert sum("(see above)" in line for line in lines) == 2
    assert max(map(len, lines)) <= 100


def test_a_narrow_terminal_breaks_nothing(tmp_path: Path, env: dict[str, str]):
    command = f"mlmd-lineage upstream {shlex.quote(STORE)} 43"
    code, shown = terminal.on_terminal(command, tmp_path, env, columns=40)
    assert code == 0
    shown = terminal.uncoloured(shown)
    assert shown.count("(continued below)") == shown.count("(continued)") > 0
    assert max(map(len, shown.splitlines()[:-1])) <= 40


def test_progress_shows_on_a_terminal_only(tmp_path: Path, env: dict[str, str]):
    call = terminal.Call(["describe", STORE], str(tmp_path), env, interactive=True)
    assert "Reading" in terminal.FORK_SERVER.run(call)["shown"]
    assert terminal.invoke("describe", STORE).stderr == ""


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, env: dict[str, str]):
    command = (
        f"mlmd-lineage events {shlex.quote(STORE)} --format json | head -1; "
        f"for i in $(seq 300); do echo {shlex.quote(STORE)}; done | head -1 >/dev/null; "
        f"mlmd-lineage artifacts {shlex.quote(STORE)} --properties | true"
    )
    done = subprocess.run(
        ["bash", "-c", command],  # noqa: S607 - the bash that there is
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("[\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", ["artifacts STORE", "describe STORE", "--help"])
@pytest.mark.slow
def test_a_full_disk_is_told_in_one_line(command: str, tmp_path: Path, env: dict[str, str]):
    ours = f"mlmd-lineage {command.replace('STORE', shlex.quote(STORE))}"
    for redirect, told in (
        (">/dev/full", "No space left on device"),
        (">&-", "standard output is closed"),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{ours} {redirect}"],  # noqa: S607 - the bash that there is
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr == f"Error: The output cannot be written: {told}.\n"


@pytest.mark.slow
def test_closed_streams_take_the_place_of_no_file(tmp_path: Path, env: dict[str, str]):
    # Without stdin and stderr the first file that is opened would get their numbers.
    done = subprocess.run(
        ["bash", "-c", f"mlmd-lineage snapshot {shlex.quote(STORE)} archive <&- 2>&-"],  # noqa: S607
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Saved 47 artifacts")
    assert terminal.invoke("describe", str(tmp_path / "archive")).exit_code == 0


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("secret register db --password", "password: "),
        ("stack delete second", "Delete the stack"),
    ],
)
def test_an_interrupt_at_a_question_is_one_line(
    command: str, asked: str, tmp_path: Path, env: dict[str, str]
):
    def run(text: str, answers: dict[str, str]) -> dict[str, Any]:
        call = terminal.Call(shlex.split(text), str(tmp_path), env, answers, interactive=True)
        return terminal.FORK_SERVER.run(call)

    run("stack copy default second", {})
    left = run(command, {asked: "\x03"})
    assert left["unasked"] == []
    assert left["code"] == 130
    *_, last = left["shown"].splitlines()
    assert last == "Interrupted."
    assert "Traceback" not in left["shown"]


@pytest.mark.slow
def test_an_interrupt_is_quiet(tmp_path: Path, env: dict[str, str]):
    # A store that never answers. A signal that comes just before one long sleep would not end it.
    (tmp_path / "sitecustomize.py").write_text(
        "import mlmd_lineage.store, time\n"
        "def wait(*_): print('waiting', flush=True); [time.sleep(0.01) for _ in range(60_000)]\n"
        "mlmd_lineage.store.Store.describe = wait\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mlmd_lineage", "describe", STORE],
        env=env | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    rest = process.communicate()
    assert (process.returncode, *rest) == (130, "", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_an_interrupt_that_python_drops_is_not_lost(tmp_path: Path, env: dict[str, str]):
    """In a callback of a weak reference it is reported and dropped, as in one of each import."""
    (tmp_path / "sitecustomize.py").write_text(
        "import mlmd_lineage.store, signal, time, weakref\n"
        "class Thing: pass\n"
        "def wait(*_):\n"
        "    thing = Thing()\n"
        "    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))\n"
        "    del thing\n"
        "    print('dropped', flush=True)\n"
        "    time.sleep(60)\n"
        "mlmd_lineage.store.Store.describe = wait\n"
    )
    done = run(
        "describe",
        STORE,
        env=env | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"},
        code=130,
    )
    assert (done.stdout, done.stderr) == ("dropped\n", "")


@pytest.mark.slow
def test_an_encoding_that_lacks_a_letter_shows_its_number(tmp_path: Path, env: dict[str, str]):
    store = tmp_path / "\u6a21\u578b.db"
    shutil.copyfile(STORE, store)
    done = run("describe", str(store), env=env | {"PYTHONIOENCODING": "latin-1"})
    assert "\\u6a21\\u578b.db" in done.stdout


def test_names_that_are_no_text_are_told(tmp_path: Path, env: dict[str, str]):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[31m.db")
    left = terminal.FORK_SERVER.run(terminal.Call(["describe", name], str(tmp_path), env))
    assert left["code"] == 1
    assert left["errors"].startswith("Error: ")
    assert "\x1b" not in left["errors"]
    assert left["errors"].count("\n") == 1


@pytest.mark.slow
def test_the_demo_is_short_and_its_commands_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    lines = terminal.invoke("demo").stdout.splitlines()
    assert len(lines) < 60
    commands = [line.strip()[2:] for line in lines if line.startswith("  $ ")]
    assert commands[-1] == "mlmd-lineage upstream mlmd_lineage/data/tfx_local.db artifact/43"
    assert "      execution/44 Trainer COMPLETE" in lines
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "mlmd-lineage"
        assert terminal.invoke(*words[1:]).exit_code == 0
