"""A pipeline that tests run in this process and in others."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd  # noqa: TC002 - the steps are annotated with it

import mlmd_lineage as ml

_PATIENCE = 60.0


class Scores(NamedTuple):
    accuracy: float
    table: pd.DataFrame


@ml.step
def load(path: Path) -> pd.DataFrame:
    return __import__("pandas").read_csv(path)


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


@ml.step
def meet(folder: str, me: str, other: str) -> str:
    """Wait until the other step is running too: alone, it fails."""
    Path(folder, me).touch()
    end = time.monotonic() + _PATIENCE
    while not Path(folder, other).exists():
        if time.monotonic() > end:
            raise TimeoutError(other)
        time.sleep(0.005)
    return me


@ml.step
def join(names: list[str]) -> str:
    return "+".join(names)


@ml.step
def die(name: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return name


@ml.step
def after(name: str) -> str:
    return name


@ml.pipeline
def side_by_side(folder: str) -> None:
    left = meet.with_options(name="left")(folder, "left", "right")
    right = meet.with_options(name="right")(folder, "right", "left")
    joined = join([left, right])
    after(die(joined))
    join.with_options(name="again")([joined, joined])
