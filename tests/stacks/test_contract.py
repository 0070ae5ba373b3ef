"""ZenML 0.13.2's metadata stores, field by field; ``docs/stacks.md`` lists what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.kubernetes.metadata_store import KubernetesMetadataStore
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.fields import secret_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FLAVORS = {
    **KINDS["metadata_store"].built_in,
    KubernetesMetadataStore.FLAVOR: KubernetesMetadataStore,
}

DIFFERENT = {
    ("*", "name"): "required",
    ("mysql", "secret"): "the name of a secret with fixed keys",
    ("mysql", "username"): "`mysql` `username` missing",
    ("kubernetes", "kubernetes_namespace"): "`kubernetes_namespace`",
    ("kubeflow", "upgrade_migration_enabled"): "`upgrade_migration_enabled`",
}
"""What differs, with what the guide says of it."""

ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    # What the contract answers, ours, and whether it "agrees" or what the guide says.
    "sqlite.uri gs://x": ({"flavor": "sqlite", "uri": "gs://x"}, "agrees"),
    "sqlite.uri hdfs://x": ({"flavor": "sqlite", "uri": "hdfs://x"}, "agrees"),
    "sqlite.uri s3://x": ({"flavor": "sqlite", "uri": "s3://x"}, "agrees"),
    "sqlite.uri az://x": ({"flavor": "sqlite", "uri": "az://x"}, "agrees"),
    "sqlite.uri abfs://x": ({"flavor": "sqlite", "uri": "abfs://x"}, "agrees"),
    "sqlite.uri http://x/m.db": ({"flavor": "sqlite", "uri": "http://x/m.db"}, "`http://...`"),
    "sqlite.uri file:///tmp/x.db": ({"flavor": "sqlite", "uri": "file:///tmp/x.db"}, "agrees"),
    "sqlite.uri :memory:": ({"flavor": "sqlite", "uri": ":memory:"}, "`:memory:`"),
    "sqlite.relative": ({"flavor": "sqlite", "uri": "m.db"}, "`uri` relative"),
    "sqlite.extra": ({"flavor": "sqlite", "uri": "m.db", "bogus": "1"}, "agrees"),
    "mysql": ({"password": "p"}, "agrees"),
    "mysql.no_password": ({}, "agrees"),
    "mysql.no_username": ({"username": None}, "agrees"),
    "mysql.port_str": ({"port": "3307"}, "agrees"),
    "mysql.database 'a_b'": ({"database": "a_b"}, "agrees"),
    "mysql.database 'a-b'": ({"database": "a-b"}, "`database` with `-`"),
    "mysql.database 'a.b'": ({"database": "a.b"}, "`database` with `-`, `.`"),
    "mysql.database 'a/b'": ({"database": "a/b"}, "agrees"),
    "mysql.database ''": ({"database": ""}, "agrees"),
    "mysql.database 'xxx*64'": ({"database": "x" * 64}, "agrees"),
    "mysql.database 'xxx*65'": ({"database": "x" * 65}, "agrees"),
    "mysql.database 'a b'": ({"database": "a b"}, "agrees"),
    "mysql.database 'größe'": ({"database": "größe"}, "agrees"),
    "kubernetes.missing": ({"flavor": "kubernetes", "kubernetes_context": "c"}, "agrees"),
    "kubernetes.missing_ctx": ({"flavor": "kubernetes", "deployment_name": "d"}, "agrees"),
    "kubernetes.bad_ctx": (
        {"flavor": "kubernetes", "deployment_name": "d", "kubernetes_context": "nope"},
        "unknown context",
    ),
}


@pytest.fixture(scope="module")
def contract(shared_stores: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared_stores / "flavors_0132.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def guide() -> str:
    text = (ROOT / "docs" / "stacks.md").read_text(encoding="utf-8")
    return text.split("## What is different")[1]


def fields(contract: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for key, of_flavor in contract.items():
        if key.startswith("fields."):
            flavor = key.split("(")[1].rstrip(")")
            for name, described in of_flavor.items():
                yield flavor, name, described


def test_every_field_is_kept_or_the_guide_says_why_not(contract: dict[str, Any], guide: str):
    checked = 0
    for flavor, name, described in fields(contract):
        if flavor not in FLAVORS:
            continue
        told = DIFFERENT.get((flavor, name)) or DIFFERENT.get(("*", name))
        if told is not None:
            assert told in guide, told
            continue
        field = FLAVORS[flavor].model_fields[name]
        assert field.is_required() == described["required"], (flavor, name)
        if not described["required"]:
            assert str(field.get_default(call_default_factory=True)) == described["default"]
        if described["sensitive"]:
            assert name in secret_fields(FLAVORS[flavor]), (flavor, name)
        checked += 1
    assert checked >= 12


@pytest.mark.parametrize("key", ANSWERS)
def test_every_answer_is_kept_or_the_guide_says_why_not(
    contract: dict[str, Any], guide: str, key: str
):
    given, told = ANSWERS[key]
    flavor = given.get("flavor", "mysql")
    base = {"host": "h", "database": "d", "username": "u"} if flavor == "mysql" else {}
    settings = {k: v for k, v in {**base, **given}.items() if k != "flavor" and v is not None}
    answer = contract[key]
    accepted = not (isinstance(answer, dict) and "!error" in answer)
    try:
        FLAVORS[flavor](**settings)
    except ml.errors.ConfigurationError:
        ours = False
    else:
        ours = True
    assert (ours == accepted) == (told == "agrees")
    assert told == "agrees" or told in guide
