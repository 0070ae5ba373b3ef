"""MLMD's own answers to filters, and where ours are others.

What MLMD answers stands in ``answers.json``; ``filter_oracle.py`` says how it came there.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import filter_oracle
import filter_stores
import metadata_service
import odd_stores
import pytest
import server_stores
from native_library import VERSIONS

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.readers.registry import reader_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import servers
    from filter_oracle import Answers

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeKind

FAILS = "FilterError"
IS_THE_KEPT_ONE = any(version.startswith("1.17.") for version in VERSIONS)
ANSWERS = filter_oracle.kept()
SHARED = [name for name in ANSWERS if name != filter_oracle.MADE]

OURS: dict[str, dict[str, dict[str, Any]]] = {
    filter_oracle.MADE: {
        "artifact": {
            "name = 'tab\\there\\nline'": [9],
            "uri LIKE 's3://b/a\\\\_1'": [5],
            "uri LIKE '%100\\\\%'": [6],
            "uri = 'path\\\\to'": [7],
            "uri LIKE 'path\\\\\\\\to'": [7],
            "state = 'LIVE'": [1, 5, 9],
            'state = "LIVE"': [1, 5, 9],
            "state IN ('LIVE', PENDING)": [1, 2, 5, 9],
            "state = `LIVE`": [1, 5, 9],
            "LIVE = state": [1, 5, 9],
            "properties.i.int_value IS NULL": [4, 6, 7, 8, 9, 10, 11],
            "properties.s.int_value IS NULL": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            "properties.s.string_value = 'a\\\\b'": [7],
            "properties.b.bool_value IS NOT TRUE": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
            "properties.I.int_value = 1": [],
            "`custom_properties`.x.int_value = 1": [1, 7],
            "custom_properties.ü.string_value = 'ö'": [3],
            "contexts_a.type_id = 13": [],
            "contexts_a.external_id = 'x'": [],
            "contexts_a.name IS NULL": [5, 6, 7, 8, 9, 10, 11],
            "contexts_a.name = 'run1' OR name = 'unrelated'": [1, 2, 11],
            "contexts_A.name = 'run1' AND contexts_a.type = 'experiment'": [1],
            "`contexts_my a`.name = 'run1'": [1, 2],
            "events_0.type = 'INPUT'": [1, 6],
            "events_0.type IS NULL": [5, 8, 9, 10, 11],
            "substr(name, 1, 1) = 'A'": FAILS,
            "trim(name) = 'A1'": FAILS,
            "replace(name, 'A', 'b') = 'b1'": FAILS,
            "abs(id) = 1": FAILS,
            "coalesce(name, 'z') = 'z'": FAILS,
            "ifnull(name, 'z') = 'z'": FAILS,
            "CASE WHEN id = 1 THEN true ELSE false END": FAILS,
            "CAST(id AS STRING) = '1'": FAILS,
            "EXISTS(select 1)": FAILS,
            "id IN (select 1)": FAILS,
            "name LIKE name": FAILS,
            "name LIKE uri": FAILS,
            "id & 1 = 1": FAILS,
            "1 << 1 = id": FAILS,
            "~id = -2": FAILS,
            "name IS NOT NULL AND (type = 'Data Set' OR properties.s.string_value = 'one')": [
                1,
                8,
                9,
                10,
                11,
            ],
            "custom_properties.x.string_value IS NULL": [1, 2, 4, 5, 6, 7, 8, 9, 10, 11],
            "custom_properties.x.int_value IS NULL": [3, 4, 5, 6, 8, 9, 10, 11],
            "custom_properties.x.int_value IS NULL OR id = 7": [3, 4, 5, 6, 7, 8, 9, 10, 11],
            "id < 18446744073709551615": FAILS,
            "id < 1e400": FAILS,
            "properties.d.double_value = CAST('nan' AS DOUBLE)": FAILS,
            "CAST(state AS INT64) = 2": FAILS,
            "state IN (LIVE, 'PENDING')": [1, 2, 5, 9],
            "properties.S.string_value = 'one'": [],
            "custom_properties.X.int_value = 1": [],
            "custom_properties.Name.string_value = 'nn'": [],
            "custom_properties.Upper.int_value = 1": [8],
            "name = 'name'": [],
            'name = "name"': [],
            "name >= 'name'": [4, 9, 11],
            "contexts_a.name = 'name'": [],
            "contexts_a.name = 'id'": [],
            "contexts_é.id = 1": [1, 4],
            "state IN(LIVE)": [1, 5, 9],
            "state<>LIVE": [2, 3, 4, 6, 7, 8, 10, 11],
            "(state) = LIVE": [1, 5, 9],
            "state = (LIVE)": [1, 5, 9],
            "id = 1 OR NULL": FAILS,
            "name LIKE '\\\\'": FAILS,
            "name LIKE 'A\\\\1'": [1, 2, 5],
        },
        "execution": {
            "events_a.artifact_id = 1 OR last_known_state = RUNNING": [1, 2, 3, 4, 5],
        },
        "context": {
            "artifacts_a.external_id = 'ext-1'": [1, 2],
            "artifacts_a.type_id = 10": [1, 2, 3],
        },
    },
    "kfp1_emulated.db": {
        "artifact": {
            # MLMD takes the property's name for the column "name", and so any property for it.
            "NOT custom_properties.`name`.string_value LIKE '%1%'": [
                n for n in range(1, 32) if n not in {2, 11, 20, 23}
            ],
        },
    },
}
"""For each store and kind the filters to which our answers are others than MLMD's."""


