"""An artifact as a step is given it, or as one produced it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
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
        path: The path to open: the URI as it was given, for a local file.
    """

    id: int | None
    type: str
    uri: str
    sha256: str | None = None
    name: str | None = None
    path: str = ""

    @property
    def node_key(self) -> str | None:
        """Its key, such as ``"artifact/5"``; None as long as it has no id."""
        return None if self.id is None else f"artifact/{self.id}"

    def __fspath__(self) -> str:
        """Return the path, so that ``open()`` and pandas take the artifact itself."""
        return self.path or self.uri
