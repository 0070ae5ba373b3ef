"""Registrations: files that people can read, that lose nothing, and that are never ruined."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stacks import stack_export, stack_registry
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.component_secrets import delete_secret
from mlmd_lineage.stacks.registry import Registry

METADATA, ARTIFACTS = KINDS["metadata_store"], KINDS["artifact_store"]
PASSWORD = "pl9-cannot-be-guessed"
MYSQL = {"host": "db.example", "database": "metadb", "username": "reader"}


@pytest.fixture
def registry(config_folder: Path) -> Registry:
    del config_folder
    return Registry()


def made(registry: Registry, name: str, kind: Any = METADATA) -> Any:
    view = registry.view()
    return view.make(view.component(kind, name))


def test_the_file_can_be_read_and_holds_no_password(registry: Registry, config_folder: Path):
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "port": "3307", "password": PASSWORD})
    text = (config_folder / "registrations.json").read_text()
    entry = json.loads(text)["metadata_stores"]["prod"]
    reference = entry.pop("password")
    assert re.fullmatch(rf"\{{\{{component-{entry['uuid']}-\w{{8}}\.password\}}\}}", reference)
    assert entry == {**MYSQL, "flavor": "mysql", "uuid": entry["uuid"], "port": 3307}
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    assert all(PASSWORD.encode() not in path.read_bytes() for path in config_folder.iterdir())
    store = made(registry, "prod")
    assert store.password.get_secret_value() == PASSWORD
    assert store.name == "prod"
    assert str(store.uuid) == entry["uuid"]


def test_what_was_registered_can_be_changed_and_taken_away(registry: Registry):
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": "first"})
    registry.update(METADATA, "prod", {"port": "3307", "password": "second"})
    assert (made(registry, "prod").port, made(registry, "prod").host) == (3307, "db.example")
    assert made(registry, "prod").password.get_secret_value() == "second"
    registry.update(METADATA, "prod", {}, remove=["port", "password"])
    assert (made(registry, "prod").port, made(registry, "prod").password) == (3306, None)
    with pytest.raises(ml.errors.NotFoundError, match="has no attribute 'prot'"):
        registry.update(METADATA, "prod", {}, remove=["prot"])
    with pytest.raises(ml.errors.ConfigurationError, match="'host' is required"):
        registry.update(METADATA, "prod", {}, remove=["host"])
    assert made(registry, "prod").host == "db.example"


def test_a_copy_has_secrets_of_its_own(registry: Registry):
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": "first"})
    registry.copy(METADATA, "prod", "trial")
    registry.update(METADATA, "prod", {"password": "second"})
    assert made(registry, "trial").password.get_secret_value() == "first"
    assert made(registry, "trial").uuid != made(registry, "prod").uuid
    registry.delete(METADATA, "prod")
    assert made(registry, "trial").password.get_secret_value() == "first"
    registry.delete(METADATA, "trial")
    assert secret_store.secrets() == {}


def test_a_new_name_is_used_by_the_stacks_too(registry: Registry):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    registry.copy(ARTIFACTS, "default", "files")
    stack_registry.register(registry, "prod", "prod", "files", "default", activate=True)
    registry.rename(METADATA, "prod", "main")
    assert registry.view().stack("prod").record.metadata_store == "main"
    stack_registry.rename(registry, "prod", "production")
    assert registry.view().active().name == "production"
    with pytest.raises(ml.errors.NotFoundError, match="No metadata store 'prod'"):
        registry.view().component(METADATA, "prod")


@pytest.mark.parametrize("name", ["a.b", "a/b", "-a", "", "ä", "a b", "x" * 65, "a:b", "a\n"])
def test_a_name_that_could_be_a_path_is_refused(registry: Registry, name: str):
    with pytest.raises(ml.errors.ConfigurationError, match="cannot be a name"):
        registry.register(METADATA, name, "mysql", MYSQL)


@pytest.mark.parametrize("name", ["prod", "default"])
def test_a_taken_name_is_refused(registry: Registry, name: str):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    for change in (
        lambda: registry.register(METADATA, name, "mysql", MYSQL),
        lambda: registry.copy(METADATA, "prod", name),
        lambda: registry.rename(METADATA, "prod", name),
    ):
        with pytest.raises(ml.errors.ConfigurationError, match=f"'{name}' is registered already"):
            change()


def test_what_is_not_there_is_an_error(registry: Registry):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    for ask in (
        lambda: registry.delete(METADATA, "prd"),
        lambda: registry.rename(METADATA, "prd", "x"),
        lambda: registry.copy(METADATA, "prd", "x"),
        lambda: registry.update(METADATA, "prd", {"host": "x"}),
    ):
        with pytest.raises(ml.errors.NotFoundError, match="Did you mean 'prod'"):
            ask()


def test_default_cannot_be_changed(registry: Registry):
    for change in (
        lambda: registry.delete(METADATA, "default"),
        lambda: registry.update(METADATA, "default", {"busy_timeout": "1"}),
        lambda: registry.rename(METADATA, "default", "x"),
    ):
        with pytest.raises(ml.errors.ConfigurationError, match=r"is built in .* copy it"):
            change()


def test_what_a_stack_uses_is_not_deleted(registry: Registry):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    registry.copy(ARTIFACTS, "default", "files")
    stack_registry.register(registry, "s", "prod", "files", "default", activate=True)
    with pytest.raises(ml.errors.ConfigurationError, match="is used by the stack s;"):
        registry.delete(METADATA, "prod")
    with pytest.raises(ml.errors.ConfigurationError, match="is the active one of the user"):
        stack_registry.delete(registry, "s")
    stack_registry.activate(registry, "default")
    stack_registry.delete(registry, "s")
    registry.delete(METADATA, "prod")


def test_a_secret_that_is_used_is_not_deleted(registry: Registry):
    secret_store.register("db", {"password": PASSWORD})
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": "{{db.password}}"})
    assert made(registry, "prod").password.get_secret_value() == PASSWORD
    with pytest.raises(ml.errors.ConfigurationError, match="used by the metadata store 'prod'"):
        delete_secret(registry.view(), "db")
    registry.delete(METADATA, "prod")
    assert list(secret_store.secrets()) == ["db"]  # it was made by hand
    delete_secret(registry.view(), "db")


def test_a_change_that_fails_changes_nothing(registry: Registry):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    before = registry.target.path.read_bytes()
    with pytest.raises(ml.errors.ConfigurationError):
        registry.register(METADATA, "other", "mysql", {**MYSQL, "port": "x"})
    with pytest.raises(ml.errors.ConfigurationError, match="'hots' is no field"):
        registry.register(METADATA, "other", "mysql", {**MYSQL, "hots": "x"})
    assert registry.target.path.read_bytes() == before
    assert sorted(p.name for p in registry.target.folder.iterdir() if p.suffix == ".json") == [
        "registrations.json"
    ]


# Projects


def test_a_project_is_found_from_any_folder_below_it(registry: Registry):
    registry.register(METADATA, "users", "mysql", MYSQL)
    below = Path("a/b/c")
    below.mkdir(parents=True)
    Path(".mlmd_lineage").mkdir()
    project = Registry(below)
    project.register(METADATA, "projects", "sqlite", {"uri": "data/metadata.db"})
    text = Path(".mlmd_lineage/registrations.json").read_text()
    assert '"uri": "data/metadata.db"' in text  # so that the project can be moved
    assert made(project, "projects").path == Path("data/metadata.db").absolute()
    assert made(Registry(below), "users").host == "db.example"
    Registry(below, user=True).register(METADATA, "another", "mysql", MYSQL)
    assert "another" not in Path(".mlmd_lineage/registrations.json").read_text()


def test_the_project_comes_before_the_user(registry: Registry):
    registry.register(METADATA, "prod", "mysql", MYSQL)
    registry.register(METADATA, "db", "sqlite", {"uri": "/x.db"})
    registry.copy(ARTIFACTS, "default", "files")
    stack_registry.register(registry, "s", "prod", "files", "default", activate=True)
    Path(".mlmd_lineage").mkdir()
    assert ml.Stack().name == "s"
    stack_registry.activate(Registry(), "default")
    assert ml.Stack().name == "default"
    assert ml.Stack(name="s").metadata_store.host == "db.example"
    with pytest.raises(ml.errors.ConfigurationError, match="is the active one of the user"):
        stack_registry.delete(Registry(), "s")


def test_a_path_of_the_user_does_not_depend_on_where_one_stands(registry: Registry):
    registry.register(METADATA, "m", "sqlite", {"uri": "m.db"})
    registry.register(ARTIFACTS, "a", "local", {"path": "~/artifacts"})
    assert made(registry, "m").uri == str(Path("m.db").absolute())
    assert made(registry, "a", ARTIFACTS).path == str(Path("~/artifacts").expanduser())


# Damage


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n "version": 1,\n "stacks": {\n', "line 4"),
        ("", "line 1"),
        ("[]", "line 1"),
        ('{\n "version": 1,\n "stakcs": {}\n}', "line 3: stakcs: extra inputs"),
        ('{\n "stacks": {},\n "stacks": {}\n}', "line 3: 'stacks' is given twice"),
        (
            '{\n "metadata_stores": {\n  "prod": {\n   "flavor": 5,\n   "uuid": "x"\n  }\n }\n}',
            "line 4: metadata_stores.prod.flavor",
        ),
        ('{\n "metadata_stores": {\n  "a/b": {}\n }\n}', "line 3: metadata_stores.a/b"),
        ('{\n "version": 1,\n "x": "\udcff"\n}', "line 3: it is not UTF-8"),
    ],
)
def test_a_damaged_file_is_told_with_its_line_and_left_alone(
    registry: Registry, text: str, told: str
):
    path = registry.target.path
    path.parent.mkdir()
    path.write_bytes(text.encode(errors="surrogateescape"))
    for ask in (
        registry.view,
        ml.Stack,
        lambda: ml.connect("prod"),
        lambda: registry.register(METADATA, "prod", "mysql", MYSQL),
        lambda: registry.delete(METADATA, "prod"),
        lambda: stack_registry.activate(registry, "default"),
    ):
        with pytest.raises(ml.errors.ConfigurationError) as caught:
            ask()
        assert f"{path} is damaged at {told}" in str(caught.value)
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert ml.connect("m.db").location == "m.db"  # what is no name is never looked up


def test_a_newer_file_is_refused(registry: Registry):
    registry.target.path.parent.mkdir()
    registry.target.path.write_text('{"version": 2}')
    with pytest.raises(ml.errors.ConfigurationError, match="a newer release"):
        registry.view()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path / "file"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ml.errors.StorePermissionError, match="MLMD_LINEAGE_CONFIG"):
        Registry().register(METADATA, "prod", "mysql", MYSQL)
    assert ml.Stack().name == "default"  # reading takes no folder


# Many at once

REGISTER = """
import os
import traceback
from mlmd_lineage.config import atomic_files
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.registry import Registry

