"""TLS material: the path of a PEM file, or the PEM text itself."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import write_whole
from mlmd_lineage.config.environment import TLS_VARIABLES
from mlmd_lineage.config.folders import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable

_BEGIN = "-----BEGIN "
_OURS_ALONE = 0o600


def is_pem_text(value: object) -> bool:
    """Return whether a value is the PEM itself, not the path of a file with it."""
    return isinstance(value, str) and value.lstrip().startswith(_BEGIN)


def _in_a_file(value: object) -> object:
    """Keep a PEM text in a file that only its owner can read, as drivers take nothing else."""
    if not isinstance(value, str) or not is_pem_text(value):
        return value
    data = value.strip().encode() + b"\n"
    path = private_folder("tls") / f"{hashlib.sha256(data).hexdigest()[:32]}.pem"
    if not path.exists():
        write_whole(path, data, mode=_OURS_ALONE)
    return path


def _existing_file(path: Path) -> Path:
    expanded = path.expanduser()
    if not expanded.is_file():
        message = f"there is no file {str(path)!r}; give the path of a PEM file."
        raise ValueError(message)
    return expanded


PEMFile = Annotated[
    Path, pydantic.BeforeValidator(_in_a_file), pydantic.AfterValidator(_existing_file)
]


def from_environment(field: str) -> Callable[[], Path | None]:
    """Return what gives a field its default: the PEM file or text in its variable."""
    return functools.partial(_from_variable, TLS_VARIABLES[field])


def _from_variable(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if not value:
        return None
    path = Path(str(_in_a_file(value))).expanduser()
    if not path.is_file():
        message = f"{variable} names no PEM file."
        raise errors.ConfigurationError(message)
    return path
