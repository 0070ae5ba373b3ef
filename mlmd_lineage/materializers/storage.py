"""Values in an artifact store: saved to a folder of their own, and loaded from one."""

from __future__ import annotations

import atexit
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.materializers.base import full_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlmd_lineage.materializers.base import BaseMaterializer


class FolderStore(Protocol):
    """What saving needs to know of an artifact store."""

    @property
    def local_path(self) -> Path | None:
        """Its folder, if it is one of this machine."""

    def filesystem(self) -> Any:
        """Return its fsspec filesystem."""


def save(value: Any, materializer: BaseMaterializer, store: FolderStore, uri: str) -> None:
    """Save a value into a folder of an artifact store.

    Raises:
        MaterializerError: The value or the folder cannot be written.
    """
    try:
        if store.local_path is not None:
            folder = Path(uri)
            folder.mkdir(parents=True, exist_ok=True)
            materializer.save(value, folder)
            return
        with tempfile.TemporaryDirectory(prefix="mlmd-lineage-") as name:
            materializer.save(value, Path(name))
            _upload(Path(name), store.filesystem(), uri)
    except errors.MLMDLineageError:
        raise
    except Exception as error:  # a materializer, a driver and a format have errors of their own
        message = (
            f"A value of type {full_name(type(value))} cannot be kept at {uri} by "
            f"{type(materializer).__name__}: {user_code.described(error)}."
        )
        raise errors.MaterializerError(message) from error


def _upload(folder: Path, files: Any, uri: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            files.makedirs(target.rpartition("/")[0], exist_ok=True)
            files.put_file(str(path), target)


def load(materializer: BaseMaterializer, names: Sequence[str], read: Callable[[str], bytes]) -> Any:
    """Load a value from the files of its folder, given a function that reads one of them.

    The files are copied, so that a materializer never sees more than was read within bounds.
    """
    with contextlib.ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="mlmd-lineage-")
        if materializer.USES_FOLDER:
            atexit.register(made.cleanup)
        else:
            stack.enter_context(made)
        for name in names:
            content = read(name)  # what is no name of a file in the folder is refused there
            path = Path(made.name, *name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return materializer.load(Path(made.name))
