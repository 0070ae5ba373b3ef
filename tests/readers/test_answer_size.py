"""How much one question may receive: of servers that send rows without end, and in whole tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import waiting
from grpc_service import Fake, running
from server_stores import Database

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.readers import answer_size
from mlmd_lineage.readers.answer_size import AnswerSize

if TYPE_CHECKING:
    import servers

LONG_JOIN = ", ".join(f"information_schema.COLLATIONS {letter}" for letter in "abcdef")
WITHOUT_END = {
    "mysql": f"SELECT a.ID FROM {LONG_JOIN}",  # noqa: S608 - no text of others
    "postgresql": "SELECT generate_series(1, 1000000000000)",
}
ROWS, LONG = 30, 60_000


@pytest.fixture(params=["mariadb_server", "postgresql_server"])
def database(request: pytest.FixtureRequest) -> Database:
    server: servers.Server = request.getfixturevalue(request.param)
    made = Database(server, server.new_database()).create()
    return made.insert(
        "Artifact", [{"id": number, "type_id": 1, "uri": "x" * LONG} for number in range(ROWS)]
    )


def test_rows_without_end(database: Database):
    reader = database.reader(max_answer=4)
    statement = WITHOUT_END[database.store().FLAVOR]
    with (
        waiting.ends_early(),
        pytest.raises(errors.AnswerTooLargeError, match="more than the 4 MiB"),
    ):
        reader.ask(lambda session: session.select(statement, ()))
    assert reader.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


@pytest.mark.parametrize("keep", [False, True])
def test_each_question_is_counted_for_itself(database: Database, keep: bool):  # noqa: FBT001 - a parameter
    reader = database.reader(max_answer=3)
    if keep:
        reader.keep_connections()
    for _ in range(4):
        assert reader.read(("Artifact",))["Artifact"].num_rows == ROWS
        rows = reader.ask(lambda session: session.fetch("Artifact", {"id": [1, 2]}))
        assert [len(row[2]) for row in rows] == [LONG, LONG]


def test_a_table_that_is_too_large(database: Database):
    reader = database.reader(max_answer=1)
    for question in (
        lambda: reader.read(("Artifact",)),
        lambda: reader.ask(lambda session: session.fetch("Artifact", {})),
    ):
        with pytest.raises(errors.AnswerTooLargeError, match="max_answer"):
            question()


def test_the_answers_of_a_service(monkeypatch: pytest.MonkeyPatch):
    fake = Fake()
    fake.chain(3)
    usual = fake.answer
    more = b"\x7a\xe0\xa7\x12" + bytes(300_000)  # a field that MLMD has not, of this length
    monkeypatch.setattr(fake, "answer", lambda *call: usual(*call) + more)
    with running(fake) as port:
        assert len(ml.connect(f"grpc://127.0.0.1:{port}").lineage()) > 3
        with pytest.raises(errors.AnswerTooLargeError, match="1 MiB"):
            ml.connect(f"grpc://127.0.0.1:{port}?max_answer=1").lineage()


def test_the_limit_follows_the_memory(monkeypatch: pytest.MonkeyPatch):
    assert answer_size.memory() > 0
    monkeypatch.setattr(answer_size, "memory", lambda: 1000)
    size = AnswerSize("here", None)
    size.add(500)
    with pytest.raises(errors.AnswerTooLargeError):
        size.add(1)
