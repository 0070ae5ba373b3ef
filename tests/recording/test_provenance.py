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


LFS = """#!/bin/sh
# As Git LFS does, run the programs that the extensions in the configuration name.
for key in $(git config --name-only --list | grep -i '^lfs[.]extension[.].*[.]clean$'); do
    eval "$(git config "$key")"
done
cat
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose own configuration has the filter of Git LFS."""
    made = tmp_path / "home"
    made.mkdir()
    filter_ = made / "lfs-clean"
    filter_.write_text(LFS, encoding="utf-8")
    filter_.chmod(0o700)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    settings = f'[filter "lfs"]\n\tclean = {filter_}\n\trequired = true\n'
    (made / ".gitconfig").write_text(settings, encoding="utf-8")
    return made


def lfs_repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / ".gitattributes").write_text("*.bin filter=lfs\n", encoding="utf-8")
    (folder / "model.bin").write_text("a\n", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    (folder / "model.bin").write_text("b\n", encoding="utf-8")
    return folder


# What comes first after "lfs" is a name, whose case Git keeps and Git LFS does not look at.
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("section", ["lfs.extension.x", "lfs.Extension.x", "LFS.EXTENSION.x"])
def test_no_extension_of_git_lfs_runs(tmp_path: Path, section: str):
    folder = lfs_repository(tmp_path / "repository")
    ran = tmp_path / "ran"
    git(folder, "config", f"{section}.clean", f"touch '{ran}'")
    found = dict(provenance._code(str(folder)))
    assert not ran.exists()
    assert found["__git_dirty__"] is True
    git(folder, "status")
    assert ran.exists()  # the user's filter would have run it


def test_the_users_own_filter_is_used(home: Path, tmp_path: Path):
    folder = lfs_repository(tmp_path / "repository")
    ran = tmp_path / "ran"
    (home / "lfs-clean").write_text(f"#!/bin/sh\ntouch '{ran}'\ncat\n", encoding="utf-8")
    assert dict(provenance._code(str(folder)))["__git_dirty__"] is True
    assert ran.exists()


@pytest.mark.parametrize(
    ("url", "setting"),
    [
        ("{origin}", "remote.origin.uploadpack"),
        ("file://{origin}", "remote.origin.uploadpack"),
        ("ssh://h.example/x", "core.sshCommand"),
        ("git://h.example/x", "core.gitProxy"),
        ("ext::{program}", None),
        ("helper::x", None),
    ],
)
def test_nothing_is_fetched_into_a_partial_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, setting: str | None
):
    origin, folder, ran = tmp_path / "origin", tmp_path / "clone", tmp_path / "ran"
    origin.mkdir()
    git(origin, "init", "--quiet")
    git(origin, "config", "uploadpack.allowFilter", "true")
    (origin / "train.py").write_text("a\n", encoding="utf-8")
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "first")
    git(
        tmp_path,
        "clone",
        "--quiet",
        "--filter=blob:none",
        "--no-checkout",
        f"file://{origin}",
        "clone",
    )
    git(folder, "reset", "--quiet")
    (folder / "train.py").write_text("b\n", encoding="utf-8")
    program = tmp_path / "git-remote-helper"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    git(folder, "config", "remote.origin.url", url.format(origin=origin, program=program))
    git(folder, "config", "protocol.allow", "always")
    if setting is not None:
        git(folder, "config", setting, str(program))
    found = dict(provenance._code(str(folder)))
    assert not ran.exists()
    assert len(found["__git_commit__"]) == 40
    with contextlib.suppress(subprocess.CalledProcessError):  # there is nothing to be had
        git(folder, "diff", "HEAD")
    assert ran.exists()  # it would have been asked


@pytest.mark.parametrize("hook", ["post-index-change", "fsmonitor-watchman", "pre-auto-gc"])
def test_no_hook_runs_and_nothing_is_written(tmp_path: Path, hook: str):
    folder = lfs_repository(tmp_path / "repository")
    ran = tmp_path / "ran"
    path = folder / ".git" / "hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{ran}'\n", encoding="utf-8")
    path.chmod(0o700)
    git(folder, "config", "core.fsmonitor", f".git/hooks/{hook}")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert dict(provenance._code(str(folder)))["__git_dirty__"] is True
    assert not ran.exists()
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