def expected(store: str) -> Answers:
    """Return the answers that we give: MLMD's, but for the mended ones."""
    found: Answers = {}
    for kind, answers in ANSWERS[store].items():
        mended = OURS.get(store, {}).get(kind, {})
        assert mended.keys() <= answers.keys()
        found[kind] = {
            text: mended.get(text, FAILS if isinstance(answer, str) else answer)
            for text, answer in answers.items()
        }
    return found


def answered(session: Session, filters: Mapping[str, Mapping[str, Any]]) -> Answers:
    """Return our answers."""
    found: Answers = {}
    for kind, texts in filters.items():
        found[kind] = {}
        for text in texts:
            try:
                found[kind][text] = find_ids(session, kind, text)  # type: ignore[arg-type]
            except errors.FilterError:
                found[kind][text] = FAILS
    return found


def assert_answers(reader: Reader, wanted: Answers) -> None:
    found = reader.ask(lambda session: answered(session, wanted))
    for kind, answers in wanted.items():
        for text, answer in answers.items():
            assert found[kind][text] == answer, (kind, text)


def test_what_is_mended_differs_from_mlmd():
    for store, kinds in OURS.items():
        for kind, mended in kinds.items():
            for text, answer in mended.items():
                mlmd = ANSWERS[store][kind][text]
                assert answer != mlmd, text
                assert not (answer == FAILS and isinstance(mlmd, str)), text


def test_there_are_filters_enough_that_find_something():
    lists = [a for kinds in ANSWERS.values() for found in kinds.values() for a in found.values()]
    assert sum(isinstance(found, list) and bool(found) for found in lists) > 700


