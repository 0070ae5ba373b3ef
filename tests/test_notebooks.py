"""The notebooks run from top to bottom, and say what is stored in them.

``python tests/test_notebooks.py`` runs them and stores what they say now. Look at it before you
commit it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
_PICTURES = {"image/png", "image/svg+xml"}
_MADE_BY = re.compile(r"/(?:home|root|tmp|work|Users|usr|opt)/")


def executed(path: Path) -> Any:
    """Return a notebook with the outputs that it has now."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        startup_timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
    )
    with warnings.catch_warnings():
        # pyzmq and jupyter_client warn of event loops and paths, in ways that change.
        warnings.simplefilter("ignore")
        asyncio.run(client.async_execute(cwd=str(ROOT)))
    return notebook


def said(notebook: Any) -> list[Any]:
    """Return what each cell says: of tables and pictures only that they are there.

    How pandas and matplotlib write them differs from release to release.
    """
    return [
        (output.output_type, output.get("text", ""), sorted(output.get("data", {})))
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    ]


def test_the_notebooks_are_found():
    assert {"bad-dataset", "provenance-audit"} <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_says_what_is_stored_in_it(path: Path):
    nbformat = pytest.importorskip("nbformat")
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    assert said(executed(path)) == said(stored)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_shows_a_picture_and_no_place_of_this_machine(path: Path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert set(kinds) & _PICTURES
    assert {output["output_type"] for output in outputs} <= {
        "display_data",
        "execute_result",
        "stream",
    }
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
    for output in outputs:
        data = dict(output.get("data", {}))
        data.pop("image/png", None)
        words = json.dumps({**output, "data": data})
        assert not _MADE_BY.search(words)


def _store(path: Path) -> None:
    """Run a notebook and keep what it says, and nothing of when and where it ran."""
    import nbformat

    notebook = executed(path)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for notebook_path in NOTEBOOKS:
        _store(notebook_path)
        sys.stdout.write(f"{notebook_path.name}\n")
