"""The public face as a typed program uses it; ``test_public`` has mypy check this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlmd_lineage as ml

if TYPE_CHECKING:
    import pandas as pd


def use(*things: object) -> None:
    """Take what a program would go on with."""
    del things


def questions(path: str) -> pd.DataFrame:
    store: ml.Store = ml.connect(path)
    graph: ml.LineageGraph = store.lineage()
    trace: ml.Trace = store.upstream("artifact/1", max_hops=3, until=["Model"])
    trace = graph.downstream(1, types="Model", reuse=True, internal=True)
    trace = store.between("artifact/1", "artifact/2", as_of="2026-11-21T00:00:00Z")
    bounds: tuple[bool, tuple[str, ...], tuple[str, ...]] = (
        trace.complete,
        trace.truncated_by,
        trace.boundary,
    )
    use(bounds, len(trace), "artifact/1" in trace, list(trace))
    texts: list[str] = [trace.to_dot(), trace.to_mermaid(), trace.to_json(), trace.to_graphml()]
    use(texts)
    nodes, edges = trace.to_pandas()
    use(edges)
    return nodes


def kept(path: str, folder: str) -> list[str]:
    store = ml.connect(ml.SQLiteMetadataStore(uri=path))
    snapshot: ml.Snapshot = store.snapshot()
    snapshot.save(folder)
    findings: tuple[ml.Finding, ...] = snapshot.findings
    frame: pd.DataFrame = store.frames.artifacts(type="Model", properties=True)
    use(frame)
    frame = store.find_artifacts("state = LIVE", type="Model", properties=True)
    use(frame, store.find_executions("id = 1"), store.find_contexts("id = 1"))
    try:
        store.frames.artifacts(type="Modle")
    except ml.errors.NotFoundError as error:
        use(error)
    return [str(finding) for finding in findings]


def stacks() -> str:
    stack: ml.Stack = ml.Stack(name="default", metadata_store="metadata.db")
    metadata: ml.BaseMetadataStore = stack.metadata_store
    artifacts: ml.BaseArtifactStore = stack.artifact_store
    orchestrator: ml.BaseOrchestrator = stack.orchestrator
    use(artifacts.path, orchestrator.FLAVOR, ml.connect(metadata))
    use(ml.connect())
    return ml.connect("default").location
