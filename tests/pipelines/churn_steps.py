"""A pipeline that tests run in their process."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - a step is annotated with it
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd

import mlmd_lineage as ml


class Scores(NamedTuple):
    accuracy: float
    table: pd.DataFrame


@ml.step
def load(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


@ml.step
def train(
    data: pd.DataFrame, rate: float = 0.5
) -> Annotated[np.ndarray, ml.Output("model", type="Model")]:
    return scaled(data, rate)


@ml.step
def evaluate(model: np.ndarray, data: pd.DataFrame, limit: int = 1) -> Scores:
    return Scores(accuracy=float(model.sum()) / len(data) * limit, table=data * 2)


def scaled(data: pd.DataFrame, rate: float) -> np.ndarray:
    return np.array(data["x"]) * rate


@ml.pipeline
def churn(path: str, rate: float = 0.5) -> None:
    data = load(ml.external_artifact(path, type="Dataset"))
    evaluate(train(data, rate), data)
