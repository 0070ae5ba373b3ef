"""Commands and options on registrations, all of them, on a real terminal."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import kubernetes_server
import made_flavors
import pytest
import server_stores
import terminal
import test_cli_guide as guide

if TYPE_CHECKING:
    import servers

SECRET = "pl9-cannot-be-guessed"
MYSQL = "--host=db.example --database=metadb --username=reader"
Typed: TypeAlias = "str | tuple[str, dict[str, str]]"
"""A command, and what is typed where it asks."""

# What the tests type, as data: test_every_command_and_option_is_run looks at all of it.
METADATA_STORES: list[Typed] = [
    f"metadata-store register prod --flavor mysql {MYSQL} --port 3307 --password={SECRET}",
    (f"metadata-store register asked -f mysql {MYSQL} --password", {"password: ": SECRET}),
    "metadata-store register penguins -f sqlite --uri metadata.db --global",
    f"metadata-store flavor register {made_flavors.__file__}:TeamStore -g",
    "metadata-store flavor unregister team",
    f"metadata-store flavor register {made_flavors.__file__}:TeamStore --global",
    "metadata-store register own -f team --team=metadata",
    "metadata-store update prod --host db2.example",
    "metadata-store remove-attribute prod --port",
    "metadata-store rename asked renamed",
    "metadata-store copy prod trial --global",
    "metadata-store delete trial",
]
FLAVORS = {"TeamStore": "team", "HadoopArtifactStore": "hadoop", "SlurmOrchestrator": "slurm"}
"""The names of the flavors that the tests register, by their classes."""


def component_commands(group: str, flavor: str, fields: str, changed: str, own: str) -> list[Typed]:
    taken = changed.split()[1].split("=", maxsplit=1)[0]
    return [
        f"{group} flavor register made_flavors.{own} -g",
        f"{group} flavor list",
        f"{group} register one --flavor {flavor} {fields} -g",
        f"{group} register another -f {flavor} {fields}",
        f"{group} update one {changed}",
        f"{group} remove-attribute one {taken}",
        f"{group} rename one two",
        f"{group} copy two three -g",
        f"{group} delete three",
        f"{group} list",
        f"{group} get",
        f"{group} describe two",
        f"{group} explain",
        f"{group} up default",
        f"{group} logs two --follow",
        f"{group} down two --force --delete-data --yes",
        f"{group} down two -f -y",
        f"{group} flavor unregister {FLAVORS[own]}",
    ]


COMPONENTS = {
    "artifact-store": component_commands(
        "artifact-store",
        "gcs",
        "--path=gs://bucket/x",
        "--path=gs://bucket/y --project=p",
        "HadoopArtifactStore",
    ),
    "orchestrator": component_commands(
        "orchestrator",
        "kubernetes",
        "--kubernetes-context=prod",
        "--kubernetes_namespace=ml --kubernetes_context=other",
        "SlurmOrchestrator",
    ),
}
STACKS: list[Typed] = [
    f"metadata-store register prod -f mysql {MYSQL} --password={SECRET}",
    "artifact-store register bucket -f gcs --path=gs://bucket/x",
    "artifact-store register other -f gcs --path=gs://bucket/z",
    "orchestrator register cluster -f kubernetes",
    "stack register first -m prod --artifact-store bucket --orchestrator cluster --set",
    "stack register second --metadata-store prod -a other -o default --decouple-stores -g",
    "stack update second -o cluster",
    "stack update second --orchestrator default --metadata-store prod --artifact-store other",
    "stack update second -m prod -a bucket --couple-stores",
    "stack update second -a other --decouple-stores",
    "stack copy first third --global",
    "stack copy first fourth -g",
    "stack rename third renamed",
    "stack set second --global",
    "stack set first -g",
    "stack export second second.json",
    ("stack delete second", {"Delete the stack": "y"}),
    "stack delete renamed --yes",
    "stack delete fourth -y",
    "stack import second.json",
    "stack import second.json --name again --decouple-stores --global",
    "stack import second.json --name more -g",
    "stack down first",
    "stack down first --force --delete-data --yes",
    "stack down first -f -y",
    "stack up default",
]
SECRETS: list[Typed] = [
    ("secret register db --password", {"password: ": SECRET}),
    f"secret register db --replace --user=reader --password={SECRET}2",
    f"metadata-store register prod -f mysql {MYSQL} --password={{{{db.password}}}}",
    "secret list",
    "secret allow db other.example",
    "metadata-store delete prod",
    "secret delete db",
    "secret list",
    f"config metadata set mysql --host h --port 3306 --username u --passwd {SECRET} --database d",
    "config artifacts set gs://bucket/x",
    "stack describe",
    "secret register mine --key=value --global",
]


JSON_COMPONENTS = [
    ("metadata-store", f"-f mysql {MYSQL} --password={SECRET}", "connect_timeout", "TeamStore"),
    ("artifact-store", "-f gcs --path=gs://bucket/x", "project", "HadoopArtifactStore"),
    ("orchestrator", "-f kubernetes", "kubernetes_namespace", "SlurmOrchestrator"),
]


def json_commands() -> list[str]:
    commands = []
    for group, fields, field, own in JSON_COMPONENTS:
        words = (
            f"register prod {fields}",
            f"update prod --{field}=7",
            "list",
            "describe prod",
            f"remove-attribute prod --{field}",
            "copy prod copied",
            "rename copied renamed",
            "delete renamed",
            "get",
            "explain",
            f"flavor register made_flavors.{own}",
            "flavor list",
            f"flavor unregister {FLAVORS[own]}",
            "up",
            "down",
            "logs",
        )
        commands += [f"{group} {each}" for each in words]
    commands += [
        "stack register s -m prod -a prod -o prod",
        "stack list",
        "stack set s",
        "stack get",
        "stack describe",
        "stack update s -o default",
        "stack copy s t",
        "stack rename t u",
        "stack export u u.json",
        "stack delete u --yes",
        "stack import u.json",
        "stack down",
        "stack up default",
        "secret register db --k=v",
        "secret list",
        "secret allow db db.example",
        "secret delete db",
        "config metadata set sqlite --uri=m.db",
        "config artifacts set /data",
    ]
    return commands


AS_JSON = json_commands()
DEPLOYED: list[Typed] = [
    "metadata-store register k -f kubernetes --deployment_name=mydb --kubernetes_context=test",
    "metadata-store up k",
    "metadata-store logs k",
    "metadata-store logs k --follow --format json",
    "metadata-store down k",
    ("metadata-store down k --force", {"Delete all that was made": "y"}),
    "metadata-store down k -f --delete-data --yes",
    "metadata-store down k -y",
]


class Shown(NamedTuple):
    command: str
    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.splitlines()]


class Terminal:
    """A person who types one command after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = terminal.environment(folder)
        self.env["PYTHONPATH"] += f"{os.pathsep}{Path(made_flavors.__file__).parent}"

    def type(self, *commands: Typed, code: int = 0) -> list[Shown]:
        """Run commands, each with answers to what it asks, and check how they left."""
        shown = []
        for command in commands:
            text, answers = command if isinstance(command, tuple) else (command, {})
            call = terminal.Call(
                shlex.split(text),
                str(self.folder),
                self.env,
                {asked: f"{answer}\n" for asked, answer in answers.items()},
                interactive=True,
            )
            left = terminal.FORK_SERVER.run(call)
            words = terminal.uncoloured(left["shown"])
            assert left["code"] == code, (text, words)
            assert left["unasked"] == [], (text, words)
            assert "Traceback" not in words
            assert SECRET not in words
            shown.append(Shown(text, code, words))
        for path in self.folder.rglob("*"):
            assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
        return shown

    def refused(self, *commands: str) -> list[str]:
        """Run commands that are refused, each in one sentence."""
        told = []
        for shown in self.type(*commands, code=1):
            assert shown.text.startswith("Error: "), shown
            assert shown.text.count("\n") == 1, shown
            told.append(shown.text)
        return told

    def json(self, *commands: str) -> dict[str, Any]:
        """Run commands with ``--format json``, and return what each printed."""
        shown = self.type(*(f"{command} --format json" for command in commands))
        return {c: json.loads(each.text) for c, each in zip(commands, shown, strict=True)}


