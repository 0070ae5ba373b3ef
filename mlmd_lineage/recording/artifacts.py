"""Artifacts as steps are given them and produce them, and what is put of a new one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.record_format.properties import Plain


@dataclasses.dataclass(slots=True)
class NewArtifact:
    """What is put of an artifact that is not in the store yet.

    Attributes:
        external_id: Unlike that of any other artifact.
        base_type: MLMD's base type of its type, where that is new too.
        properties: Its custom properties.
        is_input: It was not made by a step: one that is there with the same URI and digest is it.
    """

    external_id: str
    base_type: str | None
    properties: Mapping[str, Plain]
    is_input: bool


@dataclasses.dataclass(slots=True, eq=False)
class RecordedArtifact:
    """An artifact of a recorded step.

    >>> data = step.use("train.csv")
    >>> data.node_key, data.sha256

    Attributes:
        id: Its id in the store; None until it is there: before the step has begun, and of an
            output before the step has ended.
        type: The name of its type.
        uri: Where its contents lie; empty where they lie nowhere.
        sha256: The digest of its contents, in hexadecimal; None where it was not taken.
        name: Its name, if it has one.
        path: The path to open: the URI as it was given.
        has_digest: Whether the digest is in its own record: other platforms write none.
        is_undigested: Whether it was recorded with ``digest=False``, so that no step reads it.
    """

    id: int | None
    type: str
    uri: str
    sha256: str | None = None
    name: str | None = None
    path: str = ""
    has_digest: bool = True
    is_undigested: bool = False
    new: NewArtifact | None = dataclasses.field(default=None, repr=False)

    @property
    def node_key(self) -> str | None:
        """Its key, such as ``"artifact/5"``; None as long as it has no id."""
        return None if self.id is None else f"artifact/{self.id}"

    def __fspath__(self) -> str:
        """Return the path, so that ``open()`` and pandas take the artifact itself."""
        return self.path or self.uri
