"""The search for the models and deployments in a downstream trace."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.shortest_ways import ShortestWays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry
    from mlmd_lineage.post_execution.models import RegisteredModels


_DEPLOYS = re.compile(
    r"(?:^|[^a-z])(?:deploy|serv(?:e|ing)|push|publish|release|roll-?out|promote|register|"
    r"kserve|kfserving|seldon|endpoint)",
    re.IGNORECASE,
)
"""Names of steps that deploy a model, as people give them."""

_MODEL = re.compile(r"[Mm]odel(?:_?v?\d+)?(?:\W|$)")
"""Names of types that are those of models, as people give them: ``XGBoostModel``, not
``XGBoostModelConfig``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kinds:
    """What counts as a model, and what as a deployment: names of types or of base types."""

    models: frozenset[str]
    deployments: frozenset[str]

    def is_model(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether an artifact's type is that of a model, and not of a deployment."""
        names = _names(type_name, base_type)
        return bool(names & self.models) and not names & self.deployments

    def is_deployment(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type is that of a deployment."""
        return bool(_names(type_name, base_type) & self.deployments)


def _names(type_name: str, base_type: str | None) -> set[str]:
    return {type_name, type_name.rsplit(".", 1)[-1], base_type or ""}


@dataclasses.dataclass(frozen=True, slots=True)
class AffectedNode:
    """A model or a deployment that was reached; ``Impact.to_pandas()`` says what each means."""

    node: str
    kind: str
    type: str
    name: str | None
    uri: str | None
    run: str | None
    pipeline: str | None
    hops: int
    path: tuple[str, ...]
    pushed: bool | None
    direct: bool | None
    through_cache: bool
    reused_by: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class DeploymentHint:
    """A step that may deploy a model, though the platform records no deployment.

    Attributes:
        node: The key of its execution.
        step: Its path in its run.
        run: The name of the run.
    """

    node: str
    step: str
    run: str


@dataclasses.dataclass(frozen=True, slots=True)
class Affected:
    """What a search found.

    Attributes:
        nodes: The models and deployments, the nearest first.
        hints: The steps that may deploy a model.
        model_hints: The types of artifacts that may be models by their names.
    """

    nodes: tuple[AffectedNode, ...]
    hints: tuple[DeploymentHint, ...]
    model_hints: tuple[str, ...]


def find(
    ancestry: Ancestry,
    trace: Trace,
    start: str,
    kinds: Kinds,
    registry: RegisteredModels | None = None,
) -> Affected:
    """Return the models and deployments in a trace, and what may be one.

    Args:
        ancestry: The nodes of the trace.
        trace: What came from the start.
        start: The key of the node that was asked about.
        kinds: What counts as a model, and what as a deployment.
        registry: The model registry of the same store.
    """
    finder = _Finder(ancestry, trace, start, kinds)
    found = finder.found()
    if registry is not None:
        found += tuple(finder.registered(registry))
    order = sorted(found, key=lambda row: (row.hops, row.node.partition("/")[0], _id(row.node)))
    return Affected(tuple(order), tuple(finder.hints()), tuple(finder.model_hints()))


class _Finder:
    def __init__(self, ancestry: Ancestry, trace: Trace, start: str, kinds: Kinds) -> None:
        self._ancestry = ancestry
        self._start = start
        self._kinds = kinds
        self._hops = dict(zip(trace, trace.hops.tolist(), strict=True))
        self._ways = ShortestWays(trace)

    def found(self) -> tuple[AffectedNode, ...]:
        return tuple(row for key in self._hops if (row := self._row(key)) is not None)

    def registered(self, registry: RegisteredModels) -> Iterator[AffectedNode]:
        """Yield the services of a model registry that serve a model of the trace."""
        seen: set[str] = set()
        for key, hops in self._hops.items():
            facts = self._ancestry.facts(_id(key)) if key.startswith("artifact/") else None
            if facts is None or not self._kinds.is_model(facts.type, facts.base_type):
                continue
            for service in registry.deployments_of(facts.id, facts.uri):
                if service.node_key not in seen:
                    seen.add(service.node_key)
                    yield AffectedNode(
                        node=service.node_key,
                        kind="deployment",
                        type=service.type,
                        name=service.name,
                        uri=None,
                        run=None,
                        pipeline=service.environment,
                        hops=hops + 1,
                        path=(*self._ways.to(key), service.node_key),
                        pushed=service.is_deployed,
                        direct=True,
                        through_cache=False,
                        reused_by=(),
                    )

    def hints(self) -> Iterator[DeploymentHint]:
        """Yield the steps of the trace whose names say that they deploy, and that took a model."""
        for key in self._hops:
            number = _id(key)
            if not key.startswith("execution/") or self._deploys(number):
                continue
            if number not in self._ancestry.run_index.membership.runs_by_execution:
                continue  # its row is lost
            record = self._ancestry.record(number)
            if record.is_dag or not _DEPLOYS.search(record.name) or not self._models_of(number):
                continue
            if any(self._is_deployment(artifact) for artifact in self._ancestry.made(number)):
                continue  # the deployment is recorded
            ancestry = self._ancestry
            yield DeploymentHint(key, ancestry.path(number), ancestry.run_name(number))

    def model_hints(self) -> Iterator[str]:
        """Yield the types that were reached and are no models here, though their names say so."""
        numbers = [_id(key) for key in self._hops if key.startswith("artifact/")]
        facts = [self._ancestry.facts(n) for n in numbers if f"artifact/{n}" != self._start]
        for name, base in sorted({(f.type, f.base_type or "") for f in facts if f is not None}):
            known = self._kinds.is_model(name, base) or self._kinds.is_deployment(name, base)
            if not known and _MODEL.search(name):
                yield name

    def _is_deployment(self, artifact: int) -> bool:
        facts = self._ancestry.facts(artifact)
        return facts is not None and self._kinds.is_deployment(facts.type, facts.base_type)

    def _row(self, key: str) -> AffectedNode | None:
        kind, _, text = key.partition("/")
        number = int(text)
        if key == self._start:
            return None
        if kind == "execution":
            return self._of_execution(key, number)
        facts = self._ancestry.facts(number)
        if facts is None:
            return None
        makers = self._ancestry.producers(number)
        # Of several that wrote it those count through which it was reached.
        makers = tuple(n for n in makers if f"execution/{n}" in self._hops) or makers
        deployed = self._kinds.is_deployment(facts.type, facts.base_type) or any(
            self._deploys(maker) for maker in makers
        )
        if not deployed and not self._kinds.is_model(facts.type, facts.base_type):
            return None
        record = self._ancestry.artifact(number)
        name = record.name if record is not None else facts.name
        pushed = record.properties.get("pushed") if record is not None and deployed else None
        described = {
            "type": facts.type,
            "name": name,
            "uri": facts.uri,
            "pushed": bool(pushed) if isinstance(pushed, int) else None,
        }
        return self._reached(key, makers, described, deployed=deployed)

    def _of_execution(self, key: str, number: int) -> AffectedNode | None:
        """Return a deployment that wrote no artifact."""
        facts = self._ancestry.run_index.store_image.executions([number]).get(number)
        if facts is None or not self._deploys(number) or self._ancestry.record(number).is_cached:
            return None
        if self._ancestry.made(number):
            return None
        name = self._ancestry.path(number)
        described = {"type": facts.type, "name": name, "uri": None, "pushed": None}
        return self._reached(key, (number,), described, deployed=True)

    def _deploys(self, execution: int) -> bool:
        facts = self._ancestry.run_index.store_image.executions([execution]).get(execution)
        if facts is None:
            return False
        named = self._ancestry.record(execution).name in self._kinds.deployments
        return named or self._kinds.is_deployment(facts.type, facts.base_type)

    def _reached(
        self, key: str, makers: tuple[int, ...], described: dict[str, Any], *, deployed: bool
    ) -> AffectedNode:
        models = [model for maker in makers for model in self._models_of(maker)]
        came = [model for model in models if model in self._hops]
        path = self._ways.to(key)
        if deployed and came and not set(came) & set(path):
            nearest = min(came, key=lambda model: (self._hops[model], model))
            maker = next(m for m in makers if nearest in self._models_of(m))
            end = [] if key == f"execution/{maker}" else [key]
            path = (*self._ways.to(nearest), f"execution/{maker}", *end)
        run = makers[0] if makers else None
        return AffectedNode(
            node=key,
            kind="deployment" if deployed else "model",
            run=None if run is None else self._ancestry.run_name(run),
            pipeline=None if run is None else self._ancestry.pipeline(run),
            hops=self._hops[key],
            path=path,
            direct=bool(came) if deployed and models else None,
            through_cache=run is not None and self._through_cache(run, path[:-1]),
            reused_by=self._reusers(key),
            **described,
        )

    def _models_of(self, execution: int) -> list[str]:
        """Return the models that an execution took."""
        found = {n for numbers in self._ancestry.inputs(execution).values() for n in numbers}
        facts = ((n, self._ancestry.facts(n)) for n in sorted(found))
        return [
            f"artifact/{n}" for n, f in facts if f and self._kinds.is_model(f.type, f.base_type)
        ]

    def _through_cache(self, execution: int, path: Iterable[str]) -> bool:
        """Tell whether a run took something from a cache on the path."""
        runs_of = self._ancestry.run_index.membership.runs_by_execution
        run = runs_of[execution][0]
        return any(run in {runs_of[n][0] for n in self._ancestry.reusers(key)} for key in path)

    def _reusers(self, key: str) -> tuple[str, ...]:
        found = self._ancestry.reusers(key)
        return tuple(dict.fromkeys(self._ancestry.run_name(number) for number in found))


def _id(key: str) -> int:
    return int(key.partition("/")[2])
