"""Materializers that come with this library: JSON, text, bytes, pandas, NumPy, files, pickle.

Each writes one file whose name tells its format, so that other programs read it too. Numbers,
lists and dicts are kept as JSON only where JSON gives back the very same value.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mlmd_lineage.materializers.base import BaseMaterializer

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEEPEST = 100
"""How deep lists and dicts may be nested in JSON; most readers have a limit of about 1,000."""


class TextMaterializer(BaseMaterializer):
    """Keeps texts in UTF-8."""

    TYPES: ClassVar[tuple[type | str, ...]] = (str,)

    def holds(self, value: Any) -> bool:
        """Return whether it is a plain text, without halves of characters."""
        if type(value) is not str:
            return False
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.txt``."""
        (folder / "data.txt").write_bytes(value.encode("utf-8"))

    def load(self, folder: Path) -> Any:
        """Read ``data.txt``."""
        return (folder / "data.txt").read_bytes().decode("utf-8")


class JSONMaterializer(BaseMaterializer):
    """Keeps None, bools, numbers, texts, and lists and dicts of them."""

    TYPES: ClassVar[tuple[type | str, ...]] = (type(None), bool, int, float, str, list, dict)

    def holds(self, value: Any) -> bool:
        """Return whether JSON gives back the same value: no tuples, no keys but texts."""
        return _is_json(value, _DEEPEST)

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.json``."""
        (folder / "data.json").write_text(json.dumps(value), encoding="ascii")

    def load(self, folder: Path) -> Any:
        """Read ``data.json``."""
        return json.loads((folder / "data.json").read_text(encoding="utf-8"))


def _is_json(value: Any, depth: int) -> bool:
    if type(value) in {bool, int, float, str, type(None)}:
        return True
    if depth == 0:
        return False
    items: Iterable[Any]
    if type(value) is list:
        items = value
    elif type(value) is dict:
        if any(type(key) is not str for key in value):
            return False
        items = value.values()
    else:
        return False
    return all(_is_json(item, depth - 1) for item in items)


class BytesMaterializer(BaseMaterializer):
    """Keeps bytes as they are."""

    TYPES: ClassVar[tuple[type | str, ...]] = (bytes,)

    def holds(self, value: Any) -> bool:
        """Return whether it is plain bytes."""
        return type(value) is bytes

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.bin``."""
        (folder / "data.bin").write_bytes(value)

    def load(self, folder: Path) -> Any:
        """Read ``data.bin``."""
        return (folder / "data.bin").read_bytes()


class DataFrameMaterializer(BaseMaterializer):
    """Keeps pandas DataFrames as Parquet."""

    TYPES: ClassVar[tuple[type | str, ...]] = ("pandas.core.frame.DataFrame", "pandas.DataFrame")
    ARTIFACT_TYPE: ClassVar[str] = "Dataset"

    def holds(self, value: Any) -> bool:
        """Return whether it is no subclass, and the names of its columns are all of one type."""
        is_plain = type(value).__module__.partition(".")[0] == "pandas"
        return is_plain and len({type(name) for name in value.columns}) <= 1

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.parquet``."""
        value.to_parquet(folder / "data.parquet", engine="pyarrow")

    def load(self, folder: Path) -> Any:
        """Read ``data.parquet``."""
        import pandas as pd

        return pd.read_parquet(folder / "data.parquet", engine="pyarrow")


class SeriesMaterializer(BaseMaterializer):
    """Keeps pandas Series as Parquet of one column."""

    TYPES: ClassVar[tuple[type | str, ...]] = ("pandas.core.series.Series", "pandas.Series")
    ARTIFACT_TYPE: ClassVar[str] = "Dataset"

    def holds(self, value: Any) -> bool:
        """Return whether its name is a text or None, as Parquet names columns by texts."""
        return value.name is None or type(value.name) is str

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.parquet``; a column called ``0`` stands for a Series without a name."""
        name = "0" if value.name is None else f"={value.name}"
        value.to_frame(name).to_parquet(folder / "data.parquet", engine="pyarrow")

    def load(self, folder: Path) -> Any:
        """Read ``data.parquet``."""
        import pandas as pd

        column = pd.read_parquet(folder / "data.parquet", engine="pyarrow").iloc[:, 0]
        name = str(column.name)
        return column.rename(None if name == "0" else name[1:])


