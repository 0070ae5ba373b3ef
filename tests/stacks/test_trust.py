"""Trust in projects: what comes with a checkout is data until the user says otherwise."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import made_flavors
import pytest

import mlmd_lineage as ml
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.errors import IgnoredConfigurationWarning, UntrustedProjectError
from mlmd_lineage.stacks import description, stack_registry, trust, trust_report
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.layers import create_project
from mlmd_lineage.stacks.registry import Registry

METADATA, ARTIFACTS, ORCHESTRATOR = KINDS.values()
DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
SECRET = "pl9-cannot-be-guessed"
UUID = "00000000-0000-4000-8000-000000000001"
OTHER_USER = 65534
AS_ROOT = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="files of another user need root"
)
EVIL_FLAVOR = (
    Path(made_flavors.__file__).read_text(encoding="utf-8").split("class NoFlavor")[0]
    + """
from pathlib import Path
Path("RAN").write_text("as whoever runs the command")
"""
)


def checkout(*, flavor: str = EVIL_FLAVOR, folder: str | Path = ".", **more: Any) -> Path:
    """Make what comes with a checkout: registrations that the user's commands did not write."""
    project = Path(folder).absolute()
    (project / ".mlmd_lineage").mkdir(parents=True)
    (project / "team.py").write_text(flavor.replace("RAN", str(project / "RAN")))
    registrations = {
        "version": 1,
        "active_stack": "s",
        "flavors": {"metadata_store": {"team": "team.py:TeamStore"}},
        "metadata_stores": {
            "theirs": {"flavor": "team", "uuid": UUID, "team": str(DEMO_STORE.with_suffix(""))},
            "prod": {
                "flavor": "mysql",
                "uuid": UUID,
                "host": "evil.example",
                "database": "d",
                "username": "u",
            },
        },
        "stacks": {
            "s": {
                "uuid": UUID,
                "metadata_store": "theirs",
                "artifact_store": "default",
                "orchestrator": "default",
            }
        },
    } | more
    (project / ".mlmd_lineage" / "registrations.json").write_text(json.dumps(registrations))
    return project


def made(name: str, registry: Registry | None = None) -> Any:
    view = (registry or Registry()).view()
    return view.make(view.component(METADATA, name))


def trusted(folder: Path | None = None) -> None:
    trust_report.read(folder).trust()


@pytest.fixture(autouse=True)
def _folder(config_folder: Path) -> None:
    del config_folder


# Nothing runs


def ways_to_list() -> list[str]:
    """Do all that only lists and describes; return what it shows."""
    view = Registry().view()
    shown = []
    for kind in KINDS.values():
        for flavor in view.flavors(kind).values():
            shown += [flavor.name, str(flavor.missing())]
        for found in view.components(kind).values():
            shown.append(description.location(view, found))
            shown.append(str(description.described_fields(view, found)))
    for stack in view.stacks().values():
        shown += [description.location(view, view.part(stack, kind)) for kind in KINDS.values()]
    return shown


def ways_to_use() -> dict[str, Any]:
    return {
        "connect": ml.connect,
        "connect by name": lambda: ml.connect("theirs"),
        "connect by layer": lambda: ml.connect("project:theirs"),
        "Stack": ml.Stack,
        "Stack by name": lambda: ml.Stack(name="s"),
        "a part": lambda: ml.Stack(metadata_store="theirs"),
        "a flavor": lambda: ml.Stack(metadata_store={"flavor": "team", "team": "x"}),
        "register": lambda: Registry().register(METADATA, "new", "sqlite", {"uri": "m.db"}),
        "flavor": lambda: Registry().register_flavor(METADATA, "team.py:TeamStore", Path.cwd()),
        "copy": lambda: Registry(user=True).copy(METADATA, "theirs", "mine"),
        "set": lambda: stack_registry.activate(Registry(), "default"),
    }


