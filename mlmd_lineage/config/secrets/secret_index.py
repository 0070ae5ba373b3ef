"""The index of secrets, ``secrets.json``: which there are, and for whom; it holds no value."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import write_whole
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.config.owned_files import read_owned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OWNER_ONLY = 0o600


@dataclasses.dataclass(frozen=True)
class SecretEntry:
    """A registered secret, without its values.

    Attributes:
        backend: Where the values are kept: ``keyring`` or ``file``.
        keys: The names of its values.
        stored_as: The name under which the backend keeps them; each change has a new one.
        hosts: The servers that registered components may send it to.
    """

    backend: str
    keys: tuple[str, ...]
    stored_as: str
    hosts: tuple[str, ...] = ()

    def is_for(self, destination: str) -> bool:
        """Return whether it was registered for a server, ``HOST`` or ``HOST:PORT``."""
        return destination in self.hosts or _without_port(destination) in self.hosts


def _without_port(destination: str) -> str:
    host, colon, port = destination.rpartition(":")
    return host if colon and port.isdigit() else destination


def index_path() -> Path:
    """Return the path of the file."""
    return config_folder() / "secrets.json"


def read_index() -> dict[str, dict[str, SecretEntry]]:
    """Return the secrets by their layer's folder, which is empty for the user.

    Raises:
        ConfigurationError: The file is damaged.
    """
    path = index_path()
    data = read_owned(path)
    if data is None:
        return {}
    try:
        raw = parse_json(data)
        found = {"": _entries(raw["secrets"])}
        found |= {folder: _entries(raw) for folder, raw in raw.get("projects", {}).items()}
    except (JSONTextError, KeyError, TypeError, AttributeError) as error:
        line = error.line if isinstance(error, JSONTextError) else None
        where = f" at line {line}" if line else ""
        message = f"{path} is damaged{where}; correct it or move it away. It is left as it is."
        raise errors.ConfigurationError(message) from None
    return found


def _entries(raw: Mapping[str, Any]) -> dict[str, SecretEntry]:
    return {
        name: SecretEntry(
            str(entry["backend"]),
            tuple(map(str, entry["keys"])),
            str(entry["stored_as"]),
            tuple(map(str, entry.get("hosts", ()))),
        )
        for name, entry in raw.items()
    }


def write_index(index: Mapping[str, Mapping[str, SecretEntry]]) -> None:
    """Write the secrets by their layer's folder."""
    raw = {
        folder: {
            name: {**dataclasses.asdict(entry), "hosts": sorted(entry.hosts)}
            for name, entry in entries.items()
        }
        for folder, entries in index.items()
        if entries or not folder
    }
    document: dict[str, Any] = {"secrets": raw.pop("", {})}
    if raw:
        document["projects"] = raw
    text = json.dumps(document, indent=1, sort_keys=True)
    write_whole(index_path(), f"{text}\n".encode(), mode=_OWNER_ONLY)