class NumPyMaterializer(BaseMaterializer):
    """Keeps NumPy arrays and scalars in NumPy's own format."""

    TYPES: ClassVar[tuple[type | str, ...]] = ("numpy.ndarray", "numpy.generic")
    ARTIFACT_TYPE: ClassVar[str] = "Dataset"

    def holds(self, value: Any) -> bool:
        """Return whether its elements are no Python objects, and it is no subclass of an array."""
        import numpy as np

        return not value.dtype.hasobject and (
            type(value) is np.ndarray or isinstance(value, np.generic)
        )

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.npy``, for a scalar ``scalar.npy``."""
        import numpy as np

        name = "scalar.npy" if isinstance(value, np.generic) else "data.npy"
        np.save(folder / name, np.asarray(value), allow_pickle=False)

    def load(self, folder: Path) -> Any:
        """Read the file."""
        import numpy as np

        scalar = folder / "scalar.npy"
        if scalar.exists():
            return np.load(scalar, allow_pickle=False)[()]
        return np.load(folder / "data.npy", allow_pickle=False)


class FileMaterializer(BaseMaterializer):
    """Keeps a copy of a file or folder, for steps that return a ``pathlib.Path``.

    Links in a folder are copied as what they lead to, and only within it: a folder that somebody
    else packed could lead to any file of this machine, and the copy may go where others read it.
    """

    TYPES: ClassVar[tuple[type | str, ...]] = (Path,)
    ARTIFACT_TYPE: ClassVar[str] = "File"
    USES_FOLDER: ClassVar[bool] = True

    def holds(self, value: Any) -> bool:
        """Return whether there is such a file or folder."""
        return bool(value.exists())

    def save(self, value: Any, folder: Path) -> None:
        """Copy the file, or the folder, under its own name."""
        target = folder / (value.resolve().name or "data")
        if value.is_dir():
            _check_members(value)
            shutil.copytree(value, target)
        else:
            shutil.copyfile(value, target)

    def load(self, folder: Path) -> Any:
        """Return the path of the copy."""
        return next(iter(folder.iterdir()))


def _check_members(folder: Path) -> None:
    """Refuse a folder whose links lead out of it, or to folders, and what is no file.

    Raises:
        ValueError: It has some.
    """
    root = os.path.realpath(folder)
    for inner, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(inner, name)
            # Copies of folders within folders would grow without an end.
            target = Path(os.path.realpath(path))
            if path.is_symlink() and not (target.is_relative_to(root) and target.is_file()):
                message = (
                    f"{path} is a link that does not lead to a file in its folder; where it is to "
                    "be followed, return a copy that has none, as shutil.copytree() makes it"
                )
                raise ValueError(message)
            if not (target.is_dir() or target.is_file()):
                message = f"{path} is neither a file nor a folder"
                raise ValueError(message)


class PickleMaterializer(BaseMaterializer):
    """Keeps anything that pickle takes; reading it may run code of whoever wrote it."""

    RUNS_CODE: ClassVar[bool] = True
    ARTIFACT_TYPE: ClassVar[str] = "Object"

    def save(self, value: Any, folder: Path) -> None:
        """Write ``data.pkl``."""
        with (folder / "data.pkl").open("wb") as file:
            pickle.dump(value, file, protocol=5)

    def load(self, folder: Path) -> Any:
        """Read ``data.pkl``."""
        with (folder / "data.pkl").open("rb") as file:
            return pickle.load(file)  # noqa: S301 - only where the user allows it
