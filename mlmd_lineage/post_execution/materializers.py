"""Materializers: functions that read the contents of artifacts from their URIs.

A materializer that the user registers goes first. Without one, the format is told by the file's
name, or by its first bytes where the name says nothing.
"""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mlmd_lineage import errors
from mlmd_lineage.config import user_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.post_execution.loading.run_index import RunIndex

    # What it is called with is an ArtifactView, whose module is above this one.
    Materializer: TypeAlias = Callable[[Any], Any]

_materializers: dict[str, Materializer] = {}

_TEXTS = (".txt", ".md", ".html", ".htm", ".log", ".yaml", ".yml", ".pbtxt", ".xml")
_KINDS = dict.fromkeys(_TEXTS, "text") | {
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".npy": "numpy",
    ".npz": "numpy",
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
_LISTED = 10


def register_materializer(type_name: str, function: Materializer) -> Callable[[], None]:
    """Read artifacts of a type by a function; return a function that unregisters it.

    >>> register_materializer("Model", lambda artifact: tf.saved_model.load(artifact.uri))

    Args:
        type_name: An artifact type, or a ``data_type`` such as ``pandas.core.frame.DataFrame``.
        function: Gets the ``ArtifactView`` and returns what it holds.
    """
    before = _materializers.get(type_name)
    _materializers[type_name] = function

    def unregister() -> None:
        if before is None:
            _materializers.pop(type_name, None)
        else:
            _materializers[type_name] = before

    return unregister


class ReadableArtifact(Protocol):
    """What reading needs to know of an artifact; an ``ArtifactView`` has it."""

    @property
    def node_key(self) -> str:
        """Its key."""

    @property
    def type(self) -> str | None:
        """The name of its type."""

    @property
    def data_type(self) -> str | None:
        """The Python class of what it holds."""

    @property
    def uri(self) -> str | None:
        """Where its contents lie."""


@dataclasses.dataclass(frozen=True, slots=True)
class DescribedArtifact:
    """An artifact that is read without a view of it."""

    node_key: str
    type: str | None
    data_type: str | None
    uri: str | None


def describe(run_index: RunIndex, artifact: int, dialect: str) -> DescribedArtifact:
    """Return what reading needs to know of an artifact."""
    facts, record = run_index.store_image.artifact(artifact), run_index.artifact(artifact, dialect)
    return DescribedArtifact(
        node_key=f"artifact/{artifact}",
        type=None if facts is None else facts.type,
        data_type=None if record is None else record.data_type,
        uri=None if facts is None else facts.uri,
    )


def read(artifact: ReadableArtifact, *, file: str | None = None, allow_pickle: bool = False) -> Any:
    """Return what an artifact holds; see ``ArtifactView.read()``."""
    for name in (artifact.data_type, artifact.type):
        if name is not None and name in _materializers:
            return _called(name, artifact)
    path, raw = _fetched(artifact, file)
    try:
        return _decoded(artifact, path, raw, allow_pickle=allow_pickle)
    except errors.ArtifactReadError:
        raise
    except Exception as error:  # each format's library has errors of its own
        raise _unreadable(artifact, f"{path} cannot be read: {_said(error)}") from error


def _called(name: str, artifact: ReadableArtifact) -> Any:
    """Return what a user's materializer reads."""
    try:
        return _materializers[name](artifact)
    except errors.MLMDLineageError:
        raise
    except Exception as error:  # a user's code may raise anything
        reason = f"the materializer registered for {name!r} failed: {user_code.described(error)}"
        raise _unreadable(artifact, reason) from error


def _fetched(artifact: ReadableArtifact, file: str | None) -> tuple[str, bytes]:
    """Return the path and the bytes of the file that an artifact is."""
    import fsspec

    if not artifact.uri:
        raise _unreadable(artifact, "it has no URI")
    try:
        files, path = fsspec.core.url_to_fs(artifact.uri)
    except (ImportError, ValueError) as error:
        scheme = artifact.uri.partition("://")[0]
        reason = (
            f"fsspec has no driver for {scheme}:// here ({_said(error)}). Install one, or register "
            "a materializer"
        )
        raise _unreadable(artifact, reason) from error
    try:
        if files.isdir(path):
            path = _within(artifact, files, path, file)
        return path, bytes(files.cat_file(path))
    except errors.ArtifactReadError:
        raise
    except FileNotFoundError as error:
        raise _unreadable(artifact, "there is nothing at its URI") from error
    except Exception as error:  # each driver has errors of its own
        raise _unreadable(artifact, _said(error)) from error


def _within(artifact: ReadableArtifact, files: Any, folder: str, file: str | None) -> str:
    """Return the path of the one file in a folder, or of the one that is named."""
    if file is not None:
        return f"{folder.rstrip('/')}/{file}"
    found = sorted(files.find(folder))
    if len(found) == 1:
        return str(found[0])
    names = [str(path)[len(folder.rstrip("/")) + 1 :] for path in found]
    listed = ", ".join(map(repr, names[:_LISTED])) + (", ..." if len(names) > _LISTED else "")
    if not names:
        raise _unreadable(artifact, "its folder is empty")
    reason = f"its folder holds {len(names)} files: {listed}. Name one: read(file={names[0]!r})"
    raise _unreadable(artifact, reason)


def _decoded(artifact: ReadableArtifact, path: str, raw: bytes, *, allow_pickle: bool) -> Any:
    name = PurePosixPath(path).name.lower()
    suffix = PurePosixPath(name).suffix
    if name.endswith((".tgz", ".tar.gz")):
        inner, raw = _only_member(artifact, raw)
        return _decoded(artifact, inner, raw, allow_pickle=allow_pickle)
    kind = _KINDS.get(suffix) or next(
        (kind for start, kind in _STARTS.items() if raw.startswith(start)), None
    )
    if kind in _READERS:
        return _READERS[kind](raw)
    if kind == "numpy":
        return _numpy(artifact, raw, allow_pickle=allow_pickle)
    if kind == "pickle" and not allow_pickle:
        raise _pickled(artifact)
    if kind == "pickle":
        return pickle.loads(raw)  # noqa: S301 - the user has allowed it for this artifact
    if suffix:
        reason = f"{name} is of no format that this library reads"
        raise _unreadable(artifact, f"{reason}; register a materializer for {artifact.type!r}")
    return _text_value(artifact, path, raw)


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
}


