"""The interface by which ``step.produce(value=...)`` keeps a value in an artifact store.

What implements it is a function ``save(value, place)``: it writes the value to a URI of its own
and says what is recorded of it. A recorder gets it as ``save_value``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class ValuePlace:
    """Which output of which step a value is.

    Attributes:
        pipeline, run, step: Names; of a nested step the path, such as ``train/fold-1``.
        key: The key of the output.
        step_id: 32 hexadecimal digits, unlike those of any other step: whatever lies below a
            folder of this name belongs to this step alone.
        artifact_root: The folder or bucket to keep it in, where the recorder was given one.
    """

    pipeline: str
    run: str
    step: str
    key: str
    step_id: str
    artifact_root: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class SavedValue:
    """What is recorded of a value that was kept.

    Attributes:
        uri: Where it lies. Its digest is taken from there when the step ends.
        type: The name of the artifact type, where the caller gives none.
        base_type: MLMD's base type of that type: ``Dataset``, ``Model``, ``Metrics`` or
            ``Statistics``; None for none.
        properties: Recorded with the artifact, such as ``datatype`` and ``materializer``, which
            the dialect reads back as ``ArtifactView.data_type`` and ``.materializer``.
    """

    uri: str
    type: str
    base_type: str | None = None
    properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class SaveValue(Protocol):
    """What keeps values: the materializers."""

    def __call__(self, value: Any, place: ValuePlace) -> SavedValue:
        """Keep a value.

        Raises:
            MLMDLineageError: It cannot be kept; the step fails.
        """
