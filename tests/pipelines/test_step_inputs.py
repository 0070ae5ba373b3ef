"""Which artifacts a step's inputs take for the pipeline's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.pipelines.step_inputs import _lies_in

if TYPE_CHECKING:
    from pathlib import Path


def test_what_leaves_the_folder_is_not_its_own(tmp_path: Path):
    folder, other = tmp_path / "artifacts", tmp_path / "other"
    for made in (folder / "run", other):
        made.mkdir(parents=True)
    (folder / "link").symlink_to(other)
    (folder / "circle").symlink_to(folder / "circle")
    (tmp_path / "mounted").symlink_to(folder)
    assert _lies_in(f"{folder}/run/model", folder)
    assert _lies_in(f"{folder}/run/model", tmp_path / "mounted")
    for uri in (f"{folder}/../other/x", f"{folder}/link/x", f"{folder}/a\0b", f"{other}/x"):
        assert not _lies_in(uri, folder)
    _lies_in(f"{folder}/circle/x", folder)
