"""The formats of artifacts' files, told by a file's name or by its first bytes."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.artifact_files import UnreadableError, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlmd_lineage.post_execution.artifact_files import ArtifactFiles

_TEXTS = (".txt", ".md", ".html", ".htm", ".log", ".yaml", ".yml", ".pbtxt", ".xml")
_KINDS = dict.fromkeys(_TEXTS, "text") | {
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".npy": "numpy",
    ".npz": "numpy",
    ".bin": "bytes",
    ".pkl": "pickle",
    ".pickle": "pickle",
}
"""What a file holds, by the end of its name."""
_STARTS = {b"PAR1": "parquet", b"\x93NUMPY": "numpy", b"\x80\x02": "pickle"} | {
    b"\x80" + bytes([version]): "pickle" for version in range(3, 6)
}
"""What a file holds, by its first bytes, where its name does not say."""
# The value artifacts of TFX keep Python's or JSON's text in a file without an extension.
_VALUE_TYPES: dict[str, Callable[[str], Any]] = {
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: bool(int(text)),
    "JsonValue": json.loads,
}
_ZENML_FILES = {
    "BuiltInMaterializer": ("data.json",),
    "BuiltInContainerMaterializer": ("data.json",),
    "PandasMaterializer": ("df.parquet.gzip", "df.csv"),
    "NumpyMaterializer": ("data.npy",),
}
"""The files that ZenML's materializers wrote, the usual first: ``zenml/materializers/`` of 0.13."""
_ZENML_ARRAY, _ZENML_SHAPE = "data.parquet", "shape.json"
"""What ZenML's NumpyMaterializer wrote up to 0.12: the values in a column, and the shape."""


def contents(  # noqa: PLR0913 - each stands alone
    files: ArtifactFiles,
    *,
    file: str | None,
    materializer: str | None,
    type_name: str | None,
    allow_pickle: bool,
    max_bytes: int,
) -> Any:
    """Return what the files of an artifact hold.

    Args:
        files: The files.
        file: Which of those in a folder.
        materializer: What wrote them, as ZenML records it.
        type_name: The artifact's type.
        allow_pickle: Unpickle files.
        max_bytes: How many bytes a file may hold when it is unpacked.

    Raises:
        UnreadableError: They are of no format that is known, or not one file.
    """
    names = files.names()
    written = (materializer or "").partition("@")[0].rpartition(".")[2]
    if names is not None and file is None:
        if written == "NumpyMaterializer" and {_ZENML_ARRAY, _ZENML_SHAPE} <= set(names):
            raw = files.read(_ZENML_ARRAY)
            check_parquet(_ZENML_ARRAY, raw, max_bytes)
            return _zenml_array(raw, files.read(_ZENML_SHAPE))
        file = next((name for name in _ZENML_FILES.get(written, ()) if name in names), None)
        file = file if file is not None else _only_name(names)
    elif names is None:
        file = None
    decoder = _Decoder(type_name, allow_pickle=allow_pickle, max_bytes=max_bytes)
    return decoder.decoded(files.path(file), files.read(file))


