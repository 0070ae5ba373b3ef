from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from made_tasks import Listener, Task, Unloadable, wait_for

from mlmd_lineage.orchestration.local import run_locally
from mlmd_lineage.orchestration.tasks import RunTasks, StepTask
from mlmd_lineage.orchestration.worker_processes import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_signals = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def tasks(folder: Path, **steps: str) -> RunTasks:
    """Return tasks, given for each name ``action < names that it waits for``."""
    made = []
    for name, text in steps.items():
        action, _, before = text.partition(" < ")
        kind = Unloadable if action == "unloadable" else Task
        made.append(kind(name, folder, frozenset(before.split()), action))
    return RunTasks("churn", "churn-1", tuple(made), None, Listener())


def test_a_task_is_what_the_protocol_says(tmp_path: Path):
    assert isinstance(Task("a", tmp_path), StepTask)


def test_one_job_runs_in_this_process_and_in_order(tmp_path: Path):
    run = tasks(tmp_path, a="complete", b="fail < a", c="complete < b", d="complete < a")
    outcomes = run_locally(run, 1)
    assert {name: each.status for name, each in outcomes.items()} == {
        "a": "completed",
        "b": "failed",
        "c": "skipped",
        "d": "completed",
    }
    assert outcomes["c"].reason == "b did not succeed"
    assert (tmp_path / "a").read_text() == str(os.getpid())
    assert not (tmp_path / "c").exists()
    assert run.reporter.told == [
        "a started",
        "a completed",
        "b started",
        "b failed",
        "c skipped",
        "d started",
        "d completed",
    ]


@needs_signals
def test_several_jobs_run_side_by_side_and_a_failure_stops_only_what_waits_for_it(tmp_path: Path):
    run = tasks(
        tmp_path,
        left="meet right",
        right="meet left",
        joined="complete < left right",
        killed="die < joined",
        after_killed="complete < killed",
        lost="unloadable < joined",
        last="complete < joined",
    )
    outcomes = run_locally(run, 2)
    assert {name: each.status for name, each in outcomes.items()} == {
        "left": "completed",
        "right": "completed",
        "joined": "completed",
        "killed": "failed",
        "after_killed": "skipped",
        "lost": "failed",
        "last": "completed",
    }
    assert outcomes["killed"].reason == "its process was ended by SIGKILL"
    assert "there is no such module here" in str(outcomes["lost"].reason)
    pids = {(tmp_path / name).read_text() for name in ("left", "right")}
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


@needs_signals
@pytest.mark.parametrize(
    "send",
    [
        lambda: os.kill(os.getpid(), signal.SIGINT),
        # It ends no wait of the main thread, as one does not that comes just before it.
        lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT),
    ],
)
def test_an_interrupt_reaches_the_steps_and_ends_the_run(
    tmp_path: Path, send: Callable[[], object]
):
    run = tasks(tmp_path, long="wait", other="complete < long")

    def interrupt() -> None:
        assert wait_for(tmp_path / "long")
        time.sleep(0.2)  # until the run waits for its step
        send()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_locally(run, 2)
    thread.join()
    assert run.reporter.told == ["long started", "long canceled"]


def test_an_interrupt_as_a_step_is_sent_finds_it(tmp_path: Path):
    worker = Worker()
    send = worker.connection.send

    def interrupted(task: object) -> None:
        send(task)
        raise KeyboardInterrupt

    try:
        worker.connection.send = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            worker.start(Task("a", tmp_path))
        assert worker.is_busy
        assert worker.outcome().status == "completed"
    finally:
        worker.close()
