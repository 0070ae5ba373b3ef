"""The store that ``mlmd_lineage.spark.connect()`` returns: questions on Apache Spark."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.question import Question
from mlmd_lineage.post_execution.loading import node_resolution
from mlmd_lineage.post_execution.models import read_registry
from mlmd_lineage.spark import closures, findings, impact, saving
from mlmd_lineage.spark.frames import SparkFrames
from mlmd_lineage.spark.node_numbers import KINDS
from mlmd_lineage.spark.part_rows import graph_rows
from mlmd_lineage.spark.parts import (
    EVENTS,
    LARGEST_PART,
    MEMBERSHIPS,
    REFERENCES,
    answered,
    with_single_nodes,
)
from mlmd_lineage.spark.session import explained
from mlmd_lineage.spark.spark_tables import SparkReader, SparkTables
from mlmd_lineage.spark.store_parts import LINEAGE_KINDS, StoreParts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from pyspark.sql import DataFrame

    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.lineage.question import Time
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.spark.impact import ImpactAnswers


class SparkStore:
    """A store whose questions Apache Spark answers, for many nodes at once.

    >>> store = mlmd_lineage.spark.connect("archive")
    >>> store.downstream(["artifact/1", "artifact/7"]).groupBy("start", "type").count().show()
    >>> store.frames.metrics().write.parquet("metrics")

    Answers are Spark DataFrames, computed when they are asked for. Components are computed once,
    with the first question that needs them, and kept by the executors.

    Attributes:
        tables: MLMD's tables as DataFrames, with MLMD's own columns.
        largest: How many nodes a component may have.
    """

    def __init__(
        self, tables: SparkTables, reader: Reader | None = None, *, largest: int = LARGEST_PART
    ) -> None:
        """Make a store; ``reader`` finds single rows faster than Spark does."""
        self.tables = tables
        self.largest = largest
        self._reader: Reader = reader or SparkReader(tables)
        self._parts = StoreParts(tables, largest)

    # Components

    @explained("answer")
    def components(self) -> DataFrame:
        """Return the lineage component of each artifact and execution.

        Columns: ``node``, and ``component``: the key of the least node that events tie it to; an
        artifact is less than an execution with the same id.
        """
        from pyspark.sql import functions as f

        def key(name: str) -> object:
            kinds = f.array(*map(f.lit, KINDS))
            kind = f.element_at(kinds, (f.col(name).bitwiseAND(3) + 1).cast("int"))
            return f.concat_ws("/", kind, f.shiftright(name, 2).cast("string")).alias(name)

        found = with_single_nodes(self.tables, self._parts.components((EVENTS,)), LINEAGE_KINDS)
        return found.select(key("node"), key("component"))

    # Closures

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        nodes: Node | Iterable[Node],
        *,
        together: bool = False,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
    ) -> DataFrame:
        """Return what each of some nodes came from.

        >>> store.upstream(["artifact/46", "artifact/52"], until="Examples").show()

        Args:
            nodes: The nodes, each as ``Store.upstream()`` takes it; a run stands for its steps.
            together: Give one answer for all of them; ``start`` is null then.
            max_hops: As of ``Store.upstream()``, as are the following.
            until: Do not go past nodes of these types.
            types: Enter only nodes of these types.
            reuse: Follow also what cached executions claim.
            internal: Follow also internal and pending events.
            later: Follow also executions that wrote an artifact again later.
            as_of: Answer with the nodes and events that existed then; a node that did not exist
                yet has no rows.

        Returns:
            The columns of ``Trace.nodes`` after ``start``, and ``boundary`` (more was left out at
            this node) and ``truncated_by`` (the arguments that left something out).

        Raises:
            NotFoundError: The store holds no such node or type.
            AmbiguousNameError: A name fits several.
            ConfigurationError: An argument cannot be right, or a component is too large.
        """
        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        return self._closures(nodes, question, up=True, together=together)

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        nodes: Node | Iterable[Node],
        *,
        together: bool = False,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
    ) -> DataFrame:
        """Return what came from each of some nodes; otherwise like ``upstream()``.

        >>> store.downstream(datasets, together=True, until="Model").show()
        """
        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        return self._closures(nodes, question, up=False, together=together)

    @explained("answer")
    def _closures(
        self, nodes: Node | Iterable[Node], question: Question, *, up: bool, together: bool
    ) -> DataFrame:
        resolved = closures.ResolvedQuestion.resolved(question, self._reader)
        named = [key for node in _several(nodes) for key in self._nodes(node)]
        parts, starts = self._parts.holding(named, (EVENTS,))
        task = closures.task(self.tables.types, resolved, up=up, together=together)
        return answered([*graph_rows(self.tables, parts), starts], task, closures.COLUMNS)

    @explained("answer")
    def impact(
        self,
        nodes: Node | Iterable[Node],
        *,
        models: str | Collection[str] | None = None,
        deployments: str | Collection[str] | None = None,
    ) -> ImpactAnswers:
        """Return every model and every deployment that each of some artifacts reached.

        >>> answers = store.impact(["s3://bucket/bad.csv", "artifact/7"])
        >>> answers.reached.show(), answers.summaries.show()

        Args:
            nodes: The artifacts or executions, each as ``Store.impact()`` takes it.
            models: The types of models, as of ``Store.impact()``.
            deployments: The types of deployments.

        Raises:
            NotFoundError: The store holds no such node.
            AmbiguousNameError: A name fits several.
            ConfigurationError: A component is too large.
        """
        named = [self._subject(node) for node in _several(nodes)]
        parts, starts = self._parts.holding(named, (EVENTS, REFERENCES))
        task = impact.task(
            types=self.tables.types,
            models=_names(models),
            deployments=_names(deployments),
            registry=self._reader.ask(read_registry),
        )
        rows = [*impact.rows(self.tables, parts), starts]
        return impact.ImpactAnswers(answered(rows, task, impact.EVERY_COLUMN))

    # Frames and findings

    @functools.cached_property
    def frames(self) -> SparkFrames:
        """The runs, steps, parameters and metrics as Spark DataFrames.

        >>> store.frames.runs().show()
        """
        return SparkFrames(self.tables, self._parts.of_runs)

    @property
    @explained("answer")
    def findings(self) -> DataFrame:
        """What in the store is not as MLMD means it to be, in order.

        Columns: ``code``, ``subject`` and ``detail``, as ``Store.findings`` has them.
        """
        return findings.rows(self.tables)

    # Writing

    @explained("answer")
    def save(
        self,
        directory: str | os.PathLike[str],
        nodes: Node | Iterable[Node] | None = None,
        *,
        contexts: bool = True,
    ) -> Path:
        """Write an archive for one machine, which ``mlmd_lineage.connect()`` opens.

        >>> store.save("churn", ["artifact/46"])
        >>> mlmd_lineage.connect("churn").upstream("artifact/46")

        Args:
            directory: A folder that does not exist yet, or is empty.
            nodes: Save what is tied to these nodes; None for the whole store.
            contexts: Tied are all that events or common contexts tie to each other: all answers
                about the nodes are those of the whole store. With False only what events tie:
                lineage is whole, and of the runs and pipelines that hold its nodes, only these.

        Returns:
            The folder. Its rows went through the memory of this process.

        Raises:
            NotFoundError: The store holds no such node.
            ConfigurationError: The folder is not empty, or what is to be saved is too large.
        """
        if nodes is None:
            return saving.save(self.tables, directory)
        named = [key for node in _several(nodes) for key in self._nodes(node)]
        ties = (EVENTS, MEMBERSHIPS, REFERENCES) if contexts else (EVENTS, REFERENCES)
        parts, _ = self._parts.holding(named, ties)
        return saving.save(self.tables, directory, parts, has_contexts=contexts)

    def write_parquet(self, folder: str | os.PathLike[str]) -> None:
        """Write all tables as folders of Parquet files, which ``connect()`` opens again.

        >>> store.write_parquet("s3a://bucket/tables")

        Executors write them, so that it is for stores of any size, such as those read by JDBC.

        Args:
            folder: A path or a URL that Spark can write to, where nothing is yet.
        """
        saving.write_parquet(self.tables, os.fspath(folder))

    # Nodes

    def _nodes(self, node: Node) -> tuple[str, ...]:
        return node_resolution.nodes(self._reader, node)

    def _subject(self, node: Node) -> str:
        return node_resolution.subject(self._reader, node, runs=False)

    def __repr__(self) -> str:
        return f"<SparkStore: {self.tables.source}>"


def _several(nodes: Node | Iterable[Node]) -> list[Node]:
    """Return nodes as a list: one of them is one."""
    if isinstance(nodes, (str, int, keys.HasNodeKey, keys.HasNodeKeys)):
        return [nodes]
    return list(nodes)


def _names(types: str | Collection[str] | None) -> list[str] | None:
    if types is None:
        return None
    return [types] if isinstance(types, str) else list(types)
