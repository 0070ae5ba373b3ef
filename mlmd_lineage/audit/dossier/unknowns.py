"""Gaps in the record of a model, as sentences of its dossier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.dossier.gathering import deployments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mlmd_lineage.audit.report import AuditReport

    Facts = Mapping[str, Any]

_BEFORE = (
    "How the data was collected, selected, labelled and cleaned before it came into the pipeline "
    "is not part of the record."
)
_VALUES = (
    "Values that steps hand on without an artifact, such as parameters, leave no trace of where "
    "they came from."
)
_CHANGED = (
    "Whether the record was changed after it was written cannot be told from the record itself: "
    "only from a signed bundle or a ledger of an earlier day."
)


def unknowns(sections: Facts, report: AuditReport) -> list[dict[str, Any]]:
    """Return what is not known, each with what it is about and the nodes that it concerns.

    Args:
        sections: The parts of a dossier, as ``gathering`` has them.
        report: The audit of the model's lineage.
    """
    found = [
        *_of_data(sections),
        *_of_steps(sections),
        *_of_evaluations(sections),
        *_of_the_record(sections, report),
    ]
    return [{"about": about, "text": text, "nodes": list(nodes)} for about, text, nodes in found]


_Row = tuple[str, str, "Sequence[str]"]


def _of_data(sections: Facts) -> Iterator[_Row]:
    data = sections["data_sets"]
    if not data and not sections["steps"]:
        yield (
            "data",
            "The record names no step and no data set: the model's origin is not known.",
            (),
        )
    elif not data:
        yield "data", "The record names no data set.", ()
    unknown = _nodes(data, lambda one: one["origin"]["kind"] == "unknown")
    if unknown:
        text = f"Where {_count(unknown, 'data set')} came from is not recorded."
        yield "data", text, unknown
    declared = _nodes(data, lambda one: one["origin"]["kind"] == "declared")
    if declared:
        text = f"{_count(declared, 'data set')} came from elsewhere; by whom is not recorded."
        yield "data", text, declared
    bare = _nodes([*data, sections["model"]], lambda one: not one.get("digests"))
    if bare:
        among = ", the model among them" if sections["model"]["node"] in bare else ""
        text = (
            f"No digest of {_count(bare, 'artifact')} is recorded{among}: nobody can tell whether "
            "the bytes are still those that were used."
        )
        yield "data", text, bare
    yield "data", _BEFORE, ()


def _of_steps(sections: Facts) -> Iterator[_Row]:
    steps = sections["steps"]
    for name, what in (
        ("code", "which version of the code ran"),
        ("environment", "in which environment it ran"),
        ("people", "who ran it"),
        ("started", "when it began"),
        ("finished", "when it ended"),
    ):
        lacking = _nodes(steps, lambda step, name=name: not step[name])  # type: ignore[misc]
        if lacking:
            yield "steps", f"Of {_count(lacking, 'step')} it is not recorded {what}.", lacking
    lost = _nodes(steps, lambda step: step["status"] == "lost")
    if lost:
        yield "steps", f"The rows of {_count(lost, 'step')} are lost: nothing else is known.", lost
    open_ = _nodes(steps, lambda step: step["status"] not in {"completed", "cached", "lost"})
    if open_:
        text = f"{_count(open_, 'step')} did not complete, as far as the record says."
        yield "steps", text, open_
    if not sections["model"]["produced_by"] and steps:
        yield "steps", "Which step made the model is not recorded.", ()


def _of_evaluations(sections: Facts) -> Iterator[_Row]:
    metrics = sections["metrics"]
    if not metrics:
        yield "evaluation", "No metric or evaluation of the model is recorded.", ()
    files = _nodes(metrics, lambda one: not one["values"])
    if files:
        text = f"The values of {_count(files, 'evaluation')} are in files, and not in the record."
        yield "evaluation", text, files
    approvals = sections["approvals"]
    if not approvals:
        yield "approval", "No approval of the model is recorded.", ()
    nobody = _nodes(approvals, lambda one: not one["people"])
    if nobody:
        text = f"Of {_count(nobody, 'approval')} it is not recorded which person is answerable."
        yield "approval", text, nobody
    if not deployments_of(sections):
        yield (
            "deployment",
            "No deployment of the model is recorded; there may be some all the same.",
            (),
        )


def _of_the_record(sections: Facts, report: AuditReport) -> Iterator[_Row]:
    missing = _nodes(
        [*sections["data_sets"], sections["model"]], lambda one: bool(one.get("missing"))
    )
    if missing:
        yield "record", f"The rows of {_count(missing, 'artifact')} are lost.", missing
    for note in report.notes():
        yield "record", note, ()
    yield "record", _VALUES, ()
    yield "record", _CHANGED, ()


def _nodes(rows: Sequence[Facts], test: Callable[[Facts], bool]) -> list[str]:
    return list(dict.fromkeys(row["node"] for row in rows if test(row)))


def _count(nodes: Sequence[str], what: str) -> str:
    return f"{len(nodes):,} {what}{'' if len(nodes) == 1 else 's'}"
