"""The store that ``connect()`` returns: its frames, lineage, pipelines and comparisons."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.deadline import Deadline
from mlmd_lineage.readers.registry import reader_for

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.lineage.graph import LineageGraph, Trace
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.lineage.question import Time
    from mlmd_lineage.post_execution.compare.impact import Impact
    from mlmd_lineage.post_execution.compare.lineage_diff import LineageDiff
    from mlmd_lineage.post_execution.description import StoreDescription
    from mlmd_lineage.post_execution.frames import StoreFrames
    from mlmd_lineage.post_execution.models import RegisteredModel
    from mlmd_lineage.post_execution.views import (
        ArtifactView,
        PipelineRunView,
        PipelineView,
        StepView,
    )
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.snapshot.tables import NodeKind
    from mlmd_lineage.stores import BaseMetadataStore
    from mlmd_lineage.writing.writer import Writer

_BUILT_IN_STACK = "default"


def connect(
    target: str | os.PathLike[str] | BaseMetadataStore | None = None,
    *,
    create: bool = False,
    artifact_root: str | os.PathLike[str] | None = None,
) -> Store:
    """Return the store that a path, a URL, a registered name or a store object means.

    >>> connect("metadata.db")
    <Store sqlite: metadata.db>

    Nothing is opened before it is asked for. Reading never changes anything in the store;
    ``Store.writer()`` is what writes.

    Args:
        target: The path of an SQLite file; the folder of an archive; ``sqlite:///abs/path.db``;
            ``mysql://user:password@host:3306/database?ssl_ca=ca.pem``;
            ``postgresql://user:password@host:5432/database``; ``grpc://host:8080`` or
            ``kubeflow://context/namespace``; the name of a registered metadata store; or a
            metadata store, also one of your own flavor. A password in a URL is percent-encoded;
            where none is given, ``MLMD_LINEAGE_PASSWORD`` is used. Without a target, it is the
            metadata store of the active stack.
        create: Make MLMD's tables, of schema version 10, where there are none: in an SQLite file
            that need not be there, or in a database that is. What is there already stays as it
            is.
        artifact_root: The folder or bucket outside of which ``artifact.read()`` reads nothing.
            Without a target, it is the artifact store of the active stack, where one is
            registered.

    Raises:
        ConfigurationError: The target cannot be a store.
        StoreNotFoundError: It is a word that is neither registered nor a file or folder here.
        AmbiguousNameError: It is both.
        StoreError: The tables cannot be made.
    """
    from mlmd_lineage.stacks.target_resolution import opened

    try:
        root = _root_of_stack() if target is None and artifact_root is None else artifact_root
        store = Store(
            opened(target, create=create),
            artifact_root=None if root is None else os.fspath(root),
        )
        if create:
            with store.writer() as writer:
                writer.create()
    except errors.MLMDLineageError as error:
        failure = error.with_traceback(None)
    else:
        return store
    # Tracebacks may show the variables of their frames, and here a URL may hold a password.
    del target
    failure.__context__ = failure.__cause__ = None
    raise failure from None


def _root_of_stack() -> str | None:
    """Return the path of the active stack's artifact store; None for the built-in one."""
    from mlmd_lineage.stacks.stack import Stack

    store = Stack().artifact_store
    return None if store.name == _BUILT_IN_STACK else store.path


