"""The configuration folder, which holds registrations, secrets and local stores."""

from __future__ import annotations

import os
from pathlib import Path

CONFIG_VARIABLE = "MLMD_LINEAGE_CONFIG"
_OWNER_ONLY = 0o700


def config_folder() -> Path:
    """Return the user's configuration folder, which need not exist yet.

    It is ``MLMD_LINEAGE_CONFIG``, else where the operating system keeps the settings of programs:
    ``~/.config/mlmd_lineage`` on Linux.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return platformdirs.user_config_path("mlmd_lineage", appauthor=False, roaming=False)


def private_folder(*parts: str) -> Path:
    """Make a folder below the configuration folder that only its owner can enter.

    >>> private_folder("tls").name
    'tls'
    """
    folder = config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        folder = folder / part
        folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    return folder
