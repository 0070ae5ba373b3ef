"""The impact of an artifact: the models and deployments downstream of it."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd

from mlmd_lineage import errors
from mlmd_lineage.lineage import traversal
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.post_execution import rich_html
from mlmd_lineage.post_execution.compare import impact_search
from mlmd_lineage.post_execution.loading import closures, node_resolution
from mlmd_lineage.post_execution.models import read_registry
from mlmd_lineage.snapshot.columns import TEXT
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.post_execution.compare.impact_search import AffectedNode, DeploymentHint
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry
    from mlmd_lineage.post_execution.models import RegisteredModels
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.findings import Finding

MODELS = frozenset(
    {
        "mlmd.Model",
        "Model",
        "ModelArtifact",
        "system.Model",
        "google.BQMLModel",
        "google.UnmanagedContainerModel",
        "google.VertexModel",
    }
)
"""The types of models, by their names or those of their base types."""

DEPLOYMENTS = frozenset(
    {
        "mlmd.Deploy",
        "PushedModel",
        "Endpoint",
        "InferenceService",
        "google.VertexEndpoint",
        "kserve.InferenceService",
    }
)
"""The types of deployments, by their names or those of their base types.

Of an execution of such a type, or of a step with such a name, all outputs are deployments; or it
itself, if it wrote none.
"""

_OF_TIME = frozenset({"untimed_event", "used_before_produced"})
"""The codes of findings that say what the times of events leave open."""


class Impact:
    """What an artifact reached.

    >>> impact = store.impact("artifact/1")
    >>> impact.deployments[["uri", "run", "direct"]]
    >>> print(impact.text())

    Attributes:
        node: The key of what was asked about.
        reached: The models and deployments, the nearest first.
        trace: All that came from it.
        unknown: Those names in ``models`` and ``deployments`` that no type of the store has, and
            no step that was reached: they may be misspelt.
        hints: The steps that took a model and whose names say that they deploy, though the platform
            records no deployment; ``deployments`` may name them.
        model_hints: The types of artifacts that were reached and whose names say that they are
            models, though they do not count as such; ``models`` may name them. Empty where it was
            given.
    """

    def __init__(  # noqa: PLR0913 - an answer has as many parts
        self,
        node: str,
        label: str,
        trace: Trace,
        found: tuple[AffectedNode, ...],
        *,
        unknown: tuple[str, ...] = (),
        hints: tuple[DeploymentHint, ...] = (),
        model_hints: tuple[str, ...] = (),
        knows_no_models: bool = False,
    ) -> None:
        """Keep an answer; ``Store.impact()`` makes it."""
        self.unknown = unknown
        self.hints = hints
        self.model_hints = model_hints
        self._knows_no_models = knows_no_models
        self.node = node
        self.label = label
        self.trace = trace
        self.reached = found

    def to_pandas(self) -> pd.DataFrame:
        """Return the models and deployments, one row each, the nearest first.

        Columns: ``node`` (its key), ``kind`` (``model`` or ``deployment``), ``type``, ``name``,
        ``uri``, ``run`` and ``pipeline`` (where it was made), ``hops``, ``path`` (the keys of the
        nodes on a shortest way to it), ``pushed`` (whether TFX's Pusher did push it, or a model
        registry wants it deployed; NA where the store does not say), ``direct`` (for a deployment,
        whether a model that it deploys came from the artifact; if not, the artifact had a part
        only in deciding on the deployment, such as by a baseline model; NA where it took no
        model), ``through_cache`` (whether its run took something on that way from a cache),
        ``reused_by`` (the names of the runs in which a cached step returned it again).
        """
        return self._frame.copy()

    @functools.cached_property
    def _frame(self) -> pd.DataFrame:
        rows = self.reached
        return pd.DataFrame(
            {
                **{
                    name: pd.array([getattr(row, name) for row in rows], TEXT)
                    for name in ("node", "kind", "type", "name", "uri", "run", "pipeline")
                },
                "hops": pd.Series([row.hops for row in rows], dtype="int64"),
                "path": pd.Series([row.path for row in rows], dtype=object),
                "pushed": pd.array([row.pushed for row in rows], pd.BooleanDtype()),
                "direct": pd.array([row.direct for row in rows], pd.BooleanDtype()),
                "through_cache": pd.Series([row.through_cache for row in rows], dtype=bool),
                "reused_by": pd.Series([row.reused_by for row in rows], dtype=object),
            }
        )

    @property
    def models(self) -> pd.DataFrame:
        """The rows of ``frame`` that are models."""
        return self._frame[self._frame["kind"] == "model"].reset_index(drop=True)

    @property
    def deployments(self) -> pd.DataFrame:
        """The rows of ``frame`` that are deployments."""
        return self._frame[self._frame["kind"] == "deployment"].reset_index(drop=True)

    @property
    def complete(self) -> bool:
        """Whether nothing bounds the answer, and the store holds all that the trace names."""
        return self.trace.complete and not self._findings(of_time=False)

    def _findings(self, *, of_time: bool) -> list[Finding]:
        """Return the findings on the trace: those about times, or all others."""
        return [f for f in self.trace.findings if (f.code in _OF_TIME) == of_time]

    def ways_to(self, node: Node) -> Trace:
        """Return all ways from the artifact to a node that it reached."""
        return self.trace.between(self.node, node)

    def text(self) -> str:
        """Return the answer in sentences, to be read by a person, or aloud."""
        models = [row for row in self.reached if row.kind == "model"]
        deployed = [row for row in self.reached if row.kind == "deployment"]
        touched = [row for row in deployed if row.direct is False]
        lines = [
            (
                f"{self.label} reached {_count(len(models), 'model')} and "
                f"{_count(len(deployed), 'deployment')}."
            )
        ]
        lines += _section(
            "Deployed, with a model that came from it:",
            [row for row in deployed if row.direct is not False],
        )
        lines += _section(
            "Deployed, with a model that did not come from it; it had a part in the decision:",
            touched,
        )
        lines += _section("Models that came from it:", models)
        if not self.complete:
            why = ", ".join(self.trace.truncated_by)
            told = [f"the trace was cut by {why}"] if why else []
            told += [f"{f.subject}: {f.detail}" for f in self._findings(of_time=False)]
            lines += ["", "The answer may not be complete:", *(f"  - {text}" for text in told)]
        if of_time := self._findings(of_time=True):
            told = [f"{f.subject}: {f.detail}" for f in of_time]
            lines += ["", "The times of events leave open:", *(f"  - {text}" for text in told)]
        if self.model_hints:
            named = ", ".join(self.model_hints)
            lines += ["", f"Of these types there may be models, though they do not count: {named}."]
            lines.append(f"  If they are, ask again with models={list(self.model_hints)!r}.")
        elif self._knows_no_models and not models and (types := self._types()):
            lines += ["", f"No type that was reached counts as a model: {', '.join(types)}."]
        if self.hints:
            lines += ["", "Steps that may have deployed a model, though none is recorded:"]
            lines += [f"  - {hint.node} {hint.step} of the run {hint.run}" for hint in self.hints]
            names = sorted({hint.step.rpartition("/")[2] for hint in self.hints})
            lines.append(f"  If they did, ask again with deployments={names!r}.")
        if self.unknown:
            named = ", ".join(map(repr, self.unknown))
            lines += ["", f"No type of the store, and no step that was reached, is called {named}."]
        return labels.printable_lines("\n".join(lines))

    def _types(self) -> list[str]:
        """Return the types of the artifacts that were reached."""
        nodes = self.trace.nodes
        reached = nodes[(nodes["kind"] == "artifact") & (nodes.index != self.node)]
        return sorted({short_type(name) for name in reached["type"].dropna()})

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(
            {
                "node": self.node,
                "complete": self.complete,
                "unknown": list(self.unknown),
                "hints": [dataclasses.asdict(hint) for hint in self.hints],
                "model_hints": list(self.model_hints),
                "reached": [dataclasses.asdict(row) for row in self.reached],
            },
            ensure_ascii=False,
            indent=1,
        )

    def __len__(self) -> int:
        """Return the number of models and deployments."""
        return len(self.reached)

    def __repr__(self) -> str:
        models, deployments = len(self.models), len(self.deployments)
        return (
            f"<Impact of {self.node}: {models} model{'s' * (models != 1)}, "
            f"{deployments} deployment{'s' * (deployments != 1)}>"
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        shown = self._frame.drop(columns=["path", "pipeline"])
        table = rich_html.frame_html(shown, index=False) if len(self) else ""
        return f"{rich_html.report_html(self.text())}{table}"


def impact(
    reader: Reader,
    node: Node,
    *,
    models: str | Collection[str] | None = None,
    deployments: str | Collection[str] | None = None,
    registry: RegisteredModels | None = None,
) -> Impact:
    """Return every model and every deployment that an artifact reached.

    Args:
        reader: What reads the store.
        node: The artifact.
        models: The types of models, instead of ``MODELS``.
        deployments: The types of deployments, instead of ``DEPLOYMENTS``.
        registry: The model registry of the store, where the reader holds only a part of it.

    Raises:
        NotFoundError: The store holds no such node.
        AmbiguousNameError: A name fits several.
        ConfigurationError: It is a run or another context, or types are no names.
    """
    for name, given_types in (("models", models), ("deployments", deployments)):
        named = given_types is None or isinstance(given_types, (str, Collection))
        if not named or not all(isinstance(one, str) for one in given_types or ()):
            message = f"{name} is the name of a type, or several; not {given_types!r}."
            raise errors.ConfigurationError(message)
    models = [models] if isinstance(models, str) else models
    deployments = [deployments] if isinstance(deployments, str) else deployments
    key = node_resolution.subject(reader, node, runs=False)
    # With the properties and paths, so that the trace answers as one of store.downstream().
    trace = traversal.downstream(reader, (key,), closures.LINEAGE)
    ancestry = closures.read_around(reader, trace)
    kinds = impact_search.Kinds(
        frozenset(MODELS if models is None else models),
        frozenset(DEPLOYMENTS if deployments is None else deployments),
    )
    registry = registry or reader.ask(read_registry)
    found = impact_search.find(ancestry, trace, key, kinds, registry)
    given = {*(models or ()), *(deployments or ())}
    unknown = sorted(given - _names(reader, ancestry)) if given else []
    return Impact(
        key,
        _label(ancestry, key),
        trace,
        found.nodes,
        unknown=tuple(unknown),
        hints=found.hints,
        model_hints=found.model_hints if models is None else (),
        # Each store of MLMD declares mlmd.Model, whether anything is of it or not.
        knows_no_models=models is None and not _type_names(reader, {"mlmd.Model"}) & MODELS,
    )


def _names(reader: Reader, ancestry: Ancestry) -> set[str]:
    """Return the names by which types and the steps that were reached can be called."""
    steps = {
        ancestry.record(number).name for number in ancestry.run_index.membership.runs_by_execution
    }
    return _type_names(reader) | steps


def _type_names(reader: Reader, without: Collection[str] = ()) -> set[str]:
    """Return the names of the store's types, in full and in short, but for some."""
    rows = reader.ask(lambda session: session.fetch("Type", {}))
    types = {str(row[1]) for row in rows}.difference(without)
    return types | {name.rsplit(".", 1)[-1] for name in types}


def _label(ancestry: Ancestry, key: str) -> str:
    kind, _, number = key.partition("/")
    if kind == "execution":
        return f"{key} ({ancestry.path(int(number))})"
    facts = ancestry.facts(int(number))
    return f"{key} ({short_type(facts.type)} {facts.uri or ''})" if facts is not None else key


def _count(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"{number or 'no'} {what}s"


def _section(title: str, rows: list[AffectedNode]) -> list[str]:
    if not rows:
        return []
    lines = ["", title]
    for row in rows:
        run = f", made by the run {row.run}" if row.run else ""
        lines.append(f"  - {row.node} {row.name or row.uri or short_type(row.type)}{run}")
        if row.pushed is False:
            lines.append("    it was not pushed after all")
        if row.through_cache:
            lines.append("    that run took something on the way to it from a cache")
        if row.reused_by:
            lines.append(f"    reused by {', '.join(row.reused_by)}")
    return lines
