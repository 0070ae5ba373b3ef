"""The registry of flavors: what is found, and what is refused with a sentence."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import made_flavors
import pytest

import mlmd_lineage as ml
from mlmd_lineage.stacks import description, trust_report
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.layers import create_project
from mlmd_lineage.stacks.registry import Registry

METADATA = KINDS["metadata_store"]
SOURCE = Path(made_flavors.__file__)
DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"


@pytest.fixture
def registry(config_folder: Path) -> Registry:
    del config_folder
    return Registry()


def refused(registry: Registry, source: str, kind: str = "metadata_store") -> str:
    before = registry.view().flavors(KINDS[kind])
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        registry.register_flavor(KINDS[kind], source, Path.cwd())
    assert list(registry.view().flavors(KINDS[kind])) == list(before)
    return str(caught.value)


def test_the_built_in_ones_are_there(registry: Registry):
    names = {kind: list(registry.view().flavors(KINDS[kind])) for kind in KINDS}
    assert {"sqlite", "mysql", "postgresql", "kubernetes"} <= set(names["metadata_store"])
    assert names["metadata_store"][0] == "sqlite"
    assert names["artifact_store"] == ["local", "gcs", "s3", "azure"]
    assert names["orchestrator"] == [
        "local",
        "local_kubernetes",
        "kubernetes",
        "local_kubeflow",
        "kubeflow",
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("NoFlavor", "has no FLAVOR"),
        ("NoMethod", "does not implement connection_config()"),
        ("NoStore", "has to be a class that inherits from BaseMetadataStore"),
        ("Path", "There is no class 'Path'"),
        ("TeamStor", "Did you mean 'TeamStore'"),
        ("SlurmOrchestrator", "is no metadata store"),
        ("Taken", "There is a flavor 'sqlite' of metadata stores already (built in:"),
        ("OddName", "cannot name a flavor"),
    ],
)
def test_a_class_that_makes_no_flavor_is_refused(registry: Registry, name: str, told: str):
    assert told in refused(registry, f"made_flavors.{name}")
    assert told in refused(registry, f"{SOURCE}:{name}")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nothing_of_this_name.Class", "There is no module 'nothing_of_this_name'"),
        ("made_flavors", "names no class"),
        ("a b.c", "names no class"),
        ("", "names no class"),
        ("nowhere.py:TeamStore", "There is no file"),
        (str(SOURCE), "Say which class"),
    ],
)
def test_a_source_that_names_nothing_is_refused(registry: Registry, source: str, told: str):
    assert told in refused(registry, source)


def test_a_module_that_fails_says_how(registry: Registry):
    Path("broken.py").write_text("import no_such_module_at_all\n")
    assert "Loading 'broken.py' failed: ModuleNotFoundError" in refused(registry, "broken.py")
    assert "Loading 'broken.X' failed: ModuleNotFoundError" in refused(registry, "broken.X")


@pytest.mark.slow
def test_a_registered_flavor_is_there_in_every_process(registry: Registry, config_folder: Path):
    code = SOURCE.read_text().split("class NoFlavor")[0]
    Path("flavors.py").write_text(code)
    assert registry.register_flavor(METADATA, "flavors.py", Path.cwd()) == "team"
    assert "already (user:" in refused(registry, "flavors.py:TeamStore")
    registry.register(METADATA, "mine", "team", {"team": str(DEMO_STORE.with_suffix(""))})
    asked = "import mlmd_lineage as ml; print(len(ml.connect('mine').frames.events()))"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=config_folder.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "136\n"


def test_a_module_beside_the_project_is_found_from_below_it(config_folder: Path):
    del config_folder
    Path(".mlmd_lineage").mkdir()
    code = SOURCE.read_text().split("class NoFlavor")[0]
    Path("our_flavors.py").write_text(code.replace('"team"', '"ours"'))
    registry = Registry()
    assert registry.register_flavor(METADATA, "our_flavors.TeamStore", Path.cwd()) == "ours"
    assert "our_flavors" in registry.target.path.read_text()
    below = Path("a/b")
    below.mkdir(parents=True)
    found = Registry(below).view().flavor(METADATA, "ours").load()
    assert found.FLAVOR == "ours"


def test_a_flavor_that_has_changed_its_name_says_so(registry: Registry):
    code = SOURCE.read_text().split("class NoFlavor")[0]
    Path("changing.py").write_text(code.replace('"team"', '"first"'))
    registry.register_flavor(METADATA, "changing.py", Path.cwd())
    Path("changing.py").write_text(code.replace('"team"', '"second"'))
    for name in [name for name in sys.modules if name.endswith("_changing")]:
        del sys.modules[name]
    with pytest.raises(ml.errors.ConfigurationError, match="its FLAVOR is 'second' now"):
        registry.view().flavor(METADATA, "first").load()


def test_artifact_stores_and_orchestrators_have_flavors_too(registry: Registry):
    artifacts, orchestrator = KINDS["artifact_store"], KINDS["orchestrator"]
    registry.register_flavor(artifacts, "made_flavors.HadoopArtifactStore", Path.cwd())
    registry.register_flavor(orchestrator, "made_flavors.SlurmOrchestrator", Path.cwd())
    registry.register(artifacts, "hdfs", "hadoop", {"path": "hdfs://cluster/x"})
    registry.register(orchestrator, "hpc", "slurm", {})
    view = registry.view()
    assert view.make(view.component(orchestrator, "hpc")).location() == "the slurm orchestrator"


def test_packages_bring_flavors_by_entry_points(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    info = tmp_path / "site" / "brought-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mlmd_lineage.metadata_stores]\n"
        "team = made_flavors:TeamStore\n"
        "sqlite = made_flavors:Taken\n"
        "gone = no_such_module_at_all:Store\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    flavors = registry.view().flavors(METADATA)
    assert flavors["team"].origin == "entry point"
    assert flavors["team"].load() is made_flavors.TeamStore
    assert flavors["sqlite"].load() is ml.SQLiteMetadataStore  # nobody takes a built-in name
    with pytest.raises(ml.errors.ConfigurationError, match="entry point cannot be loaded"):
        flavors["gone"].load()
    assert "already (entry point: made_flavors.TeamStore)" in refused(
        registry, "made_flavors.TeamStore"
    )


def test_fields_with_several_values_are_json(registry: Registry, config_folder: Path):
    registry.register_flavor(METADATA, "made_flavors.TeamStore", Path.cwd())
    fields = {"team": "x", "tags": '["a", "b"]', "tokens": '{"one": "hush-hush"}'}
    registry.register(METADATA, "mine", "team", fields)
    view = registry.view()
    made = view.make(view.component(METADATA, "mine"))
    assert isinstance(made, made_flavors.TeamStore)
    assert made.tags == ["a", "b"]
    assert made.tokens is not None
    assert made.tokens["one"].get_secret_value() == "hush-hush"
    assert b"hush-hush" not in pickle.dumps(made)
    assert "hush-hush" not in f"{made!r} {made.model_dump_json()}"
    assert all(b"hush-hush" not in path.read_bytes() for path in config_folder.iterdir())
    with pytest.raises(ml.errors.ConfigurationError, match="'tags' takes JSON"):
        registry.register(METADATA, "other", "team", {"team": "x", "tags": "a, b"})


# Unregistering


@pytest.mark.parametrize("state", ["whole", "broken", "gone", "not a class"])
def test_a_flavor_is_unregistered_whatever_became_of_its_file(registry: Registry, state: str):
    Path("flavors.py").write_text(SOURCE.read_text().split("class NoFlavor")[0])
    registry.register_flavor(METADATA, "flavors.py", Path.cwd())
    registry.register(METADATA, "mine", "team", {"team": "x"})
    file = Path("flavors.py")
    if state == "gone":
        file.unlink()
    elif state != "whole":
        file.write_text("def (" if state == "broken" else "TeamStore = 1\n")
    with pytest.raises(ml.errors.ConfigurationError, match="used by the metadata store mine"):
        registry.unregister_flavor(METADATA, "team")
    registry.delete(METADATA, "mine")
    registry.unregister_flavor(METADATA, "team")
    assert "team" not in registry.view().flavors(METADATA)
    assert json.loads(registry.target.path.read_text()) in (
        {"version": 1},
        {"version": 1, "flavors": {"metadata_store": {}}, "shown_fields": {"metadata_store": {}}},
    )


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("sqlite", ml.errors.ConfigurationError, "is not registered here but built in: "),
        ("kubernetes", ml.errors.ConfigurationError, "is not registered here"),
        ("taem", ml.errors.NotFoundError, "Did you mean 'team'"),
    ],
)
def test_what_is_not_registered_is_not_unregistered(
    registry: Registry, name: str, kind: type[Exception], told: str
):
    registry.register_flavor(METADATA, "made_flavors.TeamStore", Path.cwd())
    with pytest.raises(kind, match=told):
        registry.unregister_flavor(METADATA, name)


def test_fields_of_a_flavor_are_described_without_loading_it(registry: Registry):
    registry.register_flavor(METADATA, "made_flavors.TeamStore", Path.cwd())
    fields = {"team": "x", "tokens": '{"one": "hush-hush"}'}
    registry.register(METADATA, "mine", "team", fields)
    view = registry.view()
    found = view.component(METADATA, "mine")
    shown = description.described_fields(view, found)
    assert shown["team"] == "x"
    assert shown["tokens"].startswith("******** ({{component-")
    # By hand, a value may stand there that nobody noted as harmless.
    text = registry.target.path.read_text()
    registry.target.path.write_text(text.replace('"team": "x"', '"team": "x", "pin": "hush-hush"'))
    view = registry.view()
    found = view.component(METADATA, "mine")
    assert description.described_fields(view, found)["pin"] == "********"
    assert "hush-hush" not in description.location(view, found)


OWN_SERVER = """
from typing import ClassVar

