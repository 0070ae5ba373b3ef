"""Eight processes that record into one run of one store, and each into a run of its own.

Run as a program with the store's URL; each process ends with 0 if all that it recorded was taken.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import mlmd_lineage as ml

PROCESSES, STEPS = 8, 2


def record(url: str, process: int) -> None:
    store = ml.connect(url)
    options: Any = {"capture_code": False, "capture_software": False}
    with (
        store.record("shared", "together", resume=True, **options) as run,
        store.record("shared", f"alone-{process}", **options) as own,
    ):
        for number in range(STEPS):
            iteration = STEPS * process + number
            with run.step("work", iteration=iteration, inputs={"data": "data.csv"}) as step:
                step.use(f"part-{number}.csv", "part", type="Part")
                step.log_metrics(process=process)
        with own.step("own") as step:
            step.log_metrics(process=process)


def main() -> None:
    url = sys.argv[1]
    Path("data.csv").write_text("1", encoding="utf-8")
    for number in range(STEPS):
        Path(f"part-{number}.csv").write_text(str(number), encoding="utf-8")
    for module in ("recording.recorder", "writing.sql.sqlite_writer", "writing.sql.mysql_writer"):
        importlib.import_module(f"mlmd_lineage.{module}")  # once, and not in each child
    children = []
    for process in range(PROCESSES):
        child = os.fork()
        if not child:
            try:
                record(url, process)
            except BaseException:  # noqa: BLE001 - it is printed
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