def test_answers_are_those_of_mlmd(tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    assert_answers(reader_for(ml.SQLiteMetadataStore(uri=str(path))), expected(filter_oracle.MADE))


@pytest.mark.parametrize("name", SHARED)
def test_answers_on_real_stores_are_those_of_mlmd(name: str, shared_store: Callable[[str], Path]):
    store = ml.SQLiteMetadataStore(uri=str(shared_store(name)))
    assert_answers(reader_for(store), expected(name))


@pytest.mark.slow
def test_archives_and_snapshots_answer_as_their_store(tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    snapshot = ml.connect(path).snapshot()
    wanted = expected(filter_oracle.MADE)
    archive = ml.ArchiveMetadataStore(uri=str(snapshot.save(tmp_path / "archive")))
    assert_answers(reader_for(archive), wanted)
    assert answered(snapshot, wanted) == wanted  # type: ignore[arg-type]


class Fetching:
    """A session that can only fetch, as that of a service, and notes what it is asked for."""

    source = "elsewhere"

    def __init__(self, session: Session) -> None:
        self._session = session
        self.whole: list[str] = []

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows."""
        self.whole += [] if where else [table]
        return self._session.fetch(table, where)


def test_where_there_is_no_sql_answers_are_the_same(tmp_path: Path):
    reader = ml.connect(filter_stores.made(tmp_path / "m.db"))._reader
    wanted = expected(filter_oracle.MADE)
    found = reader.ask(lambda session: answered(Fetching(session), wanted))
    assert found == wanted


@pytest.mark.parametrize(
    ("kind", "text", "ids"),
    [
        ("artifact", "id IN (1, 5) AND properties.i.int_value = 1", [1, 5]),
        ("artifact", "name = 'A1' AND state = LIVE", [1, 5]),
        ("artifact", "uri = 's3://b/a1' OR external_id = 'ext-2'", [1, 2]),
        ("artifact", "type = 'Model' AND contexts_a.name = 'run1'", [1, 2]),
        ("artifact", "type IN ('Model') AND NOT id = 2", [1, 3, 4, 5]),
        ("artifact", "events_e.execution_id = 2 AND events_e.type = OUTPUT", [2]),
        ("execution", "contexts_a.id = 1.0 AND contexts_b.type = 'run'", [1]),
        ("context", "child_contexts_c.name = 'run2'", [1]),
        ("context", "artifacts_a.uri = 'nowhere' AND id > 0", []),
    ],
)
def test_where_there_is_no_sql_only_what_may_fit_is_fetched(
    kind: NodeKind, text: str, ids: list[int], tmp_path: Path
):
    reader = ml.connect(filter_stores.made(tmp_path / "m.db"))._reader

    def ask(session: Session) -> list[str]:
        fetching = Fetching(session)
        assert find_ids(fetching, kind, text) == ids
        return fetching.whole

    # A context's neighbours are contexts too: then the table is held as it is.
    assert set(reader.ask(ask)) <= {"Type", *(["Context"] if "contexts_" in text else [])}


@pytest.mark.slow
def test_a_service_answers_as_sqlite_does(tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    with metadata_service.served(path, "--read-only") as service:
        store = ml.connect(f"grpc://{service.address}")
        assert_answers(store._reader, expected(filter_oracle.MADE))


def test_a_mariadb_answers_as_sqlite_does(mariadb_server: servers.Server, tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    database = server_stores.Database(mariadb_server, mariadb_server.new_database())
    database.create().copy(path)
    assert_answers(database.reader(), expected(filter_oracle.MADE))


def test_a_mariadb_with_latin1_answers_as_sqlite_does(
    mariadb_server: servers.Server, tmp_path: Path
):
    path = filter_stores.made(tmp_path / "m.db")
    database = server_stores.Database(mariadb_server, mariadb_server.new_database())
    database.create(charset="latin1").copy(path)
    assert_answers(database.reader(), expected(filter_oracle.MADE))


def test_a_postgresql_answers_as_sqlite_does(postgresql_server: servers.Server, tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    database = server_stores.Database(postgresql_server, postgresql_server.new_database())
    database.create().copy(path)
    assert_answers(database.reader(), expected(filter_oracle.MADE))


@pytest.mark.native
@pytest.mark.skipif(not IS_THE_KEPT_ONE, reason="the answers kept are those of 1.17")
def test_mlmd_still_answers_so(tmp_path: Path):
    path = filter_stores.made(tmp_path / "m.db")
    answers = ANSWERS[filter_oracle.MADE]
    assert filter_oracle.asked(path, answers) == answers


@pytest.mark.native
@pytest.mark.skipif(not IS_THE_KEPT_ONE, reason="the answers kept are those of 1.17")
def test_mlmd_still_answers_so_on_a_real_store(shared_stores: Path, tmp_path: Path):
    path = shutil.copyfile(shared_stores / "tfx_local.db", tmp_path / "m.db")
    answers = ANSWERS["tfx_local.db"]
    assert filter_oracle.asked(path, answers) == answers


@pytest.mark.parametrize("kind", ["sqlite", "archive"])
def test_a_filter_ends_at_its_deadline(kind: str, tmp_path: Path):
    rows = {
        "Artifact": [odd_stores.artifact(n) for n in range(1, 401)],
        "Context": [{**odd_stores.execution(1), "type_id": odd_stores.RUN, "name": "run"}],
        "Attribution": [{"id": n, "context_id": 1, "artifact_id": n} for n in range(1, 401)],
    }
    store = ml.connect(odd_stores.store(tmp_path / "m.db", rows))
    if kind == "archive":
        store = ml.connect(store.snapshot().save(tmp_path / "archive"))
    where = "artifacts_a.id + artifacts_b.id = artifacts_c.id - 5000"
    with pytest.raises(errors.DeadlineExceededError):
        store.find_contexts(where, timeout=0.5)
    assert len(store.find_contexts("artifacts_a.id = 7", timeout=600)) == 1
    with pytest.raises(errors.ConfigurationError, match="positive number of seconds"):
        store.upstream(1, timeout=-1)
    with pytest.raises(errors.DeadlineExceededError):
        store.upstream(1, timeout=1e-9)
