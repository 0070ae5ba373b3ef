"""The labels of a graph's nodes, by the dialects of the platforms that wrote the store."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.lineage.render.labels import is_uuid
from mlmd_lineage.lineage.render.node_labels import NodeLabel
from mlmd_lineage.lineage.roles import PRODUCES
from mlmd_lineage.post_execution.loading import closures
from mlmd_lineage.post_execution.loading.ancestry import Ancestry
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.index import Index
    from mlmd_lineage.readers.base import Reader


class StoreLabels:
    """Labels the nodes of a store's graphs; it reads what it needs when it is called."""

    def __init__(self, reader: Reader, run_names: RunNames | None = None) -> None:
        """Take what reads the store, and the names that people gave runs in Kubeflow."""
        self._reader = reader
        self._run_names = run_names

    def __call__(self, graph: GraphData) -> Mapping[str, NodeLabel]:
        """Return the labels of a graph's nodes by their keys."""
        if not len(graph):
            return {}
        if graph.tables.is_whole and graph.as_trace is None:
            tables = read_tables(self._reader.read, dialects())
            ancestry = Ancestry(RunIndex(StoreImage(tables), dialects()), (), {})
            ancestry.run_index.limit(runs=())
        else:
            ancestry = closures.read_around(self._reader, graph)
        return {key: self._titled(label) for key, label in _labels(graph, ancestry)}

    def _titled(self, label: NodeLabel) -> NodeLabel:
        """Return a label with the name that people gave its run, where it is known."""
        names = self._run_names
        record = None if names is None or label.run is None else names.get(label.run)
        if record is None or not record.display_name:
            return label
        return dataclasses.replace(label, run=record.display_name)


def _labels(graph: GraphData, ancestry: Ancestry) -> Iterator[tuple[str, NodeLabel]]:
    index, run_index = graph.index, ancestry.run_index
    known = run_index.membership.runs_by_execution
    made_here = _producers(index)
    makers: dict[int, int] = {}
    for number in index.artifact_ids.tolist():
        found = made_here.get(number) or ancestry.producers(number)
        if found and found[0] in known:
            makers[number] = found[0]
    executions = [number for number in index.execution_ids.tolist() if number in known]
    run_index.store_image.executions({*executions, *makers.values()})  # decoded together
    run_index.store_image.artifacts(index.artifact_ids.tolist())
    for number in index.artifact_ids.tolist():
        yield f"artifact/{number}", _artifact_label(number, makers.get(number), ancestry)
    for number in executions:
        step = ancestry.step(number)
        yield (
            f"execution/{number}",
            dataclasses.replace(
                _run_label(number, run_index),
                name=step.record.display_name or step.record.name,
                status="cached" if step.is_cached else step.status,
            ),
        )


def _producers(index: Index) -> dict[int, tuple[int, ...]]:
    """Return the executions of a graph that made its artifacts."""
    found: dict[int, tuple[int, ...]] = {}
    made = np.flatnonzero(index.roles == PRODUCES)
    for source, target in zip(index.sources[made], index.targets[made], strict=True):
        artifact = int(index.artifact_ids[target])
        maker = int(index.execution_ids[source - index.artifacts])
        found[artifact] = (*found.get(artifact, ()), maker)
    return found


def _artifact_label(number: int, maker: int | None, ancestry: Ancestry) -> NodeLabel:
    run_index = ancestry.run_index
    if maker is None:
        record = run_index.artifact(number, "plain")
        return NodeLabel(name=None if record is None else _told(record.name))
    step = ancestry.step(maker).record
    record = run_index.artifact(number, step.dialect)
    key = next((key for key, numbers in step.outputs.items() if number in numbers), None)
    label = _run_label(maker, run_index)
    name = None if record is None else _told(record.name)
    if name is None or (label.run and label.run in name):
        name = key or name  # such as penguin-train:RUN:Trainer:model:0
    return dataclasses.replace(label, name=name)


def _run_label(execution: int, run_index: RunIndex) -> NodeLabel:
    membership = run_index.membership
    run = membership.runs[membership.runs_by_execution[execution][0]]
    return NodeLabel(
        run=run.name, pipeline=membership.pipelines[run.pipeline].name, run_key=run.key
    )


def _told(name: str | None) -> str | None:
    """Return a name that tells something to people; a UUID does not."""
    return None if name is None or is_uuid(name) else name
