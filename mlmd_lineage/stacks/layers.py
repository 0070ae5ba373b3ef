"""The two places of registrations: the project's folder and the user's configuration folder."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage.config.atomic_files import locked, read_if_there, write_whole
from mlmd_lineage.config.folders import config_folder
from mlmd_lineage.stacks.registration_file import FILE, Registrations, parsed, written

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
        """Where relative paths in its registrations begin."""
        return self.folder.parent if self.name == "project" else self.folder

    def read(self) -> Registrations:
        """Return what is registered here; nothing where there is no file.

        Raises:
            ConfigurationError: The file is damaged.
        """
        data = read_if_there(self.path)
        return Registrations() if data is None else parsed(data, self.path)

    @contextlib.contextmanager
    def changing(self) -> Iterator[Registrations]:
        """Give what is registered here, and write it back when the block ends well.

        No other process changes it in the meantime, and one that reads it sees all of the change
        or nothing.

        Raises:
            ConfigurationError: The file is damaged; it is left as it is.
            LockedStoreError: Another process kept it locked.
        """
        with locked(self.path):
            data = read_if_there(self.path)
            registrations = Registrations() if data is None else parsed(data, self.path)
            yield registrations
            after = written(Registrations.model_validate(registrations.model_dump()))
            if after != data:
                write_whole(self.path, after)


def layers(start: Path | None = None) -> tuple[Layer, ...]:
    """Return the layers, the nearest first: the project's, if there is one, and the user's.

    Args:
        start: Where to begin to look for a project, in this folder and those above it; the
            current one unless you say otherwise.
    """
    user = Layer("user", config_folder())
    try:
        here = (start or Path.cwd()).absolute()
    except FileNotFoundError:  # the current folder was deleted
        return (user,)
    for folder in (here, *here.parents):
        found = folder / PROJECT_FOLDER
        if found.is_dir() and found.absolute() != user.folder:
            return Layer("project", found), user
    return (user,)
