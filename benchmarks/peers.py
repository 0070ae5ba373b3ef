"""What the same work takes today: with ``ml_metadata``'s own calls, and with networkx."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from job import ROUNDS, Job, Outcome, best_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import networkx as nx

    Graph: TypeAlias = "nx.DiGraph[int]"

CHUNK = 1_000
OUTPUTS = (1, 4, 6, 7)  # DECLARED_OUTPUT, OUTPUT, INTERNAL_OUTPUT, PENDING_OUTPUT
SUBGRAPH_CALLS = 3


def _messages() -> Any:
    return importlib.import_module("ml_metadata.proto.metadata_store_pb2")


def _opened(target: str) -> Any:
    """Return ``ml_metadata``'s store on a file or a URL."""
    import ml_metadata

    pb = _messages()
    if target.startswith("grpc://"):
        parts = urlsplit(target)
        service = pb.MetadataStoreClientConfig(host=parts.hostname or "", port=parts.port or 0)
        # Its own default of 4 MB is less than one of its lists.
        service.channel_arguments.max_receive_message_length = -1
        return ml_metadata.MetadataStore(service)
    config = pb.ConnectionConfig()
    if "://" not in target:
        config.sqlite.filename_uri = target
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
    else:
        parts = urlsplit(target)
        config.mysql.host = parts.hostname or ""
        config.mysql.port = parts.port or 3306
        config.mysql.database = parts.path.strip("/")
        config.mysql.user = unquote(parts.username or "")
        config.mysql.password = unquote(parts.password or "")
    return ml_metadata.MetadataStore(config)


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _events(store: Any, executions: Sequence[Any]) -> Iterator[Any]:
    for ids in _chunks([execution.id for execution in executions]):
        yield from store.get_events_by_execution_ids(ids)


def nodes(job: Job) -> Outcome:
    """Read types, nodes with properties, and events by ``get_*`` calls, and keep the messages."""
    store, outcome = _opened(job.target), Outcome()
    with outcome.timed("all"):
        read = _read(store)
    outcome.counts = _counted(*read)
    return outcome


def snapshot(job: Job) -> Outcome:
    """Read everything: the nodes and events, and which contexts they are in."""
    store, outcome = _opened(job.target), Outcome()
    with outcome.timed("all"):
        read = _read(store)
        contexts = read[3]
        attributed = {c.id: store.get_artifacts_by_context(c.id) for c in contexts}
        associated = {c.id: store.get_executions_by_context(c.id) for c in contexts}
        parents = {c.id: store.get_parent_contexts_by_context(c.id) for c in contexts}
    outcome.counts = {
        **_counted(*read),
        "links": sum(map(len, attributed.values())) + sum(map(len, associated.values())),
        "parents": sum(map(len, parents.values())),
    }
    return outcome


def _read(store: Any) -> tuple[list[Any], list[Any], list[Any], list[Any], list[Any]]:
    """Return types, artifacts, executions, contexts and events."""
    types = [
        *store.get_artifact_types(),
        *store.get_execution_types(),
        *store.get_context_types(),
    ]
    executions = store.get_executions()
    events = list(_events(store, executions))
    return types, store.get_artifacts(), executions, store.get_contexts(), events


def _counted(
    _: list[Any],
    artifacts: list[Any],
    executions: list[Any],
    contexts: list[Any],
    events: list[Any],
) -> dict[str, int]:
    every = (*artifacts, *executions, *contexts)
    return {
        "artifacts": len(artifacts),
        "executions": len(executions),
        "contexts": len(contexts),
        "events": len(events),
        "properties": sum(len(node.properties) + len(node.custom_properties) for node in every),
    }


def graph(job: Job) -> Outcome:
    """Build the networkx graph of the whole store by ``get_*`` calls, without any contexts."""
    import networkx as nx

    pb, store, outcome = _messages(), _opened(job.target), Outcome()
    with outcome.timed("all"):
        built: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for artifact in store.get_artifacts():
            name = f"artifact/{artifact.id}"
            state = pb.Artifact.State.Name(artifact.state)
            built.add_node(name, uri=artifact.uri, state=state, **_columns(artifact))
        executions = store.get_executions()
        for execution in executions:
            name = f"execution/{execution.id}"
            state = pb.Execution.State.Name(execution.last_known_state)
            built.add_node(name, state=state, **_columns(execution))
        for event in _events(store, executions):
            ends = f"artifact/{event.artifact_id}", f"execution/{event.execution_id}"
            source, target = reversed(ends) if event.type in OUTPUTS else ends
            path = [(step.key, step.index) for step in event.path.steps]
            kind = pb.Event.Type.Name(event.type)
            built.add_edge(
                source, target, type=kind, path=path, time=event.milliseconds_since_epoch
            )
        outcome.counts = {"nodes": len(built), "edges": built.number_of_edges()}
    return outcome


def _columns(node: Any) -> dict[str, Any]:
    """Return what artifacts and executions have in common, without their properties."""
    return {
        "id": node.id,
        "type": node.type,
        "name": node.name,
        "create_time": node.create_time_since_epoch,
        "last_update_time": node.last_update_time_since_epoch,
    }


def answer(job: Job) -> Outcome:
    """Answer one upstream question after the other by ``get_lineage_subgraph``, warm."""
    pb, store, outcome = _messages(), _opened(job.target), Outcome()

    def ask(number: int) -> Any:
        options = pb.LineageSubgraphQueryOptions(
            starting_artifacts={"filter_query": f"id = {number}"},
            max_num_hops=100,
            direction=pb.LineageSubgraphQueryOptions.Direction.UPSTREAM,
        )
        return store.get_lineage_subgraph(options)

    answers = [ask(number) for number in job.starts]
    outcome.counts["nodes"] = sum(len(a.artifacts) + len(a.executions) for a in answers)
    best = [best_of(SUBGRAPH_CALLS, functools.partial(ask, number)) for number in job.starts]
    outcome.seconds["all"] = sum(best) / len(best)
    return outcome


def plain_graph(path: str) -> Graph:
    """Return the lineage in networkx's cheapest form: no attributes, ints as nodes.

    An artifact is twice its id, an execution twice its id and one more.
    """
    import networkx as nx

    built: nx.DiGraph[int] = nx.DiGraph()
    with contextlib.closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as file:
        for artifact, execution, kind in file.execute(
            "SELECT artifact_id, execution_id, type FROM Event"
        ):
            ends = 2 * artifact, 2 * execution + 1
            built.add_edge(*(ends[::-1] if kind in OUTPUTS else ends))
    return built


def ancestors(plain: Graph, artifact: int) -> set[int]:
    """Return the artifact and all that it came from."""
    import networkx as nx

    node = 2 * artifact
    return {node, *nx.ancestors(plain, node)} if node in plain else {node}


def key(node: int) -> str:
    """Return the key that a node of ``plain_graph`` has with us."""
    return f"{('artifact', 'execution')[node % 2]}/{node // 2}"


def closures(job: Job) -> Outcome:
    """Take networkx's ancestors of many artifacts."""
    import networkx as nx

    outcome = Outcome()
    with outcome.timed("load"):
        plain = plain_graph(job.twin)
    starts = [2 * number for number in job.starts]

    def walk_all() -> int:
        return sum(len(nx.ancestors(plain, start)) + 1 for start in starts)

    with outcome.timed("all"):
        found = walk_all()
    outcome.seconds["again"] = best_of(ROUNDS, walk_all)
    outcome.counts = {"closures": len(starts), "nodes": found}
    return outcome
