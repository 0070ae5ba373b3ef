"""The history is saved with the names of its runs, from a database as Kubeflow has it."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import runs_databases

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.cli.app import command_line

if TYPE_CHECKING:
    import servers

SHARED = Path(__file__).resolve().parents[3] / "shared"
EMULATED = SHARED / "stores" / "kfp2_emulated.db"
PASSWORD = "s3cret"

pytestmark = pytest.mark.usefixtures("shared_stores")


def database_of(server: servers.Server) -> tuple[str, list[str]]:
    """Return the URL of a database of the runs of the store, all but the last, and their UUIDs."""
    runs = [run.name for run in ml.connect(EMULATED).get_runs()]
    rows = [runs_databases.row(run, f"weekly {n}") for n, run in enumerate(runs[:-1])]
    rows[1] |= {"State": "RUNNING", "FinishedAtInSec": 0}
    return runs_databases.fill(server, server.new_database(), rows), runs


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = command_line().main([*arguments], standalone_mode=False) or 0
    return code, capsys.readouterr().out


def test_runs_have_the_names_in_a_database(mariadb_server: servers.Server, tmp_path: Path):
    url, runs = database_of(mariadb_server)
    store = ml.connect(EMULATED, runs=url)
    assert PASSWORD not in repr(store) + repr(store.runs_store)
    assert PASSWORD.encode() not in pickle.dumps(store)
    run = store.get_run("weekly 0")
    assert (run.name, run.display_name, run.experiment) == (runs[0], "weekly 0", "Zürich")
    assert run.schedule == "every night"
    assert run.record is not None
    assert (run.record.pipeline, run.record.pipeline_version) == ("churn", "churn v7")
    assert "weekly 0, experiment Zürich" in run.to_svg()
    assert "display_name='weekly 0'" in repr(run)
    for graph in (store.lineage(), store.upstream(run)):
        assert "weekly 0" in set(graph.labels["run"].dropna())
        assert run.name not in set(graph.labels["run"].dropna())
    frame = store.frames.runs().set_index("name")
    assert frame["display_name"].isna().tolist() == [name == runs[-1] for name in frame.index]
    assert frame.loc[runs[1], "recorded_state"] == "RUNNING"
    check = store.kubeflow_check()
    codes = {run.id: (run.lost, run.refused) for run in check.runs}
    assert [name for name in runs if "run_without_row" in codes[name][0]] == [runs[-1]]
    assert "run_not_finished" in codes[runs[1]][1]
    assert check.runs[0].name == "weekly 0"

    store.kubeflow_save(tmp_path / "history")
    saved = ml.connect(tmp_path / "history")
    assert saved.get_run("weekly 0").experiment == "Zürich"
    assert saved.frames.runs().equals(store.frames.runs())
    assert saved.kubeflow_check().to_pandas().equals(check.to_pandas())
    folder = tmp_path / "history" / "kubeflow"
    assert (folder / "check.txt").read_text(encoding="utf-8") == check.text()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, described in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == described["sha256"]
    written = b"".join(path.read_bytes() for path in folder.iterdir())
    assert PASSWORD.encode() not in written
    with pytest.raises(errors.ConfigurationError, match="not an empty folder"):
        store.kubeflow_save(tmp_path / "history")
    for name in ("run_details.parquet", "manifest.json"):
        damaged = tmp_path / f"damaged-{name}"
        shutil.copytree(tmp_path / "history", damaged)
        path = damaged / "kubeflow" / name
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(errors.DamagedStoreError, match=r"kubeflow.* cannot be read"):
            ml.connect(damaged).get_run("weekly 0")


def test_names_come_from_postgresql(postgresql_server: servers.Server):
    url, runs = database_of(postgresql_server)
    store = ml.connect(EMULATED, runs=url)
    run = store.get_run("weekly 2")
    assert (run.name, run.experiment) == (runs[2], "Zürich")
    check = store.kubeflow_check()
    assert "not_mysql" in check.runs[0].lost
    assert check.losses[0].node == "store"


def test_commands_check_and_save(
    mariadb_server: servers.Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    url, runs = database_of(mariadb_server)
    code, text = command("kubeflow", "check", str(EMULATED), "--runs-db", url, capsys=capsys)
    assert code == 3
    assert f"weekly 3, {runs[3]} (Zürich): " in text
    assert "run_without_row: 1 skipped" in text
    assert "s3cret" not in text
    folder = str(tmp_path / "history")
    code, text = command("kubeflow", "save", str(EMULATED), folder, "--runs-db", url, capsys=capsys)
    assert (code, "check.txt" in text) == (0, True)
    code, text = command("kubeflow", "check", folder, "--format", "runs", capsys=capsys)
    assert (code, text.splitlines()[1].split("\t")[2]) == (3, "weekly 0")
    for form in ("json", "csv", "table"):
        code, text = command("kubeflow", "check", folder, "-f", form, capsys=capsys)
        assert code == 3
        assert "run_without_row" in text
    code, text = command("runs", folder, capsys=capsys)
    assert "weekly 0" in text


def test_a_store_that_loses_nothing_has_the_exit_code_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    empty = str(tmp_path / "empty.db")
    ml.connect(empty, create=True)
    assert command("kubeflow", "check", empty, capsys=capsys)[0] == 0
    # Without a database of runs nothing is different.
    assert ml.connect(EMULATED).run_names is None
    assert "display_name" not in ml.connect(EMULATED).frames.runs()
    folder = str(tmp_path / "history")
    code, text = command("kubeflow", "save", str(EMULATED), folder, capsys=capsys)
    assert (code, "--runs-db" in text) == (0, True)
    assert "display_name" not in ml.connect(folder).frames.runs()


def test_what_is_no_database_of_runs_is_refused(mariadb_server: servers.Server):
    for target in ("metadata.db", "grpc://localhost:8080"):
        with pytest.raises(errors.ConfigurationError, match="no database of runs"):
            ml.connect(EMULATED, runs=target)
    database = mariadb_server.new_database()
    store = ml.connect(EMULATED, runs=mariadb_server.url(database))
    with pytest.raises(errors.NotAMetadataStoreError, match="run_details"):
        store.kubeflow_check()
    wrong = mariadb_server.url(database).replace("/" + database, "/no_such_database")
    with pytest.raises(errors.StoreNotFoundError, match="no_such_database"):
        ml.connect(EMULATED, runs=wrong).kubeflow_check()


def test_two_runs_of_one_name_are_ambiguous(mariadb_server: servers.Server):
    runs = [run.name for run in ml.connect(EMULATED).get_runs()]
    rows = [runs_databases.row(run, "weekly") for run in runs[:2]]
    url = runs_databases.fill(mariadb_server, mariadb_server.new_database(), rows)
    with pytest.raises(errors.AmbiguousNameError, match="2 runs 'weekly'"):
        ml.connect(EMULATED, runs=url).get_run("weekly")