@pytest.mark.parametrize("way", ways_to_use())
def test_a_checkout_is_data_until_it_is_trusted(way: str):
    project = checkout()
    with pytest.raises(UntrustedProjectError, match=f"mlmd-lineage trust {project}"):
        ways_to_use()[way]()
    assert not (project / "RAN").exists()


def test_listing_a_checkout_runs_nothing_even_once_it_is_trusted():
    project = checkout()
    shown = ways_to_list()
    assert not (project / "RAN").exists()
    assert any("mysql://u@evil.example:3306/d" in text for text in shown)
    assert any("is not trusted on this machine" in text for text in shown)
    trusted()
    ways_to_list()
    assert not (project / "RAN").exists()
    assert len(ml.connect("theirs").frames.events()) == 136
    assert (project / "RAN").exists()


def test_the_layer_is_shown():
    checkout()
    view = Registry().view()
    labels = {
        name: view.layer_label(found.layer) for name, found in view.components(METADATA).items()
    }
    assert labels == {
        "default": "built in",
        "prod": "project (not trusted)",
        "theirs": "project (not trusted)",
    }


@pytest.mark.slow
def test_the_commands_that_list_import_nothing():
    """In processes of their own, as people run them."""
    project = checkout()
    for words in (
        ["metadata-store", "list"],
        ["metadata-store", "flavor", "list"],
        ["metadata-store", "describe", "theirs"],
        ["stack", "describe"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mlmd_lineage", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "team" in done.stdout
        assert not (project / "RAN").exists()


# Trust is for a folder and its contents


@pytest.mark.parametrize("changed", [".mlmd_lineage/registrations.json", "team.py"])
def test_what_changes_is_asked_for_again(changed: str):
    project = checkout()
    trusted()
    assert made("theirs").FLAVOR == "team"
    file = project / changed
    before = file.read_text()
    file.write_text(
        before.replace("class TeamStore", "class  TeamStore").replace("evil.", "eviler.")
    )
    with pytest.raises(UntrustedProjectError, match="has changed since it was trusted"):
        made("theirs")
    assert trust_report.read(None).changed == (changed.removeprefix(".mlmd_lineage/"),)
    file.write_text(before)
    assert made("theirs").FLAVOR == "team"


def test_trust_is_for_the_folder_that_was_named():
    project = checkout()
    trusted()
    shutil.copytree(project, project / "copy")
    with pytest.raises(UntrustedProjectError):
        made("theirs", Registry(project / "copy"))
    assert [row["folder"] for row in trust_report.listed()] == [str(project)]
    trust_report.revoke(None)
    assert trust_report.listed() == []
    with pytest.raises(UntrustedProjectError):
        made("theirs")
    with pytest.raises(ml.errors.NotFoundError, match="is not trusted"):
        trust_report.revoke(None)


def test_what_was_shown_is_what_is_trusted():
    project = checkout()
    shown = trust_report.read(None)
    (project / "team.py").write_text("import os")
    with pytest.raises(UntrustedProjectError, match="has changed"):
        shown.trust()
    assert trust.trusted() == {}


def test_what_the_users_own_commands_write_is_trusted():
    create_project(Path.cwd())
    Path("team.py").write_text(EVIL_FLAVOR.replace("RAN", "/dev/null"))
    registry = Registry()
    registry.register_flavor(METADATA, "team.py:TeamStore", Path.cwd())
    registry.register(METADATA, "mine", "team", {"team": str(DEMO_STORE.with_suffix(""))})
    stack_registry.register(registry, "s", "mine", "default", "default", activate=True)
    assert len(ml.connect().frames.events()) == 136
    Path("team.py").write_text("import os")
    with pytest.raises(UntrustedProjectError, match="has changed since"):
        ml.connect()


def test_a_change_that_cannot_be_written_leaves_the_project_trusted(
    monkeypatch: pytest.MonkeyPatch,
):
    create_project(Path.cwd())
    Registry().register(METADATA, "mine", "sqlite", {"uri": str(DEMO_STORE)})

    def full(source: str, target: Path) -> None:
        if Path(target).name == "registrations.json":
            raise OSError(28, "No space left on device")
        os.rename(source, target)  # noqa: PTH104

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        with pytest.raises(ml.errors.StorePermissionError, match="no space left"):
            Registry().register(METADATA, "other", "sqlite", {"uri": "m.db"})
    assert list(Registry().view().components(METADATA)) == ["default", "mine"]
    assert made("mine").local_path == DEMO_STORE


def test_a_variable_names_folders_that_are_trusted(monkeypatch: pytest.MonkeyPatch):
    project = checkout()
    monkeypatch.setenv("MLMD_LINEAGE_TRUST", f"/nowhere{os.pathsep}{project}")
    assert len(ml.connect().frames.events()) == 136
    monkeypatch.setenv("MLMD_LINEAGE_TRUST", str(project.parent))
    with pytest.raises(UntrustedProjectError):
        ml.connect()
    monkeypatch.setenv("MLMD_LINEAGE_TRUST", ".")
    with pytest.raises(UntrustedProjectError):
        ml.connect()


# What runs is what was trusted


def test_compiled_files_of_a_checkout_do_not_run():
    project = checkout(flavor=EVIL_FLAVOR.replace("Path(", "str("))
    evil = project / "evil.py"
    evil.write_text(EVIL_FLAVOR.replace("RAN", str(project / "RAN")))
    trusted()
    cached = project / "__pycache__" / f"team.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(evil),
        str(cached),
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    with pytest.raises(ml.errors.ConfigurationError, match=r"team\.py, line"):
        made("theirs")
    assert not (project / "RAN").exists()


def test_modules_that_a_flavor_imports_are_trusted_with_it():
    code = EVIL_FLAVOR.replace("from pathlib", "import helpers.names\nfrom pathlib")
    project = checkout(flavor=code)
    (project / "helpers").mkdir()
    (project / "helpers" / "__init__.py").write_text("from . import words\n")
    (project / "helpers" / "names.py").write_text("NAME = 1\n")
    (project / "helpers" / "words.py").write_text("WORD = 1\n")
    files = trust_report.read(None).files
    assert {"team.py", "helpers/__init__.py", "helpers/names.py", "helpers/words.py"} < set(files)
    trusted()
    assert made("theirs").FLAVOR == "team"
    (project / "helpers" / "words.py").write_text("import os\n")
    with pytest.raises(UntrustedProjectError, match="has changed"):
        made("theirs")


def test_modules_that_nobody_looked_at_are_not_imported(monkeypatch: pytest.MonkeyPatch):
    code = EVIL_FLAVOR.replace(
        "from pathlib", "import importlib\nimportlib.import_module('hid' + 'den')\nfrom pathlib", 1
    )
    project = checkout(flavor=code)
    (project / "hidden.py").write_text(f"open({str(project / 'HID')!r}, 'w')")
    monkeypatch.syspath_prepend(str(project))
    trusted()
    with pytest.raises(ml.errors.ConfigurationError, match="not among the trusted files"):
        made("theirs")
    assert not (project / "HID").exists()


# Other users


@AS_ROOT
def test_a_folder_planted_by_another_user_is_ignored(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """As in /tmp: a world-writable parent of the folder in which the user works."""
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    flavor = EVIL_FLAVOR.replace("RAN", str(tmp_path / "RAN"))
    plant = (
        "import os, pathlib, sys\n"
        f"os.setgid({OTHER_USER}); os.setuid({OTHER_USER})\n"
        f"os.chdir({str(shared)!r})\n"
        "os.mkdir('.mlmd_lineage')\n"
        "pathlib.Path('.mlmd_lineage/registrations.json').write_text(sys.stdin.read())\n"
        f"pathlib.Path('team.py').write_text({flavor!r})\n"
    )
    project = checkout(folder=tmp_path / "made")
    registrations = (project / ".mlmd_lineage" / "registrations.json").read_text()
    subprocess.run([sys.executable, "-c", plant], input=registrations, text=True, check=True)
    assert (shared / ".mlmd_lineage").stat().st_uid == OTHER_USER
    work = shared / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    with pytest.warns(IgnoredConfigurationWarning, match=r"belongs to another user .* is ignored"):
        registry = Registry()
    assert [layer.name for layer in registry.layers] == ["user"]
    with pytest.warns(IgnoredConfigurationWarning):
        assert ml.Stack().name == "default"
    with pytest.warns(IgnoredConfigurationWarning), pytest.raises(ml.errors.StoreNotFoundError):
        ml.connect("theirs")
    done = subprocess.run(
        [sys.executable, "-m", "mlmd_lineage", "metadata-store", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "theirs" not in done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Warning: ")
    assert not (tmp_path / "RAN").exists()
    # The user may say that it is right.
    monkeypatch.setenv("MLMD_LINEAGE_TRUST", str(shared))
    assert Registry().layers[0].name == "project"


@AS_ROOT
def test_files_of_another_user_are_ignored_in_ones_own_folder():
    project = checkout()
    trusted()
    file = project / ".mlmd_lineage" / "registrations.json"
    os.chown(file, OTHER_USER, OTHER_USER)
    with pytest.warns(IgnoredConfigurationWarning, match="belongs to another user"):
        assert list(Registry().view().components(METADATA)) == ["default"]
    os.chown(file, 0, 0)
    os.chown(project / "team.py", OTHER_USER, OTHER_USER)
    with pytest.raises(ml.errors.StorePermissionError, match=r"team\.py belongs to another user"):
        made("theirs")
    assert not (project / "RAN").exists()


@AS_ROOT
def test_a_configuration_folder_of_another_user_is_ignored(config_folder: Path):
    """As under sudo, where HOME is still that of the other user."""
    Registry(user=True).register(METADATA, "mine", "sqlite", {"uri": "m.db"})
    os.chown(config_folder / "registrations.json", OTHER_USER, OTHER_USER)
    with pytest.warns(IgnoredConfigurationWarning):
        assert list(Registry().view().components(METADATA)) == ["default"]


def test_links_are_refused(tmp_path: Path):
    project = checkout()
    trusted()
    for name in (".mlmd_lineage/registrations.json", "team.py"):
        file = project / name
        file.rename(tmp_path / "moved")
        file.symlink_to(tmp_path / "moved")
        with pytest.raises(ml.errors.StorePermissionError, match="is a link"):
            made("theirs")
        file.unlink()
        (tmp_path / "moved").rename(file)
    (project / ".mlmd_lineage").rename(tmp_path / "folder")
    (project / ".mlmd_lineage").symlink_to(tmp_path / "folder")
    with pytest.raises(ml.errors.StorePermissionError, match="is a link"):
        Registry()
    with pytest.raises(ml.errors.StorePermissionError, match="is a link"):
        create_project(project)


@pytest.mark.parametrize("name", [".registrations.json.lock", "registrations.json"])
def test_register_follows_no_link(tmp_path: Path, name: str):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    create_project(Path.cwd())
    (Path(".mlmd_lineage") / name).symlink_to(victim)
    with pytest.raises(ml.errors.StorePermissionError, match="is a link"):
        Registry().register(METADATA, "x", "sqlite", {"uri": "m.db"})
    assert victim.read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_named_pipe_in_a_checkout_keeps_nobody_waiting():
    create_project(Path.cwd())
    os.mkfifo(".mlmd_lineage/registrations.json")
    with pytest.raises(ml.errors.StorePermissionError, match="is not a regular file"):
        Registry().view()


# Names


def test_a_project_takes_no_name_of_the_users():
    user = Registry(user=True)
    user.register(METADATA, "prod", "mysql", {"host": "h", "database": "d", "username": "u"})
    user.copy(ARTIFACTS, "default", "files")
    stack_registry.register(user, "mine", "prod", "files", "default", activate=True)
    checkout(active_stack=None)
    with pytest.raises(ml.errors.AmbiguousNameError, match="write project:prod or user:prod"):
        ml.connect("prod")
    assert ml.connect("user:prod").location == "mysql://u@h:3306/d"
    with pytest.raises(UntrustedProjectError):
        ml.connect("project:prod")
    # The user's own stack means the user's own store.
    assert ml.Stack().metadata_store.host == "h"
    assert ml.Stack(metadata_store="user:prod").metadata_store.host == "h"
    names = list(Registry().view().components(METADATA))
    assert names == ["default", "project:prod", "user:prod", "theirs"]
    trusted()
    assert ml.connect("project:prod").location == "mysql://u@evil.example:3306/d"
    with pytest.raises(ml.errors.AmbiguousNameError):
        ml.connect("prod")


def test_a_project_takes_no_flavor_of_the_users():
    Path("mine.py").write_text(EVIL_FLAVOR.replace("RAN", "/dev/null"))
    user = Registry(user=True)
    user.register_flavor(METADATA, "mine.py:TeamStore", Path.cwd())
    user.register(METADATA, "ours", "team", {"team": "x"})
    project = checkout()
    trusted()
    assert type(made("ours")).__module__.endswith("_mine")
    assert type(made("theirs")).__module__.endswith("_team")
    assert {"project:team", "user:team"} < set(Registry().view().flavors(METADATA))
    (project / "RAN").unlink()
    with pytest.raises(ml.errors.AmbiguousNameError, match="write project:team or user:team"):
        Registry().register(METADATA, "new", "team", {"team": "x"})
    Registry().register(METADATA, "new", "user:team", {"team": "x"})
    assert type(made("new")).__module__.endswith("_mine")
    assert not (project / "RAN").exists()


def test_a_users_stack_depends_on_no_project():
    create_project(Path.cwd())
    Registry().register(METADATA, "here", "sqlite", {"uri": "m.db"})
    with pytest.raises(ml.errors.ConfigurationError, match="copy it with --global first"):
        stack_registry.register(Registry(user=True), "s", "here", "default", "default")


def test_a_project_names_the_users_stores_as_the_users():
    user = Registry(user=True)
    user.register(METADATA, "prod", "sqlite", {"uri": "users.db"})
    user.copy(ARTIFACTS, "default", "files")
    create_project(Path.cwd())
    stack_registry.register(Registry(), "s", "prod", "files", "default", activate=True)
    text = Path(".mlmd_lineage/registrations.json").read_text()
    assert '"metadata_store": "user:prod"' in text
    assert ml.Stack().metadata_store.name == "prod"
    with pytest.raises(ml.errors.ConfigurationError, match="of the project uses"):
        Registry(user=True).rename(METADATA, "prod", "main")


# Secrets


def test_passwords_of_the_environment_do_not_go_to_a_project(monkeypatch: pytest.MonkeyPatch):
    kubeflow = {"flavor": "kubeflow", "uuid": UUID, "host": "evil.example"}
    Registry(user=True).register(
        METADATA, "mine", "mysql", {"host": "h", "database": "d", "username": "u"}
    )
    checkout(
        metadata_stores={
            "prod": {
                "flavor": "mysql",
                "uuid": UUID,
                "host": "evil.example",
                "database": "d",
                "username": "u",
            },
            "kf": kubeflow,
        },
        active_stack=None,
        stacks={},
    )
    trusted()
    monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", SECRET)
    monkeypatch.setenv("MLMD_LINEAGE_TOKEN", SECRET)
    assert made("prod").password is None
    assert made("kf").headers == {}
    assert made("mine").password.get_secret_value() == SECRET
    explicit = ml.MySQLMetadataStore(host="h", database="d", username="u")
    assert explicit.password is not None
    monkeypatch.setenv("MLMD_LINEAGE_METADATA_STORE", "mysql://u@h/d")
    assert ml.Stack(name="default").metadata_store.password is not None


def test_what_a_projects_flavor_makes_gets_no_password_either(monkeypatch: pytest.MonkeyPatch):
    code = EVIL_FLAVOR.replace(
        'SQLiteMetadataStore(uri=f"{self.team}.db")',
        '__import__("mlmd_lineage").MySQLMetadataStore('
        'host="evil.example", database="d", username="u")',
    )
    assert "MySQLMetadataStore" in code
    checkout(flavor=code)
    trusted()
    monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", SECRET)
    store = ml.connect("theirs")
    assert store._reader._store.password is None
    monkeypatch.delenv("MLMD_LINEAGE_PASSWORD")


def test_registered_secrets_do_not_go_to_a_project():
    secret_store.register("prod", {"password": SECRET}, hosts=("evil.example",))
    store = {"flavor": "mysql", "uuid": UUID, "database": "d", "username": "u"}
    checkout(
        metadata_stores={
            "prod": {**store, "host": "evil.example", "password": "{{prod.password}}"}
        },
        active_stack=None,
        stacks={},
    )
    trusted()
    with pytest.raises(ml.errors.ConfigurationError, match="is not given to a project") as caught:
        made("prod")
    assert SECRET not in str(caught.value)


def test_a_secret_goes_to_the_server_that_it_was_registered_for():
    registry = Registry()
    fields = {"host": "db.example", "database": "d", "username": "u", "password": SECRET}
    registry.register(METADATA, "prod", "mysql", fields)
    assert made("prod").password.get_secret_value() == SECRET
    file = registry.target.path
    file.write_text(file.read_text().replace("db.example", "evil.example"))
    with pytest.raises(
        ml.errors.ConfigurationError,
        match=r"only for db\.example:3306, and these settings would send it to evil\.example:3306",
    ):
        made("prod")
    registry.update(METADATA, "prod", {"host": "other.example"})  # the user's own command
    assert made("prod").password.get_secret_value() == SECRET
    file.write_text(file.read_text().replace("other.example", "db.example"))
    with pytest.raises(ml.errors.ConfigurationError, match=r"only for other\.example:3306"):
        made("prod")


def test_a_projects_secrets_are_its_own():
    create_project(Path.cwd())
    registry = Registry()
    fields = {"host": "db.example", "database": "d", "username": "u", "password": SECRET}
    registry.register(METADATA, "prod", "mysql", fields)
    assert made("prod").password.get_secret_value() == SECRET
    (layer, name, entry), *others = secret_store.all_secrets()
    assert (layer.layer, layer.folder, others) == ("project", str(Path.cwd()), [])
    assert entry.hosts == ("db.example:3306",)
    # The same name is another secret elsewhere.
    Path("other").mkdir()
    create_project(Path("other"))
    other = Registry(Path("other"))
    with pytest.raises(ml.errors.ConfigurationError, match="No secret"):
        other.register(METADATA, "x", "mysql", fields | {"password": f"{{{{{name}.password}}}}"})


@pytest.mark.parametrize("field", ["host", "database", "username"])
def test_references_stand_in_secret_fields_only(field: str):
    secret_store.register("db", {"password": SECRET})
    fields = {"host": "h", "database": "d", "username": "u", field: "{{db.password}}"}
    with pytest.raises(ml.errors.ConfigurationError, match=f"'{field}' .* is shown") as caught:
        ml.MySQLMetadataStore(**fields)
    assert SECRET not in str(caught.value)
    with pytest.raises(ml.errors.ConfigurationError, match="is shown"):
        ml.SQLiteMetadataStore(uri="{{db.password}}")
    # Neither where somebody wrote it into a file.
    (Path(".mlmd_lineage")).mkdir()
    entry = {"flavor": "mysql", "uuid": UUID, **fields}
    document = {"version": 1, "metadata_stores": {"x": entry}}
    Path(".mlmd_lineage/registrations.json").write_text(json.dumps(document))
    assert not any(SECRET in text for text in ways_to_list())
