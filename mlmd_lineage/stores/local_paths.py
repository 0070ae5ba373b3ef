"""Paths of files and folders that are there, taken for stores without the class of their flavor.

The classes of flavors check fields with pydantic, which takes a tenth of a second to import: as
long as a small answer from an archive. Of a path that is there, nothing is left to check.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage.config.folders import config_folder

if TYPE_CHECKING:
    from mlmd_lineage.stores.base import BaseMetadataStore

MANIFEST = "manifest.json"
BUNDLE_MANIFEST = "bundle.json"
"""The file that makes a folder a bundle."""
ARCHIVE_FOLDER = "archive"
"""Where in a bundle its archive lies."""
BUNDLE_SUFFIXES = (".bundle", ".zip")
"""How the name of a file ends that is taken for a bundle."""
TRANSFER_ARCHIVE_SUFFIX = ".json"
"""How the name of one of Kubeflow's transfer archives ends."""
BUSY_TIMEOUT = 10.0
"""For how many seconds to wait for a lock on an SQLite file, unless its flavor says otherwise."""

_FLAVORS = {
    "archive": ("mlmd_lineage.stores.archive", "ArchiveMetadataStore"),
    "sqlite": ("mlmd_lineage.stores.sqlite", "SQLiteMetadataStore"),
}


class LocalStore(NamedTuple):
    """An SQLite file or an archive of this machine, by its path.

    It has what readers ask of a ``SQLiteMetadataStore`` or an ``ArchiveMetadataStore``.
    """

    FLAVOR: str
    uri: str

    @property
    def flavor(self) -> tuple[str, str]:
        """The module and the name of its flavor's class."""
        return _FLAVORS[self.FLAVOR]

    @property
    def url(self) -> None:
        """None, as of an archive that is on this machine."""
        return

    @property
    def as_of(self) -> None:
        """None, as of an archive whose newest generation is read."""
        return

    @property
    def busy_timeout(self) -> float:
        """For how many seconds to wait for a lock that another process holds."""
        return BUSY_TIMEOUT

    @property
    def path(self) -> Path:
        """The absolute path."""
        # Unlike pathlib's, this expansion leaves a "~name" without a home folder unchanged.
        return Path(os.path.expanduser(self.uri)).absolute()  # noqa: PTH111

    def location(self) -> str:
        """Return the path as it was given."""
        return self.uri

    def metadata_store(self) -> BaseMetadataStore:
        """Return the metadata store that it is."""
        module, name = self.flavor
        made: BaseMetadataStore = getattr(importlib.import_module(module), name)(uri=self.uri)
        return made


def local_store(path: str | os.PathLike[str]) -> LocalStore | None:
    """Return the store that a path means, or None where that takes a closer look.

    >>> local_store("metadata.db"), local_store("mysql://reader@db.example/metadb")
    (LocalStore(FLAVOR='sqlite', uri='metadata.db'), None)

    Args:
        path: The path of an SQLite file, an archive or a bundle; or another target of
            ``connect()``, for which None is returned.
    """
    text: str | bytes = os.fspath(path)
    if not isinstance(text, str) or text[:5].lower() == "file:":
        return None
    if "://" in text or ":memory:" in text:
        return None
    expanded = os.path.expanduser(text)  # noqa: PTH111 - a path that is no path must not raise
    if is_archive(expanded):
        return LocalStore("archive", text)
    if text.lower().endswith(TRANSFER_ARCHIVE_SUFFIX) or not os.path.isfile(expanded):  # noqa: PTH113
        return None
    return LocalStore("sqlite", text)


def is_archive(path: str) -> bool:
    """Return whether a path is that of an archive's folder, or of a bundle."""
    if os.path.isdir(path):  # noqa: PTH112 - a path that is no path must not raise
        manifests = (os.path.join(path, name) for name in (MANIFEST, BUNDLE_MANIFEST))  # noqa: PTH118
        return any(os.path.isfile(manifest) for manifest in manifests)  # noqa: PTH113
    return path.endswith(BUNDLE_SUFFIXES) and os.path.isfile(path)  # noqa: PTH113


def default_stores() -> Path:
    """Return the folder of the SQLite files that are made where no path is given."""
    return config_folder() / "local_stores"


def first_steps(path: Path) -> str:
    """Return a sentence on what to do first where a path is that of a default store.

    >>> first_steps(Path("metadata.db"))
    ''
    """
    if default_stores() not in path.parents:
        return ""
    return (
        " It is the path of a store that nothing has been recorded in yet. Give the path or URL of "
        "a store, or register one and make its stack the active one: mlmd-lineage metadata-store "
        "register NAME --flavor sqlite --uri=metadata.db."
    )
