"""Sources of a step's inputs: files, URIs, artifacts of the store, outputs of earlier steps."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import posixpath
import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.recording.artifacts import NewArtifact, RecordedArtifact
from mlmd_lineage.recording.files import digests
from mlmd_lineage.recording.files.uris import is_local, recorded_uri
from mlmd_lineage.recording.store_rows import GONE, artifacts, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.readers.base import Session

_KEY = re.compile(r"artifact/([0-9]+)")
_BASE_TYPES = {"Dataset": "Dataset", "Model": "Model", "Metrics": "Metrics"}


class ChangedArtifactError(errors.MLMDLineageError):
    """The contents of an artifact are not those that were recorded."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One input of a step, with how it is recorded.

    >>> run.step("train", inputs={"data": Source("train.csv", type="Dataset")})

    Attributes:
        given: A path, a URI, an artifact of the store (a view, its key or its id), or an output of
            an earlier step.
        type: The name of the artifact type of what is not in the store yet.
        base_type: MLMD's base type of that type: ``Dataset``, ``Model``, ``Metrics`` or
            ``Statistics``.
        properties: Recorded with what is not in the store yet.
        digest: Take the SHA-256 of the contents. False where they cannot or need not be read, as
            is an artifact that was recorded so; a text is the digest itself, known from elsewhere.
    """

    given: Any
    type: str | None = None
    base_type: str | None = None
    properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    digest: bool | str = True


@dataclasses.dataclass(slots=True)
class _Taken:
    """A source that is looked up in the store: by its id, or by its URI and digest."""

    source: Source
    id: int | None
    uri: str
    sha256: str | None


def several(given: Any) -> list[Source]:
    """Return the sources that one key is given: one, or those of a list."""
    items = given if isinstance(given, (list, tuple)) else [given]
    return [item if isinstance(item, Source) else Source(item) for item in items]


def default_key(source: Source) -> str:
    """Return the key of a source for which none is given: its file's name, or its type."""
    given = source.given
    uri = given if isinstance(given, str) and not _KEY.fullmatch(given) else None
    if isinstance(given, os.PathLike) and not isinstance(given, RecordedArtifact):
        uri = os.fspath(given)
    if uri is not None:
        stem = posixpath.basename(uri.replace("\\", "/").rstrip("/")).partition(".")[0]
        if stem:
            return stem
    return str(source.type or getattr(given, "type", None) or names.ARTIFACT_TYPE)


