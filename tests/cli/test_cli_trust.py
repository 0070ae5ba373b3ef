"""``mlmd-lineage trust``, and what the other commands say of projects that are not trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import terminal

UUID = "6b0a3c1e-0000-4000-8000-000000000001"
STORE = {"flavor": "sqlite", "uuid": UUID, "uri": str(terminal.DEMO_STORE)}
SERVER = {
    "flavor": "mysql",
    "uuid": UUID,
    "host": "db.example",
    "database": "metadb",
    "username": "reader",
    "password": "{{prod.password}}",
}


@pytest.fixture(autouse=True)
def project(config_folder: Path) -> Path:
    """Return a project that came with a checkout, with an odd name in it."""
    del config_folder
    Path(".mlmd_lineage").mkdir()
    Path("team.py").write_text("raise RuntimeError('ran')\n")
    document = {
        "version": 1,
        "metadata_stores": {"shared": STORE, "prod": SERVER},
        "flavors": {"metadata_store": {"team": "team.py:Team"}},
    }
    Path(".mlmd_lineage/registrations.json").write_text(json.dumps(document))
    return Path.cwd()


def said(*words: str, code: int = 0) -> str:
    done = terminal.invoke(*words)
    assert done.exit_code == code, done.output
    return done.output


def test_a_project_is_shown_asked_for_and_trusted(project: Path):
    assert "shared\tsqlite" in said("metadata-store", "list")
    assert "project (not trusted)" in said("metadata-store", "list")
    assert f"mlmd-lineage trust {project}" in said("artifacts", "shared", code=1)
    asked = said("trust", code=2)
    assert "There is no terminal to confirm on" in asked
    assert "metadata store prod (mysql): mysql://reader@db.example:3306/metadb" in asked
    assert "asks for the secret prod" in asked
    assert "flavor team of metadata stores runs team.py:Team" in asked
    assert "file team.py: SHA-256 " in asked
    assert "not trusted" in said("artifacts", "shared", code=1)
    assert f"The project {project} is trusted as it is now." in said("trust", "--yes")
    assert said("artifacts", "shared", "--limit", "1")
    assert "project\t" in said("metadata-store", "list")

    Path("team.py").write_text("import os\n")
    assert "has changed since it was trusted" in said("artifacts", "shared", code=1)
    assert "changed since it was trusted" in said("trust", "--list")
    assert "file team.py: SHA-256" in said("trust", str(project), "-y")
    listed = json.loads(said("trust", "--list", "--format", "json"))
    assert [(row["folder"], row["state"]) for row in listed] == [(str(project), "trusted")]

    assert "is no longer trusted" in said("trust", "--revoke")
    assert said("trust", "--list") == "No projects are trusted.\n"
    assert "is not trusted" in said("trust", "--revoke", code=1)


def test_as_json(project: Path):
    answer = json.loads(said("trust", "--yes", "--format", "json"))
    assert answer["trusted"] == str(project)
    assert set(answer["files"]) == {"registrations.json", "team.py"}
    assert json.loads(said("trust", str(project), "--revoke", "--format", "json")) == {
        "revoked": str(project)
    }


def test_what_cannot_be_is_refused(tmp_path: Path):
    assert "goes with no FOLDER" in said("trust", "x", "--list", code=2)
    assert "There is no project in" in said("trust", str(tmp_path), code=1)
    (tmp_path / ".mlmd_lineage").mkdir()
    assert "There is nothing to be trusted" in said("trust", str(tmp_path), code=1)


def test_a_flavor_that_fails_is_reported_as_its_owners(project: Path):
    said("trust", "--yes")
    told = said("metadata-store", "register", "x", "--flavor", "team", code=1)
    assert f"RuntimeError: ran ({project / 'team.py'}, line 1)" in told
    assert "This should not have happened" not in told
    Path("own.py").write_text(
        "import mlmd_lineage as ml\n"
        "class Own(ml.BaseMetadataStore):\n"
        "    FLAVOR = 'own'\n"
        "    def connection_config(self):\n"
        "        return {}['x']\n"
    )
    said("metadata-store", "flavor", "register", "own.py", "-g")
    said("metadata-store", "register", "mine", "--flavor", "own", "-g")
    told = said("describe", "mine", code=1)
    assert f"KeyError: 'x' ({project / 'own.py'}, line 5)" in told


def test_a_store_without_headers_shows_none():
    said("trust", "--yes")
    said("metadata-store", "register", "kf", "--flavor", "kubeflow", "--host=h")
    assert "HEADERS" not in said("metadata-store", "describe", "kf")