@pytest.fixture
def person(tmp_path: Path) -> Terminal:
    shutil.copyfile(terminal.DEMO_STORE, tmp_path / "metadata.db")
    return Terminal(tmp_path)


@pytest.mark.slow
def test_metadata_stores(person: Terminal):
    person.type(*METADATA_STORES)
    flavors, listed, got, described, default, explained = person.type(
        "metadata-store flavor list",
        "metadata-store list",
        "metadata-store get",
        "metadata-store describe prod",
        "metadata-store describe",
        "metadata-store explain",
    )
    assert flavors.lines[0].split("  ")[0] == "FLAVOR"
    assert re.fullmatch(r"FLAVOR +READY TO USE +ORIGIN +SOURCE", flavors.lines[0])
    assert re.search(
        r"^mysql +✅ +built in +mlmd_lineage\.stores\.mysql\.", flavors.text, re.MULTILINE
    )
    assert re.search(r"^team +user +", flavors.text, re.MULTILINE)  # not loaded to be listed
    assert re.fullmatch(r"ACTIVE +NAME +FLAVOR +UUID +LAYER +WHERE", listed.lines[0])
    assert re.search(r"^👉 +default +sqlite", listed.text, re.MULTILINE)
    assert re.search(r"^ +prod +mysql .* mysql://reader@db2", listed.text, re.MULTILINE)
    assert got.lines == ["default"]
    assert re.fullmatch(r"COMPONENT_PROPERTY +VALUE", described.lines[1])
    properties = [line.split()[0] for line in described.lines[2:]]
    assert properties[:5] == ["TYPE", "FLAVOR", "NAME", "UUID", "LAYER"]
    fields = [name for name in properties[5:] if name.isupper()]
    assert fields == sorted(fields)
    assert re.search(r"^PASSWORD +\*{8} ", described.text, re.MULTILINE)
    assert default.lines[0] == "metadata store 'default' (active)"
    assert "kubeflow" in explained.text
    assert person.type("metadata-store up penguins", "metadata-store down penguins")
    assert person.type("metadata-store up", "metadata-store logs", "metadata-store down")
    assert "136 events" in person.type("describe penguins")[0].text
    assert "136 events" in person.type("describe own")[0].text


