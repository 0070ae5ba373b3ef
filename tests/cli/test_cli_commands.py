"""What the commands answer, and how they refuse."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import terminal

import mlmd_lineage
from mlmd_lineage.cli.common.text import without_passwords

STORE = str(terminal.DEMO_STORE)
TRAINER = "tfx.components.trainer.component.Trainer"


def run(*arguments: str, code: int = 0) -> Any:
    done = terminal.invoke(*arguments)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def refused(*arguments: str, code: int = 1) -> str:
    done = run(*arguments, code=code)
    assert done.stdout == ""
    told: str = done.stderr
    if code == 1:
        assert told.startswith("Error: ")
        assert told.count("\n") == 1
    return told


@pytest.fixture
def odd_store(tmp_path: Path) -> str:
    """Return a store whose names are as odd as they come."""
    path = tmp_path / "odd ünïcode [red].db"
    shutil.copyfile(STORE, path)
    with sqlite3.connect(path) as connection:
        model = connection.execute("SELECT id FROM Type WHERE name = 'Model'").fetchone()[0]
        examples = connection.execute("SELECT id FROM Type WHERE name = 'Examples'").fetchone()[0]
        for number, type_id, name, uri in (
            (101, model, "chürn", "s3://bucket/a b#c?d=é"),
            (102, examples, "chürn", "s3://bucket/shared/"),
            (103, model, "a:b:c", "s3://bucket/shared/"),
            (104, model, "tab\tline\n\x1b[31mred\x1b[0m [bold]", None),
            (105, model, "7", ""),
        ):
            connection.execute(
                "INSERT INTO Artifact (id, type_id, name, uri, state) VALUES (?, ?, ?, ?, 2)",
                (number, type_id, name, uri),
            )
    connection.close()
    return str(path)


# Finding nodes


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("artifact/43", "artifact/43"),
        ("43", "artifact/43"),
        (" 43 ", "artifact/43"),
        ("0043", "artifact/43"),
        ("execution/44", "execution/44"),
        ("/srv/tfx/pipelines/penguin-train/Trainer/model/44", "artifact/35"),
        ("/srv/tfx/pipelines/penguin-train/Trainer/model/44/", "artifact/35"),
        (f"{TRAINER}:55a49122-877a-4a89-afa5-ee253c27adfe", "execution/44"),
        ("Trainer:55a49122-877a-4a89-afa5-ee253c27adfe", "execution/44"),
        ("55a49122-877a-4a89-afa5-ee253c27adfe", "execution/44"),
        ("Model:chürn", "artifact/101"),
        ("Examples:chürn", "artifact/102"),
        ("s3://bucket/a b#c?d=é", "artifact/101"),
        ("a:b:c", "artifact/103"),
        ("Model:a:b:c", "artifact/103"),
        ("Model:7", "artifact/105"),
    ],
)
def test_nodes_are_found_by_what_people_call_them(odd_store: str, text: str, node: str):
    assert mlmd_lineage.connect(odd_store).find_node(text) == node


def test_finding_a_node_does_not_read_the_store(odd_store: str, monkeypatch: pytest.MonkeyPatch):
    store = mlmd_lineage.connect(odd_store)
    monkeypatch.setattr(store._reader, "read", lambda *_: pytest.fail("it read whole tables"))
    assert store.find_node("Model:chürn") == "artifact/101"
    with pytest.raises(mlmd_lineage.errors.NotFoundError, match=r"mean artifact/103 \(s3:"):
        store.find_node("s3://bucket/share")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chürn", "'chürn' fits 2 nodes, newest first: artifact/102, artifact/101."),
        ("s3://bucket/shared", "fits 2 nodes, newest first: artifact/103, artifact/102."),
        ("PushedModel", "is the type of 5 nodes, newest first: artifact/43, artifact/32,"),
        ("Trainer", "execution/13 and 1 more. Give one of them."),
        ("s3://bucket/share", "Did you mean artifact/103 (s3://bucket/shared/)"),
        ("Model:churn", "Did you mean"),
        ("artifacts/5", "Did you mean artifact/5?"),
        ("Execution:7", "Did you mean execution/7?"),
        ("Modle", "Did you mean the type Model"),
        ("qqqqqq", "No node is called 'qqqqqq'.\n"),
        ("artifact/999", "There is no artifact/999"),
        ("9223372036854775807", "There is no artifact/9223372036854775807"),
        ("execution/" + "9" * 400, "MLMD has no ids as large as that"),
        ("٣", "No node is called '٣'."),
        ("²", "No node is called '²'."),
        ("artifact/1\n", "artifact/1"),
        ("artifact/-1", "There is no artifact/-1"),
        ("context/999", "There is no context/999"),
        ("", "The node's name is empty"),
        (" ", "The node's name is empty"),
        ("'; DROP TABLE Artifact; --", "No node is called"),
        ("%", "No node is called"),
    ],
)
def test_what_names_no_one_node_is_told(odd_store: str, text: str, told: str):
    done = terminal.invoke("upstream", odd_store, "--", text)
    if text.strip() == "artifact/1":
        assert done.exit_code == 0
    else:
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
    assert told in done.output


# Lineage


def test_every_format_is_that_of_python():
    trace = mlmd_lineage.connect(STORE).upstream("artifact/43")
    for name in ("json", "dot", "mermaid", "graphml", "svg", "html"):
        printed = run("upstream", STORE, "43", "--format", name).stdout
        assert printed.rstrip("\n") == getattr(trace, f"to_{name}")().rstrip("\n")


def test_csv_has_the_nodes_or_the_edges():
    rows = list(csv.DictReader(io.StringIO(run("upstream", STORE, "43", "-f", "csv").stdout)))
    assert [row["node"] for row in rows[:2]] == ["artifact/43", "execution/49"]
    assert rows[0]["create_time_since_epoch"] == "2026-11-21T02:45:28.997+00:00"
    printed = run("upstream", STORE, "43", "-f", "csv", "--edges").stdout
    edges = list(csv.DictReader(io.StringIO(printed)))
    assert len(edges) == 13
    assert json.loads(edges[0]["path"]) == ["examples", 0]


@pytest.mark.parametrize(
    ("options", "nodes", "told"),
    [
        ([], 12, "# Complete: 6 artifacts and 6 executions."),
        (["--max-hops", "1"], 2, "# Cut by --max-hops at execution/49: 1 artifact and"),
        (
            ["--max-hops", "0"],
            1,
            "# Cut by --max-hops at artifact/43: 1 artifact and 0 executions.",
        ),
        (["--until", "Trainer"], 10, "# Cut by --until at execution/35: 5 artifacts and 5 exec"),
        (["--until", "Trainer", "--until", "Pusher"], 2, "# Cut by --until at execution/49"),
        (["--types", "PushedModel"], 2, "# Cut by --types at execution/49"),
        (["--reuse", "--internal"], None, "# Complete:"),
        (["--as-of", "2026-11-21T02:45:29Z"], 12, "# Complete:"),
        (["--limit", "3"], 3, "# Only the nearest 3 nodes are shown, not 9 more; --limit 0"),
        (["--only", "Trainer"], 2, "# Complete: 6 artifacts and 6 executions."),
        (["--edges"], 13, "# Complete:"),
    ],
)
def test_options_bound_the_answer_and_it_says_so(options: list[str], nodes: int | None, told: str):
    lines = run("upstream", STORE, "43", *options).stdout.splitlines()
    said = [line for line in lines if line.startswith("#")]
    assert nodes is None or len(lines) - len(said) - 1 == nodes
    assert any(line.startswith(told) for line in said), said


def test_later_producers_are_followed_where_asked_for(tmp_path: Path):
    path = tmp_path / "m.db"
    shutil.copyfile(STORE, path)
    with sqlite3.connect(path) as connection:
        # Execution 4 writes the dataset of the model 35 again, a year after it was used.
        event = connection.execute(
            "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch) "
            "VALUES (33, 4, 4, 1826765128000)"
        ).lastrowid
        assert event
    connection.close()
    assert "execution/4\t" not in run("upstream", str(path), "35").stdout
    assert "execution/4\t" in run("upstream", str(path), "35", "--later").stdout


def test_a_csv_that_was_cut_says_so_beside_it():
    done = run("upstream", STORE, "43", "-f", "csv", "--max-hops", "1")
    assert done.stderr.startswith("Cut by --max-hops")
    assert "Cut" not in done.stdout


def test_a_run_is_all_of_its_steps():
    name = "2026-11-21T02:45:29.003291"
    assert "# Complete: 3 artifacts and 4 executions." in run("upstream", STORE, name).stdout


def test_no_way_between_is_said_with_the_way_back():
    done = run("between", STORE, "43", "22")
    assert "# There is no path from the first to the second." in done.stdout
    assert "artifact/43 came from artifact/22" in done.stderr
    assert "Complete: 4 artifacts and 3 executions." in run("between", STORE, "22", "43").stdout


def test_an_odd_name_takes_one_line_and_no_control(odd_store: str):
    lines = run("upstream", odd_store, "104").stdout.splitlines()
    assert len(lines) == 3
    assert lines[1].split("\t")[3] == "tab\\tline\\n\\x1b[31mred\\x1b[0m [bold]"


# Tables


def test_tables_in_json_are_records():
    rows = json.loads(run("artifacts", STORE, "--format", "json").stdout)
    assert len(rows) == 47
    assert rows[0]["id"] == 1
    assert rows[0]["name"] is None
    assert rows[0]["create_time_since_epoch"] == "2026-11-21T02:44:17.199+00:00"
    events = json.loads(run("events", STORE, "--format", "json").stdout)
    assert events[0]["path"] == ["examples", 0]
    types = json.loads(run("types", STORE, "--format", "json").stdout)
    assert next(t for t in types if t["name"] == "Examples")["properties"]["span"] == "INT"
    assert json.loads(run("artifacts", STORE, "--limit", "0", "-f", "json").stdout) == rows


def test_properties_have_columns_of_their_own():
    printed = run("artifacts", STORE, "--type", "ModelBlessing", "--properties").stdout
    header, first, *_ = (line.split("\t") for line in printed.splitlines())
    row = dict(zip(header, first, strict=True))
    assert row["custom_properties.blessed"] == "1"


def test_types_may_be_as_short_as_a_tree_shows_them():
    short = run("executions", STORE, "--type", "Trainer").stdout
    assert short == run("executions", STORE, "--type", TRAINER).stdout
    assert len(short.splitlines()) == 1 + 6


@pytest.mark.parametrize(
    ("limit", "ids"), [("2", ["1", "2"]), ("-2", ["46", "47"]), ("-1", ["47"])]
)
def test_a_limit_takes_the_first_or_the_last(limit: str, ids: list[str]):
    lines = run("artifacts", STORE, "--limit", limit).stdout.splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == ids


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["artifacts", "--type", "Modle"], "no artifact type 'Modle'. Did you mean 'Model'"),
        (["artifacts", "--type", "Trainer"], "'Trainer' is a type, but no artifact type."),
        (["contexts", "--type", "Model"], "'Model' is a type, but no context type."),
        (["upstream", "43", "--until", "Trianer"], "Did you mean 'Trainer'"),
        (["upstream", "43", "--only", "pipeline"], "no artifact or execution type"),
        (["upstream", "43", "--as-of", "yesterday"], "'yesterday' is no time"),
    ],
)
def test_types_and_times_that_cannot_be_are_told(arguments: list[str], told: str):
    command, *rest = arguments
    assert told in refused(command, STORE, *rest)


# What a store is


def test_a_description_counts_what_is_there():
    described = json.loads(run("describe", STORE, "--format", "json").stdout)
    assert described["findings"] is None
    described |= json.loads(run("describe", STORE, "--findings", "--format", "json").stdout)
    assert described["flavor"] == "sqlite"
    assert described["schema_version"] == 10
    assert described["counts"] == {
        "artifacts": 47, "executions": 57, "contexts": 56, "events": 136,
    }  # fmt: skip
    assert described["first_time"] == "2026-11-21T02:44:15.658+00:00"
    trainer = next(t for t in described["execution_types"] if t["type"] == TRAINER)
    assert trainer["states"] == {"CACHED": 1, "COMPLETE": 4, "FAILED": 1}
    assert described["findings"] == []


def test_a_description_lists_findings_with_examples(tmp_path: Path):
    path = tmp_path / "broken.db"
    shutil.copyfile(STORE, path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM Artifact WHERE id IN (1, 2, 3, 4, 5)")
    connection.close()
    assert "Findings were not looked for" in run("describe", str(path)).stdout
    printed = run("describe", str(path), "--findings").stdout
    assert " missing_artifact: An event or a property names an artifact" in printed
    assert "    artifact/1: event 1 names it, and no row has its id" in printed
    assert " more\n" in printed


def test_an_option_that_is_a_format_is_told_as_one():
    assert "--format json" in refused("upstream", STORE, "43", "--json", code=2)
    assert "--format csv" in refused("runs", STORE, "--csv", code=2)
    assert "--format" not in refused("describe", STORE, "--csv", code=2)


def test_a_snapshot_answers_as_its_store(tmp_path: Path):
    folder = str(tmp_path / "archive")
    assert run("snapshot", STORE, folder).stdout.startswith("Saved 47 artifacts, 57 executions")
    for arguments in (
        ["upstream", "{}", "43"],
        ["contexts", "{}"],
        ["upstream", "{}", "Trainer:55a49122-877a-4a89-afa5-ee253c27adfe"],
    ):
        of_store = run(*(a.format(STORE) for a in arguments)).stdout
        assert run(*(a.format(folder) for a in arguments)).stdout == of_store
    assert "is not an empty folder" in refused("snapshot", STORE, folder)
    assert run("snapshot", STORE, folder, "--update").stdout.startswith("Nothing changed since")
    [generation] = json.loads(run("generations", folder, "--format", "json").stdout)
    assert list(generation) == ["generation", "taken_at"]
    assert generation["generation"] == 1
    assert run("generations", folder).stdout.startswith("generation\ttaken_at\n1\t")
    assert json.loads(run("generations", STORE, "--format", "json").stdout) == []
    again = str(tmp_path / "again")
    said = run("snapshot", folder, again, "--as-of", generation["taken_at"]).stdout
    assert said.startswith("Saved 47 artifacts")
    assert "holds no generation of 2001" in refused(
        "snapshot", folder, again, "--as-of", "2001-01-01"
    )


@pytest.mark.parametrize(
    "name",
    ["real/cmf_getting_started.db", "real/model_registry.db", "real/tfx_dead_runs.db",
     "real/tfx_phantoms_v6.db", "kfp1_emulated.db", "kfp2_emulated.db", "zenml_0132.db"],
)  # fmt: skip
def test_real_stores_are_described_and_listed(shared_stores: Path, name: str):
    store = str(shared_stores / name)
    assert run("describe", store).stdout
    assert json.loads(run("describe", store, "--format", "json").stdout)["counts"]
    for table in ("artifacts", "executions", "contexts"):
        for form in ("table", "json", "csv"):
            assert run(table, store, "--properties", "--format", form).stdout


# Refusals


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Usage: mlmd-lineage"),
        (["upstraem", STORE], "No such command 'upstraem'"),
        (["upstream"], "Missing argument 'NODE'"),
        (["upstream", STORE], "Missing argument 'NODE'"),
        (["upstream", STORE, "43", "44"], "unexpected extra argument"),
        (["upstream", STORE, "43", "--max-hops", "-1"], "--max-hops"),
        (["upstream", STORE, "43", "--max-hops", "many"], "--max-hops"),
        (["upstream", STORE, "43", "--format", "jpg"], "'jpg' is not one of 'table', 'json'"),
        (["artifacts", STORE, "--format", "dot"], "'dot' is not one of 'table', 'json', 'csv'"),
        (["describe", STORE, "--format", "csv"], "'csv' is not one of 'table', 'json'"),
        (["upstream", STORE, "43", "--only", "Model", "-f", "json"], "--only is for the formats"),
        (["upstream", STORE, "43", "--edges", "-f", "dot"], "--edges is for the formats"),
        (["upstream", STORE, "43", "--limit", "5", "-f", "csv"], "--limit is for the format"),
        (["upstream", STORE, "43", "--edges", "--only", "Model"], "give one of them"),
        (["between", STORE, "1", "43", "--until", "Model"], "No such option"),
    ],
)
def test_a_command_that_cannot_be_right_is_refused(arguments: list[str], told: str):
    assert told in run(*arguments, code=2).output


@pytest.mark.parametrize("command", ["describe", "artifacts", "events"])
def test_stores_that_are_none_are_told(command: str, tmp_path: Path):
    (tmp_path / "text.db").write_text("no database")
    (tmp_path / "empty.db").touch()
    for name in (
        "text.db",
        "empty.db",
        "absent.db",
        "no/such/folder.db",
        "[red].db",
        "a\nb",
        "x" * 5_000,
    ):
        refused(command, str(tmp_path / name))
    refused(command, str(tmp_path))
    refused(command, "")
    refused(command, "sqlite:///:memory:")
    refused(command, "redis://localhost/0")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://reader:h0ly-s3cret@127.0.0.1:1/metadb",
        "mysql://reader:h0ly-s3cret@127.0.0.1:many/metadb",
        "mysql://reader:a/h0ly-s3cret@127.0.0.1:1/metadb",
        "mysql://reader:h0ly-s3cret#x@127.0.0.1:1/metadb",
        "mysql://reader:it's h0ly-s3cret@@127.0.0.1:1/metadb",
        "mysql://127.0.0.1:1/metadb?user=x&password=h0ly-s3cret",
        "oracle://reader:h0ly-s3cret@127.0.0.1:1/metadb",
    ],
)
def test_passwords_are_never_shown(url: str):
    for arguments in (
        ["describe", url],
        ["describe", "a.db", url],
        [url],
        ["upstream", STORE, url],
        ["describe", f"--{url}"],
        ["describe", STORE, "--format", url],
        ["upstream", STORE, "43", "--max-hops", url],
        ["upstream", STORE, "43", "--until", url],
        ["upstream", STORE, "43", "--as-of", url],
        ["snapshot", STORE, f"{STORE}/{url}"],
    ):
        done = terminal.invoke(*arguments)
        assert done.exit_code in {1, 2}
        assert "h0ly-s3cret" not in done.output
        assert "Traceback" not in done.output


def test_an_error_of_our_own_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    # A line of the package, as what the tests' own code raises counts as the user's.
    place = str(Path(mlmd_lineage.__file__).with_name("broken.py"))
    text = "def broken(_): raise RuntimeError('mysql://u:h0ly-s3cret@db/x\\nfell over')"
    made: dict[str, Any] = {}
    exec(compile(text, place, "exec"), made)  # noqa: S102
    monkeypatch.setattr(mlmd_lineage.Store, "snapshot", made["broken"])
    told = refused("describe", STORE, "--findings")
    assert "This should not have happened: RuntimeError: mysql://u:***@db/x\\nfell over." in told
    monkeypatch.setenv("MLMD_LINEAGE_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="fell over"):
        run("describe", STORE, "--findings")


def test_the_example_in_messages_is_no_password():
    told = "Write mysql://user:password@host:3306/database."
    assert without_passwords(told) == told


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout.startswith("mlmd-lineage ")


# Options of tables


def test_statuses_are_those_of_views():
    from typing import get_args

    from mlmd_lineage.cli.runs import StatusChoice as Choice
    from mlmd_lineage.dialects.records import Status

    assert [choice.value for choice in Choice] == [*get_args(Status)]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--status", "failed"], 1),
        (["--status", "FAILED"], 1),
        (["--status", "failed", "--status", "cached"], 17),
        (["--status", "running"], 0),
    ],
)
def test_steps_of_a_status(options: list[str], rows: int):
    found = json.loads(run("steps", STORE, *options, "-f", "json").stdout)
    assert len(found) == rows
    assert {row["status"] for row in found} <= {each.lower() for each in options}


def test_columns_are_chosen_and_the_key_stays():
    for options in (["--columns", "uri, type"], ["--columns", "uri", "--columns=type,id"]):
        rows = json.loads(run("artifacts", STORE, *options, "-f", "json").stdout)
        assert list(rows[0]) == ["id", "uri", "type"]
    assert run("upstream", STORE, "43", "--columns", "state").stdout.startswith("node\tstate\n")
    shown = terminal.invoke("runs", STORE, "--columns", "finished", columns=80).stdout
    assert "finished" in shown
    told = run("artifacts", STORE, "--columns", "urii", code=2).stderr
    assert "There is no column 'urii'. Did you mean 'uri'?" in told


def test_several_types_are_one_table():
    rows = json.loads(
        run("artifacts", STORE, "--type", "Model", "--type", "Schema", "-f", "json").stdout
    )
    assert sorted({row["type"] for row in rows}) == ["Model", "Schema"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


@pytest.mark.parametrize("command", [["artifacts"], ["runs"], ["upstream", "43"], ["events"]])
def test_no_limit_is_0(command: list[str]):
    name, *rest = command
    assert run(name, STORE, *rest, "--limit", "0").stdout == run(name, STORE, *rest).stdout


@pytest.mark.parametrize(
    "arguments",
    [["describe"], ["artifacts"], ["upstream", "43"], ["runs"], ["impact", "1"], ["show", "43"]],
    ids=" ".join,
)
def test_an_answer_that_takes_too_long_is_given_up(arguments: list[str]):
    name, *rest = arguments
    told = refused(name, STORE, *rest, "--timeout", "0.00001")
    assert "longer than the 1e-05 seconds that were allowed" in told
    assert run(name, STORE, *rest, "--timeout", "600").stdout == run(name, STORE, *rest).stdout


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan"])
def test_a_timeout_is_a_positive_number(seconds: str):
    assert "--timeout" in run("describe", STORE, "--timeout", seconds, code=2).stderr


def test_options_may_have_underscores():
    arguments = ("upstream", STORE, "43", "--max_hops", "2", "--as_of", "2026-11-21T02:45:29Z")
    assert "Cut by --max-hops" in run(*arguments).stdout


# STORE left out


@pytest.fixture
def active(config_folder: Path) -> None:
    """Make the demo store that of the active stack."""
    assert not config_folder.exists()
    run("metadata-store", "register", "penguins", "--flavor", "sqlite", f"--uri={STORE}")
    run("artifact-store", "copy", "default", "files")
    run("stack", "register", "p", "-m", "penguins", "-a", "files", "-o", "default", "--set")


@pytest.mark.usefixtures("active")
@pytest.mark.parametrize(
    "arguments",
    [
        ["describe"],
        ["artifacts", "--type", "Model"],
        ["upstream", "43"],
        ["upstream", "--max-hops", "2", "43"],
        ["upstream", "--", "43"],
        ["between", "22", "43"],
        ["diff", "4", "15"],
        ["compare", "penguin-train"],
        ["impact", "1"],
        ["show", "43"],
        ["runs"],
        ["metrics"],
    ],
    ids=" ".join,
)
def test_a_store_that_is_left_out_is_that_of_the_active_stack(arguments: list[str]):
    name, *rest = arguments
    assert run(*arguments).stdout == run(name, STORE, *rest).stdout


@pytest.mark.usefixtures("active")
def test_an_archive_may_be_made_of_the_active_store(tmp_path: Path):
    assert run("snapshot", str(tmp_path / "archive")).stdout.startswith("Saved 47 artifacts")


@pytest.mark.usefixtures("active")
@pytest.mark.parametrize("store", [STORE, "penguins", "mysql://u@h/d"])
def test_a_store_without_a_node_is_a_mistake(store: str):
    assert "Missing argument 'NODE'" in run("upstream", store, code=2).stderr


@pytest.mark.usefixtures("config_folder")
def test_a_default_store_that_does_not_exist_says_what_to_do():
    for arguments in (["describe"], ["upstream", "43"], ["runs"]):
        told = refused(*arguments)
        assert "does not exist yet" in told
        assert "mlmd-lineage metadata-store register" in told
