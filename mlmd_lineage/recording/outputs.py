"""The outputs of a step: what it produced and measured, until it ends."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.record_format.typed_json import UnrecordableValueError, scalar
from mlmd_lineage.recording.artifacts import NewArtifact, RecordedArtifact
from mlmd_lineage.recording.batches import BASE_TYPES
from mlmd_lineage.recording.files import digests
from mlmd_lineage.recording.files.uris import recorded_uri

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from mlmd_lineage.recording.values import SavedValue


@dataclasses.dataclass(slots=True)
class StepOutput:
    """An output of a step that has not ended.

    Attributes:
        index: Its place among the outputs of its key.
        properties, metrics: The user's.
        digest: Whether to take the digest of its contents when the step ends; or the digest.
    """

    artifact: RecordedArtifact
    key: str
    index: int
    base_type: str | None
    properties: dict[str, Any]
    metrics: dict[str, Any]
    digest: bool | str

    def prepare(self, step_id: str) -> None:
        """Take the digest of what lies there now, and say what is put."""
        artifact = self.artifact
        if isinstance(self.digest, str):
            artifact.sha256 = self.digest
        elif self.digest and artifact.uri:
            try:
                artifact.sha256 = digests.sha256(artifact.path or artifact.uri)
            except digests.DigestError as error:
                message = (
                    f"The output {self.key!r} is recorded without a digest: {error} Its results "
                    "cannot be reused by caching."
                )
                warnings.warn(errors.RecordingWarning(message), stacklevel=2)
        own: dict[str, Any] = {names.DISPLAY_NAME: self.key}
        if artifact.sha256 is not None:
            own[names.SHA256] = artifact.sha256
        if artifact.is_undigested:
            own[names.NO_DIGEST] = 1
        artifact.new = NewArtifact(
            external_id=f"{names.EXTERNAL_ID_PREFIX}{step_id}/{self.key}/{self.index}",
            base_type=self.base_type,
            properties=encode_with_metrics(self.properties, self.metrics, own),
            is_input=False,
        )


class Outputs:
    """The outputs of one step, by their keys."""

    def __init__(self) -> None:
        self.made: list[StepOutput] = []
        self._metrics: StepOutput | None = None

    def add(  # noqa: PLR0913 - an output has as many parts
        self,
        key: str,
        uri: str | os.PathLike[str] | None,
        type_name: str | None,
        base_type: str | None,
        properties: Mapping[str, Any] | None,
        *,
        metrics: Mapping[str, Any] | None = None,
        digest: bool | str = True,
    ) -> RecordedArtifact:
        """Add an output, and return it."""
        own, measured = dict(properties or {}), checked_metrics(metrics or {})
        encode_with_metrics(own, measured, {})  # what cannot be recorded fails here and now
        name = type_name or names.ARTIFACT_TYPE
        base = base_type or (name if name in BASE_TYPES["artifact"] else None)
        if base is not None and base not in BASE_TYPES["artifact"]:
            near = errors.did_you_mean(base, BASE_TYPES["artifact"])
            message = f"MLMD has no base type {base!r} of artifacts.{near}"
            raise errors.ConfigurationError(message)
        artifact = RecordedArtifact(
            id=None,
            type=name,
            uri="" if uri is None else recorded_uri(uri),
            path="" if uri is None else str(uri),
            is_undigested=uri is not None and digest is False,
        )
        index = sum(output.key == key for output in self.made)
        self.made.append(StepOutput(artifact, key, index, base, own, measured, digest))
        return artifact

    def add_saved(
        self,
        key: str,
        saved: SavedValue,
        type_name: str | None,
        properties: Mapping[str, Any] | None,
        metrics: Mapping[str, Any] | None,
    ) -> RecordedArtifact:
        """Add a value that was kept in an artifact store."""
        return self.add(
            key,
            saved.uri,
            type_name or saved.type,
            saved.base_type if type_name in {None, saved.type} else None,
            {**saved.properties, **(properties or {})},
            metrics=metrics,
        )

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Add to the metrics of the step, which are one artifact of their own."""
        measured = checked_metrics(metrics)
        if self._metrics is None:
            self.add(names.METRICS_KEY, None, names.METRICS_TYPE, "Metrics", None)
            self._metrics = self.made[-1]
        self._metrics.metrics.update(measured)


def checked_metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics as plain numbers.

    Raises:
        ConfigurationError: One of them is no number.
    """
    found: dict[str, Any] = {}
    for name, given in metrics.items():
        value = scalar(given)
        if not isinstance(value, (int, float)):
            message = (
                f"The metric {name!r} is of the type {type(value).__name__}, and a metric is a "
                "number. Record other values as properties or parameters."
            )
            raise errors.ConfigurationError(message)
        plain = value if type(value) in {int, float, bool} else float(value)
        found[name] = plain
    return found


def encode_with_metrics(
    properties: Mapping[str, Any], metrics: Mapping[str, Any], own: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the properties of an artifact, and its metrics among them.

    Raises:
        UnrecordableValueError: A name is both a property and a metric, or a value cannot be kept.
    """
    both = sorted(properties.keys() & metrics.keys())
    if both:
        message = f"{both[0]!r} is a property and a metric of one artifact. Give it once."
        raise UnrecordableValueError(message)
    if metrics:
        own = {**own, names.METRICS: sorted(metrics)}
    return encode({**properties, **metrics}, own)