@pytest.mark.parametrize("group", COMPONENTS)
def test_artifact_stores_and_orchestrators(group: str, person: Terminal):
    shown = person.type(*COMPONENTS[group])
    assert "Renamed" in shown[6].text
    assert re.search(r"^ +two +", shown[9].text, re.MULTILINE)
    assert shown[10].lines == ["default"]


def test_a_flavor_whose_file_is_broken_can_be_unregistered(person: Terminal):
    source = Path(made_flavors.__file__).read_text(encoding="utf-8")
    file = person.folder / "mine.py"
    file.write_text(source)
    person.type("metadata-store flavor register mine.py:TeamStore")
    person.type("metadata-store register own -f team --team=metadata")
    [used] = person.refused("metadata-store flavor unregister team")
    assert "metadata store own" in used
    file.write_text("import nothing_like_this\n")
    listed, _, unregistered, after = person.type(
        "metadata-store flavor list",
        "metadata-store delete own",
        "metadata-store flavor unregister team",
        "metadata-store flavor list",
    )
    assert "team" in listed.text
    assert unregistered.lines == ["Unregistered the metadata store flavor 'team'."]
    assert "team" not in after.text
    [unknown] = person.refused("metadata-store flavor unregister team")
    assert "team" in unknown
    [built_in] = person.refused("metadata-store flavor unregister sqlite")
    assert "is not registered" in built_in


