"""TLS material: the path of a PEM file, or the PEM text itself."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.environment import TLS_VARIABLES
from mlmd_lineage.config.origin import environment_allowed
from mlmd_lineage.config.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable

_BEGIN = "-----BEGIN "
_PRIVATE = "PRIVATE KEY-----"


class PEMTextFile(type(Path())):  # type: ignore[misc]  # PosixPath or WindowsPath
    """The path of a private file with a PEM text; the file goes with the object.

    Pickled, it takes the text of certificates along; whatever holds a private key must not be
    pickled, see ``is_private``.
    """

    text: str

    @property
    def is_private(self) -> bool:
        """Whether the text holds a private key."""
        return _PRIVATE in self.text

    def __copy__(self) -> PEMTextFile:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> PEMTextFile:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.is_private:
            message = "A private key is not pickled; give the path of its file, or a secret."
            raise errors.ConfigurationError(message)
        return pem_text_file, (self.text,)


_files: weakref.WeakValueDictionary[str, PEMTextFile] = weakref.WeakValueDictionary()
_kept: set[PEMTextFile] = set()
_numbers = itertools.count()


def pem_text_file(text: str) -> PEMTextFile:
    """Return the private file of a PEM text; equal texts share one in a process."""
    text = text.strip() + "\n"
    digest = hashlib.sha256(f"{os.getpid()} {text}".encode()).hexdigest()[:32]
    found = _files.get(digest)
    if found is not None:
        return found
    owner = _Owner()
    # A number, as the file of an equal text that nobody uses any more may be about to go.
    name = f"{digest}-{next(_numbers)}.pem"
    made = PEMTextFile(write_private(name, text.encode(), owner))
    made.text, made.owner = text, owner
    _files[digest] = made
    return made


class _Owner:
    """The object that a private file goes with."""


def path_for_library(path: Path) -> str:
    """Return a PEM file's path for a library that may outlive the store: it stays until the end."""
    if isinstance(path, PEMTextFile):
        _kept.add(path)
    return str(path)


def is_pem_text(value: object) -> bool:
    """Return whether a value is the PEM itself, not the path of a file with it."""
    return isinstance(value, str) and value.lstrip().startswith(_BEGIN)


def _pem_file(value: object, handler: pydantic.ValidatorFunctionWrapHandler) -> Path:
    """Validate a path, or write a PEM text to a private file, as drivers take nothing else."""
    if isinstance(value, PEMTextFile):
        return value
    if isinstance(value, str) and is_pem_text(value):
        return pem_text_file(value)
    path: Path = handler(value)
    expanded = path.expanduser()
    if not expanded.is_file():
        message = f"there is no file {str(path)!r}; give the path of a PEM file."
        raise ValueError(message)
    return expanded


class PEMField:
    """A mark on the fields that hold TLS material."""


PEMFile = Annotated[Path, pydantic.WrapValidator(_pem_file), PEMField()]


def from_environment(field: str) -> Callable[[], Path | None]:
    """Return the default factory of a field: the PEM file or text in its variable.

    A client's certificate and key are not used by a project's registrations; see
    ``mlmd_lineage.config.origin``.
    """
    return functools.partial(_from_variable, TLS_VARIABLES[field], identity=field != "ssl_ca")


def _from_variable(variable: str, *, identity: bool) -> Path | None:
    value = os.environ.get(variable)
    if not value or (identity and not environment_allowed()):
        return None
    if is_pem_text(value):
        return pem_text_file(value)
    path = Path(value).expanduser()
    if not path.is_file():
        message = f"{variable} names no PEM file."
        raise errors.ConfigurationError(message)
    return path
