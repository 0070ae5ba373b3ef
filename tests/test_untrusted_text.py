"""Properties whose texts nobody should have written: they are read, and shown as they stand."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors, untrusted_text

DATA = Path(ml.__file__).parent / "data" / "tfx_local.db"
CASES = Path(__file__).resolve().parents[2] / "shared"
STORES = [DATA, *(CASES / n for n in ("cases/cmf_server.db", "stores/kfp2_emulated.db"))]
TEXTS = {
    "more digits than Python takes": "9" * 5_000,
    "more than 64 bits": "9" * 25,
    "deep": "[" * 20_000,
    "half of a surrogate pair": '"\\ud800"',
    "infinite": "1e999",
}


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.stem)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_store_of_such_texts_is_read(path: Path, text: str, tmp_path: Path):
    if not path.exists():
        pytest.skip("this store is not here")
    target = tmp_path / "metadata.db"
    shutil.copyfile(path, target)
    with contextlib.closing(sqlite3.connect(target)) as connection, connection:
        for table in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
            connection.execute(
                f"UPDATE {table} SET string_value = ? WHERE string_value IS NOT NULL",  # noqa: S608
                (text,),
            )
    store = ml.connect(target)
    assert len(store.frames.artifacts(properties=True))
    assert len(store.frames.executions(properties=True))
    for frame in (store.frames.runs, store.frames.steps, store.frames.parameters):
        frame()
    assert store.upstream("artifact/2").to_json()


def test_halves_of_surrogate_pairs_that_a_program_recorded_show_as_their_escapes(tmp_path: Path):
    store = ml.connect(tmp_path / "m.db", create=True)
    with store.record("churn") as run, run.step("train", parameters={"na\ud800me": "\udfff"}):
        pass
    [row] = store.frames.parameters().itertuples()
    assert row.name == "na\\ud800me"
    [step] = store.get_pipelines()[0].runs[0].steps
    assert step.parameters == {"na\ud800me": "\udfff"}


@pytest.mark.parametrize(
    "node",
    [10**5_000, -(10**20), "9" * 5_000, "artifact/" + "9" * 5_000],
    ids=["huge", "negative", "digits", "key"],
)
def test_ids_of_any_length_name_no_node(node: int | str):
    with pytest.raises((errors.NotFoundError, errors.ConfigurationError)):
        ml.connect(DATA).upstream(node)
    with pytest.raises((errors.NotFoundError, errors.ConfigurationError)):
        ml.connect(DATA).get_step(node)


def test_integers_are_those_of_64_bits():
    least, most = -(2**63), 2**63 - 1
    for value in (least, most, str(least), str(most)):
        assert untrusted_text.int64_of(value) == int(value)
    for odd in (most + 1, str(most + 1), "1_0", "٣", "²", "", "-", " 1", None, float("inf"), "4.5"):
        assert untrusted_text.int64_of(odd) is None


@pytest.mark.parametrize("text", ["[" * 20_000, "9" * 5_000, '"\\ud800"', "{", None, b"\xff"])
def test_what_is_no_json_of_text_is_a_value_error(text: str | bytes | None):
    with pytest.raises(ValueError, match=r"."):
        untrusted_text.json_of(text)
