"""``Stack``: where its parts come from, and what can be combined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made_flavors
import pytest

import mlmd_lineage as ml
from mlmd_lineage.stacks import config_stack, rules, stack_registry
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.orchestrators import BUILT_IN as ORCHESTRATORS
from mlmd_lineage.stacks.registry import Registry

METADATA, ARTIFACTS, ORCHESTRATOR = KINDS.values()
MYSQL = {"flavor": "mysql", "host": "h", "database": "d", "username": "u"}
DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
LOCAL = {"local", "local_kubernetes", "local_kubeflow"}


@pytest.fixture
def registry(config_folder: Path) -> Registry:
    del config_folder
    made = Registry()
    made.register(METADATA, "prod", "mysql", {"host": "h", "database": "d", "username": "u"})
    made.register(ARTIFACTS, "bucket", "gcs", {"path": "gs://b/x"})
    for flavor in ORCHESTRATORS:
        made.register(ORCHESTRATOR, f"on-{flavor}", flavor, {})
    return made


def test_the_default_stack_is_there_without_any_set_up(config_folder: Path):
    stack = ml.Stack()
    assert stack.name == "default"
    assert [type(part).FLAVOR for part in (stack.metadata_store, stack.artifact_store)] == [
        "sqlite",
        "local",
    ]
    assert stack.orchestrator.FLAVOR == "local"
    uri = Path(stack.metadata_store.uri)
    assert uri == config_folder / "local_stores" / str(stack.metadata_store.uuid) / "metadata.db"
    assert ml.Stack() == stack
    assert not config_folder.exists()  # asking makes nothing
    with pytest.raises(ml.errors.StoreNotFoundError, match="register one and make its stack"):
        ml.connect().snapshot()


def test_connect_opens_the_active_stacks_store(registry: Registry):
    registry.register(METADATA, "demo", "sqlite", {"uri": str(DEMO_STORE)})
    registry.copy(ARTIFACTS, "default", "files")
    stack_registry.register(registry, "demo", "demo", "files", "default", activate=True)
    assert len(ml.connect().frames.events()) == 136
    assert len(ml.connect("demo").frames.events()) == 136
    assert repr(ml.connect()) == f"<Store sqlite: {DEMO_STORE}>"


def test_a_name_that_is_a_file_too_is_ambiguous(registry: Registry):
    del registry
    Path("prod").write_text("")
    with pytest.raises(ml.errors.AmbiguousNameError, match=r"write \./prod"):
        ml.connect("prod")
    assert ml.connect("./prod").location == "./prod"
    with pytest.raises(ml.errors.StoreNotFoundError, match="Did you mean 'prod'"):
        ml.connect("prdo")


def test_what_is_nearer_counts_more(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    stack_registry.register(registry, "user", "prod", "bucket", "on-kubernetes", activate=True)
    assert ml.Stack().name == "user"
    Path(".mlmd_lineage").mkdir()
    project = Registry()
    project.register(METADATA, "here", "sqlite", {"uri": "m.db"})
    project.copy(ARTIFACTS, "default", "files")
    stack_registry.register(project, "project", "here", "files", "on-local", activate=True)
    assert ml.Stack().name == "project"
    monkeypatch.setenv("MLMD_LINEAGE_STACK", "user")
    assert ml.Stack().name == "user"
    assert ml.Stack().metadata_store.name == "prod"
    monkeypatch.setenv("MLMD_LINEAGE_METADATA_STORE", json.dumps(MYSQL | {"host": "other"}))
    assert ml.Stack().metadata_store.host == "other"
    assert ml.connect().location == "mysql://u@other:3306/d"
    assert ml.Stack(metadata_store="prod").metadata_store.host == "h"
    assert ml.Stack(name="project", metadata_store="here").name == "project"
    store = ml.SQLiteMetadataStore(uri="x.db")
    assert ml.Stack(name="project", metadata_store=store).metadata_store is store
    monkeypatch.setenv("MLMD_LINEAGE_METADATA_STORE", "mysql://u:geheim@url/d")
    assert ml.Stack().metadata_store.host == "url"
    assert "geheim" not in repr(ml.Stack())


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"nme": "x"}, "'nme' is no field of a stack. Did you mean 'name'"),
        ({"name": "nowhere"}, "No stack 'nowhere' is registered"),
        ({"orchestrator": "nowhere"}, "No orchestrator 'nowhere' is registered"),
        ({"orchestrator": 5}, "this is of type int"),
        ({"metadata_store": "{"}, "JSON of the metadata store cannot be read"),
        ({"metadata_store": {"flavor": "mysq"}}, "Did you mean 'mysql'"),
        ({"metadata_store": {"flavor": "mysql"}}, "'host', 'database' and 'username' are required"),
        ({"orchestrator": {"flavor": "kubernetes"}}, "breaks the rule 'local-files'"),
        ({"artifact_store": "s3://b"}, "given as themselves, by name, or as a mapping"),
    ],
)
def test_what_makes_no_stack_is_refused(registry: Registry, fields: dict[str, Any], told: str):
    del registry
    with pytest.raises(ml.MLMDLineageError) as caught:
        ml.Stack(**fields)
    assert told in str(caught.value)


# Rules


def test_the_stack_that_nobody_registered_binds_nobody(registry: Registry):
    """As the first versions' own guide has it: ``-o default -a default -m custom_sqlite``."""
    registry.register(METADATA, "custom_sqlite", "sqlite", {"uri": "m.db"})
    stack_registry.register(
        registry, "custom_stack", "custom_sqlite", "default", "default", activate=True
    )
    assert ml.Stack().metadata_store.name == "custom_sqlite"
    registry.register(METADATA, "another", "sqlite", {"uri": "n.db"})
    with pytest.raises(ml.errors.ConfigurationError, match="in the stack 'custom_stack'"):
        stack_registry.register(registry, "second", "another", "default", "default")


