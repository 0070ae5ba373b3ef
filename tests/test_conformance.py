"""Every flavor gives the same answers: one suite that all of them run.

The reference is a graph in memory of a snapshot of the SQLite file. What every flavor answers,
from memory and live, is held against it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import metadata_service
import odd_stores
import pandas as pd
import pytest
from grpc_stores import as_told
from server_stores import Database

import mlmd_lineage as ml
from mlmd_lineage import Dossier
from mlmd_lineage.audit.auditing import audit
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.graph_tables import TablesSession
from mlmd_lineage.post_execution import frames as run_frames
from mlmd_lineage.post_execution.frames import StoreFrames
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
from mlmd_lineage.snapshot.archive import canonical
from mlmd_lineage.snapshot.frames import Frames
from mlmd_lineage.snapshot.tables import ALL_TABLES, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.snapshot.tables import Tables

FLAVORS = ("sqlite", "worker", "mysql", "postgresql", "archive", "kubeflow")
MADE: dict[str, Callable[[Path], Path]] = {
    "odd": odd_stores.odd,
    "old": odd_stores.old,
    "deep": odd_stores.deep,
    "empty": lambda path: odd_stores.store(path, {"Type": []}),
}
SHARED = (
    "tfx_local.db",
    "zenml_0132.db",
    "kfp2_emulated.db",
    "kfp1_emulated.db",
    "real/cmf_getting_started.db",
    "real/tfx_phantoms_v6.db",
)
VERSIONS = {"old": 5, "zenml_0132.db": 8, "real/tfx_phantoms_v6.db": 6}
EVERY = [
    (name, flavor)
    for name in (*MADE, *SHARED)
    for flavor in FLAVORS
    # Servers take a connection, and the worker a process, for each question.
    if flavor in {"sqlite", "archive"}
    or (flavor in {"mysql", "postgresql"} and name in {*MADE, SHARED[0]})
    or (flavor == "kubeflow" and name in {*MADE, SHARED[0]})
    or name == "odd"
]
QUICK = {
    *((name, flavor) for name in ("odd", "empty") for flavor in ("sqlite", "archive")),
    (SHARED[0], "sqlite"),
}
CASES = [
    pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow, id="-".join(case))
    for case in EVERY
]
ODD_CASES = [case for case in CASES if case.id.startswith("odd-")]
NODES = {"sqlite": 4, "archive": 4, "mysql": 4, "postgresql": 4, "kubeflow": 4, "worker": 3}
"""How many of a real store's nodes each flavor is asked about."""