class Resolution:
    """Sources as artifacts: those that are in the store, and new ones.

    A path or a URI is the newest artifact that has this URI and this digest. Where the store
    holds no digest of what has the URI, it is that too: another platform wrote it.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        """Take the digests of what has a URI; nothing of the store is asked yet.

        Raises:
            ConfigurationError: A source is none of what it can be.
            DigestError: The contents cannot be read.
        """
        self._sources = sources
        self._taken = [_taken(source) for source in sources]
        self._found: dict[int, RecordedArtifact] = {}
        self._was_asked = False

    @property
    def needs_store(self) -> bool:
        """Whether the store has to be asked for some of them."""
        return any(taken is not None for taken in self._taken)

    def look_up(self, session: Session) -> None:
        """Look them up in the store; it may be done again."""
        waiting = [taken for taken in self._taken if taken is not None]
        ids = {taken.id for taken in waiting if taken.id is not None}
        uris = {text for taken in waiting if taken.uri for text in _spellings(taken.uri)}
        held = rows(session, "Artifact", {"id": ids}) + rows(session, "Artifact", {"uri": uris})
        gone = {row["id"] for row in held if row["state"] in GONE}
        known = artifacts(session, {row["id"]: row for row in held}.values())
        there = [artifact for number, artifact in known.items() if number not in gone]
        self._was_asked = True
        self._found = {}
        for place, taken in enumerate(self._taken):
            if taken is None:
                continue
            found = known.get(taken.id) if taken.id is not None else _fitting(taken, there)
            if found is not None:
                self._found[place] = dataclasses.replace(found)

    def artifacts(self) -> list[RecordedArtifact]:
        """Return the artifacts, those that are new without an id.

        Raises:
            NotFoundError: There is no artifact with an id that is given.
            ChangedArtifactError: An artifact's contents are not those that were recorded.
            DigestError: Its contents cannot be read.
        """
        return [self._artifact(place) for place in range(len(self._sources))]

    def _artifact(self, place: int) -> RecordedArtifact:
        source, taken = self._sources[place], self._taken[place]
        if taken is None:
            return _checked(source.given, source, source.given.path)
        found = self._found.get(place)
        if found is None:
            return _unknown(taken, was_asked=self._was_asked)
        if taken.id is not None:
            return _checked(found, source, found.uri)
        found.path = _path(source.given)
        if taken.sha256 is not None and found.sha256 is None:
            found.sha256, found.has_digest = taken.sha256, False
        return found


def _taken(source: Source) -> _Taken | None:
    """Return what is looked up of a source; None of an output of a step."""
    given = source.given
    if isinstance(given, RecordedArtifact):
        return None
    key = getattr(given, "node_key", None)
    if isinstance(key, str):
        given = key
    if isinstance(given, str) and (match := _KEY.fullmatch(given)):
        return _Taken(source, int(match[1]), "", None)
    if isinstance(given, int) and not isinstance(given, bool):
        return _Taken(source, given, "", None)
    if isinstance(given, (str, os.PathLike)) and os.fspath(given):
        text = _path(given)
        return _Taken(source, None, recorded_uri(text), _digest(source, text))
    message = (
        f"A step can be given a path, a URI, an artifact or an output of a step, and "
        f"{type(given).__name__} is none of these. Record a value as a parameter, or with "
        "produce(value=...)."
    )
    raise errors.ConfigurationError(message)


def _digest(source: Source, uri: str) -> str | None:
    if isinstance(source.digest, str):
        return source.digest
    if not source.digest:
        return None
    try:
        return digests.sha256(uri)
    except digests.DigestError as error:
        message = (
            f"{error} A step runs only with inputs that are recorded with their digests; with "
            "digest=False, or digest='...' if you know it, it is recorded without reading it."
        )
        refused = digests.DigestError(message)
        refused.reason = str(error)
        raise refused from None


def _fitting(taken: _Taken, there: Iterable[RecordedArtifact]) -> RecordedArtifact | None:
    """Return the artifact that a path or a URI means: the newest that may be it."""
    named = [
        artifact
        for artifact in there
        if artifact.uri in _spellings(taken.uri) and taken.source.type in {artifact.type, None}
    ]
    if taken.sha256 is not None:
        named = [artifact for artifact in named if artifact.sha256 in {taken.sha256, None}]
    same = [artifact for artifact in named if artifact.sha256 == taken.sha256]
    chosen = same if taken.sha256 is not None and same else named
    return max(chosen, key=lambda artifact: artifact.id or 0, default=None)


def newest_like(
    session: Session, uri: str, sha256: str | None, type_name: str | None
) -> int | None:
    """Return the id of the artifact that a URI means, as ``Resolution`` finds it."""
    source = Source(uri, type=type_name)
    taken = _Taken(source, None, uri, sha256)
    held = rows(session, "Artifact", {"uri": _spellings(uri)})
    there = artifacts(session, [row for row in held if row["state"] not in GONE])
    found = _fitting(taken, there.values())
    return None if found is None else found.id


def _spellings(uri: str) -> tuple[str, ...]:
    """Return the ways in which platforms write a local path."""
    return (uri, f"file://{uri}") if is_local(uri) else (uri,)


def _path(given: Any) -> str:
    text = os.fspath(given)
    return os.fsdecode(text) if isinstance(text, bytes) else str(text)


def _checked(artifact: RecordedArtifact, source: Source, path: str) -> RecordedArtifact:
    """Return an artifact of the store, if its contents are what was recorded."""
    if not artifact.uri or source.digest is False:
        return artifact
    if artifact.is_undigested and source.digest is True:
        return artifact  # whoever recorded it said that its contents are not to be read
    found = _digest(source, path or artifact.uri)
    if artifact.sha256 is None:
        artifact.has_digest = False
    elif found != artifact.sha256:
        message = (
            f"What lies at {artifact.uri} is not what {artifact.node_key or 'the step'} recorded: "
            f"its SHA-256 is {found}, not {artifact.sha256}. Give its path or URI to record it "
            "as a new artifact, or digest=False to use it as it is."
        )
        raise ChangedArtifactError(message)
    artifact.sha256 = found
    return artifact


def _unknown(taken: _Taken, *, was_asked: bool) -> RecordedArtifact:
    if taken.id is not None:
        if not was_asked:
            given = taken.source.given
            return RecordedArtifact(
                taken.id, str(getattr(given, "type", "")), str(getattr(given, "uri", ""))
            )
        message = f"The store has no artifact with the id {taken.id}."
        raise errors.NotFoundError(message)
    source = taken.source
    type_name = source.type or names.ARTIFACT_TYPE
    identity = "\0".join((type_name, taken.uri, taken.sha256 or ""))
    key = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    own: dict[str, Any] = {names.DISPLAY_NAME: default_key(Source(source.given))}
    if taken.sha256 is not None:
        own[names.SHA256] = taken.sha256
    is_undigested = source.digest is False
    if is_undigested:
        own[names.NO_DIGEST] = 1
    return RecordedArtifact(
        id=None,
        type=type_name,
        uri=taken.uri,
        sha256=taken.sha256,
        path=_path(source.given),
        is_undigested=is_undigested,
        new=NewArtifact(
            external_id=f"{names.EXTERNAL_ID_PREFIX}{key}",
            base_type=source.base_type or _BASE_TYPES.get(type_name),
            properties=encode(source.properties, own),
            is_input=True,
        ),
    )
