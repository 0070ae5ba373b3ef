"""Tasks in two threads give what they would one after the other, and end together."""

from __future__ import annotations

import contextvars
import threading

import pytest

from mlmd_lineage import deadline, errors, parallel_tasks


def test_results_stand_in_the_order_of_the_tasks():
    second_is_done = threading.Event()

    def first() -> int:
        assert second_is_done.wait(10)  # which only two threads can do
        return 1

    def second() -> int:
        second_is_done.set()
        return 2

    assert parallel_tasks.results_of([first, second, lambda: 3]) == [1, 2, 3]
    assert parallel_tasks.results_of([]) == []


def test_an_error_ends_what_runs_and_leaves_out_the_rest():
    began, later = threading.Event(), []

    def endless() -> None:
        began.set()
        while True:
            deadline.check()

    def fails() -> None:
        assert began.wait(10)
        message = "a full disk"
        raise OSError(message)

    with pytest.raises(OSError, match="a full disk"):
        parallel_tasks.results_of([endless, fails, lambda: later.append(1)])
    assert not later


def test_tasks_have_the_deadline_and_the_variables_of_whoever_waits():
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    assert parallel_tasks.results_of([variable.get, variable.get]) == [5, 5]

    def endless() -> None:
        while True:
            deadline.check()

    with deadline.Deadline(0.05), pytest.raises(errors.DeadlineExceededError):
        parallel_tasks.results_of([endless, endless])
