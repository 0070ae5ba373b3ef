"""The registered models of a Kubeflow Model Registry, with their versions and deployments.

The registry keeps all of them as contexts and without events: a version's parent is its model, its
artifacts are attributed to it, and a service names the version that it serves.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.dialects.base import state_name
from mlmd_lineage.dialects.model_registry import PREFIXES, kind_of, own_name
from mlmd_lineage.post_execution.base_view import moment
from mlmd_lineage.post_execution.loading.fetch import FetchedRows
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot.columns import TEXT

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts
    from mlmd_lineage.readers.base import Session

_ARTIFACT_KINDS = ("ModelArtifact", "DocArtifact", "DataSet")
_UNDEPLOYED = "UNDEPLOYED"


@dataclasses.dataclass(frozen=True, slots=True)
class ModelDeployment:
    """An inference service that serves a version of a model.

    Attributes:
        node_key: The key of its context.
        name: Its name.
        type: The name of its type.
        environment: The name of its serving environment.
        desired_state: ``DEPLOYED`` or ``UNDEPLOYED``, None where the registry has none.
        states: The states of the executions that serve the model, as MLMD holds them.
    """

    node_key: str
    name: str
    type: str
    environment: str | None
    desired_state: str | None
    states: tuple[str, ...] = ()

    @property
    def is_deployed(self) -> bool:
        """Whether it is meant to be deployed."""
        return self.desired_state != _UNDEPLOYED


@dataclasses.dataclass(frozen=True, slots=True)
class ModelArtifact:
    """A file or folder of a model's version: the artifact's key, its name and where it lies."""

    node_key: str
    name: str | None
    type: str
    uri: str | None
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        node_key: The key of its context.
        name: Its name.
        state: ``LIVE`` or ``ARCHIVED``.
        author: Who registered it.
        created: When, in UTC.
        artifacts: Its artifacts.
        deployments: The services that serve it.
        properties: All of its properties.
    """

    node_key: str
    name: str
    state: str | None
    author: str | None
    created: dt.datetime | None
    artifacts: tuple[ModelArtifact, ...]
    deployments: tuple[ModelDeployment, ...]
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model; its versions are from the oldest to the newest."""

    node_key: str
    name: str
    state: str | None
    owner: str | None
    versions: tuple[ModelVersion, ...]
    properties: Mapping[str, Any]


MODELS: dict[str, Any] = {
    "model": TEXT,
    "model_key": TEXT,
    "version": TEXT,
    "version_key": TEXT,
    "state": TEXT,
    "author": TEXT,
    "artifact": TEXT,
    "name": TEXT,
    "uri": TEXT,
    "deployments": object,
    "created": pd.DatetimeTZDtype("ms", "UTC"),
}


def read_models(session: Session) -> list[RegisteredModel]:
    """Return the registered models of a store, in the order of their ids."""
    registry = read_registry(session)
    return [] if registry is None else list(registry.models())


def read_registry(session: Session) -> RegisteredModels | None:
    """Return the model registry of a store; None where it has none."""
    fetched = FetchedRows(session, ())
    names = {name for name in fetched.type_names() if name.startswith(PREFIXES)}
    if not names:
        return None
    fetched.contexts_of_types(names)
    return RegisteredModels(StoreImage(fetched.tables()))


def models_frame(models: Collection[RegisteredModel]) -> pd.DataFrame:
    """Return models as a frame: one row for each artifact of each version."""
    rows: list[tuple[Any, ...]] = []
    for model in models:
        if not model.versions:
            rows.append((model.name, model.node_key, *[None] * 7, [], None))
        for version in model.versions:
            names = [found.name for found in version.deployments]
            for artifact in version.artifacts or (None,):
                own: tuple[str | None, ...] = (None,) * 3
                if artifact is not None:
                    own = (artifact.node_key, artifact.name, artifact.uri)
                of_version = (version.name, version.node_key, version.state, version.author)
                rows.append((model.name, model.node_key, *of_version, *own, names, version.created))
    columns = zip(*rows, strict=True) if rows else [()] * len(MODELS)
    return pd.DataFrame(
        {
            name: pd.Series(list(values), dtype=dtype)
            for (name, dtype), values in zip(MODELS.items(), columns, strict=True)
        }
    )


class RegisteredModels:
    """The model registry in a store image."""

    def __init__(self, image: StoreImage) -> None:
        """Take an image that holds all contexts, and the attributions."""
        self._image = image
        contexts = (image.context(number) for number in image.context_ids)
        self._contexts: dict[str, list[ContextFacts]] = {}
        for context in contexts:
            kind = None if context is None else kind_of(context.type)
            if context is not None and kind is not None:
                self._contexts.setdefault(kind, []).append(context)

    def models(self) -> Iterator[RegisteredModel]:
        """Yield the models."""
        for context in self._contexts.get("RegisteredModel", ()):
            versions = [v for v in self._versions() if _is_version_of(v, context.id, context.name)]
            yield RegisteredModel(
                node_key=f"context/{context.id}",
                name=context.name,
                state=context.properties.get("state"),
                owner=context.properties.get("owner"),
                versions=tuple(map(self._version, versions)),
                properties=dict(context.properties),
            )

    def deployments_of(self, artifact: int, uri: str | None) -> list[ModelDeployment]:
        """Return the services that serve a version with an artifact, or with one of its URI."""
        found: dict[str, ModelDeployment] = {}
        for version in self._versions():
            held = self._image.attributed(version.id)
            if any(other.id == artifact or (uri and other.uri == uri) for other in held):
                found |= {service.node_key: service for service in self._deployments(version)}
        return list(found.values())

    def _versions(self) -> list[ContextFacts]:
        return self._contexts.get("ModelVersion", [])

    def _version(self, context: ContextFacts) -> ModelVersion:
        held = self._image.attributed(context.id)
        return ModelVersion(
            node_key=f"context/{context.id}",
            name=_version_name(context),
            state=context.properties.get("state"),
            author=context.properties.get("author"),
            created=moment(context.created or None),
            artifacts=tuple(_artifact(a) for a in held if kind_of(a.type) in _ARTIFACT_KINDS),
            deployments=tuple(self._deployments(context)),
            properties=dict(context.properties),
        )

    def _deployments(self, version: ContextFacts) -> Iterator[ModelDeployment]:
        for service in self._contexts.get("InferenceService", ()):
            if self._served(service) == version.id:
                yield self._deployment(service)

    def _served(self, service: ContextFacts) -> int | None:
        """Return the id of the version that a service serves: the one named, else the newest."""
        named = service.properties.get("model_version_id")
        if isinstance(named, int):
            return named
        model = service.properties.get("registered_model_id")
        versions = [v.id for v in self._versions() if _is_version_of(v, model, None)]
        return max(versions, default=None)

    def _deployment(self, service: ContextFacts) -> ModelDeployment:
        members = self._image.executions(self._image.members(service.id))
        environment = next(
            (p.name for p in service.parents if kind_of(p.type) == "ServingEnvironment"), None
        )
        return ModelDeployment(
            node_key=f"context/{service.id}",
            name=own_name(service.name),
            type=service.type,
            environment=environment,
            desired_state=service.properties.get("desired_state"),
            states=tuple(state_name(e.state) or "UNKNOWN" for e in members.values()),
        )


def _artifact(artifact: ArtifactFacts) -> ModelArtifact:
    return ModelArtifact(
        node_key=f"artifact/{artifact.id}",
        name=own_name(artifact.name) if artifact.name else None,
        type=artifact.type,
        uri=artifact.uri,
        properties={**artifact.custom_properties, **artifact.properties},
    )


def _is_version_of(version: ContextFacts, number: Any, name: str | None) -> bool:
    """Tell whether a version is that of a model: by its parent, or as early releases say it."""
    properties = version.properties
    return (
        number in {parent.id for parent in version.parents}
        or (number is not None and properties.get("registered_model_id") == number)
        or (name is not None and properties.get("model_name") == name)
    )


def _version_name(version: ContextFacts) -> str:
    """Return a version's name without its model's id or, as early releases had it, its name."""
    prefix = f"{version.properties.get('model_name')}:"
    return own_name(version.name.removeprefix(prefix))
