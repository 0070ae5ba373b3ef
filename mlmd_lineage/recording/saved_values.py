"""Keeps the values of steps in an artifact store, by materializers."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.materializers import storage
from mlmd_lineage.materializers.base import full_name
from mlmd_lineage.materializers.choice import materializer_for
from mlmd_lineage.recording.values import SavedValue, ValuePlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.materializers.base import BaseMaterializer
    from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore

_BASE_TYPES = frozenset({"Dataset", "Model", "Metrics", "Statistics"})
"""MLMD's base types, each under the name of the artifact type that is one of it."""


def save_value(value: Any, place: ValuePlace) -> SavedValue:
    """Keep a value in the folder or bucket that the place names, else in the active stack's.

    Raises:
        MaterializerError: It cannot be kept, or only by pickle.
        ConfigurationError: There is no such artifact store.
    """
    return ValueSaver(artifact_store(place.artifact_root))(value, place)


def artifact_store(root: str | None) -> BaseArtifactStore:
    """Return the artifact store with a path, else that of the active stack."""
    from mlmd_lineage.stacks.artifact_stores import BUILT_IN, flavor_of
    from mlmd_lineage.stacks.stack import Stack

    return Stack().artifact_store if root is None else BUILT_IN[flavor_of(root)](path=root)


@dataclasses.dataclass(frozen=True)
class ValueSaver:
    """Keeps values in one artifact store.

    Attributes:
        store: The artifact store.
        allow_pickle: Whether pickle keeps what nothing else does.
        materializers: For the keys of outputs the materializers that keep them.
    """

    store: BaseArtifactStore
    allow_pickle: bool = False
    materializers: Mapping[str, type[BaseMaterializer]] = dataclasses.field(default_factory=dict)

    def __call__(self, value: Any, place: ValuePlace) -> SavedValue:
        """Keep a value in a folder of its own.

        Raises:
            MaterializerError: It cannot be kept, or only by pickle.
        """
        chosen = self.materializers.get(place.key)
        materializer = materializer_for(value, allow_pickle=self.allow_pickle, chosen=chosen)
        names = (place.pipeline, *place.step.split("/"), place.step_id, place.key)
        path = "/".join(map(_folder_name, names))
        local = self.store.local_path
        uri = f"{self.store.path if local is None else local.as_posix()}/{path}"
        self.store.list_place()
        storage.save(value, materializer, self.store, uri)
        kind = materializer.ARTIFACT_TYPE
        return SavedValue(
            uri=uri,
            type=kind,
            base_type=kind if kind in _BASE_TYPES else None,
            properties={
                "datatype": full_name(type(value)),
                "materializer": full_name(type(materializer)),
            },
        )


def _folder_name(name: str) -> str:
    """Return the name of a folder; the one of the step's id keeps it apart from others."""
    return re.sub(r"[^\w.-]+", "_", name).lstrip(".")[:80] or "_"
