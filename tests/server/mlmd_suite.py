"""The test-suite in ml_metadata's wheel, run with its own client against a server."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

# The suite's own mistakes: four of its tests forget to hand over what they were given.
_FILES = ("conftest.py", "metadata_store_test.py")
MISTAKES = (
    (re.compile(r"_get_metadata_store\(grpc_"), "_get_metadata_store(self.cli_args, grpc_"),
    (re.compile(r"self\.self\."), "self."),
)
_PASSED = re.compile(r"(99|1\d\d) passed, 2 xfailed")
"""ml-metadata 1.21 has fewer tests, as it has fewer methods."""
_PASSED_OF_ABSL = re.compile(r"Ran 1\d\d tests in .*\n\nOK( \(skipped=\d\))?\n$")
"""How the suite of ml-metadata before 1.17 ends, which is none of pytest's."""


def passes(folder: Path, host: str, port: int) -> bool:
    """Run the suite against a server of an empty store.

    Args:
        folder: Takes a copy of the suite, without its mistakes.
        host: The server's host.
        port: The server's port.
    """
    spec = find_spec("ml_metadata")
    assert spec is not None
    [package] = spec.submodule_search_locations or []
    suite = [path for name in _FILES if (path := Path(package, "metadata_store", name)).exists()]
    of_pytest = len(suite) == len(_FILES)
    for path in suite:
        text = path.read_text(encoding="utf-8")
        for mistake, meant in MISTAKES if of_pytest else ():
            text = mistake.sub(meant, text)
        (folder / path.name).write_text(text, encoding="utf-8")
    runner = ["-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"] * of_pytest
    to = ["--use_grpc_backend", f"--grpc_host={host}", f"--grpc_port={port}"]
    done = subprocess.run(
        [sys.executable, *runner, "metadata_store_test.py", *to],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    if of_pytest:
        return _PASSED.match(done.stdout.strip().splitlines()[-1]) is not None
    return _PASSED_OF_ABSL.search(done.stdout) is not None