def _numpy(artifact: ReadableArtifact, raw: bytes, *, allow_pickle: bool) -> Any:
    import numpy as np

    try:
        found = np.load(io.BytesIO(raw), allow_pickle=allow_pickle)
        return dict(found) if isinstance(found, np.lib.npyio.NpzFile) else found
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise _pickled(artifact) from error
        raise


def _text_value(artifact: ReadableArtifact, path: str, raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        reason = f"nothing says what format {PurePosixPath(path).name} has"
        raise _unreadable(
            artifact, f"{reason}; register a materializer for {artifact.type!r}"
        ) from None
    parse = _VALUE_TYPES.get(artifact.type or "")
    return text if parse is None else parse(text)


def _only_member(artifact: ReadableArtifact, raw: bytes) -> tuple[str, bytes]:
    """Return the one file in an archive, as Argo packs each output."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        if len(members) != 1:
            raise _unreadable(artifact, f"its archive holds {len(members)} files")
        held = archive.extractfile(members[0])
        assert held is not None  # it is a file
        return members[0].name, held.read()


def _pickled(artifact: ReadableArtifact) -> errors.ArtifactReadError:
    reason = (
        "it is a pickle, which may run any code of whoever wrote it. If you trust its origin, "
        "use read(allow_pickle=True)"
    )
    return _unreadable(artifact, reason)


def _unreadable(artifact: ReadableArtifact, reason: str) -> errors.ArtifactReadError:
    where = f" at {artifact.uri}" if artifact.uri else ""
    message = f"{artifact.node_key} ({artifact.type}){where} cannot be read: {reason}."
    return errors.ArtifactReadError(message)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ")