def test_the_commands_of_zenmls_guides_work_as_they_are_written(person: Terminal):
    shown = person.type(
        "init",
        "metadata-store register custom_sqlite --flavor=sqlite --uri=metadata.db",
        "stack register custom_stack -o default -a default -m custom_sqlite --set",
        "stack register second --metadata_store custom_sqlite --artifact_store default "
        "--orchestrator default",
        "stack get",
        "runs",
    )
    assert (person.folder / ".mlmd_lineage" / "registrations.json").exists()
    assert shown[4].lines == ["custom_stack"]
    assert shown[5].lines[-1] == "8 runs."
    assert json.loads(person.type("init --format json")[0].text)["project"]


@pytest.mark.slow
def test_stacks(person: Terminal):
    person.type(*STACKS)
    listed, described, got, exported = person.type(
        "stack list", "stack describe", "stack get", "stack export"
    )
    heading = r"ACTIVE +STACK NAME +METADATA STORE +ARTIFACT STORE +ORCHESTRATOR +LAYER"
    assert re.fullmatch(heading, listed.lines[0])
    assert re.search(r"^👉 +first +prod +bucket +cluster", listed.text, re.MULTILINE)
    assert described.lines[0] == "stack 'first' (active)"
    assert "mysql://reader@db.example:3306/metadb" in described.text
    assert got.lines == ["first"]
    assert json.loads(exported.text)["metadata_store"]["host"] == "db.example"
    no = person.type(("stack delete second", {"Delete the stack": "n"}), code=1)
    assert "Nothing was changed." in no[0].text
    assert "second" in person.type("stack list")[0].text


def test_secrets_and_the_short_form(person: Terminal):
    shown = person.type(*SECRETS)
    assert re.search(r"^db +password, user +file +metadata store prod", shown[3].text, re.MULTILINE)
    assert shown[4].lines == ["The secret 'db' may be sent to other.example."]
    assert shown[7].lines == ["No secrets are registered."]
    assert "mysql://u@h:3306/d" in shown[10].text
    assert "gs://bucket/x" in shown[10].text


def test_a_secret_may_be_read_from_a_file(person: Terminal, tmp_path_factory: Any):
    file = tmp_path_factory.mktemp("elsewhere") / "password"
    file.write_text(f"{SECRET}\n")
    person.type(f"secret register db --password=@{file}")


@pytest.mark.slow
def test_everything_as_json(person: Terminal):
    said = person.json(*AS_JSON)
    for group, fields, field, own in JSON_COMPONENTS:
        assert said[f"{group} register prod {fields}"]["name"] == "prod"
        assert said[f"{group} update prod --{field}=7"]["name"] == "prod"
        rows = [(row["name"], row["active"]) for row in said[f"{group} list"]]
        assert rows == [("default", True), ("prod", False)]
        assert str(said[f"{group} describe prod"][field]) in {"7", "7.0"}
        assert said[f"{group} remove-attribute prod --{field}"]["name"] == "prod"
        assert said[f"{group} copy prod copied"]["name"] == "copied"
        assert said[f"{group} rename copied renamed"] == {"name": "renamed", "was": "copied"}
        assert said[f"{group} delete renamed"] == {"deleted": "renamed"}
        assert said[f"{group} get"]["name"] == "default"
        assert said[f"{group} explain"]["type"] == group.replace("-", "_")
        assert said[f"{group} flavor register made_flavors.{own}"]["flavor"]
        assert all(row["source"] for row in said[f"{group} flavor list"])
        assert all(len(said[f"{group} {word}"]["done"]) == 1 for word in ("up", "down", "logs"))
    assert said["metadata-store describe prod"]["password"].startswith("********")
    assert said["stack register s -m prod -a prod -o prod"]["stack_name"] == "s"
    assert [row["active"] for row in said["stack list"]] == [True, False]
    assert said["stack set s"]["orchestrator"] == "prod"
    assert said["stack get"]["stack_name"] == "s"
    assert said["stack describe"]["orchestrator"].startswith("prod (kubernetes)")
    assert said["stack update s -o default"]["orchestrator"] == "default"
    assert said["stack copy s t"]["stack_name"] == "t"
    assert said["stack rename t u"] == {"name": "u", "was": "t"}
    assert said["stack export u u.json"]["file"] == "u.json"
    assert said["stack delete u --yes"] == {"deleted": "u"}
    assert said["stack import u.json"]["stack_name"] == "u"
    assert len(said["stack down"]["done"]) == len(said["stack up default"]["done"]) == 3
    assert said["secret register db --k=v"]["keys"] == ["k"]
    assert [row["name"] for row in said["secret list"]][-1] == "db"
    assert said["secret allow db db.example"]["sent_to"] == ["db.example"]
    assert said["secret delete db"] == {"deleted": "db"}
    assert said["config metadata set sqlite --uri=m.db"]["stack"] == "config"
    assert said["config artifacts set /data"]["flavor"] == "local"


