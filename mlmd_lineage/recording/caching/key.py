"""The key by which a step's results are found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.recording.artifacts import RecordedArtifact

_LONGEST = 200
"""How many characters of a parameter's text are kept with a key, rather than its digest."""


@dataclasses.dataclass(frozen=True)
class CacheKey:
    """What a step's results depend on, part by part.

    >>> key = CacheKey({"step": "churn.train", "source": "9f86d0...", "parameter lr": "0.01"})
    >>> len(key.digest)
    64

    Attributes:
        parts: For the name of each part a text, best a digest or a short value. The parts are
            recorded with the execution, so that a later miss can be explained part by part.
    """

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The SHA-256 of all parts, in hexadecimal: the name of the ``execution_cache`` context."""
        text = json.dumps(dict(self.parts), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def of(
        cls,
        *,
        source: Mapping[str, str],
        parameters: Mapping[str, str],
        inputs: Mapping[str, Iterable[RecordedArtifact]],
        environment: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
    ) -> CacheKey:
        """Return the key of a step.

        >>> CacheKey.of(
        ...     source={"command": "python train.py"},
        ...     parameters={"lr": "0.01"},
        ...     inputs=step.inputs,
        ...     environment={"numpy": "2.1.0"},
        ... )

        An artifact is known by its type, its URI and the digest of its contents; the id would not
        do, as a new one has none before the step begins.

        Args:
            source: What the step does, part by part; see ``source_parts()``.
            parameters: For each parameter the text of its value.
            inputs: The artifacts that it is given, by their keys.
            environment: Packages and their versions, and what else the step names.
            outputs: For each output how it is kept.
        """
        parts = dict(source)
        for name, text in parameters.items():
            parts[f"parameter {name}"] = text if len(text) <= _LONGEST else _digest(text)
        for key, artifacts in inputs.items():
            for index, artifact in enumerate(artifacts):
                where = f"{artifact.type} {artifact.uri} sha256:{artifact.sha256}"
                parts[f"input {key}" if index == 0 else f"input {key}[{index}]"] = where
        for name, version in (environment or {}).items():
            parts[f"environment {name}"] = version
        for key, text in (outputs or {}).items():
            parts[f"output {key}"] = text
        return cls(dict(sorted(parts.items())))


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
