"""Runs the targets of fuzzing, each in a process of its own: ``scripts/fuzz``.

Atheris (https://github.com/google/atheris) mutates the inputs, guided by what they reach in
``mlmd_lineage``; where it has no wheel, Hypothesis mutates those of the corpus without that.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import budget  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

FOUND = HERE / "found"
"""Where inputs are kept that broke the budget; git ignores it."""
GROWN = HERE / "grown"
"""Where Atheris keeps inputs that reach something new, for the next run; git ignores it."""
NAMES = (
    "sqlite",
    "sqlite-journal",
    "filters",
    "archive-manifest",
    "archive-table",
    "archive-index",
    "archive-generations",
    "registrations",
    "structs",
    "grpc-answers",
    "grpc-requests",
    "explorer-requests",
    "transfer-archives",
    "spool",
    "ledger",
    "bundle",
)
_LONGEST = 1 << 16
_SILENCE = 20 * 60
"""Seconds after which a process that reads no input is killed."""


class Tally:
    """What a run has seen; it is written to a file, as a process may end at any time."""

    def __init__(self, target: str, state: Path) -> None:
        self._target, self._state = target, state
        self._written = time.monotonic()
        self.seen = _nothing()
        with contextlib.suppress(FileNotFoundError):
            self.seen = json.loads(state.read_text(encoding="utf-8"))
        self._before = float(self.seen["processor"])

    def begin(self, data: bytes) -> None:
        """Keep the input that is read next, for the case that it ends the process or never ends."""
        _current(self._state).write_bytes(data)
        faulthandler.dump_traceback_later(budget.HANG, exit=True)

    def add(self, data: bytes, outcome: budget.Outcome) -> None:
        """Count an input; keep it if its problem is a new one."""
        faulthandler.cancel_dump_traceback_later()
        self.seen["inputs"] += 1
        self.seen["refused"] += bool(outcome.refusals)
        kind = outcome.problem.partition(": ")[0]
        if kind and kind not in self.seen["problems"]:
            self.seen["problems"][kind] = [outcome.problem, str(kept(self._target, data))]
            self.write()
        elif time.monotonic() - self._written > 1:
            self.write()

    def write(self) -> None:
        """Write it down."""
        self._written = time.monotonic()
        self.seen["processor"] = self._before + time.process_time()
        self._state.write_text(json.dumps(self.seen), encoding="utf-8")


def _nothing() -> dict[str, Any]:
    return {"inputs": 0, "refused": 0, "processor": 0.0, "problems": {}}


def _current(state: Path) -> Path:
    return state.with_name("input")


def kept(target: str, data: bytes) -> Path:
    """Keep an input, and return its path."""
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{target}.{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def one(name: str, seconds: float, engine: str, state: Path) -> None:
    """Run a target in this process."""
    budget.limit_memory()
    tally = Tally(name, state)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        if engine == "atheris":
            import atheris

            with atheris.instrument_imports(include=["mlmd_lineage"]):
                import targets
        else:
            import targets

        with targets.TARGETS[name](Path(folder)) as target:
            seeds = [path.read_bytes() for path in targets.corpus(name)]
            targets.warm_up(target, name)

            end = time.monotonic() + seconds

            def test(data: bytes) -> None:
                tally.begin(data)
                tally.add(data, budget.measure(target, data))
                if time.monotonic() > end:
                    tally.write()
                    os._exit(0)  # Atheris would wait for threads of libraries

            (_with_atheris if engine == "atheris" else _with_hypothesis)(name, test, seconds, seeds)
            tally.write()


def _with_atheris(name: str, test: Callable[[bytes], None], seconds: float, _: list[bytes]) -> None:
    import atheris
    import targets

    grown = GROWN / name
    grown.mkdir(parents=True, exist_ok=True)
    FOUND.mkdir(exist_ok=True)
    options = [
        f"-max_total_time={int(seconds) + budget.HANG}",
        "-timeout=86400",  # the tally says where an input was that does not end
        "-rss_limit_mb=0",  # the budget counts what each input takes
        f"-max_len={_LONGEST}",
        "-report_slow_units=1000",  # so is how long it takes
        f"-artifact_prefix={FOUND}/{name}.",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(grown), str(targets.CORPUS / name)], test)
    atheris.Fuzz()


def _with_hypothesis(
    _: str, test: Callable[[bytes], None], seconds: float, seeds: list[bytes]
) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    end = time.monotonic() + seconds
    edits = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=16)), max_size=6
    )

    @settings(
        max_examples=1000,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds), edits)
    def mutated(seed: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        if time.monotonic() > end:
            return
        for place, dropped, added in changes:
            at = int(place * len(seed))
            seed = seed[:at] + added + seed[at + dropped :]
        test(seed)

    for seed in seeds:
        test(seed)
    while time.monotonic() < end:
        mutated()


def run(name: str, seconds: float, engine: str) -> dict[str, Any]:
    """Run a target for some time in processes of its own, and return what was seen."""
    seen = _nothing()
    left = seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        state, log = Path(folder, "state.json"), Path(folder, "log")
        while left > 0:
            start = time.monotonic()
            command = [sys.executable, __file__, name, "--in-process", str(state)]
            command += ["--seconds", str(left), "--engine", engine]
            code = _run_process(command, state, log)
            left -= time.monotonic() - start
            if state.exists():
                seen = json.loads(state.read_text(encoding="utf-8"))
            if code == 0:
                break
            # The process itself ended: a crash in a library, or an input that does not end.
            said = log.read_text(encoding="utf-8", errors="replace").splitlines()
            last = next((line for line in said if "ERROR" in line or "Timeout" in line), said[-1:])
            place = next((line for line in said if f"{budget.PACKAGE.name}/" in line), "")
            what = f"process ended with {code}: {last} {place.strip()}"
            current = _current(state)
            path = str(kept(name, current.read_bytes())) if current.exists() else ""
            seen["problems"][f"process {len(seen['problems'])}"] = [what, path]
            state.write_text(json.dumps(seen), encoding="utf-8")
            if not path:  # it cannot run at all
                break
            current.unlink()
    return seen


def _run_process(command: list[str], state: Path, log: Path) -> int | None:
    """Run a process, and return its exit code; None where it had to be killed.

    It is killed where it reads no input for long: where the machine is busy, the process has hardly
    any of its time, and takes minutes to start.
    """
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:  # noqa: S603 - this file
        last, seen = time.monotonic(), -1
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(1)
            now = state.stat().st_mtime_ns if state.exists() else 0
            if now != seen:
                last, seen = time.monotonic(), now
            if time.monotonic() - last > _SILENCE:
                process.kill()


def check(names: Collection[str] = NAMES, inputs: Collection[Path] = ()) -> list[dict[str, Any]]:
    """Read the corpus of some targets, or some inputs, in this process; return what each did."""
    import targets

    budget.limit_memory()
    found = []
    for name, prepare in targets.TARGETS.items():
        chosen = [path for path in inputs or targets.corpus(name) if _target_of(path) == name]
        if not chosen or name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, prepare(Path(folder)) as target:
            targets.warm_up(target, name)
            for path in chosen:
                # Where an input never ends, this process does, and says where it was.
                faulthandler.dump_traceback_later(budget.HANG, exit=True)
                start = time.monotonic()
                outcome = budget.measure(target, path.read_bytes())
                took = time.monotonic() - start
                found.append(
                    {"target": name, "input": path.name, "seconds": took, **outcome._asdict()}
                )
                faulthandler.cancel_dump_traceback_later()
    return found


def _target_of(path: Path) -> str:
    """Return the target of an input in the corpus, or of one that was found."""
    if path.parent.name in NAMES:
        return path.parent.name
    return path.name.partition(".")[0]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__.split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, help="for each target; an hour for all by default")
    parser.add_argument("--engine", choices=("atheris", "hypothesis"))
    parser.add_argument("--check", action="store_true", help="read the corpus once; print JSON")
    parser.add_argument("--input", type=Path, action="append", help="read this file once instead")
    parser.add_argument("--in-process", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    unknown = set(given.targets) - set(NAMES)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if given.check or given.input:
        print(json.dumps(check(given.targets or NAMES, given.input or ()), indent=1))
        return 0
    engine = given.engine or ("atheris" if importlib.util.find_spec("atheris") else "hypothesis")
    names = given.targets or NAMES
    seconds = given.seconds if given.seconds is not None else 3600 / len(names)
    if given.in_process:
        one(names[0], seconds, engine, given.in_process)
        return 0
    print(f"{engine}, {seconds:g} s for each target")
    problems = 0
    for name in names:
        seen = run(name, seconds, engine)
        problems += len(seen["problems"])
        print(
            f"{name}: {seen['inputs']:,} inputs, {seen['refused']:,} refused, "
            f"{len(seen['problems'])} problems, {seen['processor']:.0f} s of processor time",
            flush=True,
        )
        for what, path in seen["problems"].values():
            print(f"    {what}\n        {os.path.relpath(path) if path else ''}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
