"""Demo pipeline: a classifier of customers who leave, trained with NumPy on data of this package.

The 600 customers in ``data/customers.csv`` are made up, by a logistic model with noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd  # noqa: TC002 - the steps are annotated with it

import mlmd_lineage as ml

CUSTOMERS = Path(__file__).parent / "data" / "customers.csv"
LABEL = "churned"


class Split(NamedTuple):
    """Customers to train with, and others to test with."""

    train: Annotated[pd.DataFrame, ml.Output(type="Dataset")]
    test: Annotated[pd.DataFrame, ml.Output(type="Dataset")]


class Scores(NamedTuple):
    """How well a model tells who leaves."""

    accuracy: float
    log_loss: float


@ml.step
def split(customers: pd.DataFrame, test_share: float = 0.25, seed: int = 7) -> Split:
    """Shuffle the customers, and keep some of them for the test."""
    order = np.random.default_rng(seed).permutation(len(customers))
    size = int(len(customers) * test_share)
    shuffled = customers.iloc[order].reset_index(drop=True)
    return Split(shuffled.iloc[size:].reset_index(drop=True), shuffled.iloc[:size])


@ml.step
def train(
    customers: pd.DataFrame, learning_rate: float = 0.1, epochs: int = 200
) -> Annotated[np.ndarray, ml.Output("model", type="Model")]:
    """Fit a logistic regression by gradient descent."""
    features, labels = features_of(customers), customers[LABEL].to_numpy()
    weights = np.zeros(features.shape[1])
    for _ in range(epochs):
        weights -= (
            learning_rate * features.T @ (probability(features, weights) - labels) / len(labels)
        )
    return weights


@ml.step
def evaluate(model: np.ndarray, customers: pd.DataFrame) -> Scores:
    """Score a model on customers that it has not seen."""
    labels = customers[LABEL].to_numpy()
    found = probability(features_of(customers), model)
    return Scores(
        accuracy=float(np.mean((found > 0.5) == labels)),
        log_loss=float(-np.mean(np.where(labels == 1, np.log(found), np.log1p(-found)))),
    )


@ml.pipeline(name="demo-churn")
def churn(learning_rate: float = 0.1, epochs: int = 200) -> None:
    """Train and evaluate a classifier."""
    parts = split(ml.external_artifact(CUSTOMERS, type="Dataset"))
    model = train(parts.train, learning_rate, epochs)
    evaluate(model, parts.test)


def features_of(customers: pd.DataFrame) -> np.ndarray:
    """Return the features, scaled to about one, and a column of ones."""
    scales = {"months": 36.0, "monthly_charge": 60.0, "support_calls": 2.0, "yearly_contract": 1.0}
    columns = [customers[name].to_numpy() / scale for name, scale in scales.items()]
    return np.column_stack([np.ones(len(customers)), *columns])


def probability(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return for each row the probability that the customer leaves."""
    chances: np.ndarray = 1.0 / (1.0 + np.exp(-features @ weights))
    return chances
