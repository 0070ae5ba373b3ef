"""The base class of dialects, and functions that dialects share.

A dialect reads what one platform wrote into MLMD as pipelines, runs and steps. It is called twice
for each execution: to identify its runs, from its contexts alone, and to read it as a step, from
all of its rows. The first registered dialect that recognises an execution reads it, so that one
store may hold executions of several platforms.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import (
    OUTLINE_FIELDS,
    ArtifactRecord,
    RunDetails,
    StepOutline,
    StepRecord,
)
from mlmd_lineage.dialects.statuses import STATUSES
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, ExecutionState, name_of
from mlmd_lineage.untrusted_text import json_of, may_hold_halves

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.facts import (
        ArtifactFacts,
        ContextFacts,
        EventFacts,
        ExecutionFacts,
    )
    from mlmd_lineage.dialects.records import RunIdentity, Status
_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # half as long as loads
METRICS_BASE_TYPE = "mlmd.Metrics"


class Dialect:
    """The way in which one platform writes pipelines, runs and steps; override what differs.

    >>> class Airflow(Dialect):
    ...     name = "airflow"
    ...
    ...     def identify_runs(self, contexts):
    ...         run = first(contexts, "airflow.DagRun")
    ...         return None if run is None else (RunIdentity(run, None, run.properties["dag_id"]),)

    Register it under the entry point group ``mlmd_lineage.dialects``.
    """

    name: str = ""
    """The dialect's name, which frames have in the column ``dialect``."""
    platform: str = ""
    """The platform's name for people; the dialect's name where it is empty."""
    original_properties: tuple[str, ...] = ()
    """The properties in which a cached execution names the one whose results it reuses."""
    group_properties: tuple[str, ...] = ()
    """The properties in which a step names, by its id, the group of steps that holds it."""
    canceled_is_skipped = False
    """Whether CANCELED means that a condition was false, which does not touch the run's status."""
    outline_properties: tuple[str, ...] | None = None
    """The properties of executions that ``claims`` and ``outline`` look at; None: any of them.

    ``NAME*`` stands for all whose names begin so. Where they are known, whole frames are made
    without reading the others; then those are among them that ``details`` makes a step's names
    and its original of.
    """
    parameter_types: tuple[str, ...] = ()
    """The types of the artifacts whose properties ``details`` takes as parameters of steps."""
    metric_properties: tuple[str, ...] = ()
    """The properties of which an artifact with metrics has one, where its type does not tell."""
    membership_properties: tuple[str, ...] | None = None
    """The properties whose texts ``claims`` looks at or name runs; None: any, of any kind."""
    derived_names: tuple[str, ...] | None = None
    """The types of contexts of whose names and texts a part names a run or a pipeline.

    None: such names may come from anywhere. Known to all are those of contexts, executions and
    types, and the texts of ``membership_properties`` and of a context's ``pipeline_name``.
    """
    attributed_types: tuple[str, ...] = ()
    """The types of the contexts whose attributed artifacts ``run`` is given."""
    repeats_are_attempts = True
    """Whether executions of one name in a run are attempts at one step, of which the last counts.

    If not, all of them count, and a comparison has one row for each.
    """

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the runs of an execution that has these contexts, the innermost first.

        None says that it is not this platform's. Two dialects that both recognise some contexts
        have to name the same runs.
        """
        raise NotImplementedError  # registering looks at the name first, and says what is wrong

    def claims(self, execution: ExecutionFacts) -> bool:
        """Tell whether an execution that ``identify_runs`` recognised is really this platform's."""
        del execution
        return True

    def step(self, execution: ExecutionFacts, identity: RunIdentity) -> StepRecord:
        """Return an execution as a step of a run."""
        outline = self.outline(execution, identity)
        fields: dict[str, Any] = dict(zip(OUTLINE_FIELDS, outline, strict=False))
        fields["entrypoint_name"] = last_part(execution.type)
        fields |= self.details(execution)
        return StepRecord(
            id=execution.id,
            type=execution.type,
            dialect=self.name,
            inputs=self._artifacts(execution, inputs=True),
            outputs=self._artifacts(execution, inputs=False),
            **fields,
        )

    def outline(self, execution: ExecutionFacts, identity: RunIdentity) -> StepOutline:
        """Return what of a step tells its name and what its run's status follows from.

        ``details`` may say otherwise of a step that is read whole, unless the dialect names its
        ``outline_properties``.
        """
        status, cached = self.status(execution)
        # In the order of the fields: names would take half as long again.
        return StepOutline(
            self.step_name(execution, identity),
            state_name(execution.state),
            status,
            cached,
            started(execution),
            None if status == "running" else finished(execution),
        )

    def link_outlines(self, outlines: Mapping[int, StepOutline]) -> Mapping[int, StepOutline]:
        """Return the outlines of a run with what follows from the others, as ``link_steps``."""
        return outlines

    def link_steps(self, steps: Mapping[int, StepRecord]) -> Mapping[int, StepRecord]:
        """Return the steps of a run with what follows from the other steps, such as outputs."""
        return steps

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the name of a step in its pipeline."""
        del identity
        return execution.name or last_part(execution.type)

    def status(self, execution: ExecutionFacts) -> tuple[Status, bool]:
        """Return a step's status, and whether it is cached: another execution made its results."""
        status = status_of(execution)
        return status, status == "cached"

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return further fields of the step's record, such as ``parameters``."""
        own, internal = split_properties(
            {**execution.custom_properties, **execution.properties}, is_internal
        )
        return {"parameters": own, "internal_properties": internal}

    def keys(self, event: EventFacts) -> Sequence[tuple[str, int]]:
        """Return the keys under which a step uses or produces an artifact, each with its index.

        Where the path has none, it is the artifact's type.
        """
        artifact = event.artifact
        return event.keys or [("artifact" if artifact is None else artifact.type, 0)]

    def _artifacts(self, execution: ExecutionFacts, *, inputs: bool) -> dict[str, tuple[int, ...]]:
        found: dict[str, list[tuple[int, int, int]]] = {}
        for event in execution.events:
            if (event.type in INPUT_EVENTS) == inputs:
                for name, index in self.keys(event):
                    found.setdefault(name, []).append((index, event.id, event.artifact_id))
        return {
            name: (places[0][2],)
            if len(places) == 1
            else tuple(dict.fromkeys([artifact for _, _, artifact in sorted(places)]))
            for name, places in sorted(found.items())
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return what the platform says about an artifact."""
        return ArtifactRecord(name=artifact.name, properties=merged(artifact))

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether ``artifact`` may find metrics in artifacts of a type.

        It is asked only of dialects that name their ``outline_properties``.
        """
        del type_name, base_type
        return False

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return what the platform says about a run.

        Args:
            identity: The run.
            steps: Its executions, and each as a step.
            artifacts: The artifacts that MLMD attributes to the run's context.
        """
        del identity, steps, artifacts
        return RunDetails()

    def run_outline(self, identity: RunIdentity) -> RunDetails:
        """Return the statuses that ``run`` returns; they follow from the run's context alone."""
        del identity
        return RunDetails()


def first(contexts: Iterable[ContextFacts], *types: str) -> ContextFacts | None:
    """Return the first context of one of some types, in the order of the types."""
    named = [context for context in contexts if context.type in types]
    if len(named) > 1:
        named.sort(key=lambda context: types.index(context.type))
    return named[0] if named else None


def of_types(contexts: Iterable[ContextFacts], *types: str) -> list[ContextFacts]:
    """Return the contexts of some types."""
    return [context for context in contexts if context.type in types]


def state_name(state: int | None) -> str | None:
    """Return MLMD's name for a state, ``UNKNOWN(9)`` for a number that it does not name."""
    return None if state is None else name_of(ExecutionState, state)


def status_of(execution: ExecutionFacts) -> Status:
    """Return the status that an execution's state means.

    Some platforms write no states. Then an execution that wrote artifacts has completed; so has
    one that wrote none, unless others of its type did: it has not finished.
    """
    known = STATUSES.get(execution.state or 0)
    if known is not None:
        return known
    wrote = any(event.type not in INPUT_EVENTS for event in execution.events)
    return "running" if execution.type_has_outputs and not wrote else "completed"


def started(execution: ExecutionFacts) -> int | None:
    """Return when an execution began; stores of schema 4 have times of events only."""
    return execution.created or min((e.time for e in execution.events if e.time), default=None)


def finished(execution: ExecutionFacts) -> int | None:
    """Return when an execution was last updated."""
    latest = execution.updated
    for event in execution.events:
        if event.time > latest and event.type not in INPUT_EVENTS:
            latest = event.time
    return latest or None


def last_part(type_name: str) -> str:
    """Return the class in the name of a type.

    >>> last_part("tfx.components.trainer.component.Trainer")
    'Trainer'
    """
    return type_name.rsplit(".", 1)[-1] or type_name


def merged(node: ArtifactFacts | ExecutionFacts) -> dict[str, Any]:
    """Return the declared and the custom properties in one; declared ones win."""
    return {**node.custom_properties, **node.properties}


def from_json(value: Any) -> Any:
    """Return what a JSON text says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found, end = _scan(value, 0)
        if end == len(value) and not may_hold_halves(value):
            return found
    except (StopIteration, ValueError, RecursionError):
        pass
    try:
        return json_of(value)
    except ValueError:
        return value


def split_properties(
    properties: Mapping[str, Any], internal: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the user's properties, and those with internal names."""
    own = {name: value for name, value in properties.items() if not internal(name)}
    rest = {name: value for name, value in properties.items() if internal(name)}
    return own, rest


def scalars(properties: Mapping[str, Any]) -> dict[str, float | int | bool]:
    """Return the numbers among some properties."""
    return {
        name: value
        for name, value in sorted(properties.items())
        if isinstance(value, (int, float)) and not is_internal(name)
    }