atomic_files.LOCK_SECONDS = 600
start, go = os.pipe()
children = []
for number in range(10):  # forked, as ten starts of Python would take longer than the test
    child = os.fork()
    if child:
        children.append(child)
        continue
    os.close(go)
    os.read(start, 1)
    fields = {"host": "h", "database": "d", "username": "u", "password": f"password-{number}"}
    try:
        Registry().register(KINDS["metadata_store"], f"store-{number}", "mysql", fields)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
os.close(go)  # which lets them all go
for child in children:
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_ten_processes_that_register_at_once_lose_nothing(registry: Registry):
    done = subprocess.run(
        [sys.executable, "-c", REGISTER], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    names = set(registry.view().components(METADATA))
    assert names == {"default", *(f"store-{number}" for number in range(10))}
    for number in range(10):
        store = made(registry, f"store-{number}")
        assert store.password.get_secret_value() == f"password-{number}"
    left = {path.name for path in registry.target.folder.iterdir() if path.suffix != ".lock"}
    assert left == {"registrations.json", "secrets.json", "secrets.enc", "secrets.key"}


# Taking a stack elsewhere


def test_a_stack_can_be_taken_to_another_machine(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    secret_store.register("db", {"password": PASSWORD})
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": "{{db.password}}"})
    registry.register(ARTIFACTS, "bucket", "gcs", {"path": "gs://bucket/x"})
    stack_registry.register(registry, "prod", "prod", "bucket", "default")
    text = json.dumps(stack_export.exported(registry.view(), "prod"))
    assert PASSWORD not in text

    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path / "elsewhere"))
    there = Registry()
    with pytest.raises(ml.errors.ConfigurationError, match="No secret 'db' is registered"):
        stack_export.imported(there, text)
    assert list(there.view().stacks()) == ["default"]
    secret_store.register("db", {"password": "another"})
    with pytest.raises(ml.errors.ConfigurationError, match=r"secret allow db 'db\.example:3306'"):
        stack_export.imported(there, text)  # whoever wrote the text named the server
    secret_store.set_hosts("db", ("db.example",))
    stack_export.imported(there, text)
    stack = ml.Stack(name="prod")
    assert stack.metadata_store.password.get_secret_value() == "another"
    assert stack.artifact_store.path == "gs://bucket/x"
    with pytest.raises(ml.errors.ConfigurationError, match="A stack 'prod' is registered already"):
        stack_export.imported(there, text)
    assert stack_export.imported(there, text, "second").record.metadata_store == "prod"
    there.update(ARTIFACTS, "bucket", {"path": "gs://bucket/y"})
    with pytest.raises(ml.errors.ConfigurationError, match="another artifact store 'bucket'"):
        stack_export.imported(there, text, "third")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"form": "x"}', "5", '{"name": 1}'])
def test_what_is_no_stack_is_not_imported(registry: Registry, text: str):
    with pytest.raises(ml.errors.ConfigurationError, match="This is no exported stack"):
        stack_export.imported(registry, text)