class WorkerReader:
    """Reads an SQLite file in another process, as is done where this one has it open."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, tables: Collection[str] | None = None) -> Tables:
        return SubprocessReader(self._path, 10.0).read(wanted(tables))

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return SubprocessReader(self._path, 10.0).ask(question)


class HeldReader(NamedTuple):
    """Asks all its questions in one session, as to open one takes longer than to answer."""

    session: Any

    def read(self, tables: Collection[str] | None = None) -> Tables:
        raise NotImplementedError

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.session)


class Original(NamedTuple):
    """One store as an SQLite file, and its image in memory."""

    name: str
    path: Path
    snapshot: Snapshot
    graph: LineageGraph
    answers: dict[Any, Any]
    """What the graph in memory has been asked."""


class Case(NamedTuple):
    """One store in one flavor, beside its image in memory."""

    flavor: str
    store: ml.Store
    name: str
    path: Path
    snapshot: Snapshot
    graph: LineageGraph
    answers: dict[Any, Any]

    def often(self, times: int) -> int:
        """Return how often to ask: what a flavor shares with SQLite need not be asked of each."""
        return times if self.flavor == "sqlite" else 1

    def expected(self, way: str, *nodes: str, **question: Any) -> Any:
        """Return what the graph in memory answers."""
        key = (way, nodes, repr(question))
        if key not in self.answers:
            self.answers[key] = answer(getattr(self.graph, way), *nodes, **question)
        return self.answers[key]

    def check(self, asked: Iterable[tuple[str, tuple[str, ...], dict[str, Any]]]) -> None:
        """Check that questions are answered as from memory, all in one session."""

        def ask(session: Any) -> None:
            store = ml.Store(self.store.metadata_store, reader=HeldReader(session))
            for way, nodes, question in asked:
                found = answer(getattr(store, way), *nodes, **question)
                assert found == self.expected(way, *nodes, **question), (way, nodes, question)

        self.store._reader.ask(ask)


@pytest.fixture(scope="session")
def originals() -> dict[str, Original]:
    """Keep the stores that were made or copied."""
    return {}


@pytest.fixture(scope="session", params=CASES)
def case(
    request: pytest.FixtureRequest,
    originals: dict[str, Original],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Case]:
    """Return each store in each flavor."""
    name, flavor = request.param
    if name not in originals:
        path = tmp_path_factory.mktemp("conformance") / "metadata.db"
        if name in MADE:
            MADE[name](path)
        else:
            shutil.copyfile(request.getfixturevalue("shared_stores") / name, path)
        snapshot = ml.connect(path).snapshot()
        originals[name] = Original(name, path, snapshot, LineageGraph(snapshot), {})
    original = originals[name]
    path = original.path
    stack = contextlib.ExitStack()
    if flavor == "sqlite":
        store = ml.connect(path)
    elif flavor == "worker":
        store = ml.Store(ml.SQLiteMetadataStore(uri=str(path)), reader=WorkerReader(path))
    elif flavor == "archive":
        folder = tmp_path_factory.mktemp("archive") / "saved"
        store = ml.connect(original.snapshot.save(folder))
    elif flavor == "kubeflow":
        told = as_told(original.snapshot)
        original = original._replace(snapshot=told, graph=LineageGraph(told), answers={})
        service = stack.enter_context(metadata_service.served(path, "--read-only"))
        store = ml.connect(f"grpc://{service.address}")
    else:
        server = request.getfixturevalue(
            "mariadb_server" if flavor == "mysql" else "postgresql_server"
        )
        database = Database(server, server.new_database())
        database.create(version=VERSIONS.get(original.name, 10)).copy(path)
        store = ml.Store(database.store())
    with stack:
        yield Case(flavor, store, *original)


def sampled(case: Case, least: int = 0) -> list[str]:
    """Return some of a store's nodes, the same in every run."""
    keys = list(case.graph)
    whole = case.name == "odd" and case.flavor == "sqlite"
    count = len(keys) if whole else NODES[case.flavor]
    return random.Random(case.name).sample(keys, min(max(count, least), len(keys)))  # noqa: S311