class Store:
    """An MLMD store: its snapshot, its frames and its lineage.

    >>> store = Store(SQLiteMetadataStore(uri="metadata.db"))

    A store that is pickled leaves its password behind; see ``BaseMetadataStore``.

    Attributes:
        metadata_store: Where it is, and how it is reached.
        artifact_root: The folder or bucket in which artifacts have to lie that are read.
    """

    def __init__(
        self,
        metadata_store: BaseMetadataStore,
        reader: Reader | None = None,
        *,
        artifact_root: str | None = None,
    ) -> None:
        """Make a store; ``reader`` may be anything with the methods of ``Reader``."""
        self.metadata_store = metadata_store
        self.artifact_root = artifact_root
        self._given_reader = reader

    @functools.cached_property
    def _reader(self) -> Reader:
        return self._given_reader or reader_for(self.metadata_store)

    @property
    def location(self) -> str:
        """Where the store is, without any secret."""
        return self.metadata_store.location()

    def snapshot(self) -> Snapshot:
        """Return all of the store, as it is at one moment.

        >>> snapshot = store.snapshot()
        >>> snapshot.save("archive")

        Raises:
            StoreError: The store cannot be read; see ``mlmd_lineage.errors``.
        """
        from mlmd_lineage.snapshot.snapshot import Snapshot

        return Snapshot.of(self._reader.read())

    @functools.cached_property
    def frames(self) -> StoreFrames:
        """The store's tables, pipelines, runs and steps as DataFrames, read when asked for.

        >>> store.frames.artifacts(type="Model", properties=True)
        >>> store.frames.runs()
        """
        from mlmd_lineage.post_execution.frames import StoreFrames

        return StoreFrames.live(self._reader)

    def find_artifacts(
        self,
        where: str,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the artifacts that a filter finds, without reading the whole store.

        >>> store.find_artifacts("type = 'Model' AND custom_properties.blessed.int_value = 1")
        >>> store.find_artifacts("contexts_run.name = 'churn-2024-06-01' AND state = LIVE")

        The language is that of MLMD's ``filter_query``; ``docs/filters.md`` is its guide.

        Args:
            where: The filter.
            type: Only those of this type or of one of these, in any version, or with such a base
                type.
            properties: Read the properties too.
            timeout: How many seconds the answer may take; None for no limit.

        Returns:
            The columns of ``frames.artifacts(runs=False)``.

        Raises:
            DeadlineExceededError: It took longer than that.
            FilterError: The filter cannot be understood; the message says where in it, and why.
            NotFoundError: The store has no such type.
            StoreError: The store cannot be read.
        """
        with _deadline(timeout):
            return self._found("artifact", where, type, properties)

    def find_executions(
        self,
        where: str,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the executions that a filter finds; otherwise like ``find_artifacts()``.

        >>> store.find_executions("last_known_state = FAILED", type="Trainer")
        """
        with _deadline(timeout):
            return self._found("execution", where, type, properties)

    def find_contexts(
        self,
        where: str,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the contexts that a filter finds; otherwise like ``find_artifacts()``.

        >>> store.find_contexts("parent_contexts_p.name = 'churn' AND name LIKE '%2024%'")
        """
        with _deadline(timeout):
            return self._found("context", where, type, properties)

    def _found(
        self,
        kind: NodeKind,
        where: str,
        type_names: str | Collection[str] | None,
        properties: bool,  # noqa: FBT001 - handed on
    ) -> pd.DataFrame:
        from mlmd_lineage.filters import frames

        return frames.found(self._reader, kind, where, type_names=type_names, properties=properties)

    def lineage(self, *, properties: bool = False) -> LineageGraph:
        """Return the lineage of the whole store.

        >>> graph = store.lineage()
        >>> graph.upstream("artifact/46").nodes

        Args:
            properties: Read the properties of the nodes too.
        """
        from mlmd_lineage.lineage.graph import LineageGraph
        from mlmd_lineage.lineage.graph_tables import GraphTables

        return LineageGraph(GraphTables.read(self._reader, properties=properties))

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what a node came from, without reading the whole store.

        >>> store.upstream("artifact/46").nodes
        >>> store.upstream("Model:churn"), store.upstream("s3://bucket/model/7")
        >>> store.upstream(run), store.upstream("churn-2024-06-01")

        Each hop takes a fixed number of statements, in one transaction, and nothing limits their
        number. The arguments are those of ``LineageGraph.upstream``; a node may also be named by
        a URI, a name, or a type and a name, and a run or a step stands for its executions.
        ``timeout`` is how many seconds the answer may take; by default there is no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: The store holds no such node or type.
            AmbiguousNameError: A name fits several nodes.
            ConfigurationError: An argument cannot be right.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with _deadline(timeout):
            return traversal.upstream(self._reader, self._nodes(node), question)

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what came from a node; otherwise like ``upstream()``.

        >>> store.downstream("artifact/1", until="Model").nodes
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with _deadline(timeout):
            return traversal.downstream(self._reader, self._nodes(node), question)

    def between(  # noqa: PLR0913 - each stands alone
        self,
        source: Node,
        target: Node,
        *,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return all paths from one node to another, without reading the whole store.

        >>> store.between("artifact/1", "artifact/46").nodes
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=None,
            until=None,
            types=None,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with _deadline(timeout):
            sources, targets = self._nodes(source), self._nodes(target)
            return traversal.between(self._reader, sources, targets, question)

    def _nodes(self, node: Node) -> tuple[str, ...]:
        """Return the keys of the nodes that something means."""
        from mlmd_lineage.post_execution.loading import node_resolution

        return node_resolution.nodes(self._reader, node)

    def diff(self, a: Node, b: Node, *, timeout: float | None = None) -> LineageDiff:
        """Return why two models, other artifacts, steps or runs differ.

        >>> diff = store.diff("artifact/4", "artifact/15")
        >>> diff.first, diff.to_pandas()
        >>> print(diff.text())

        Args:
            a: A view, a node's key, an artifact's id, a URI, a name, or the name of a run.
            b: What to compare it with: another of the same kind.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: The store holds no such node or run.
            AmbiguousNameError: A name fits several.
            ConfigurationError: One of them has no lineage, or they are of different kinds.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.compare import lineage_diff

        with _deadline(timeout):
            return lineage_diff.diff(self._reader, a, b)

    def impact(
        self,
        node: Node,
        *,
        models: str | Collection[str] | None = None,
        deployments: str | Collection[str] | None = None,
        timeout: float | None = None,
    ) -> Impact:
        """Return every model and every deployment that an artifact reached.

        >>> impact = store.impact("s3://bucket/bad.csv")
        >>> impact.deployments, impact.models
        >>> print(impact.text())

        Args:
            node: A view, a node's key, an artifact's id, a URI or a name.
            models: The types of models, instead of ``impact.MODELS``.
            deployments: The types of deployments, instead of ``impact.DEPLOYMENTS``.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: The store holds no such node.
            AmbiguousNameError: A name fits several.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.compare import impact

        with _deadline(timeout):
            return impact.impact(self._reader, node, models=models, deployments=deployments)

    def get_pipelines(self) -> list[PipelineView]:
        """Return all pipelines, whatever platform wrote them, with all of their runs.

        >>> [pipeline.name for pipeline in store.get_pipelines()]

        It reads all of the store in one transaction; what it returns never reads it again.

        Raises:
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.loading import loader

        return loader.pipelines(self._reader, self)

    def get_pipeline(
        self, name: str | None = None, *, pipeline: str | PipelineView | None = None
    ) -> PipelineView:
        """Return a pipeline by its name, with all of its runs.

        >>> store.get_pipeline("churn").last_run.get_step("trainer").output

        Args:
            name: The pipeline's name, or its key, such as ``context/5``.
            pipeline: The same, as ZenML's ``get_pipeline()`` calls it; or a view.

        Raises:
            NotFoundError: There is none of this name; the message suggests near names.
            AmbiguousNameError: There are several; name one by its key, such as ``context/5``.
            ConfigurationError: It is not a text, or both arguments are given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        named = view_lookup.one_name("pipeline", name, pipeline=pipeline)
        return loader.pipeline(self._reader, named, self)

    def get_runs(self) -> list[PipelineRunView]:
        """Return all runs, by pipelines, each from the oldest to the newest.

        >>> [(run.pipeline_name, run.name, run.status) for run in store.get_runs()]

        Raises:
            StoreError: The store cannot be read.
        """
        return [run for pipeline in self.get_pipelines() for run in pipeline.runs]

    def get_models(self) -> list[RegisteredModel]:
        """Return the registered models of a Kubeflow Model Registry, with their versions.

        >>> [
        ...     (model.name, [version.name for version in model.versions])
        ...     for model in store.get_models()
        ... ]

        It is empty where the store holds no registry; models of pipelines are artifacts.

        Raises:
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.models import read_models

        return self._reader.ask(read_models)

    def get_run(
        self, name: str | None = None, *, run_name: str | PipelineRunView | None = None
    ) -> PipelineRunView:
        """Return a run by its name, by a fixed number of statements.

        >>> store.get_run("churn-2024-06-01").steps

        Args:
            name: The run's name, its ``run_id``, or its key, such as ``context/7``.
            run_name: The same, as ZenML's ``get_run()`` calls it; or a view.

        Raises:
            NotFoundError: There is none of this name; the message suggests near names.
            AmbiguousNameError: There are several; name one by its key.
            ConfigurationError: It is not a text, or both arguments are given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        named = view_lookup.one_name("run", name, run_name=run_name)
        return loader.run(self._reader, named, self)

    def get_step(self, step: str | int, *, run: str | PipelineRunView | None = None) -> StepView:
        """Return a step by its key, or by its name in a run.

        >>> store.get_step("execution/7").parameters
        >>> store.get_step("trainer", run="churn-2024-06-01").output

        Args:
            step: The key or the id of an execution; with a run, also the step's name or path.
            run: The run, or its name.

        Raises:
            NotFoundError: There is no such execution, run or step.
            AmbiguousNameError: Several steps or runs have this name.
            ConfigurationError: It is a name, and no run is given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        if run is not None:
            return self.get_run(run_name=run).get_step(str(step))
        return loader.step(self._reader, view_lookup.execution_id(step), self)

    def get_artifact(self, artifact: Node) -> ArtifactView:
        """Return an artifact, as an output of the step that made it, else as one's input.

        >>> store.get_artifact("s3://bucket/model/7").producer_step

        Args:
            artifact: Its key, id, URI or name, or a type and a name: ``Model:churn``.

        Raises:
            NotFoundError: There is no such artifact; the message suggests what is near.
            AmbiguousNameError: More than one node is called so.
            ConfigurationError: It is no artifact.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader, node_resolution

        key = node_resolution.subject(self._reader, artifact, runs=False)
        return loader.artifact(self._reader, view_lookup.artifact_id(key), self)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What in the store is not as MLMD means it to be; it is read whole for it.

        Raises:
            StoreError: The store cannot be read.
        """
        return self.snapshot().findings

    def describe(self, snapshot: Snapshot | None = None) -> StoreDescription:
        """Return what the store holds, which platforms wrote it, and what is odd; it is read whole.

        >>> print(store.describe())

        Args:
            snapshot: A snapshot of this store, where there is one: the store is not read again.

        Raises:
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.description import describe

        held = self.snapshot() if snapshot is None else snapshot
        return describe(held, self.location, self.metadata_store.FLAVOR)

    def find_node(self, text: str) -> str:
        """Return the key of the node that a text names, without reading the whole store.

        >>> store.find_node("s3://bucket/model/7")
        'artifact/46'

        Args:
            text: A key, an artifact's id, a URI, a name, or a type and a name: ``Model:churn``; the
                path of an artifact of HPE CMF; the pod of a step of Kubeflow; a run's id or name.

        Raises:
            NotFoundError: Nothing is called so; the message suggests what is near.
            AmbiguousNameError: More than one node is called so; the message lists them.
            ConfigurationError: It is empty, or no text.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.lineage import node_lookup

        return node_lookup.find_node(self._reader, text)

    def writer(self) -> Writer:
        """Return what writes to the store, by MLMD's rules and without ``ml_metadata``.

        >>> with store.writer() as writer:
        ...     model = ml.message("Artifact")(type="Model", uri="s3://bucket/model/7")
        ...     batch = ml.message("PutBatchRequest")(
        ...         artifact_types=[{"name": "Model"}], artifacts=[model]
        ...     )
        ...     [artifact_id] = writer.put(batch).artifact_ids

        Each ``put()`` is one transaction. The store must have schema version 10: one of an older
        MLMD is refused, and never migrated. ``docs/writing.md`` is the guide.

        Raises:
            ConfigurationError: Nothing can be written to such a store, as to an archive.
        """
        from mlmd_lineage.writing.registry import writer_for

        return writer_for(self.metadata_store)

    def native(self) -> Any:
        """Return ``ml_metadata.MetadataStore`` on this store, for whoever wants it.

        It opens the store for writing. One of an older MLMD schema is migrated, with a warning
        that says so and of SQLite with a backup beside the file, unless the metadata store has
        ``upgrade_migration_enabled=False``: then it is refused.

        Raises:
            NativeLibraryError: ``ml_metadata`` is not installed, or cannot open the store.
            StoreError: The store cannot be reached, or holds no MLMD tables.
        """
        from mlmd_lineage.native import open_native

        return open_native(self.metadata_store, self._reader)

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {"artifact_root": self.artifact_root}
        return type(self), (self.metadata_store, self._given_reader), kept

    def _repr_html_(self) -> str:
        """Return a table that says where the store is and what it offers; nothing is read."""
        from mlmd_lineage.post_execution.base_view import table

        rows = [
            ("flavor", self.metadata_store.FLAVOR),
            ("location", self.location),
            ("what it holds", "describe(), findings, frames"),
            ("what ran", "get_pipelines(), get_runs(), get_run(), get_step(), get_artifact()"),
            ("what came from what", "upstream(), downstream(), between(), lineage()"),
            ("comparisons", "diff(), impact(), get_pipeline(...).compare_runs()"),
        ]
        return table("Store", rows)

    def __repr__(self) -> str:
        return f"<Store {self.metadata_store.FLAVOR}: {self.location}>"


def _deadline(timeout: float | None) -> contextlib.AbstractContextManager[object]:
    """Return the deadline of a question, which holds while its ``with`` statement runs."""
    return contextlib.nullcontext() if timeout is None else Deadline(timeout)
