"""What an artifact holds, read from wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlmd_lineage.post_execution.artifacts import ArtifactView


def read(artifact: ArtifactView, *, allow_pickle: bool) -> Any:
    """Return what an artifact holds."""
    raise NotImplementedError