def broken(registry: Registry, metadata: str, artifacts: str, orchestrator: str) -> str:
    """Return the rule that a stack breaks, or nothing; registering and setting agree."""
    parts = {"metadata_store": metadata, "artifact_store": artifacts, "orchestrator": orchestrator}
    try:
        stack_registry.register(registry, "tried", metadata, artifacts, orchestrator)
    except ml.errors.ConfigurationError as error:
        told = str(error)
        assert "tried" not in registry.view().stacks()
        if rules.COUPLED_STORES not in told:
            with pytest.raises(ml.errors.ConfigurationError):
                ml.Stack(name="default", **parts)
        return told.split("'")[1]
    assert ml.Stack(name="tried").orchestrator.name == orchestrator
    stack_registry.delete(registry, "tried")
    return ""


@pytest.mark.parametrize("flavor", ORCHESTRATORS)
def test_local_files_go_with_orchestrators_on_this_machine(registry: Registry, flavor: str):
    registry.register(METADATA, "file", "sqlite", {"uri": "m.db"})
    registry.copy(ARTIFACTS, "default", "files")
    expected = "" if flavor in LOCAL else rules.LOCAL_FILES
    assert broken(registry, "file", "bucket", f"on-{flavor}") == expected
    assert broken(registry, "prod", "files", f"on-{flavor}") == expected
    assert broken(registry, "prod", "bucket", f"on-{flavor}") == ""


def dict_of(mapping: Any) -> dict[str, Any]:
    assert isinstance(mapping, dict)
    return mapping


@pytest.mark.parametrize("flavor", ORCHESTRATORS)
def test_kubeflow_metadata_goes_with_kubeflow_orchestrators(
    registry: Registry, flavor: str, monkeypatch: pytest.MonkeyPatch
):
    if "kubeflow" not in METADATA.built_in:
        monkeypatch.setitem(dict_of(METADATA.built_in), "kubeflow", made_flavors.KubeflowAlike)
    alike = METADATA.built_in["kubeflow"] is made_flavors.KubeflowAlike
    fields = {"team": "x"} if alike else {}
    registry.register(METADATA, "kf", "kubeflow", fields)
    expected = "" if "kubeflow" in flavor else rules.PLATFORM_METADATA
    assert broken(registry, "kf", "bucket", f"on-{flavor}") == expected


