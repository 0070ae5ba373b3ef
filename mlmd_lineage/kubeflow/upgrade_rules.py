"""Rules of the upgrade: what the design of the migration skips, and what it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.kubeflow.history import (
    EXECUTION_TYPES,
    METRICS_TYPE,
    NOT_METRICS,
    whole_number_of,
)
from mlmd_lineage.kubeflow.rules import DESIGN, Rule, keep
from mlmd_lineage.snapshot.enums import ExecutionState

if TYPE_CHECKING:
    from mlmd_lineage.kubeflow.history import History, HistoryNode
    from mlmd_lineage.kubeflow.rules import Found


def metric_names(node: HistoryNode) -> list[str]:
    """Return the names of the numbers among the properties of an artifact of metrics."""
    return sorted(
        name
        for name, value in {**node.custom_properties, **node.properties}.items()
        if isinstance(value, (int, float)) and name not in NOT_METRICS
    )


def is_skipped_run(history: History, context: int) -> bool:
    """Return whether Kubeflow's database has no row of a run."""
    return history.records is not None and history.record(context) is None


def _runs_without_row(history: History) -> Found:
    for context, name in sorted(history.run_contexts.items()):
        if is_skipped_run(history, context):
            count = len(history.members[context])
            yield f"context/{context}", f"run {name} with {count} executions has no row"


def is_skipped_execution(history: History, number: int) -> bool:
    """Return whether the upgrade makes no task of an execution."""
    runs = history.runs_of.get(number, ())
    return (
        history.executions[number].type not in EXECUTION_TYPES
        or not runs
        or all(is_skipped_run(history, context) for context in runs)
    )


def _executions_of_other_types(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if node.type not in EXECUTION_TYPES:
            yield f"execution/{number}", f"its type is {node.type}"


def _executions_without_run(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if node.type in EXECUTION_TYPES and not history.runs_of.get(number):
            yield f"execution/{number}", "it belongs to no context of the type system.PipelineRun"


def is_skipped_artifact(history: History, number: int) -> bool:
    """Return whether the upgrade makes no row of an artifact."""
    node = history.artifacts[number]
    if node.type == METRICS_TYPE and not metric_names(node):
        return True
    runs = history.runs_of_artifact(number)
    return bool(runs) and all(is_skipped_run(history, context) for context in runs)


def _metrics_without_number(history: History) -> Found:
    for number, node in sorted(history.artifacts.items()):
        if node.type == METRICS_TYPE and not metric_names(node):
            yield f"artifact/{number}", "it holds no number, so that it becomes no row"


def _artifacts_of_skipped_runs(history: History) -> Found:
    for number in sorted(history.artifacts):
        runs = history.runs_of_artifact(number)
        if runs and all(is_skipped_run(history, context) for context in runs):
            yield f"artifact/{number}", "all of its runs are skipped"


def _executions_of_skipped_runs(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        runs = history.runs_of.get(number, ())
        if (
            node.type in EXECUTION_TYPES
            and runs
            and all(is_skipped_run(history, context) for context in runs)
        ):
            yield f"execution/{number}", "all of its runs are skipped"


def _events_of_skipped_nodes(history: History) -> Found:
    for event in history.events:
        ends = []
        if event.execution not in history.executions:
            ends.append(f"execution/{event.execution} is not there")
        elif is_skipped_execution(history, event.execution):
            ends.append(f"execution/{event.execution} is skipped")
        if event.artifact not in history.artifacts:
            ends.append(f"artifact/{event.artifact} is not there")
        elif is_skipped_artifact(history, event.artifact):
            ends.append(f"artifact/{event.artifact} is skipped")
        if ends:
            yield f"event/{event.id}", " and ".join(ends)


def _canceled(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if node.state == ExecutionState.CANCELED and not is_skipped_execution(history, number):
            yield f"execution/{number}", "it was skipped or canceled, and will be shown as failed"


def _split_metrics(history: History) -> Found:
    for number, node in sorted(history.artifacts.items()):
        names = metric_names(node) if node.type == METRICS_TYPE else []
        if len(names) > 1 and not is_skipped_artifact(history, number):
            detail = f"it becomes {len(names)} artifacts, and its events lead to one of them only"
            yield f"artifact/{number}", f"{detail}: {', '.join(names)}"


def _lost_parents(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        parent = whole_number_of(node.custom_properties.get("parent_dag_id"))
        if not parent or is_skipped_execution(history, number):
            continue
        if parent not in history.executions or is_skipped_execution(history, parent):
            yield f"execution/{number}", f"its parent, execution/{parent}, is not brought over"


UPGRADE_RULES = (
    Rule(
        "run_without_row",
        "upgrade",
        "skipped",
        "A run in MLMD has no row in run_details, as people deleted it in Kubeflow.",
        keep("it with all of its lineage"),
        DESIGN.format("'Migration Phases', phase 1"),
        _runs_without_row,
    ),
    Rule(
        "execution_of_skipped_run",
        "upgrade",
        "skipped",
        "An execution belongs to runs alone that are skipped.",
        keep("it"),
        DESIGN.format("'Migration Phases', phase 1"),
        _executions_of_skipped_runs,
    ),
    Rule(
        "artifact_of_skipped_run",
        "upgrade",
        "skipped",
        "An artifact belongs to runs alone that are skipped.",
        keep("it"),
        DESIGN.format("'Migration Phases', phase 1"),
        _artifacts_of_skipped_runs,
    ),
    Rule(
        "execution_type_unknown",
        "upgrade",
        "skipped",
        "An execution is of a type that 3.0 does not know: of Kubeflow Pipelines 1, TFX, a "
        "workspace importer or another writer.",
        keep("it"),
        DESIGN.format("'MLMD Entity Transformations' and 'Error Handling'"),
        _executions_of_other_types,
    ),
    Rule(
        "execution_without_run",
        "upgrade",
        "skipped",
        "An execution belongs to no run, and 3.0 keeps tasks by run.",
        keep("it"),
        DESIGN.format("'Migration Phases', phase 3, and 'Error Handling'"),
        _executions_without_run,
    ),
    Rule(
        "metrics_without_number",
        "upgrade",
        "skipped",
        "An artifact of metrics holds no number: 3.0 has a row for each number.",
        keep("it"),
        DESIGN.format("'Artifacts → Artifacts (metrics splitting)'"),
        _metrics_without_number,
    ),
    Rule(
        "event_of_skipped_node",
        "upgrade",
        "skipped",
        "An event names an execution or an artifact that is skipped or not there: this piece of "
        "lineage is lost.",
        keep("it"),
        DESIGN.format("'Migration Phases', phase 3: events depend on both"),
        _events_of_skipped_nodes,
    ),
    Rule(
        "canceled_becomes_failed",
        "upgrade",
        "changed",
        "An execution was CANCELED, as Kubeflow leaves those of false conditions, and becomes "
        "FAILED.",
        keep("the state as it was"),
        DESIGN.format("'MLMD State → KFP TaskState'"),
        _canceled,
    ),
    Rule(
        "metrics_split",
        "upgrade",
        "changed",
        "An artifact of several metrics becomes one artifact for each, and its events lead to the "
        "first only: nothing leads to the others.",
        keep("the artifact as it was"),
        DESIGN.format("'Artifacts → Artifacts (metrics splitting)'"),
        _split_metrics,
    ),
    Rule(
        "parent_lost",
        "upgrade",
        "changed",
        "The group of steps that holds an execution is not brought over, so that it stands alone.",
        keep("the tree of steps"),
        DESIGN.format("'Parent/child task resolution (second pass)'"),
        _lost_parents,
    ),
)
