"""Trust in projects: whether what a project registers may be used on this machine.

A project's registrations name servers to send secrets to and Python classes to run, and come with
a checkout. They are mere data until the user trusts them: for this folder, and for these contents
of ``registrations.json`` and of every Python file that its flavors lead to. ``trusted.json`` in the
user's configuration folder keeps the SHA-256 of each.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import locked, write_whole
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.config.owned_files import read_owned
from mlmd_lineage.stacks.flavor_files import flavor_files
from mlmd_lineage.stacks.registration_file import FILE, TrustState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.stacks.registration_file import Registrations

TRUST_VARIABLE = "MLMD_LINEAGE_TRUST"
_OWNER_ONLY = 0o600


def named_by_variable(folder: Path) -> bool:
    """Return whether ``MLMD_LINEAGE_TRUST`` names a project's folder.

    It holds absolute paths, with colons between them (semicolons on Windows), and trusts whatever
    the folders hold: it is meant for machines that run what they check out anyway, such as CI.
    """
    named = os.environ.get(TRUST_VARIABLE, "").split(os.pathsep)
    return any(name and Path(name).is_absolute() and _same(Path(name), folder) for name in named)


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def state(folder: Path, data: bytes, registrations: Registrations) -> TrustState:
    """Return whether the contents of a project are trusted.

    Args:
        folder: The project's folder.
        data: The bytes of its ``registrations.json``.
        registrations: What they say.
    """
    if named_by_variable(folder):
        return TrustState.TRUSTED
    kept = _read().get(str(folder))
    if kept is None:
        return TrustState.NOT_TRUSTED
    now = contents(folder, data, registrations)
    before = kept["files"]
    if before == now or kept.get("also") == now:
        return TrustState.TRUSTED
    return TrustState.CHANGED


def check_sources(folder: Path, sources: Mapping[str, bytes | None]) -> None:
    """Refuse sources that are not those that were trusted.

    They are checked when they are about to run, as they may have changed since the project's
    registrations were read.

    Raises:
        UntrustedProjectError: One of them is not trusted.
    """
    kept = _read().get(str(folder))
    if kept is None:
        raise refusal(folder, TrustState.NOT_TRUSTED)
    for digests in (kept["files"], kept.get("also", {})):
        if all(digests.get(path) == _digest(data) for path, data in sources.items()):
            return
    raise refusal(folder, TrustState.CHANGED)


def _digest(data: bytes | None) -> str:
    return "missing" if data is None else hashlib.sha256(data).hexdigest()


def contents(folder: Path, data: bytes, registrations: Registrations) -> dict[str, str]:
    """Return the SHA-256 of each file of a project that has to be trusted, by its path."""
    sources = flavor_files(folder, registrations)
    return {FILE: _digest(data)} | {path: _digest(source) for path, source in sources.items()}


def changes(folder: Path, now: Mapping[str, str]) -> list[str]:
    """Return the files of a project that are not as they were trusted."""
    kept = _read().get(str(folder))
    before = kept["files"] if kept is not None else {}
    return sorted(path for path in {*before, *now} if before.get(path) != now.get(path))


def refusal(folder: Path, state: TrustState) -> errors.UntrustedProjectError:
    """Return the error that says that a project is not trusted, and what to do."""
    if state is TrustState.CHANGED:
        what = f"The project {folder} has changed since it was trusted"
    else:
        what = f"The project {folder} is not trusted on this machine"
    message = (
        f"{what}: what it registers may run programs and name servers, so it is only listed. "
        f"'mlmd-lineage trust {folder}' shows what it would do, and lets it."
    )
    return errors.UntrustedProjectError(message)


# The file of trusted projects


def record(
    folder: Path,
    data: bytes,
    registrations: Registrations,
    *,
    also: Mapping[str, str] | None = None,
) -> None:
    """Trust a project's contents, in place of those that were trusted before.

    Args:
        folder: The project's folder.
        data: The bytes of its ``registrations.json``.
        registrations: What they say.
        also: The digests of the contents before a change that is under way, which stay trusted
            too: the change may fail.
    """
    now = contents(folder, data, registrations)
    entry: dict[str, Any] = {
        "files": now,
        "since": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
    }
    if also is not None:
        entry["also"] = dict(also)
    with locked(_path()):
        _write(_read() | {str(folder): entry})


def trusted() -> dict[str, dict[str, Any]]:
    """Return the trusted projects by their folders: ``files`` and ``since``."""
    return _read()


def revoke(folder: Path) -> None:
    """Trust a project no longer.

    Raises:
        NotFoundError: It is not trusted.
    """
    with locked(_path()):
        kept = _read()
        if str(folder) not in kept:
            near = errors.did_you_mean(str(folder), kept)
            message = f"The project {folder} is not trusted.{near}"
            raise errors.NotFoundError(message)
        _write({name: entry for name, entry in kept.items() if name != str(folder)})


def _path() -> Path:
    return config_folder() / "trusted.json"


def _read() -> dict[str, dict[str, Any]]:
    path = _path()
    data = read_owned(path)
    if data is None:
        return {}
    try:
        folders: dict[str, dict[str, Any]] = parse_json(data)["folders"]
        for entry in folders.values():
            _ = dict(entry["files"]), entry["since"]
    except (JSONTextError, KeyError, TypeError, ValueError, AttributeError):
        message = f"{path} is damaged; move it away, and trust your projects again."
        raise errors.ConfigurationError(message) from None
    return folders


def _write(folders: Mapping[str, Mapping[str, Any]]) -> None:
    text = json.dumps({"version": 1, "folders": folders}, indent=1, sort_keys=True)
    write_whole(_path(), f"{text}\n".encode(), mode=_OWNER_ONLY)
