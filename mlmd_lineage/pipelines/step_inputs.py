"""The values of a step's inputs, read from where their artifacts lie."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.materializers import choice
from mlmd_lineage.materializers.built_in import FileMaterializer
from mlmd_lineage.post_execution import materializers
from mlmd_lineage.post_execution.views import ArtifactView

if TYPE_CHECKING:
    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.step_results import KeptValue
    from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore
    from mlmd_lineage.store import Store


def value_of(  # noqa: PLR0913 - each stands alone
    artifact: RecordedArtifact,
    annotation: Any,
    store: Store,
    artifact_store: BaseArtifactStore,
    *,
    kept: KeptValue,
    allow_pickle: bool,
    max_bytes: int,
) -> Any:
    """Return what a step is given for an artifact, as its argument is annotated.

    ``ArtifactView`` gets the artifact itself; ``Path`` the path of its file; anything else what
    it holds.

    Raises:
        ArtifactReadError: It cannot be read.
    """
    if annotation is ArtifactView:
        return store.get_artifact(artifact.node_key or "")
    known = choice.materializer_named(kept.materializer or "")
    if _wants_path(annotation) and not isinstance(known, FileMaterializer):
        return Path(os.fspath(artifact))
    local = artifact_store.local_path
    if local is not None and known is not None and _lies_in(artifact.uri, local):
        if known.RUNS_CODE and not allow_pickle:
            raise _pickled(artifact)
        return known.load(Path(artifact.uri))
    described = materializers.DescribedArtifact(
        artifact.node_key or "", artifact.type, kept.data_type, kept.materializer, artifact.uri
    )
    return materializers.read(described, allow_pickle=allow_pickle, max_bytes=max_bytes)


def _lies_in(path: str, folder: str | os.PathLike[str]) -> bool:
    """Tell whether a path is really in a folder, links and ``..`` followed."""
    if "\0" in path:
        return False
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _wants_path(annotation: Any) -> bool:
    return annotation is os.PathLike or (
        isinstance(annotation, type) and issubclass(annotation, PurePath)
    )


def _pickled(artifact: RecordedArtifact) -> errors.ArtifactReadError:
    message = (
        f"{artifact.node_key} ({artifact.type}) is a pickle, which may run any code of whoever "
        "wrote it. Allow the step to read it with allow_pickle=True."
    )
    return errors.ArtifactReadError(message)
