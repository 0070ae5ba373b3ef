"""Filters made at random are read as they were written, and answered as by looking at every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import filter_stores
import pytest
import server_stores
from filter_words import Looked, filters, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.errors import FilterError
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.filters.grammar import parse
from mlmd_lineage.filters.semantics import analyze
from mlmd_lineage.readers.registry import reader_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import servers

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.snapshot.tables import NodeKind

KINDS: list[NodeKind] = ["artifact", "execution", "context"]
ROWS = filter_stores.tables()
LOOKED = Looked(ROWS)


def is_within_limits(chosen: tuple[NodeKind, Any]) -> bool:
    kind, said = chosen
    try:
        analyze(written(said), kind)
    except FilterError as error:
        assert "neighbours" in str(error)  # noqa: PT017 - all else that is drawn can be answered
        return False
    return True


CHOSEN = (
    st.sampled_from(KINDS)
    .flatmap(lambda kind: st.tuples(st.just(kind), filters(kind)))
    .filter(is_within_limits)
)
SAMPLE = 60
"""How many filters a server is asked."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filter_stores.made(tmp_path_factory.mktemp("filters") / "m.db")


@pytest.fixture(scope="module")
def reader(path: Path) -> Reader:
    return reader_for(ml.SQLiteMetadataStore(uri=str(path)))


@pytest.fixture(scope="module")
def snapshot(path: Path) -> Snapshot:
    return ml.connect(path).snapshot()


@given(CHOSEN)
@settings(max_examples=50, deadline=None)
@pytest.mark.slow
def test_what_is_written_is_read(chosen: tuple[NodeKind, Any]):
    _, said = chosen
    assert parse(written(said)) == said


@given(CHOSEN)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.slow
def test_sqlite_answers_as_looking_at_every_row_does(reader: Reader, chosen: tuple[NodeKind, Any]):
    kind, said = chosen
    text = written(said)
    found = reader.ask(lambda session: find_ids(session, kind, text))
    assert found == LOOKED.find(kind, said), text


@given(CHOSEN)
@settings(max_examples=30, deadline=None)
@pytest.mark.slow
def test_tables_answer_as_looking_at_every_row_does(
    snapshot: Snapshot, chosen: tuple[NodeKind, Any]
):
    kind, said = chosen
    assert find_ids(snapshot, kind, written(said)) == LOOKED.find(kind, said), written(said)


@pytest.mark.parametrize(
    ("kind", "text", "ids"),
    [
        ("artifact", "'run1' IN (contexts_b.name)", [1, 2]),
        ("artifact", "'run1' IN (contexts_b.name, name)", [1, 2]),
        ("context", "'A1' IN (artifacts_b.name) OR id = 5", [1, 2, 5]),
        ("artifact", "'a1' IN (LOWER('A1')) AND id < 3", [1, 2]),
    ],
)
def test_what_was_once_wrong_is_right(
    reader: Reader, snapshot: Snapshot, kind: NodeKind, text: str, ids: list[int]
):
    assert reader.ask(lambda session: find_ids(session, kind, text)) == ids
    assert find_ids(snapshot, kind, text) == ids


def sample() -> Iterator[tuple[NodeKind, Any]]:
    """Yield the same filters each time."""
    found: list[tuple[NodeKind, Any]] = []

    @given(CHOSEN)
    @settings(max_examples=SAMPLE + 20, deadline=None, derandomize=True, database=None)
    def collect(chosen: tuple[NodeKind, Any]) -> None:
        found.append(chosen)

    collect()
    yield from found[-SAMPLE:]


@pytest.mark.parametrize("server", ["mariadb_server", "postgresql_server"])
def test_servers_answer_as_looking_at_every_row_does(
    server: str, path: Path, request: pytest.FixtureRequest
):
    running: servers.Server = request.getfixturevalue(server)
    database = server_stores.Database(running, running.new_database())
    database.create().copy(path)

    def ask(session: Any) -> None:
        for kind, said in sample():
            found = find_ids(session, kind, written(said))
            assert found == LOOKED.find(kind, said), written(said)

    database.reader().ask(ask)
