"""The project's settings of audits: which checks are off and why, and what comes from elsewhere.

They are in ``.mlmd_lineage/audit.json`` in the project's folder::

    {
        "off": {"missing_digest": "Our platform records none."},
        "external": {"s3://raw/*": "Delivered by the hospital every night."},
    }

Each reason is required, and repeated in every report.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.config.owned_files import read_owned
from mlmd_lineage.stacks.layers import layers

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

FILE = "audit.json"


@dataclasses.dataclass(frozen=True, slots=True)
class AuditSettings:
    """What a project says of its audits.

    Attributes:
        off: The checks that are off, each with the reason.
        external: Patterns of the URIs of data from elsewhere, as of a shell, each with the reason.
        path: The file that says so; None where there is none.
    """

    off: Mapping[str, str] = dataclasses.field(default_factory=dict)
    external: Mapping[str, str] = dataclasses.field(default_factory=dict)
    path: str | None = None

    def is_external(self, uri: str) -> bool:
        """Tell whether a URI is declared to come from elsewhere."""
        return any(fnmatch.fnmatchcase(uri, pattern) for pattern in self.external)


def read_settings(path: str | os.PathLike[str] | None = None) -> AuditSettings:
    """Return the settings in a file, or in that of the project around the current folder.

    Args:
        path: The file; without, it is looked for as registrations are.

    Raises:
        ConfigurationError: The file is not there, or does not hold what it has to.
    """
    if path is not None:
        given = Path(path)
        data = read_owned(given, any_owner=True)
        if data is None:
            message = f"There is no audit file {given}."
            raise errors.ConfigurationError(message)
        return _parsed(data, given)
    nearest = layers()[0]
    if nearest.name != "project":
        return AuditSettings()
    found = nearest.folder / FILE
    data = read_owned(found)
    return AuditSettings() if data is None else _parsed(data, found)


def check_names(settings: AuditSettings, known: Collection[str]) -> None:
    """Refuse settings that name a check that there is not.

    Raises:
        ConfigurationError: The message suggests near names.
    """
    for name in settings.off:
        if name not in known:
            near = errors.did_you_mean(name, known)
            message = f"{settings.path} turns off {name!r}, and there is no such check.{near}"
            raise errors.ConfigurationError(message)


def _parsed(data: bytes, path: Path) -> AuditSettings:
    try:
        held = parse_json(data)
    except JSONTextError as error:
        message = f"The audit file {path} is no JSON: {error}."
        raise errors.ConfigurationError(message) from None
    if not isinstance(held, dict) or set(held) - {"off", "external"}:
        message = f"The audit file {path} is an object with 'off' and 'external', and nothing else."
        raise errors.ConfigurationError(message)
    for part in ("off", "external"):
        reasons = held.get(part, {})
        named = isinstance(reasons, dict) and all(
            isinstance(reason, str) and reason.strip() for reason in reasons.values()
        )
        if not named:
            message = f"In the audit file {path}, {part!r} gives each name a reason, a text."
            raise errors.ConfigurationError(message)
    return AuditSettings(
        MappingProxyType(dict(sorted(held.get("off", {}).items()))),
        MappingProxyType(dict(sorted(held.get("external", {}).items()))),
        str(path),
    )
