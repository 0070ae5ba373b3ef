"""The check before an upgrade: what Kubeflow Pipelines 3.0 will not hold whole, and why."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from mlmd_lineage.kubeflow.history import History
from mlmd_lineage.kubeflow.losses import Loss, RunForecast
from mlmd_lineage.kubeflow.rules import DESIGN, Rule, keep
from mlmd_lineage.kubeflow.transfer_closure import CLOSURE_RULES, closure_of
from mlmd_lineage.kubeflow.transfer_rules import TRANSFER_RULES
from mlmd_lineage.kubeflow.upgrade_rules import UPGRADE_RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mlmd_lineage.kubeflow.run_records import RunRecord
    from mlmd_lineage.snapshot.tables import Tables


def _store_rule(history: History) -> Any:
    del history
    return iter(())


NOT_MYSQL = Rule(
    "not_mysql",
    "upgrade",
    "skipped",
    "The upgrade brings over nothing at all where the databases are not in MySQL.",
    keep("all of it"),
    DESIGN.format("'Risks and Mitigations'"),
    _store_rule,
)
RULES = (NOT_MYSQL, *UPGRADE_RULES, *TRANSFER_RULES, *CLOSURE_RULES)
"""All rules, in the order in which they are reported."""


class KubeflowCheck:
    """What 3.0 of Kubeflow Pipelines will not hold of a store's history.

    >>> check = store.kubeflow_check()
    >>> check.is_lossless
    False
    >>> print(check.text())
    >>> check.to_pandas()

    Attributes:
        source: Where the store is.
        runs_source: Where the database of runs is; None where none was given.
        losses: What is lost, by rules.
        runs: What becomes of each run, in the order of their contexts.
    """

    def __init__(
        self,
        tables: Tables,
        records: Mapping[str, RunRecord] | None = None,
        *,
        runs_source: str | None = None,
        is_mysql: bool = True,
    ) -> None:
        """Check the tables of a store, and the runs of Kubeflow's database where they are known.

        Args:
            tables: MLMD's tables, those of ``HISTORY_TABLES`` at least.
            records: The runs by their UUIDs.
            runs_source: Where these are from.
            is_mysql: Whether both databases are in MySQL, as far as is known.
        """
        history = History(tables, records)
        self.source = tables.source
        self.runs_source = runs_source
        self.counts: Mapping[str, int] = {
            "runs": len(history.run_contexts),
            "executions": len(history.executions),
            "artifacts": len(history.artifacts),
            "events": len(history.events),
        }
        losses = [] if is_mysql else [Loss(NOT_MYSQL, "store", (), "it is in another database")]
        for rule in (*UPGRADE_RULES, *TRANSFER_RULES):
            losses += [
                Loss(rule, node, _runs_of(history, node), detail)
                for node, detail in rule.find(history)
            ]
        archives = _of_archives(history)
        self.losses = (*losses, *archives)
        self.runs = tuple(_forecasts(history, self.losses))

    @property
    def is_lossless(self) -> bool:
        """Whether nothing is lost, changed or refused."""
        return not self.losses

    def to_pandas(self) -> pd.DataFrame:
        """Return what is lost, a row for each node or event and rule.

        Columns: ``rule``, ``way`` (``upgrade`` or ``transfer``), ``effect`` (``skipped``,
        ``changed`` or ``refused``), ``node``, ``runs`` (the keys of its runs' contexts),
        ``detail``, ``advice``, ``source``.
        """
        from mlmd_lineage.kubeflow.check_frames import losses_frame

        return losses_frame(self.losses)

    def runs_to_pandas(self) -> pd.DataFrame:
        """Return what becomes of each run, a row for each.

        Index: ``run``, the key of its context. Columns: ``id``, ``name``, ``experiment``,
        ``whole`` (after the upgrade), ``lost`` (by which rules), ``transferable``, ``refused``
        (by which rules).
        """
        from mlmd_lineage.kubeflow.check_frames import runs_frame

        return runs_frame(self.runs)

    def text(self) -> str:
        """Return the report for people."""
        from mlmd_lineage.kubeflow.check_report import report

        return report(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        from mlmd_lineage.kubeflow.check_report import as_json

        return as_json(self)

    def __repr__(self) -> str:
        whole = sum(not forecast.lost for forecast in self.runs)
        return f"<KubeflowCheck of {self.source}: {whole:,} of {len(self.runs):,} runs stay whole>"


def _end_of(history: History, node: str) -> tuple[str, int]:
    """Return the kind and the id of a node; for an event those of its execution."""
    kind, _, number = node.partition("/")
    if kind == "event":
        return "execution", history.event_executions[int(number)]
    return kind, int(number)


def _runs_of(history: History, node: str) -> tuple[str, ...]:
    kind, number = _end_of(history, node)
    if kind == "context":
        found = [number] if number in history.run_contexts else []
    elif kind == "artifact":
        found = history.runs_of_artifact(number)
    else:
        found = history.runs_of.get(number, [])
    return tuple(f"context/{context}" for context in found)


def _of_archives(history: History) -> list[Loss]:
    found = []
    for context in sorted(history.run_contexts):
        closure = closure_of(history, context)
        for rule, find in CLOSURE_RULES.items():
            detail = find(history, closure)
            if detail:
                run = f"context/{context}"
                found.append(Loss(rule, run, (run,), detail))
    return sorted(found, key=lambda loss: RULES.index(loss.rule))


def _forecasts(history: History, losses: tuple[Loss, ...]) -> list[RunForecast]:
    order = {rule.code: number for number, rule in enumerate(RULES)}
    lost: dict[str, set[str]] = {}
    refusing: dict[str, dict[int, set[str]]] = {}
    of_archive: dict[str, set[str]] = {}
    for loss in losses:
        if loss.rule in CLOSURE_RULES:
            of_archive.setdefault(loss.node, set()).add(loss.rule.code)
        elif loss.rule.way == "transfer":
            kind, number = _end_of(history, loss.node)
            refusing.setdefault(kind, {}).setdefault(number, set()).add(loss.rule.code)
        else:
            for run in loss.runs:
                lost.setdefault(run, set()).add(loss.rule.code)
    by_all = {loss.rule.code for loss in losses if loss.node == "store"}
    made = []
    for context, name in sorted(history.run_contexts.items()):
        key, record = f"context/{context}", history.record(context)
        closure = closure_of(history, context)
        codes = set(of_archive.get(key, ()))
        for kind, ids in (
            ("execution", closure.executions),
            ("artifact", closure.artifacts),
            ("context", closure.contexts),
        ):
            wrong = refusing.get(kind, {})
            codes.update(code for at in wrong.keys() & ids for code in wrong[at])
        made.append(
            RunForecast(
                key,
                name,
                (record.display_name if record else None) or name,
                record.experiment if record else None,
                tuple(sorted(lost.get(key, set()) | by_all, key=functools.partial(_at, order))),
                tuple(sorted(codes, key=functools.partial(_at, order))),
            )
        )
    return made


def _at(order: Mapping[str, int], code: str) -> int:
    return order[code]