def test_a_deployed_store(
    person: Terminal, mariadb_server: servers.Server, tmp_path: Path, monkeypatch: Any
):
    monkeypatch.setattr(kubernetes_server, "VERSION", "1.29")
    with kubernetes_server.running(mariadb_server) as api:
        bin_ = tmp_path / "bin"
        bin_.mkdir()  # no kubectl in it
        person.env |= {"KUBECONFIG": str(api.kubeconfig(tmp_path)), "PATH": str(bin_)}
        shown = person.type(*DEPLOYED)
        assert "Created the deployment mydb." in shown[1].text
        assert "answers" in shown[1].text
        assert "ready for connections" in shown[2].text
        assert "Deleted the deployment mydb." in shown[5].text
        assert "stay" in shown[5].text
        assert "Deleted the persistent volume claim mydb." in shown[6].text
        assert api.invalid == []


def test_a_new_user_registers_a_server_and_reads_it(
    person: Terminal, mariadb_server: servers.Server
):
    """As ``docs/stacks.md`` has it, the password typed at the terminal."""
    database = mariadb_server.new_database()
    server_stores.Database(mariadb_server, database).create().copy(terminal.DEMO_STORE)
    where = f"--host={mariadb_server.host} --port={mariadb_server.port} --database={database}"
    register = f"metadata-store register prod --flavor mysql {where} --username=mlmd --password"
    shown = person.type(
        (register, {"password: ": mariadb_server.password}),
        "describe prod",
        "upstream prod artifact/43",
        "metadata-store describe prod",
        "artifact-store copy default files",
        "stack register prod -m prod -a files -o default --set",
    )
    assert "47 artifacts, 57 executions, 56 contexts, 136 events" in shown[1].text
    assert "Complete: 6 artifacts and 6 executions." in shown[2].text
    assert all(mariadb_server.password not in each.text for each in shown)
    asked = "import mlmd_lineage as ml; print(len(ml.connect().frames.events()))"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env=person.env,
        cwd=person.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "136\n"


