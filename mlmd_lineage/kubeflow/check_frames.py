"""The check's losses and forecasts as pandas DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.snapshot.columns import TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.kubeflow.losses import Loss, RunForecast


def losses_frame(losses: Sequence[Loss]) -> pd.DataFrame:
    """Return a row for each loss; see ``KubeflowCheck.to_pandas``."""
    made: dict[str, list[Any]] = {
        "rule": [loss.rule.code for loss in losses],
        "way": [loss.rule.way for loss in losses],
        "effect": [loss.rule.effect for loss in losses],
        "node": [loss.node for loss in losses],
        "runs": [" ".join(loss.runs) for loss in losses],
        "detail": [loss.detail for loss in losses],
        "advice": [loss.rule.advice for loss in losses],
        "source": [loss.rule.source for loss in losses],
    }
    return pd.DataFrame({name: _texts(values) for name, values in made.items()})


def runs_frame(runs: Sequence[RunForecast]) -> pd.DataFrame:
    """Return a row for each run; see ``KubeflowCheck.runs_to_pandas``."""
    columns: dict[str, Any] = {
        "id": _texts([run.id for run in runs]),
        "name": _texts([run.name for run in runs]),
        "experiment": _texts([run.experiment for run in runs]),
        "whole": pd.array([not run.lost for run in runs], "boolean"),
        "lost": _texts([" ".join(run.lost) for run in runs]),
        "transferable": pd.array([not run.refused for run in runs], "boolean"),
        "refused": _texts([" ".join(run.refused) for run in runs]),
    }
    index = pd.Index(_texts([run.run for run in runs]), name="run")
    return pd.DataFrame(columns, index=index)


def _texts(values: list[Any]) -> Any:
    return pd.array(values, TEXT)
