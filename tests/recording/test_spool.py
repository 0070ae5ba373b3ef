"""Runs that are recorded while the store is out of reach, and sent later, once."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import terminal
from recorded_values import VALUES

import mlmd_lineage as ml
from mlmd_lineage.recording.spooling import spool_sending
from mlmd_lineage.recording.spooling.spool import read_entry, spooled

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def impatient(store: ml.Store) -> ml.Store:
    """Return the store as somebody opens it who does not wait for locks."""
    flavor = store.metadata_store.model_copy(update={"busy_timeout": 0.05})
    return ml.connect(flavor)


@contextlib.contextmanager
def out_of_reach(store: ml.Store) -> Iterator[None]:
    """Keep everyone else from reading and writing the store."""
    with contextlib.closing(sqlite3.connect(store.location, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def record(store: ml.Store, name: str) -> None:
    Path("train.csv").write_text("a,b\n", encoding="utf-8")
    Path("model.pkl").write_bytes(b"model")
    options: Any = {"on_unreachable": "spool", "capture_software": False}
    with store.record("churn", name, parameters=VALUES, **options) as run:
        assert run.is_spooling
        with run.step("train", inputs={"data": "train.csv"}, parameters=VALUES) as step:
            step.use("train.csv", "again")
            model = step.produce("model", uri="model.pkl", type="Model", metrics={"auc": 0.9})
            with step.step("fold") as inner:
                inner.use("train.csv")
        with run.step("evaluate", inputs={"model": model}) as later:
            later.log_metrics({"loss": 0.1})


def check(store: ml.Store, name: str) -> None:
    run = store.get_run(name)
    assert run.status == "completed"
    assert dict(run.parameters) == dict(run.get_step("train").parameters) == VALUES
    assert [step.path for step in run.steps] == ["train", "train/fold", "evaluate"]
    train, evaluate = run.get_step("train"), run.get_step("evaluate")
    assert sorted(train.inputs) == ["again", "data"]
    assert train.outputs["model"].metrics == {"auc": 0.9}
    assert evaluate.inputs["model"].id == train.outputs["model"].id
    assert evaluate.metrics == {"loss": 0.1}


def rows(store: ml.Store) -> dict[str, int]:
    frames = store.frames
    kinds = ("artifacts", "executions", "contexts", "events")
    return {kind: len(getattr(frames, kind)()) for kind in kinds}


def test_without_a_spool_the_step_does_not_run(impatient: ml.Store):
    ran = []
    with impatient.record("churn", "r") as run:
        with (
            out_of_reach(impatient),
            pytest.raises(ml.errors.LockedStoreError),
            run.step("s"),
        ):
            ran.append(1)
        with run.step("t"):
            pass
    assert not ran
    assert impatient.get_run("r").get_step_names() == ["t"]


def test_what_is_spooled_is_sent_once(store: ml.Store, impatient: ml.Store, tmp_path: Path):
    with out_of_reach(store), pytest.warns(ml.errors.RecordingWarning, match="spool send"):
        record(impatient, "r")
    assert rows(store)["executions"] == 0
    said = terminal.invoke("spool", "list", "--format", "json").stdout
    assert store.location in said
    [waiting] = spooled()
    shutil.copytree(waiting.folder, tmp_path / "copy")
    done = terminal.invoke("spool", "send", store.location)
    assert done.exit_code == 0, done.output
    assert "Sent" in done.stdout
    check(store, "r")
    held = rows(store)
    shutil.copytree(tmp_path / "copy", waiting.folder)
    assert terminal.invoke("spool", "send", store.location).exit_code == 0
    assert rows(store) == held
    check(store, "r")
    assert terminal.invoke("spool", "list").stdout == "Nothing waits to be sent.\n"
    # What the store holds already is used, not put again.
    with out_of_reach(store), pytest.warns(ml.errors.RecordingWarning):
        record(impatient, "r2")
    terminal.invoke("spool", "send", store.location)
    data = [store.get_run(name).get_step("train").inputs["data"].id for name in ("r", "r2")]
    assert data[0] == data[1]


def test_sending_that_is_interrupted_goes_on_where_it_was(
    store: ml.Store, impatient: ml.Store, tmp_path: Path
):
    with out_of_reach(store), pytest.warns(ml.errors.RecordingWarning):
        record(impatient, "r")
    [waiting] = spooled()
    entries = len(waiting.entries)
    kept = tmp_path / "kept"
    shutil.copytree(waiting.folder, kept)

    def interrupt(entry: Path) -> None:
        # As if the process had died after the transaction, and before it removed the entry.
        shutil.copyfile(kept / entry.name, entry)
        raise KeyboardInterrupt

    with store.record_access() as access:
        for number in range(entries):
            [waiting] = spooled()
            with pytest.raises(KeyboardInterrupt):
                spool_sending.send(access, waiting, interrupt)
            waiting.entries[0].unlink()
            assert len(waiting.entries) == entries - number
    check(store, "r")
    held = rows(store)
    with store.record_access() as access:
        shutil.copytree(kept, waiting.folder, dirs_exist_ok=True)
        assert spool_sending.send(access, spooled()[0]) == entries
    assert rows(store) == held


def test_a_store_that_is_lost_in_the_midst_of_a_step(store: ml.Store, impatient: ml.Store):
    Path("data").write_text("1", encoding="utf-8")

    def lose_it() -> None:
        with impatient.record("churn", "r", on_unreachable="spool") as run:
            step = run.step("train", inputs={"data": "data"}).start()
            with out_of_reach(store):
                step.use("data", "again")
                step.log_parameters(late=1)
                step.end()
                with run.step("evaluate"):
                    pass

    with pytest.warns(ml.errors.RecordingWarning, match="is kept in") as warned:
        lose_it()
    assert len(warned) == 1
    assert store.get_run("r").status == "running"
    terminal.invoke("spool", "send", store.location)
    found = store.get_run("r")
    assert found.status == "completed"
    assert [s.name for s in found.steps] == ["train", "evaluate"]
    assert sorted(found.get_step("train").inputs) == ["again", "data"]
    assert dict(found.get_step("train").parameters) == {"late": 1}


def test_what_is_damaged_or_foreign_in_the_folder_is_told_or_left_alone(
    store: ml.Store, impatient: ml.Store
):
    with out_of_reach(store), pytest.warns(ml.errors.RecordingWarning, match="stayed locked"):
        record(impatient, "r")
    [run] = spooled()
    for name in ("notes-of-somebody", "9" * 100 + "-x", "٣" * 20 + "-x"):
        (run.folder.parent / name).mkdir()
    (run.folder.parent / "77-link").symlink_to(run.folder, target_is_directory=True)
    assert spooled() == [run]
    link = run.folder / "00000099.batch"
    link.symlink_to("/dev/zero")
    with pytest.raises(ml.errors.ConfigurationError, match="is nothing that was kept here"):
        read_entry(link)
    said = run.folder.parent / "store.json"
    for text in ("{}", "[", "[" * 100_000, '{"location": 5}', "x" * 200_000):
        said.write_text(text, encoding="utf-8")
        with pytest.raises(ml.errors.ConfigurationError, match="is damaged"):
            spooled()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("00000000.batch", b"\xff\xff"),
        ("00000000.state", b"{"),
        ("00000000.state", b"[" * 100_000),
        ("00000000.state", b"[]"),
        ("00000000.state", b'{"run": "r", "property": 5, "value": ""}'),
        ("00000000.state", b'{"run": "r", "property": "p", "value": {}}'),
    ],
)
def test_a_damaged_entry_is_told_and_what_comes_after_it_stays(
    store: ml.Store, impatient: ml.Store, name: str, content: bytes
):
    with out_of_reach(store), pytest.warns(ml.errors.RecordingWarning, match="stayed locked"):
        record(impatient, "r")
    [run] = spooled()
    (run.folder / name).write_bytes(content)
    [run] = spooled()
    with store.record_access() as access:
        with pytest.raises(ml.errors.ConfigurationError, match=f"{name} is damaged"):
            spool_sending.send(access, run)
        assert spooled() == [run]
        (run.folder / name).unlink()
        assert spool_sending.send(access, run) == len(run.entries) - 1
    assert store.get_run("r").status == "completed"
