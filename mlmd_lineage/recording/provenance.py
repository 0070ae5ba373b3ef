"""Capture of the code version, the host and the software of a process that records."""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

_SECONDS = 5.0
"""How long git may take; a large working tree on a network takes minutes."""
_DISTRIBUTION = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)\.(dist|egg)-info")
# Nothing of the repository's configuration may run a program or change a file.
_GIT = (
    "git",
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
)
_FILTER = re.compile(r"filter\.(?P<name>.*)\.[^.]+", re.DOTALL)


def code() -> dict[str, Any]:
    """Return the commit that the running script is of, and whether its files differ from it.

    Nothing where it is in no git repository, there is no git, or git takes too long.
    """
    return dict(_code(str(_folder_of_script())))


def _folder_of_script() -> Path:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(main).absolute().parent if main else Path.cwd()


@functools.lru_cache(maxsize=16)
def _code(folder: str) -> tuple[tuple[str, Any], ...]:
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return ()
    found: list[tuple[str, Any]] = [("__git_commit__", commit.decode().strip())]
    branch = _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    if branch:
        found.append(("__git_branch__", branch.decode("utf-8", "replace").strip()))
    options = _without_filters(folder)
    # A submodule has a configuration of its own.
    alone = "--ignore-submodules=all"
    status = ("status", "--porcelain=v1", "-z", "--untracked-files=no", alone)
    changes = None if options is None else _git(folder, *options, *status)
    if changes is None or options is None:
        return tuple(found)
    found.append(("__git_dirty__", bool(changes)))
    if changes:
        plain = ("--no-ext-diff", "--no-textconv", "--binary", alone)
        difference = _git(folder, *options, "diff", *plain, "HEAD")
        if difference is not None:
            found.append(("__git_diff_sha256__", hashlib.sha256(difference).hexdigest()))
    return tuple(found)


def _without_filters(folder: str) -> tuple[str, ...] | None:
    """Return the options that switch off the filters of a repository's own configuration.

    Git passes the contents of files through them, and each is a program that the repository names.
    None where it cannot be told which there are.
    """
    listed = _git(folder, "config", "--show-scope", "--includes", "--null", "--name-only", "--list")
    if listed is None:
        return None
    parts = listed.decode("utf-8", "surrogateescape").split("\0")
    keys = list(zip(parts[::2], parts[1::2], strict=False))
    own = [key for scope, key in keys if scope not in {"system", "global"}]
    if any(key.lower().startswith("lfs.extension.") for key in own):
        # The user's own filter of Git LFS runs the programs that these name.
        own = [key for _, key in keys]
    options: list[str] = []
    for name in sorted({match["name"] for key in own if (match := _FILTER.fullmatch(key))}):
        if "=" in name:
            return None  # "-c" takes the name of a setting to end at the first "="
        for setting in ("clean", "smudge", "process"):
            options += ["-c", f"filter.{name}.{setting}="]
        options += ["-c", f"filter.{name}.required=false"]
    return tuple(options)


def _git(folder: str, *arguments: str) -> bytes | None:
    environment = {
        **os.environ,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        # A partial clone fetches missing objects, by a program that its configuration may name.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }
    try:
        done = subprocess.run(  # noqa: S603 - no text of others
            [*_GIT, "-C", folder, *arguments],
            capture_output=True,
            timeout=_SECONDS,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def host() -> dict[str, Any]:
    """Return the machine's name and the user's."""
    found: dict[str, Any] = {"__host__": socket.gethostname()}
    # A container may run as a user without a name.
    with contextlib.suppress(OSError, KeyError, ImportError):
        found["__user__"] = getpass.getuser()
    return found


def process() -> dict[str, Any]:
    """Return by what a process is told from others: its number, and its machine."""
    return {"pid": os.getpid(), "host": socket.gethostname()}


@functools.lru_cache(maxsize=1)
def _packages() -> tuple[tuple[str, str], ...]:
    """Return the installed distributions and their versions, by the names of their folders."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - names only
        except OSError:
            continue
        for name in names:
            match = _DISTRIBUTION.fullmatch(name)
            if match is not None:
                found.setdefault(match["name"].lower().replace("_", "-"), match["version"])
    return tuple(sorted(found.items()))


def software() -> dict[str, Any]:
    """Return the versions of Python, of the operating system and of the installed packages."""
    return {
        "__python__": platform.python_version(),
        "__platform__": platform.platform(),
        "__packages__": dict(_packages()),
    }
