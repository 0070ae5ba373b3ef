"""What is read of a git repository runs no program that its configuration names."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from mlmd_lineage.recording import provenance

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *arguments: str) -> None:
    user = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgSign=false")
    command = ["git", *user, *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("name", ["x", "x=y"])
def test_no_program_of_a_repository_runs(tmp_path: Path, name: str):
    folder = tmp_path / "repository"
    folder.mkdir()
    file = folder / "train.py"
    file.write_text("a\n", encoding="utf-8")
    (folder / ".gitattributes").write_text(f"* filter={name} diff={name}\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    file.write_text("b\n", encoding="utf-8")
    ran = tmp_path / "ran"
    for setting in (
        f"filter.{name}.clean",
        f"filter.{name}.process",
        f"diff.{name}.textconv",
        f"diff.{name}.command",
        "diff.external",
        "core.fsmonitor",
    ):
        git(folder, "config", setting, f"touch '{ran}'; cat")
    git(folder, "config", f"filter.{name}.required", "true")
    found = dict(provenance._code(str(folder)))
    assert not ran.exists()
    assert len(found["__git_commit__"]) == 40
    if name == "x":
        assert found["__git_dirty__"] is True
        assert len(found["__git_diff_sha256__"]) == 64
    else:  # a filter that cannot be switched off: git is not asked for changes
        assert "__git_dirty__" not in found
    # The filters are there, and would have run.
    git(folder, "config", "--unset", f"filter.{name}.process")
    with contextlib.suppress(subprocess.CalledProcessError):  # what the filter gives is no matter
        git(folder, "status")
    assert ran.exists()
