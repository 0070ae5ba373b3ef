"""The command ``mlmd-lineage run``: what it records, and that it stays out of the way."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import terminal
import waiting

import mlmd_lineage as ml
from mlmd_lineage.recording.commands.command_values import numbers_in, parameter_value, read_values
from mlmd_lineage.recording.liveness import dead_runs
from mlmd_lineage.recording.secret_values import without_secrets, without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAIN = """
import json, sys
open("model.pkl", "w").write(open("train.csv").read() * 2)
json.dump({"auc": 0.9, "loss": {"train": 0.1}, "note": "x"}, open("metrics.json", "w"))
print("trained", sys.argv[1:])
print("warned", file=sys.stderr)
"""
PYTHON = sys.executable


@pytest.fixture(autouse=True)
def _script(store: ml.Store) -> None:
    del store
    Path("train.py").write_text(TRAIN, encoding="utf-8")
    Path("train.csv").write_text("a,b\n", encoding="utf-8")


def call(*options: str, command: Sequence[str]) -> Any:
    start = ("run", "--store", "store.db", "--pipeline", "churn", "--step", "train")
    return terminal.invoke(*start, *options, "--", *command)


def test_a_command_is_recorded(store: ml.Store):
    Path("more.yaml").write_text("depth: 3\nlayers: [1, 2]\n", encoding="utf-8")
    done = call(
        *("--run", "r", "--input", "data:Dataset=train.csv", "--output", "model:Model=model.pkl"),
        *("--param", "lr=0.01", "--param", "name=x", "--params", "more.yaml"),
        *("--metrics", "metrics.json", "--tag", "team=a", "--type", "Trainer"),
        *("--base-type", "Train"),
        command=[PYTHON, "train.py", "--api-key", "hidden"],
    )
    assert done.exit_code == 0, done.output
    run = store.get_run("r")
    step = run.get_step("train")
    assert (run.status, step.type) == ("completed", "Trainer")
    assert dict(step.parameters) == {"lr": 0.01, "name": "x", "depth": 3, "layers": [1, 2]}
    assert step.inputs["data"].type == "Dataset"
    assert step.outputs["model"].uri == str(Path("model.pkl").absolute())
    assert dict(step.metrics) == {"auc": 0.9, "loss.train": 0.1}
    internal = step.internal_properties
    assert internal["__command__"] == [PYTHON, "train.py", "--api-key", "***"]
    assert internal["__exit_code__"] == 0
    assert "trained ['--api-key', 'hidden']" in internal["__log_tail__"]
    assert "warned" in internal["__log_tail__"]
    assert run.runtime_configuration["tag:team"] == "a"
    assert "hidden" not in internal["__cache_parts__"]["command"]


@pytest.mark.slow
def test_a_command_is_not_run_again_for_the_same(store: ml.Store):
    options = ("--input", "data=train.csv", "--output", "model=model.pkl", "--cache", "--explain")

    def status(*more: str, words: Sequence[str] = ("train.py",)) -> tuple[str, str]:
        done = call(*options, *more, command=[PYTHON, *words])
        assert done.exit_code == 0, done.output
        return store.get_pipeline("churn").last_run.get_step("train").status, done.stderr

    assert status()[0] == "completed"
    found, said = status()
    assert (found, "reused: execution/1" in said) == ("cached", True)
    assert "the same: command; " in said
    assert not any(line.endswith(" ") for line in said.splitlines())
    assert status("--param", "lr=1")[0] == "completed"
    assert status(words=("train.py", "x"))[0] == "completed"
    Path("model.pkl").unlink()
    found, said = status()
    assert (found, "is gone" in said) == ("completed", True)
    Path("train.py").write_text(f"{TRAIN}\n# changed\n", encoding="utf-8")
    assert status()[0] == "completed"
    assert status()[0] == "cached"


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        ([PYTHON, "-c", "raise SystemExit(3)"], 3, "failed"),
        (["no-such-program"], 127, "failed"),
        ([PYTHON, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], 137, "failed"),
    ],
)
def test_its_exit_code_is_the_commands(store: ml.Store, words: list[str], code: int, status: str):
    Path("model.pkl").write_text("of an earlier run", encoding="utf-8")
    done = call("--run", "r", "--output", "model=model.pkl", command=words)
    assert done.exit_code == code
    run = store.get_run("r")
    assert (run.status, run.get_step("train").status) == (status, status)
    # What lies there is not what the command made.
    assert dict(run.get_step("train").outputs) == {}
    assert run.get_step("train").internal_properties["__exit_code__"] == code


def test_what_cannot_be_recorded_is_not_run(store: ml.Store):
    done = call("--run", "r", "--input", "no-such-file", command=[PYTHON, "train.py"])
    assert done.exit_code == 1
    assert "There is nothing at" in done.stderr
    assert "The command was not run: its inputs are recorded first." in done.stderr
    assert "digest=False" not in done.stderr  # which is no option of the command line
    assert not Path("model.pkl").exists()
    assert store.get_run("r").status == "failed"


def test_a_store_in_front_is_refused_with_its_option():
    options = ("--pipeline", "churn", "--step", "train")
    done = terminal.invoke("run", "store.db", *options, "--", PYTHON, "train.py")
    assert done.exit_code == 2
    assert "'store.db'" in done.output
    assert "--store" in done.output
    assert not Path("model.pkl").exists()


WAITING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
open('ready', 'w').close()
while True:
    time.sleep(0.01)
"""