import pydantic

import mlmd_lineage as ml


class Server(ml.BaseMetadataStore):
    FLAVOR: ClassVar[str] = "server"
    PATHS: ClassVar[tuple[str, ...]] = ("folder",)

    folder: str
    secure: bool = False
    level: int = 1
    token: pydantic.SecretStr

    def connection_config(self):
        return ml.SQLiteMetadataStore(uri=f"{self.folder}/m.db").connection_config()
"""


@pytest.mark.parametrize("where", ["user", "project"])
def test_secrets_of_a_flavor_that_names_no_server_go_with_all_its_fields(
    registry: Registry, where: str
):
    if where == "project":
        create_project(Path.cwd())
        registry = Registry()
    Path("server.py").write_text(OWN_SERVER)
    registry.register_flavor(METADATA, "server.py", Path.cwd())
    fields = {"folder": "data", "secure": "true", "level": "2", "token": "hush-hush"}
    registry.register(METADATA, "mine", "server", fields)
    registry.copy(METADATA, "mine", "copied")
    registry.update(METADATA, "mine", {"level": "3"})
    for name in ("mine", "copied"):
        view = registry.view()
        made: Any = view.make(view.component(METADATA, name))
        assert made.token.get_secret_value() == "hush-hush"
    # Whatever of them changes otherwise, is asked for.
    file = registry.target.path
    file.write_text(file.read_text().replace('"folder": "', '"folder": "/evil'))
    if where == "project":
        trust_report.read(None).trust()
    view = registry.view()
    with pytest.raises(ml.errors.ConfigurationError, match="would send it to"):
        view.make(view.component(METADATA, "mine"))
