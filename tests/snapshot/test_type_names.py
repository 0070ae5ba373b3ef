"""What types may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mlmd_lineage as ml
from mlmd_lineage.snapshot.type_names import short_type, short_types

if TYPE_CHECKING:
    from pathlib import Path

TRAINER = "tfx.components.trainer.component.Trainer"


def test_types_are_short_where_that_is_plain():
    image = f"components.Xgboost train@sha256={'0' * 64}"
    assert short_types([TRAINER, "Model", image]) == {
        TRAINER: "Trainer",
        "Model": "Model",
        image: "Xgboost train",
    }
    assert short_types([TRAINER, "mine.Trainer"]) == {
        TRAINER: TRAINER,
        "mine.Trainer": "mine.Trainer",
    }
    assert short_types([""]) == {"": ""}


def test_odd_names_stay_as_they_are():
    for name in ("a.", ".", "..", "v1.2", "components."):
        assert short_type(name) == name
    assert short_type("ünï.Modell") == "Modell"


def test_short_names_mean_the_types(shared_stores: Path):
    store = ml.connect(shared_stores / "tfx_local.db")
    whole, short = (store.upstream(4, until=name) for name in (TRAINER, "Trainer"))
    assert list(short) == list(whole)
    assert short.truncated_by == ("until",)
    assert list(store.lineage().upstream(4, until="Trainer")) == list(whole)
    assert store.frames.executions(type="Trainer").equals(store.frames.executions(type=TRAINER))
    found = store.find_executions("id > 0", type="Trainer")
    assert found.equals(store.find_executions("id > 0", type=TRAINER))


def test_what_no_type_is_called(shared_stores: Path):
    store = ml.connect(shared_stores / "tfx_local.db")
    with pytest.raises(ml.errors.NotFoundError, match=r"no artifact or execution type.*Trainer"):
        store.upstream(11, until="Trainr")
    with pytest.raises(ml.errors.NotFoundError, match="is a type, but no artifact type"):
        store.frames.artifacts(type="Trainer")
