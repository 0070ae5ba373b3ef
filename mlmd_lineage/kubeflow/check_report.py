"""The check's report: for people as text, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.kubeflow.losses import CheckResult, Loss
    from mlmd_lineage.kubeflow.rules import Rule

_EXAMPLES = 3
_RUNS = 20
_ALWAYS = (
    "3.0 deletes tasks, artifacts and lineage together with their run (#13532).",
    "3.0 deletes runs that have expired.",
    "3.0 has no lineage view, and answers one hop only (#12645).",
    "Times come over in whole seconds.",
    "The map from MLMD's ids to the new ones may be dropped after 30 to 90 days.",
)


def report(check: CheckResult) -> str:
    """Return the report as text."""
    lines = [f"Kubeflow Pipelines 3.0 and {check.source}"]
    held = ", ".join(f"{count:,} {what}" for what, count in check.counts.items())
    lines.append(f"  It holds {held}.")
    if check.runs_source is None:
        lines.append(
            "  No database of runs was given (--runs-db), so that runs without a row and runs that "
            "have not ended are not found."
        )
    else:
        lines.append(f"  Runs: {check.runs_source}")
    whole = sum(not run.lost for run in check.runs)
    taken = sum(not run.refused for run in check.runs)
    lines += [
        "",
        f"After the upgrade {whole:,} of {len(check.runs):,} runs are whole.",
        f"A transfer takes {taken:,} of {len(check.runs):,} runs.",
    ]
    for title, way in (
        ("What the upgrade skips or changes", "upgrade"),
        ("What stops a transfer", "transfer"),
    ):
        lines += ["", title]
        groups = _by_rule([loss for loss in check.losses if loss.rule.way == way])
        if not groups:
            lines.append("  nothing")
        for rule, losses in groups:
            lines += _of_rule(rule, losses)
    lines += ["", "Runs that are not whole after the upgrade"]
    lines += _run_lines(check)
    lines += ["", "What changes for every store", *(f"  - {line}" for line in _ALWAYS)]
    return "\n".join(lines) + "\n"


def _by_rule(losses: Sequence[Loss]) -> list[tuple[Rule, list[Loss]]]:
    groups: dict[Rule, list[Loss]] = {}
    for loss in losses:
        groups.setdefault(loss.rule, []).append(loss)
    return list(groups.items())


def _of_rule(rule: Rule, losses: Sequence[Loss]) -> list[str]:
    lines = [f"  {rule.code}: {len(losses):,} {rule.effect}", f"    {rule.meaning}"]
    lines += [f"    {loss.node}: {loss.detail}" for loss in losses[:_EXAMPLES]]
    more = len(losses) - _EXAMPLES
    if more > 0:
        lines.append(f"    and {more:,} more")
    return [*lines, f"    {rule.advice}", f"    Source: {rule.source}."]


def _run_lines(check: CheckResult) -> list[str]:
    broken = [run for run in check.runs if run.lost]
    lines = []
    for run in broken[:_RUNS]:
        where = f" ({run.experiment})" if run.experiment else ""
        name = run.name if run.name == run.id else f"{run.name}, {run.id}"
        lines.append(f"  {run.run} {name}{where}: {', '.join(run.lost)}")
    if not broken:
        return ["  none"]
    more = len(broken) - _RUNS
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def as_json(check: CheckResult) -> dict[str, Any]:
    """Return the report as JSON has it."""
    rules = _by_rule(check.losses)
    return {
        "store": check.source,
        "runs_database": check.runs_source,
        "is_lossless": check.is_lossless,
        "counts": dict(check.counts),
        "rules": [
            {
                "code": rule.code,
                "way": rule.way,
                "effect": rule.effect,
                "meaning": rule.meaning,
                "advice": rule.advice,
                "source": rule.source,
                "count": len(losses),
            }
            for rule, losses in rules
        ],
        "runs": [
            {
                "run": run.run,
                "id": run.id,
                "name": run.name,
                "experiment": run.experiment,
                "lost": list(run.lost),
                "refused": list(run.refused),
            }
            for run in check.runs
        ],
        "losses": [
            {
                "rule": loss.rule.code,
                "node": loss.node,
                "runs": list(loss.runs),
                "detail": loss.detail,
            }
            for loss in check.losses
        ],
    }