def test_a_signal_while_the_command_starts_is_passed_on(
    store: ml.Store, monkeypatch: pytest.MonkeyPatch
):
    class SlowToReturn(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            if WAITING in self.args:  # type: ignore[operator]
                waiting.until(Path("ready").exists)
                signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", SlowToReturn)
    assert call("--run", "r", command=[PYTHON, "-c", WAITING]).exit_code == 5
    assert store.get_run("r").status == "canceled"


@pytest.mark.slow
def test_a_signal_is_passed_on_and_recorded(store: ml.Store):
    words = ["run", "--store", "store.db", "--pipeline", "p", "--step", "s", "--run", "r", "--"]
    process = subprocess.Popen(
        [PYTHON, "-m", "mlmd_lineage", *words, PYTHON, "-c", WAITING],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        waiting.until(lambda: Path("ready").exists() or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        assert process.wait(waiting.LONG) == 5
    finally:
        process.kill()
        process.wait()
    assert store.get_run("r").status == "canceled"


@pytest.mark.slow
def test_the_doctor_asks_and_records_that_the_dead_have_failed(store: ml.Store):
    code = (
        "import os, signal, mlmd_lineage as ml\n"
        "run = ml.connect('store.db').record('p', 'r').start()\n"
        "run.step('s').start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert "holds no run that this library recorded" in terminal.invoke("doctor", "store.db").stdout
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([PYTHON, "-c", code], env=env, check=False).returncode == -9
    with store.record("p", "alive") as run, run.step("s"):
        assert store.get_run("r").status == "running"
        refused = terminal.invoke("doctor", "store.db")
        assert refused.exit_code == 2
        assert "give --yes" in refused.stderr
        done = terminal.invoke("doctor", "store.db", "--yes", "--format", "json")
        assert done.exit_code == 0, done.output
        assert {row["run"] for row in json.loads(done.stdout)} == {"r"}
        assert store.get_run("alive").status == "running"
    found = store.get_run("r")
    assert (found.status, found.get_step("s").status) == ("failed", "failed")
    assert "last sign of life" in found.get_step("s").internal_properties["__error__"]
    assert "have ended" in terminal.invoke("doctor", "store.db").stdout


def test_who_counts_as_dead(store: ml.Store):
    with store.record("p", "r") as run, run.step("s"), store.record_access() as access:
        assert dead_runs.find(access) == []
        found = dead_runs.find(access, after=-1)
        assert [(node.key, node.run, node.step) for node in found] == [
            (step.node_key, "r", step.name) for step in store.get_run("r").steps
        ] + [(run.node_key, "r", "")]
        host, pid = found[0].host, found[0].pid
        assert host is not None
        assert pid == os.getpid()
        assert dead_runs.find_process(access, run.id or 0, host, pid) == found
        assert dead_runs.find_process(access, run.id or 0, host, pid + 1) == []


BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.filterwarnings("always::mlmd_lineage.errors.RecordingWarning")
@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("deep.json", '{"a":' * 100_000, "nested too deep"),
        ("deep.yaml", "a: &a [*a]", "nested more than"),
        ("many.yaml", BOMB, "more than 100,000 values"),
        ("pipe.json", None, "no regular file"),
        ("large.json", 17 << 20, "more than"),
        ("link.json", "/dev/zero", "no regular file"),
    ],
    # Older releases of pytest put the whole name into the environment of the command.
    ids=["deep JSON", "circle", "bomb", "pipe", "large", "link"],
)
def test_metrics_that_are_no_plain_file_are_left_out(
    store: ml.Store, name: str, text: str | int | None, why: str
):
    if text is None:
        os.mkfifo(name)
    elif isinstance(text, int):
        with Path(name).open("wb") as file:
            file.truncate(text)
    elif text.startswith("/"):
        Path(name).symlink_to(text)
    else:
        Path(name).write_text(text, encoding="utf-8")
    os.utime(name, follow_symlinks=False)
    with pytest.raises(ml.errors.ConfigurationError, match=why):
        read_values(Path(name))
    done = call("--run", "r", "--metrics", name, command=["true"])
    assert done.exit_code == 0
    assert "were not recorded" in done.output or "left out" in done.output
    run = store.get_run("r")
    assert (run.status, dict(run.get_step("train").metrics)) == ("completed", {})


def test_values_of_options_and_files(tmp_path: Path):
    assert [parameter_value(text) for text in ("1", "1e-3", "true", "null", "NaN", "[1]", "x")] == [
        1,
        0.001,
        True,
        None,
        "NaN",
        "[1]",
        "x",
    ]
    assert parameter_value("[" * 100_000) == "[" * 100_000
    assert numbers_in({"a": 1, "b": {"c": True, "d": "x"}, "e": [1]}) == {"a": 1, "b.c": True}
    for name, text in (("list.json", "[1]"), ("bad.json", "{"), ("bad.yaml", "a: [")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ml.errors.ConfigurationError, match=name):
            read_values(tmp_path / name)
    hidden = [
        "--password",
        "x",
        "--token=y",
        "API_KEY=z",
        "postgresql://me:pw@host/db",
        "--lr",
        "1",
        "--auth-token",
        "-x",
        "cd x && DB_PASSWORD=hunter2 python t.py",
    ]
    assert without_secrets(["mysql", "-phunter2", "-P3306"]) == ["mysql", "-p***", "-P3306"]
    assert without_secrets(["tar", "-px"]) == ["tar", "-px"]
    assert without_secrets_in("max_tokens=512 lr: 0.1") == "max_tokens=512 lr: 0.1"
    assert without_secrets(hidden) == [
        "--password",
        "***",
        "--token=***",
        "API_KEY=***",
        "postgresql***host/db",
        "--lr",
        "1",
        "--auth-token",
        "***",
        "cd x && DB_PASSWORD=*** python t.py",
    ]


def test_no_digest_and_no_output_tells_a_secret(store: ml.Store):
    Path("token.txt").write_text("1234", encoding="utf-8")
    words = [PYTHON, "-c", "print('mysql://u:hunter2@h/d')", "--pin-token", "token.txt"]
    done = call("--run", "r", command=words)
    assert done.exit_code == 0, done.output
    (step,) = store.get_run("r").steps
    known = step.internal_properties
    assert "mysql***h/d" in known["__log_tail__"]
    assert known["__command__"][-2:] == ["--pin-token", "***"]
    parts = json.dumps(known["__cache_parts__"])
    assert "token.txt" not in parts
    for secret in (words, "token.txt"):
        digest = hashlib.sha256(json.dumps(secret).encode()).hexdigest()
        assert digest not in parts
    assert hashlib.sha256(b"1234").hexdigest() not in parts