def test_an_orchestrator_of_ones_own_declares_what_it_goes_with(registry: Registry):
    registry.register_flavor(ORCHESTRATOR, "made_flavors.SlurmOrchestrator", Path.cwd())
    registry.register(ORCHESTRATOR, "hpc", "slurm", {})
    assert broken(registry, "default", "default", "hpc") == rules.LOCAL_FILES
    assert broken(registry, "prod", "bucket", "hpc") == ""


def test_a_pair_of_stores_belongs_together_unless_decoupled(registry: Registry):
    registry.register(ARTIFACTS, "other", "gcs", {"path": "gs://b/y"})
    stack_registry.register(registry, "first", "prod", "bucket", "default")
    stack_registry.register(registry, "second", "prod", "bucket", "on-kubernetes")  # the same pair
    assert broken(registry, "prod", "other", "default") == rules.COUPLED_STORES
    assert broken(registry, "prod", "default", "default") == rules.COUPLED_STORES
    assert broken(registry, "default", "bucket", "default") == rules.COUPLED_STORES
    stack_registry.register(registry, "third", "prod", "other", "default", decouple_stores=True)
    assert broken(registry, "prod", "bucket", "default") == ""
    with pytest.raises(ml.errors.ConfigurationError, match=rules.COUPLED_STORES):
        stack_registry.update(registry, "third", {}, decouple_stores=False)
    with pytest.raises(ml.errors.ConfigurationError, match=rules.COUPLED_STORES):
        stack_registry.update(registry, "first", {"artifact_store": "other"})
    assert registry.view().stack("first").record.artifact_store == "bucket"


def test_a_stack_that_has_come_to_break_a_rule_is_not_set(registry: Registry):
    registry.copy(ARTIFACTS, "default", "files")
    stack_registry.register(registry, "s", "prod", "files", "on-local")
    path = registry.target.path
    changed = path.read_text().replace(
        '"orchestrator": "on-local"', '"orchestrator": "on-kubernetes"'
    )
    path.write_text(changed)
    with pytest.raises(ml.errors.ConfigurationError, match=rules.LOCAL_FILES):
        stack_registry.activate(registry, "s")
    with pytest.raises(ml.errors.ConfigurationError, match=rules.LOCAL_FILES):
        ml.Stack(name="s")
    assert ml.Stack().name == "default"


def test_an_update_of_a_component_does_not_break_its_stacks(registry: Registry):
    registry.register(ARTIFACTS, "files", "local", {"path": "/x"})
    stack_registry.register(registry, "s", "prod", "files", "on-local")
    registry.update(ARTIFACTS, "files", {"path": "/y"})
    with pytest.raises(ml.errors.ConfigurationError):
        registry.update(ARTIFACTS, "files", {"path": "gs://b"})
    assert ml.Stack(name="s").artifact_store.path == "/y"


# The short form of the first versions


def test_one_store_at_a_time_can_be_set(registry: Registry):
    config_stack.put(registry, METADATA, "mysql", {"host": "h1", "database": "d", "username": "u"})
    stack = ml.Stack()
    assert (stack.name, stack.metadata_store.host) == ("config", "h1")
    assert stack.artifact_store.name == "default"
    config_stack.put(registry, ARTIFACTS, "gcs", {"path": "gs://b/z"})
    config_stack.put(registry, METADATA, "mysql", {"host": "h2", "database": "d", "username": "u"})
    stack = ml.Stack()
    assert (stack.metadata_store.host, stack.artifact_store.path) == ("h2", "gs://b/z")
    with pytest.raises(ml.errors.ConfigurationError):
        config_stack.put(registry, METADATA, "mysql", {"host": "h3"})
    assert ml.Stack().metadata_store.host == "h2"
