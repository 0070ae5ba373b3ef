"""The two layers of registrations: the project's folder and the user's configuration folder."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import explained, locked, refuse_link, write_whole
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.config.origin import USER, Origin
from mlmd_lineage.config.owned_files import ForeignOwnerError, owned, read_owned
from mlmd_lineage.stacks import trust
from mlmd_lineage.stacks.flavors.source_files import flavor_files
from mlmd_lineage.stacks.registration_file import (
    FILE,
    Registrations,
    TrustState,
    parsed,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT_FOLDER = ".mlmd_lineage"


@dataclasses.dataclass(frozen=True)
class Layer:
    """A folder with registrations.

    Attributes:
        name: ``project`` or ``user``.
        folder: The folder, which need not exist yet.
    """

    name: str
    folder: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE

    @property
    def base(self) -> Path:
        """The folder in which relative paths in its registrations begin."""
        return self.folder.parent if self.name == "project" else self.folder

    @property
    def origin(self) -> Origin:
        """The origin of the components that are made from its registrations."""
        return Origin("project", str(self.base)) if self.name == "project" else USER

    @functools.cached_property
    def _any_owner(self) -> bool:
        return self.name == "project" and trust.named_by_variable(self.base)

    def read_bytes(self) -> bytes | None:
        """Return the file's contents, or None where there is no file.

        Raises:
            StorePermissionError: It is a link, or cannot be read.
        """
        try:
            return read_owned(self.path, any_owner=self._any_owner)
        except ForeignOwnerError as error:
            warnings.warn(
                f"{error} Its registrations are ignored.",
                errors.IgnoredConfigurationWarning,
                stacklevel=2,
            )
            return None

    def read(self) -> Registrations:
        """Return what is registered here; nothing where there is no file.

        Raises:
            ConfigurationError: The file is damaged.
        """
        data = self.read_bytes()
        if data is None:
            return Registrations()
        registrations = parsed(data, self.path)
        if self.name == "project":
            registrations.set_trust(trust.state(self.base, data, registrations))
        return registrations

    def require_trust(self, registrations: Registrations) -> None:
        """Refuse a project that the user has not trusted as it was read.

        Raises:
            UntrustedProjectError: The message says how to look at it and how to trust it.
        """
        if registrations.trust is not TrustState.TRUSTED:
            raise trust.refusal(self.base, registrations.trust)

    def trusted_sources(self, registrations: Registrations) -> dict[str, bytes | None]:
        """Return the contents of the files that the layer's flavors lead to.

        Raises:
            UntrustedProjectError: They are no longer those that are trusted.
        """
        sources = flavor_files(self.base, registrations)
        if not self._any_owner and not registrations.is_being_changed:
            trust.check_sources(self.base, sources)
        return sources

    @contextlib.contextmanager
    def changing(self) -> Iterator[Registrations]:
        """Give the registrations, and write them back when the block ends without an error.

        No other process changes the file in the meantime, and one that reads it sees all of the
        change or nothing. What is written to a project is trusted by that; one that is not yet
        trusted is not changed, as the rest of it would be trusted too.

        Raises:
            ConfigurationError: The file is damaged; it is left as it is.
            LockedStoreError: Another process kept it locked.
            UntrustedProjectError: It is a project that is not trusted.
        """
        with locked(self.path):
            data = self.read_bytes()
            registrations = self.read()
            self.require_trust(registrations)
            before = None if data is None else trust.contents(self.base, data, registrations)
            registrations.begin_change()
            yield registrations
            after = written(Registrations.model_validate(registrations.model_dump()))
            if after != data:
                if self.name == "project" and not self._any_owner:
                    # First, so that a project is never changed and then no longer trusted.
                    trust.record(self.base, after, registrations, also=before)
                write_whole(self.path, after)


def layers(start: Path | None = None) -> tuple[Layer, ...]:
    """Return the layers, the nearest first: the project's, if there is one, and the user's.

    A project's folder that belongs to another user is ignored with a warning, unless
    ``MLMD_LINEAGE_TRUST`` names it.

    Args:
        start: Where to begin to look for a project, in this folder and those above it; the
            current one unless you say otherwise.

    Raises:
        StorePermissionError: The project's folder is a link.
    """
    user = Layer("user", config_folder())
    try:
        here = (start or Path.cwd()).absolute()
    except FileNotFoundError:  # the current folder was deleted
        return (user,)
    for folder in (here, *here.parents):
        found = folder / PROJECT_FOLDER
        if found.is_dir() and found.absolute() != user.folder and _is_usable(found):
            return Layer("project", found), user
    return (user,)


def _is_usable(folder: Path) -> bool:
    if trust.named_by_variable(folder.parent):
        return True
    info = folder.lstat()
    if not owned(info):
        message = (
            f"{folder} belongs to another user (uid {info.st_uid}), and is ignored. Where that is "
            f"right, {trust.TRUST_VARIABLE}={folder.parent} lets it be used."
        )
        warnings.warn(message, errors.IgnoredConfigurationWarning, stacklevel=3)
        return False
    if folder.is_symlink():
        message = f"{folder} is a link, and no project is read through a link; make it a folder."
        raise errors.StorePermissionError(message)
    return True


def create_project(folder: Path) -> Path:
    """Make a folder a project, unless it is one, and return its ``.mlmd_lineage``.

    >>> create_project(Path("churn"))
    PosixPath('/home/me/churn/.mlmd_lineage')

    What is registered below the folder goes there from then on.

    Raises:
        StorePermissionError: The folder cannot be written to, or ``.mlmd_lineage`` is a link.
    """
    made = Path(os.path.abspath(folder)) / PROJECT_FOLDER  # noqa: PTH100 - keeps links as they are
    refuse_link(made)
    with explained(made):
        made.mkdir(parents=True, exist_ok=True)
    return made
