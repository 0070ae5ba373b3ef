"""The public interface as a typed program uses it, right and wrong; mypy checks this file.

``scripts/test`` has mypy look at it together with the package. A wrong use has a ``type: ignore``
with the error that mypy has to find: where it finds none, it complains of an unused ignore.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import mlmd_lineage as ml

if TYPE_CHECKING:
    import numpy as np
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


def views(path: str) -> list[str]:
    store = ml.connect(path)
    pipeline: ml.PipelineView = store.get_pipeline("churn")
    run: ml.PipelineRunView = pipeline.runs[-1]
    step: ml.StepView = run.get_step("Trainer")
    model: ml.ArtifactView = step.output
    trace: ml.Trace = model.upstream(max_hops=3, until="Examples", as_of="2026-11-21T00:00:00Z")
    use(trace, model.downstream(types=["Model"], reuse=True, internal=True))
    producer: ml.StepView | None = model.producer_step
    use(producer, step.run.pipeline.name, step.parent_steps, step.children)
    comparison: ml.RunComparison = pipeline.compare_runs(last=3, runs=[run, "churn-1"])
    diff: ml.LineageDiff = store.diff(pipeline.runs[0], run)
    impact: ml.Impact = store.impact(model, deployments={"PushedModel"})
    frames: ml.StoreFrames = store.frames
    use(comparison.to_pandas(), diff.to_pandas(), impact.to_pandas(), frames.runs())
    return [step.name for step in run.steps]


class Airflow(ml.Dialect):
    name = "airflow"

    def identify_runs(self, contexts: object) -> tuple[ml.RunIdentity, ...] | None:
        use(contexts)
        return (ml.RunIdentity(None, None, "dag", "run"),)


def reader(memory: ml.testing.InMemoryStore) -> ml.Reader:
    found: ml.Reader = ml.testing.InMemoryReader()
    key: str = memory.put_artifact("Model", uri="s3://bucket/model")
    use(memory.upstream(key), ml.register_dialect(Airflow))
    return found


def single(path: str) -> list[ml.RegisteredModel]:
    store = ml.connect(path, artifact_root="s3://bucket")
    step: ml.StepView = store.get_step("Trainer", run=store.get_run(run_name="churn-1"))
    artifact: ml.ArtifactView = store.get_artifact("s3://bucket/model")
    description: ml.StoreDescription = store.describe()
    codes: list[str] = [ml.FindingCode(finding.code).meaning for finding in store.findings]
    pipeline: ml.PipelineView = store.get_pipeline(pipeline="churn")
    use(step.duration, artifact.read(max_bytes=1 << 20), description.text(), codes, pipeline)
    use(ml.register_scheme("minio", "s3"), ml.EventType.OUTPUT, store.get_runs())
    return store.get_models()


def wrong(path: str, artifact: ml.ArtifactView, run: ml.PipelineRunView) -> None:
    store = ml.connect(path)
    ml.conect(path)  # type: ignore[attr-defined]
    ml.connect(path, "again")  # type: ignore[arg-type,call-arg]
    ml.Snapshott  # type: ignore[attr-defined]  # noqa: B018 - asking is the test
    store.upstream(artifact, max_hopz=3)  # type: ignore[call-arg]
    artifact.upstream(max_hopz=3)  # type: ignore[call-arg]
    artifact.downstream(max_hops="3")  # type: ignore[arg-type]
    artifact.upstream(as_of=3.5)  # type: ignore[arg-type]
    store.get_pipeline(3)  # type: ignore[arg-type]
    run.get_step("Trainer").outptus  # type: ignore[attr-defined]  # noqa: B018 - asking is the test
    run.pipeline.compare_runs(last="3")  # type: ignore[arg-type]


def writing(path: str) -> None:
    store: ml.Store = ml.connect(path, create=True)
    request = ml.message("PutArtifactsRequest")(artifacts=[{"type_id": 10}])
    with store.writer() as writer:
        kept: ml.Writer = writer
        made: bool = kept.create()
        use(made, writer.put(request).artifact_ids)
    writer.close()
    ml.connect(path, created=True)  # type: ignore[call-arg]


class Trained(NamedTuple):
    weights: np.ndarray
    loss: float


@ml.step
def load(path: Path) -> pd.DataFrame:
    raise NotImplementedError(path)


@ml.step(enable_cache=False, environment=["numpy"])
def train(data: pd.DataFrame, rate: float = 0.5) -> Trained:
    return Trained(data.to_numpy() * rate, 0.5)


@ml.step
def report(loss: float) -> Annotated[str, ml.Output("text", type="Report")]:
    return str(loss)


@ml.pipeline(name="churn")
def churn(path: str, rate: float = 0.5) -> None:
    trained = train(load(ml.external_artifact(path, type="Dataset")), rate)
    report.with_options(name="summary", after=[trained])(trained.loss)
    train(trained.loss)  # type: ignore[arg-type]
    report(trained.loos)  # type: ignore[attr-defined]


class TableMaterializer(ml.BaseMaterializer):
    TYPES = (dict,)

    def save(self, value: dict[str, float], folder: Path) -> None:
        use(value, folder)

    def load(self, folder: Path) -> dict[str, float]:
        return {folder.name: 0.5}


def recorded() -> str:
    run: ml.PipelineRunView = churn("data.csv", rate=0.25).run(jobs=2, enable_cache=False)
    churn("data.csv", speed=1)  # type: ignore[call-arg]
    churn(3)  # type: ignore[arg-type]
    kept: ml.Pipeline[[str, float]] = churn
    use(kept, ml.step(environment="numpy"), ml.connect())
    explained: ml.CacheExplanation = ml.connect().cache.explain(run.get_step("train"))
    text: str = train(load(Path("x"))).weights.tobytes().decode()
    return explained.text() + text
