"""The search for the models and deployments in a downstream trace."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry


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


def find(ancestry: Ancestry, trace: Trace, start: str, kinds: Kinds) -> tuple[AffectedNode, ...]:
    """Return the models and deployments in a trace, the nearest first."""
    return _Finder(ancestry, trace, start, kinds).found()


class _Finder:
    def __init__(self, ancestry: Ancestry, trace: Trace, start: str, kinds: Kinds) -> None:
        self._ancestry = ancestry
        self._start = start
        self._kinds = kinds
        index = trace.index
        keys = list(trace)
        self._hops = dict(zip(keys, trace.hops.tolist(), strict=True))
        self._above: dict[str, str] = {}
        """For each node the one before it on a shortest way."""
        edges = zip(index.sources.tolist(), index.targets.tolist(), strict=True)
        for source, target in sorted((keys[one], keys[other]) for one, other in edges):
            if self._hops[source] == self._hops[target] - 1:
                self._above.setdefault(target, source)

    def found(self) -> tuple[AffectedNode, ...]:
        rows = [row for key in self._hops if (row := self._row(key)) is not None]
        rows.sort(key=lambda row: (row.hops, int(row.node.partition("/")[2])))
        return tuple(rows)

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
        path = self._path(key)
        if deployed and came and not set(came) & set(path):
            nearest = min(came, key=lambda model: (self._hops[model], model))
            maker = next(m for m in makers if nearest in self._models_of(m))
            end = [] if key == f"execution/{maker}" else [key]
            path = (*self._path(nearest), f"execution/{maker}", *end)
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

    def _path(self, key: str) -> tuple[str, ...]:
        path = [key]
        while path[-1] in self._above:
            path.append(self._above[path[-1]])
        return tuple(reversed(path))

    def _through_cache(self, execution: int, path: Iterable[str]) -> bool:
        """Tell whether a run took something from a cache on the path."""
        runs_of = self._ancestry.run_index.membership.runs_by_execution
        run = runs_of[execution][0]
        return any(run in {runs_of[n][0] for n in self._ancestry.reusers(key)} for key in path)

    def _reusers(self, key: str) -> tuple[str, ...]:
        found = self._ancestry.reusers(key)
        return tuple(dict.fromkeys(self._ancestry.run_name(number) for number in found))
