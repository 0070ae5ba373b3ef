"""What types may be called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.type_names import short_type, short_types, types_called, types_named
from mlmd_lineage.testing import InMemoryStore

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


def test_a_type_that_is_there_twice_means_all_of_them(tmp_path: Path):
    path = sqlite_stores.new_store(tmp_path / "m.db")
    store = ml.connect(path)
    [name] = {row for row in store.frames.artifacts()["type"] if row is not None}
    before = store.frames.artifacts(type=name)
    [first, *_] = [row["id"] for row in store.snapshot().types.to_pylist() if row["name"] == name]
    sqlite_stores.change(
        path,
        "INSERT INTO Type (id, name, version, type_kind) "  # noqa: S608 - a number
        f"SELECT 90, name, version, type_kind FROM Type WHERE id = {first}",
        "UPDATE Artifact SET type_id = 90 WHERE id = 2",
    )
    assert list(store.frames.artifacts(type=name).index) == list(before.index)
    assert list(store.find_artifacts(f"type = '{name}'").index) == list(before.index)
    assert list(store.find_artifacts("id > 0", type=name).index) == list(before.index)
    for graph in (store, store.lineage()):
        walk = graph.upstream("artifact/3", until=name)
        assert walk.truncated_by in {(), ("until",)}
    assert [f.code for f in store.snapshot().findings] == ["duplicate_type"]


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


def test_the_names_that_a_text_means():
    image, other = (f"components.comp-train@sha256={digit * 64}" for digit in "01")
    names = [TRAINER, "Model", "system.Model", image, other, "v1.2"]
    assert types_called(names, "Model") == {"Model"}
    assert types_called(names, "component.Trainer") == {TRAINER}
    assert types_called(names, "comp-train") == types_called(names, "components.comp-train")
    assert types_called(names, "comp-train") == {image, other}
    assert types_called(names, image) == {image}
    assert types_called(names, "2") == types_called(names, "") == set()


def test_a_short_name_means_the_type_that_has_nodes():
    store = InMemoryStore()
    for name in ("mlmd.Model", "system.Model"):
        store.put_type("artifact", name)
    tables = store.snapshot()
    with pytest.raises(ml.errors.AmbiguousNameError, match=r"mlmd.Model' or 'system.Model"):
        types_named(tables, ["Model"], KINDS["artifact"])
    store.put_artifact("system.Model", uri="s3://bucket/model")
    tables = store.snapshot()
    [wanted] = [row["id"] for row in tables.types.to_pylist() if row["name"] == "system.Model"]
    assert types_named(tables, ["Model"], KINDS["artifact"]) == {wanted}
    assert len(store.frames.artifacts(type="Model")) == 1
    assert len(store.find_artifacts("id > 0", type="Model")) == 1
