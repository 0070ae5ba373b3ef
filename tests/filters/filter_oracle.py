"""What ``ml_metadata`` 1.17.1 answers to filters, and the file that keeps it.

``answers.json`` holds for each store and kind of node the filters that are tried, each with the
ids that MLMD finds, or the name of its error. ``python tests/filters/filter_oracle.py`` asks MLMD
again, and writes the file anew; stores that are no part of the repository lie where
``MLMD_LINEAGE_STORES`` says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("answers.json")
MADE = "made"
"""The name of the store that the tests make."""

Answers = dict[str, dict[str, Any]]

_ASK = """
import json, sys
from ml_metadata.metadata_store import ListOptions, metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
path, filters = json.load(sys.stdin)
config = pb.ConnectionConfig()
config.sqlite.filename_uri = path
store = metadata_store.MetadataStore(config)
ask = {"artifact": store.get_artifacts, "execution": store.get_executions,
       "context": store.get_contexts}
found = {}
for kind, texts in filters.items():
    found[kind] = {}
    for text in texts:
        try:
            nodes = ask[kind](list_options=ListOptions(filter_query=text))
            found[kind][text] = [node.id for node in nodes]
        except Exception as error:
            found[kind][text] = type(error).__name__
json.dump(found, sys.stdout)
"""


def kept() -> dict[str, Answers]:
    """Return what the file holds."""
    held: dict[str, Answers] = json.loads(FILE.read_text(encoding="utf-8"))
    return held


def asked(path: Path, filters: Answers) -> Answers:
    """Return what MLMD answers, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ASK],
        input=json.dumps([str(path), filters]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: Answers = json.loads(done.stdout)
    return found


def write(answers: dict[str, Answers]) -> None:
    """Write the file: one filter a line, so that changes show."""
    lines = []
    for store, kinds in answers.items():
        parts = []
        for kind, found in kinds.items():
            rows = [
                f"{json.dumps(q, ensure_ascii=False)}: {json.dumps(a)}" for q, a in found.items()
            ]
            parts.append(f'  "{kind}": {{\n   ' + ",\n   ".join(rows) + "\n  }")
        lines.append(f' "{store}": {{\n' + ",\n".join(parts) + "\n }")
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Ask MLMD all again."""
    tests = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(tests), str(tests / "snapshot")]
    import filter_stores

    shared = Path(os.environ.get("MLMD_LINEAGE_STORES", tests.parents[1] / "shared" / "stores"))
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, filters in kept().items():
            path = Path(folder) / f"{len(answers)}.db"
            if name == MADE:
                filter_stores.made(path)
            else:
                shutil.copyfile(shared / name, path)
            answers[name] = asked(path, filters)
    write(answers)


if __name__ == "__main__":
    main()
