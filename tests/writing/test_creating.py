"""Stores that are made: by the command line, by ``connect``, and where there is nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import terminal

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, code: int = 0) -> Any:
    done = terminal.invoke(*arguments)
    assert done.exit_code == code, done.output
    return done


def test_init_makes_a_store_once(tmp_path: Path):
    path = str(tmp_path / "new" / "metadata.db")
    assert "Made an empty store" in run("init", path).output
    before = (tmp_path / "new" / "metadata.db").read_bytes()
    assert "left as it is" in run("init", path).output
    assert (tmp_path / "new" / "metadata.db").read_bytes() == before
    assert "schema version 10" in run("describe", path).output


def test_init_takes_a_mere_word_for_a_file(config_folder: Path):
    run("init", "metadata")
    assert (config_folder.parent / "here" / "metadata").is_file()


def test_init_refuses_an_archive(tmp_path: Path):
    ml.connect(tmp_path / "metadata.db", create=True).snapshot().save(tmp_path / "archive")
    assert "archive" in run("init", str(tmp_path / "archive"), code=1).output


@pytest.mark.parametrize("name", ["mariadb_server", "postgresql_server"])
def test_init_makes_tables_on_servers(name: str, request: pytest.FixtureRequest):
    server = request.getfixturevalue(name)
    done = run("init", server.url(server.new_database()))
    assert "Made an empty store" in done.output
    assert server.password not in done.output


def test_a_server_without_the_database_is_an_error(mariadb_server: Any):
    with pytest.raises(ml.errors.StoreNotFoundError, match="no database of this name"):
        ml.connect(mariadb_server.url("nowhere"), create=True)


def test_connect_makes_the_store_that_it_returns(tmp_path: Path):
    store = ml.connect(tmp_path / "a" / "b.db", create=True)
    assert len(store.snapshot().artifacts) == 0


class Team(ml.BaseMetadataStore):
    FLAVOR = "team"
    folder: str

    def connection_config(self) -> Any:
        return ml.SQLiteMetadataStore(uri=f"{self.folder}/team.db").connection_config()


def test_a_flavor_of_ones_own_is_made_and_written_as_its_config_says(tmp_path: Path):
    store = ml.connect(Team(folder=str(tmp_path)), create=True)
    with store.writer() as writer:
        writer.put(ml.message("PutArtifactTypeRequest")(artifact_type={"name": "Model"}))
    assert "Model" in store.frames.types()["name"].tolist()