def arguments(case: Case) -> list[dict[str, Any]]:
    """Return the arguments that questions are asked with."""
    types = case.graph.nodes["type"].dropna().unique().tolist()
    kinds = random.Random(case.name).sample(types, min(2, len(types)))  # noqa: S311
    times = sorted(
        time
        for table, column in (
            ("Event", "milliseconds_since_epoch"),
            ("Execution", "create_time_since_epoch"),
        )
        for time in case.snapshot[table][column].to_pylist()
        if time
    )
    moments = [times[len(times) * part // 5] for part in (1, 2, 4)] if times else []
    both = {"reuse": True, "internal": True}
    return [
        {},
        {"reuse": True},
        {"internal": True},
        both,
        {"later": True},
        {"later": True, **both},
        *({"max_hops": hops} for hops in range(4)),
        {"max_hops": 3, **both},
        *({"until": kind} for kind in kinds),
        *({"types": kind, **both} for kind in kinds),
        {"types": types[:3], "until": types[:1], "max_hops": 4} if types else {},
        *({"as_of": moment} for moment in moments),
        *({"as_of": moment, **both} for moment in moments[:1]),
    ]


def said(trace: Any) -> dict[str, Any]:
    """Return all that a trace says, but for its frames."""
    index = trace.index
    events = trace.tables["Event"]["id"].to_numpy()[index.event_rows].tolist()
    return {
        "nodes": list(trace),
        "edges": list(
            zip(
                events,
                index.keys(index.sources),
                index.keys(index.targets),
                index.roles.tolist(),
                strict=True,
            )
        ),
        "hops": trace.hops.tolist(),
        "missing": index.missing.tolist(),
        "complete": trace.complete,
        "truncated_by": trace.truncated_by,
        "boundary": trace.boundary,
        "roots": trace.roots,
        "leaves": trace.leaves,
        "starts": trace.starts,
        "findings": trace.findings,
    }


def answer(ask: Callable[..., Any], *nodes: str, **question: Any) -> Any:
    """Return what a question gives, or the kind of its error."""
    try:
        return said(ask(*nodes, **question))
    except ml.MLMDLineageError as error:
        return type(error)


def test_the_tables_are_the_same(case: Case):
    found = case.store.snapshot()
    assert found.schema_version == case.snapshot.schema_version
    for table in ALL_TABLES:
        one, other = canonical(table, found[table]), canonical(table, case.snapshot[table])
        assert one.equals(other), table


def test_the_findings_are_the_same(case: Case):
    assert case.store.snapshot().findings == case.snapshot.findings


@pytest.mark.parametrize("kind", ["artifacts", "executions", "contexts"])
def test_the_frames_of_nodes_are_the_same(case: Case, kind: str):
    live, memory = (
        getattr(frames, kind) for frames in (Frames.live(case.store._reader), case.snapshot.frames)
    )
    expected = memory(properties=True)
    pd.testing.assert_frame_equal(live(properties=True), expected)
    names = sorted(expected["type"].dropna().unique())
    for properties, name in zip(
        itertools.cycle((True, False)), names[: case.often(4)], strict=False
    ):
        one = live(type=name, properties=properties)
        pd.testing.assert_frame_equal(one, memory(type=name, properties=properties))
        assert set(one.index) >= set(expected.index[expected["type"] == name])


def test_the_other_frames_are_the_same(case: Case):
    for kind in ("events", "types"):
        one, other = (getattr(s.frames, kind)() for s in (case.store, case.snapshot))
        pd.testing.assert_frame_equal(one, other)


def test_the_frames_of_runs_are_the_same(case: Case, monkeypatch: pytest.MonkeyPatch):
    live, memory = case.store.frames, StoreFrames.of(case.snapshot)
    found = {"runs": live.runs(), "pipelines": live.pipelines(), "artifacts": live.artifacts()}
    monkeypatch.setattr(run_frames, "needed_properties", lambda _: None)  # runs are assembled whole
    for kind, frame in found.items():
        pd.testing.assert_frame_equal(frame, getattr(memory, kind)(), obj=kind)


def test_the_graphs_are_the_same(case: Case):
    for properties in (False, True)[: case.often(2)]:
        graph = case.store.lineage(properties=properties)
        pd.testing.assert_frame_equal(graph.nodes, case.graph.nodes)
        pd.testing.assert_frame_equal(graph.edges, case.graph.edges)
        assert graph.findings == case.graph.findings
        assert graph.roots == case.graph.roots
        assert graph.leaves == case.graph.leaves


@pytest.mark.parametrize("way", ["upstream", "downstream"])
@pytest.mark.slow
def test_live_answers_are_those_from_memory(case: Case, way: str):
    questions = arguments(case)
    if case.flavor == "sqlite":
        asked = [(way, (node,), question) for node in sampled(case) for question in questions]
    else:
        nodes = sampled(case)
        pairs = zip(itertools.cycle(nodes), questions, strict=False) if nodes else ()
        asked = [(way, (node,), question) for node, question in pairs]
    case.check(asked)


@pytest.mark.parametrize("way", ["upstream", "downstream"])
def test_the_frames_of_traces_are_the_same(case: Case, way: str):
    for node in sampled(case)[: case.often(3)]:
        live = getattr(case.store, way)(node, reuse=True, internal=True)
        memory = getattr(case.graph, way)(node, reuse=True, internal=True)
        pd.testing.assert_frame_equal(live.nodes, memory.nodes)
        pd.testing.assert_frame_equal(live.edges, memory.edges)
        names = ("Context", "ParentContext", "Attribution", "Association", "ArtifactProperty")
        for table in ("ExecutionProperty", "EventPath", *names):
            one, other = (canonical(table, t.tables[table]) for t in (live, memory))
            assert one.to_pylist() == other.to_pylist(), table


def test_what_lies_between_is_the_same(case: Case):
    nodes = sampled(case, 3)
    pairs = [(a, b) for a in nodes[: case.often(3)] for b in nodes[:3]]
    # Most pairs have no way between them; these have.
    upper = [(root, node) for node in nodes for root in case.graph.upstream(node).roots[:1]]
    pairs += upper[: 2 * case.often(3)]
    moments = [q for q in arguments(case) if "as_of" in q][:1]
    questions = [{}, {"reuse": True, "internal": True}, *moments]
    case.check(("between", pair, question) for pair in pairs for question in questions)


NOT_FOUND, NOT_RIGHT = ml.errors.NotFoundError, ml.errors.ConfigurationError
MISTAKES: list[tuple[Any, dict[str, Any], type]] = [
    ("artifact/987654", {}, NOT_FOUND),
    ("execution/987654", {}, NOT_FOUND),
    (2**70, {}, NOT_FOUND),
    (-1, {}, NOT_FOUND),
    ("artifact/1", {"until": "No such type"}, NOT_FOUND),
    ("artifact/1", {"types": ["No such type"]}, NOT_FOUND),
    ("artifact/1", {"as_of": 0}, NOT_FOUND),
    (None, {}, NOT_RIGHT),
    ([1], {}, NOT_RIGHT),
    (1.5, {}, NOT_RIGHT),
    (True, {}, NOT_RIGHT),
    ("artifact/1", {"max_hops": -1}, NOT_RIGHT),
    ("artifact/1", {"max_hops": "3"}, NOT_RIGHT),
    ("artifact/1", {"max_hops": True}, NOT_RIGHT),
    ("artifact/1", {"until": 3}, NOT_RIGHT),
    ("artifact/1", {"as_of": "yesterday"}, NOT_RIGHT),
    ("artifact/1", {"as_of": pd.NaT}, NOT_RIGHT),
    ("artifact/1", {"as_of": 1.5}, NOT_RIGHT),
]


@pytest.mark.parametrize("case", ODD_CASES, indirect=True)
def test_errors_are_the_same(case: Case):
    def ask(session: Any) -> None:
        live = ml.Store(case.store.metadata_store, reader=HeldReader(session))
        for node, question, error in MISTAKES:
            for way in (live.upstream, live.downstream, case.graph.upstream):
                with pytest.raises(error):
                    way(node, **question)
        with pytest.raises(NOT_FOUND, match=r"artifact/91 .*There is an execution/91"):
            live.upstream("artifact/91")

    case.store._reader.ask(ask)


@pytest.mark.parametrize("case", ODD_CASES, indirect=True)
def test_a_type_that_is_not_there_is_said_with_its_like(case: Case):
    for frames in (case.store.frames, case.snapshot.frames):
        with pytest.raises(ml.errors.NotFoundError, match="artifact type"):
            frames.artifacts(type="No such type")


WITHOUT_PANDAS = """
import json, pickle, sys
import mlmd_lineage

store = pickle.load(sys.stdin.buffer)
where = {}
for name, ask in {
    "snapshot": lambda: store.snapshot().findings,
    "archive": lambda: mlmd_lineage.connect(store.snapshot().save(sys.argv[1])).upstream(6),
    "lineage": lambda: store.lineage().upstream("artifact/6", reuse=True).to_json(),
    "past": lambda: store.lineage().as_of(1_000_000_000_000).leaves,
    "upstream": lambda: store.upstream("artifact/6", reuse=True, internal=True).roots,
    "between": lambda: store.between("artifact/1", "artifact/6").to_mermaid(),
    "name": lambda: store.find_node("Data"),
}.items():
    try:
        ask()
    except mlmd_lineage.MLMDLineageError:
        pass
    where[name] = "pandas" in sys.modules
print(json.dumps(where))
"""


@pytest.mark.parametrize(
    "case",
    [case for case in ODD_CASES if case.id not in {"odd-worker", "odd-postgresql"}],
    indirect=True,
)
@pytest.mark.slow
def test_only_frames_need_pandas(case: Case, tmp_path: Path):
    """Its import takes longer than most answers do; PostgreSQL's driver imports it by itself."""
    store = case.store.metadata_store
    password = getattr(store, "password", None)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path / "archive")],
        env=os.environ | {"MLMD_LINEAGE_PASSWORD": password.get_secret_value() if password else ""},
        input=pickle.dumps(case.store),
        capture_output=True,
        check=True,
    )
    assert not any(json.loads(done.stdout).values()), done.stdout


class SnapshotReader:
    """A reader of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def read(self, _: Collection[str] | None = None) -> Tables:
        return self._snapshot

    def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(TablesSession(self._snapshot))


def test_audits_find_the_same(case: Case):
    reader = SnapshotReader(case.snapshot)
    assert case.store.audit().to_dict("records") == audit(reader).frame.to_dict("records")
    for node in sampled(case)[:1]:
        expected = audit(reader, node).frame.to_dict("records")
        assert case.store.audit(node).to_dict("records") == expected


def test_dossiers_say_the_same(case: Case):
    if case.name not in {"odd", "kfp2_emulated.db", "real/cmf_getting_started.db"}:
        return  # what a dossier reads, other answers are made of too
    for node in [key for key in sampled(case, 4) if key.startswith("artifact/")][:1]:
        told = Dossier(SnapshotReader(case.snapshot), case.store.location, node)
        assert case.store.dossier(node).data == told.data