@pytest.mark.slow
def test_what_is_wrong_is_told_in_a_sentence(person: Terminal):
    person.type(
        f"metadata-store register prod -f mysql {MYSQL}",
        "artifact-store register bucket -f gcs --path=gs://bucket/x",
        "stack register s -m prod -a bucket -o default --set",
    )
    told = person.refused(
        "metadata-store delete nothing",
        "metadata-store delete prod",
        "metadata-store register prod -f mysql --host=x --database=d --username=u",
        "metadata-store register x -f mysq",
        "metadata-store register x -f mysql --hots=1",
        "metadata-store register x -f mysql --host=h",
        "metadata-store register x -f mysql --host=h --database=d --username=u --port=high",
        "metadata-store register a.b -f sqlite --uri=m.db",
        "metadata-store update default --uri=x",
        "metadata-store flavor register made_flavors.NoFlavor",
        "metadata-store flavor register made_flavors.Taken",
        "metadata-store flavor register nothing.At.all",
        "stack register t -m prod -a bucket -o nothing",
        "stack register t -m nothing -a bucket -o default",
        "stack register t -m default -a bucket -o default",
        "stack delete s --yes",
        "stack set nothing",
        "stack describe nothing",
        "stack delete nothing --yes",
        "secret delete nothing",
        "artifact-store register x -f s3 --path=gs://bucket",
        "artifact-store up bucket",
        "describe nothing",
        "metadata-store logs nothing",
        "config metadata set mysql --host=h",
    )
    assert "No metadata store 'nothing' is registered" in told[0]
    assert "is used by the stack s" in told[1]
    assert "has to begin with s3://" in told[20]
    usage = person.type(
        "metadata-store register x",
        "metadata-store register --host=h x -f mysql",
        f"metadata-store register x -f mysql --host=h {SECRET[:3]} stray",
        "metadata-store register x -f mysql --host=h --host=i",
        "metadata-store register x -f mysql --host",
        "metadata-store update prod",
        "metadata-store remove-attribute prod",
        "metadata-store down prod --delete-data",
        "stack update s",
        "stack import nothing.json",
        "stack nothing",
        code=2,
    )
    assert all("Usage:" in shown.text and "Error:" in shown.text for shown in usage)


def test_shells_complete_what_is_registered(person: Terminal):
    person.type(f"metadata-store register prod -f mysql {MYSQL}")

    def completed(line: str) -> list[str]:
        env = person.env | {
            "_MLMD_LINEAGE_COMPLETE": "complete_bash",
            "COMP_WORDS": f"mlmd-lineage {line}",
            "COMP_CWORD": str(len(line.split(" "))),
        }
        call = terminal.Call([], str(person.folder), env, piped=True)
        shown: str = terminal.FORK_SERVER.run(call)["shown"]
        return shown.split()

    assert completed("metadata-store desc") == ["describe"]
    assert completed("metadata-store describe ") == ["default", "prod"]
    assert completed("upstream p") == ["prod"]
    assert completed("metadata-store register x -f my") == ["mysql"]
    assert completed("stack set d") == ["default"]
    assert "prod" in completed("stack register x -m ")


def options_in(text: str) -> set[tuple[str, str]]:
    """Return the options in a text with their command, which itself is an empty one."""
    words = shlex.split(text)
    names = [" ".join(words[:n]) for n in (3, 2, 1) if " ".join(words[:n]) in guide.COMMANDS]
    given = {word.split("=")[0] for word in words}
    found = {(names[0], "")}
    for parameter in guide.COMMANDS[names[0]].params:
        if given & {*parameter.opts}:
            found |= {(names[0], option) for option in parameter.opts}
        found |= {(names[0], option) for option in parameter.secondary_opts if option in given}
    return found


def test_every_command_and_option_is_run():
    scripts = [METADATA_STORES, *COMPONENTS.values(), STACKS, SECRETS, DEPLOYED]
    typed = [each for script in scripts for each in script]
    texts = [each if isinstance(each, str) else each[0] for each in typed]
    texts += [f"{text} --format json" for text in AS_JSON]
    run = set().union(*map(options_in, texts))
    groups = ("metadata-store", "artifact-store", "orchestrator", "stack", "secret", "config")
    for name, command in guide.COMMANDS.items():
        if not name.startswith(groups):
            continue
        assert (name, "") in run, name
        for parameter in command.params:
            for option in [*parameter.opts, *parameter.secondary_opts]:
                if option.startswith("-") and option not in {"-h", "--help"}:
                    assert (name, option) in run, f"{name} {option}"