def _only_name(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    if not names:
        message = "its folder is empty"
        raise UnreadableError(message)
    message = (
        f"its folder holds {len(names)} files: {listed(names)}. Name one: read(file={names[0]!r})"
    )
    raise UnreadableError(message)


def _zenml_array(raw: bytes, shape: bytes) -> Any:
    import numpy as np

    sizes = tuple(int(size) for size in json.loads(shape).values())
    return np.reshape(_table(raw).iloc[:, 0].to_numpy(), sizes)


class _Decoder:
    """Decodes the bytes of one file."""

    def __init__(self, type_name: str | None, *, allow_pickle: bool, max_bytes: int) -> None:
        self._type_name = type_name
        self._allow_pickle = allow_pickle
        self._max_bytes = max_bytes

    def decoded(self, path: str, raw: bytes, *, packed: bool = False) -> Any:
        """Return what a file holds; ``packed`` says that it was in an archive."""
        name = PurePosixPath(path).name.lower()
        suffix = PurePosixPath(name).suffix
        if name.endswith((".tgz", ".tar.gz")) and not packed:
            return self.decoded(*self._only_member(raw), packed=True)
        kind = _KINDS.get(suffix) or next(
            (kind for start, kind in _STARTS.items() if raw.startswith(start)), None
        )
        if kind == "parquet":
            check_parquet(path, raw, self._max_bytes)
        if kind in _READERS:
            return _READERS[kind](raw)
        if kind == "numpy":
            return self._numpy(path, raw)
        if kind == "pickle":
            if not self._allow_pickle:
                raise _pickled()
            return pickle.loads(raw)  # noqa: S301 - the user has allowed it for this artifact
        if suffix:
            message = f"{name} is of no format that this library reads; {self._register()}"
            raise UnreadableError(message)
        return self._text_value(path, raw)

    def _register(self) -> str:
        return f"register a materializer for {self._type_name!r}"

    def _too_large(self, path: str) -> UnreadableError:
        return _too_large(path, self._max_bytes)

    def _numpy(self, path: str, raw: bytes) -> Any:
        import numpy as np

        if zipfile.is_zipfile(io.BytesIO(raw)):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                if sum(member.file_size for member in archive.infolist()) > self._max_bytes:
                    raise self._too_large(path)
        try:
            found = np.load(io.BytesIO(raw), allow_pickle=self._allow_pickle)
            return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise _pickled() from error
            raise

    def _text_value(self, path: str, raw: bytes) -> Any:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = PurePosixPath(path).name
            message = f"nothing says what format {name} has; {self._register()}"
            raise UnreadableError(message) from None
        parse = _VALUE_TYPES.get(self._type_name or "")
        return text if parse is None else parse(text)

    def _only_member(self, raw: bytes) -> tuple[str, bytes]:
        """Return the one file in an archive, as Argo packs each output."""
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
            unpacked = packed.read(self._max_bytes + 1)
        if len(unpacked) > self._max_bytes:
            path = "its archive"
            raise self._too_large(path)
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            members = [member for member in archive.getmembers() if member.isfile()]
            if len(members) != 1:
                message = f"its archive holds {len(members)} files"
                raise UnreadableError(message)
            if members[0].size > self._max_bytes:  # a sparse file has more than its archive
                raise self._too_large(members[0].name)
            held = archive.extractfile(members[0])
            assert held is not None  # it is a file
            return members[0].name, held.read()


def _table(raw: bytes, separator: str | None = None) -> Any:
    import pandas as pd

    if separator is None:
        return pd.read_parquet(io.BytesIO(raw))
    return pd.read_csv(io.BytesIO(raw), sep=separator)


_READERS: dict[str | None, Callable[[bytes], Any]] = {
    "json": json.loads,
    "text": lambda raw: raw.decode("utf-8"),
    "csv": lambda raw: _table(raw, ","),
    "tsv": lambda raw: _table(raw, "\t"),
    "parquet": _table,
    "bytes": bytes,
}


def check_parquet(path: str, raw: bytes, max_bytes: int) -> None:
    """Refuse a Parquet file that takes far more memory than it has bytes.

    Raises:
        UnreadableError: It takes more than ``max_bytes``.
    """
    from mlmd_lineage.post_execution import parquet_sizes

    if parquet_sizes.exceeds(raw, max_bytes):
        raise _too_large(path, max_bytes)


def _too_large(path: str, max_bytes: int) -> UnreadableError:
    message = (
        f"{path} holds more than {max_bytes:,} bytes when it is unpacked. Use "
        "read(max_bytes=...) for more"
    )
    return UnreadableError(message)


def check_pickle(*, runs_code: bool, allow_pickle: bool) -> None:
    """Refuse what runs code when it is read, unless that is allowed.

    Raises:
        UnreadableError: It is not allowed.
    """
    if runs_code and not allow_pickle:
        raise _pickled()


def _pickled() -> UnreadableError:
    message = (
        "it is a pickle, which may run any code of whoever wrote it. If you trust its origin, "
        "use read(allow_pickle=True)"
    )
    return UnreadableError(message)
