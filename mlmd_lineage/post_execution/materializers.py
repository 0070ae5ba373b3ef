"""Materializers: functions that read the contents of artifacts from their URIs.

One that the user registers goes first. Without one, the format is told by the materializer that
this library or ZenML recorded, by the file's name, or by its first bytes where the name says
nothing.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.materializers import choice, storage
from mlmd_lineage.post_execution import artifact_formats
from mlmd_lineage.post_execution.artifact_files import MAX_BYTES, UnreadableError, files_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.post_execution.artifact_files import ArtifactFiles
    from mlmd_lineage.post_execution.loading.run_index import RunIndex

    # What it is called with is an ArtifactView, whose module is above this one.
    Materializer: TypeAlias = Callable[[Any], Any]

_materializers: dict[str, Materializer] = {}
_PARQUET = b"PAR1"
"""What a Parquet file begins with."""


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
    def materializer(self) -> str | None:
        """What wrote it, as ZenML records it."""

    @property
    def uri(self) -> str | None:
        """Where its contents lie."""


@dataclasses.dataclass(frozen=True, slots=True)
class DescribedArtifact:
    """An artifact that is read without a view of it."""

    node_key: str
    type: str | None
    data_type: str | None
    materializer: str | None
    uri: str | None


def describe(run_index: RunIndex, artifact: int, dialect: str) -> DescribedArtifact:
    """Return what reading needs to know of an artifact."""
    facts, record = run_index.store_image.artifact(artifact), run_index.artifact(artifact, dialect)
    return DescribedArtifact(
        node_key=f"artifact/{artifact}",
        type=None if facts is None else facts.type,
        data_type=None if record is None else record.data_type,
        materializer=None if record is None else record.materializer,
        uri=None if facts is None else facts.uri,
    )


def read(
    artifact: ReadableArtifact,
    *,
    file: str | None = None,
    allow_pickle: bool = False,
    max_bytes: int = MAX_BYTES,
    root: str | None = None,
) -> Any:
    """Return what an artifact holds; see ``ArtifactView.read()``."""
    for name in (artifact.data_type, artifact.type):
        if name is not None and name in _materializers:
            return _called(name, artifact)
    if not artifact.uri:
        raise _unreadable(artifact, "it has no URI")
    try:
        files = files_at(artifact.uri, root=root, max_bytes=max_bytes)
        known = choice.materializer_named(artifact.materializer or "")
        if known is not None and file is None and (names := files.names()) is not None:
            artifact_formats.check_pickle(runs_code=known.RUNS_CODE, allow_pickle=allow_pickle)
            return storage.load(known, names, _bounded(files, max_bytes))
        return artifact_formats.contents(
            files,
            file=file,
            materializer=artifact.materializer,
            type_name=artifact.type,
            allow_pickle=allow_pickle,
            max_bytes=max_bytes,
        )
    except UnreadableError as error:
        raise _unreadable(artifact, str(error).rstrip(".")) from error.__cause__
    except errors.MLMDLineageError:
        raise
    except FileNotFoundError as error:
        raise _unreadable(artifact, "there is nothing at its URI") from error
    except Exception as error:  # each driver and each format's library has errors of its own
        raise _unreadable(artifact, _said(error)) from error


def _bounded(files: ArtifactFiles, max_bytes: int) -> Callable[[str], bytes]:
    """Return a function that reads files of a folder, together no more than some bytes."""
    left = max_bytes

    def read(name: str) -> bytes:
        nonlocal left
        raw = files.read(name)
        left -= len(raw)
        if left < 0:
            message = f"its files hold more than {max_bytes:,} bytes. Use read(max_bytes=...)"
            raise UnreadableError(message)
        if raw.startswith(_PARQUET):
            artifact_formats.check_parquet(name, raw, max_bytes)
        return raw

    return read


def _called(name: str, artifact: ReadableArtifact) -> Any:
    """Return what a user's materializer reads."""
    try:
        return _materializers[name](artifact)
    except errors.MLMDLineageError:
        raise
    except Exception as error:  # a user's code may raise anything
        reason = f"the materializer registered for {name!r} failed: {user_code.described(error)}"
        raise _unreadable(artifact, reason) from error


def _unreadable(artifact: ReadableArtifact, reason: str) -> errors.ArtifactReadError:
    where = f" at {artifact.uri}" if artifact.uri else ""
    message = f"{artifact.node_key} ({artifact.type}){where} cannot be read: {reason}."
    return errors.ArtifactReadError(message)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ")
