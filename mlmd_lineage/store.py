"""The store that ``connect()`` returns: its frames, lineage, pipelines and comparisons."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.deadline import within
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.store_audit import StoreAudit
from mlmd_lineage.stores.local_paths import LocalStore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

    from mlmd_lineage.lineage.graph_base import GraphBase
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.lineage.question import Time
    from mlmd_lineage.post_execution.description import StoreDescription
    from mlmd_lineage.post_execution.frames import StoreFrames
    from mlmd_lineage.readers.base import Generation, Reader
    from mlmd_lineage.recording.recorder import OnUnreachable, RunRecorder
    from mlmd_lineage.recording.store_access import StoreAccess
    from mlmd_lineage.recording.values import SaveValue
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
    runs: str | BaseMetadataStore | None = None,
    as_of: Time | None = None,
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
        runs: The URL of the database in which Kubeflow Pipelines keeps its runs, such as
            ``mysql://user@host:3306/mlpipeline``: it gives runs the names that people gave them.
            An archive of ``kubeflow_save()`` holds its own.
        as_of: Open an archive as it was at a moment: the newest generation that was taken then or
            before. See ``Snapshot.save(update=True)``.

    Raises:
        ConfigurationError: The target cannot be a store, ``runs`` no database, or ``as_of`` no
            moment of an archive.
        StoreNotFoundError: It is a word that is neither registered nor a file or folder here.
        AmbiguousNameError: It is both.
        StoreError: The tables cannot be made.
    """
    from mlmd_lineage.stacks.target_resolution import place_of

    try:
        root = _root_of_stack() if target is None and artifact_root is None else artifact_root
        place = place_of(target, create=create)
        store = Store(
            place if as_of is None else _as_of(place, as_of),
            artifact_root=None if root is None else os.fspath(root),
            runs=None if runs is None else _runs_store(runs),
        )
        if create:
            with store.writer() as writer:
                writer.create()
    except errors.MLMDLineageError as error:
        failure = error.with_traceback(None)
    else:
        return store
    # Tracebacks may show the variables of their frames, and here a URL may hold a password.
    del target, runs
    failure.__context__ = failure.__cause__ = None
    raise failure from None


def _as_of(place: BaseMetadataStore | LocalStore, moment: Time) -> BaseMetadataStore:
    from mlmd_lineage.lineage.question import milliseconds
    from mlmd_lineage.stores.archive import as_of

    store = place.metadata_store() if isinstance(place, LocalStore) else place
    return as_of(store, milliseconds(moment))


def _runs_store(target: object) -> BaseMetadataStore:
    from mlmd_lineage.kubeflow.runs_database import runs_store

    return runs_store(target)


def _root_of_stack() -> str | None:
    """Return the path of the active stack's artifact store; None for the built-in one."""
    from mlmd_lineage.stacks.stack import Stack

    store = Stack().artifact_store
    store.list_place()
    return None if store.name == _BUILT_IN_STACK else store.path


class Store(StoreAudit):
    """An MLMD store: its snapshot, its frames, its lineage and its runs.

    >>> store = Store(SQLiteMetadataStore(uri="metadata.db"))

    A store that is pickled leaves its password behind; see ``BaseMetadataStore``.

    Attributes:
        artifact_root: The folder or bucket in which artifacts have to lie that are read.
        runs_store: Where Kubeflow's database of runs is, where one was given.
    """

    def __init__(
        self,
        metadata_store: BaseMetadataStore | LocalStore,
        reader: Reader | None = None,
        *,
        artifact_root: str | None = None,
        runs: BaseMetadataStore | None = None,
    ) -> None:
        """Make a store; ``reader`` may be anything with the methods of ``Reader``."""
        self._place = metadata_store
        self.artifact_root = artifact_root
        self.runs_store = runs
        self._given_reader = reader

    @functools.cached_property
    def metadata_store(self) -> BaseMetadataStore:
        """Where it is, and how it is reached."""
        place = self._place
        return place.metadata_store() if isinstance(place, LocalStore) else place

    @functools.cached_property
    def _reader(self) -> Reader:
        return self._given_reader or reader_for(self._place)

    @property
    def location(self) -> str:
        """Where the store is, without any secret."""
        return self._place.location()

    def snapshot(self, *, timeout: float | None = None) -> Snapshot:
        """Return all of the store, as it is at one moment.

        >>> snapshot = store.snapshot()
        >>> snapshot.save("archive")

        Args:
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read; see ``mlmd_lineage.errors``.
        """
        from mlmd_lineage.snapshot.snapshot import Snapshot

        with within(timeout):
            return Snapshot.of(self._reader.read())

    def generations(self) -> tuple[Generation, ...]:
        """Return the states of a store that an archive holds, oldest first; see ``connect()``.

        >>> [generation.taken_at for generation in store.generations()]

        Returns:
            For each its ``number``, from 1, and ``taken_at``; none where this is no archive.

        Raises:
            StoreError: The archive cannot be read.
        """
        from mlmd_lineage.readers.base import GenerationKeeper

        reader = self._reader
        return reader.generations() if isinstance(reader, GenerationKeeper) else ()

    @functools.cached_property
    def frames(self) -> StoreFrames:
        """The store's tables, pipelines, runs and steps as DataFrames, read when asked for.

        >>> store.frames.artifacts(type="Model", properties=True)
        >>> store.frames.runs()
        """
        from mlmd_lineage.post_execution.frames import StoreFrames

        return StoreFrames.live(self._reader).with_run_names(self.run_names)

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
        with within(timeout):
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
        with within(timeout):
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
        with within(timeout):
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

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What in the store is not as MLMD means it to be; it is read whole for it.

        Raises:
            StoreError: The store cannot be read.
        """
        return self.snapshot().findings

    def describe(
        self,
        snapshot: Snapshot | None = None,
        *,
        findings: bool = False,
        timeout: float | None = None,
    ) -> StoreDescription:
        """Return what the store holds, which platforms wrote it, and on demand what is odd in it.

        >>> print(store.describe())

        Args:
            snapshot: A snapshot of this store, where there is one: the store is not read again.
            findings: Look for findings too; all of the store is read for it.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import description

        where = self.location, self._place.FLAVOR
        with within(timeout):
            if snapshot is None and not findings:
                (tables, counts), runs = description.read(self._reader)
                return description.describe(tables, *where, counted=(counts, runs))
            held = self.snapshot() if snapshot is None else snapshot
            return description.describe(held, *where, held.findings if findings else None)

    def changes(
        self,
        since: Snapshot | str | os.PathLike[str] | BaseMetadataStore,
        *,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return what was added, finished, changed and removed since a snapshot, value by value.

        >>> store.changes("archive")

        ``finished`` is what MLMD's own calls do to a node: a state that goes on, a property that
        comes late. Nothing that they do is ``changed`` or ``removed``; ``docs/ledger.md`` says how
        they are told apart.

        Args:
            since: A snapshot, or what ``connect()`` takes for the store as it was.
            timeout: How many seconds the answer may take; None for no limit.

        Returns:
            The columns of ``docs/frames.md``, in the order of the records.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: One of the two cannot be read.
        """
        from mlmd_lineage.audit.records import changes
        from mlmd_lineage.snapshot.snapshot import Snapshot

        with within(timeout):
            before = since if isinstance(since, Snapshot) else connect(since).snapshot()
            return changes.frame(changes.changes(before, self.snapshot()))

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

    def record(  # noqa: PLR0913 - each stands alone
        self,
        pipeline: str,
        run_name: str | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        resume: bool = False,
        on_unreachable: OnUnreachable = "raise",
        enable_cache: bool | None = None,
        capture_code: bool = True,
        capture_host: bool = True,
        capture_software: bool = True,
        heartbeat: float = 30.0,
        artifact_root: str | None = None,
        save_value: SaveValue | None = None,
    ) -> RunRecorder:
        """Return the recorder of a new run, or of one that is resumed.

        >>> with store.record("churn", parameters={"seed": 7}) as run:
        ...     with run.step("train", inputs={"data": "train.csv"}) as step:
        ...         step.produce("model", uri="model.pkl", type="Model", metrics={"auc": 0.91})

        ``docs/recording.md`` is the guide, ``docs/record-format.md`` says what is written.

        Args:
            pipeline: The pipeline's name.
            run_name: The run's name; without one it is the pipeline's and the time.
            parameters: What the run as a whole is given.
            tags: Texts by names.
            resume: Take part in the run of this name, from whatever process or machine, where
                there is one.
            on_unreachable: ``"raise"``: a step does not run if the store cannot be reached;
                ``"spool"``: what is recorded is kept in a folder, and written by
                ``mlmd-lineage spool send``.
            enable_cache: Whether steps may reuse earlier results; None leaves it to them.
            capture_code: Record the git commit, and whether files differ from it.
            capture_host: Record the machine, the user and the number of the process.
            capture_software: Record the versions of Python and of packages.
            heartbeat: Seconds between two signs of life.
            artifact_root: The folder or bucket in which ``produce(value=...)`` keeps values; by
                default this store's ``artifact_root``, else the active stack's artifact store.
            save_value: What keeps values, instead of the materializers.

        Raises:
            ConfigurationError: Nothing can be written to such a store, as to an archive; or an
                option cannot be right.
        """
        from mlmd_lineage.recording import saved_values
        from mlmd_lineage.recording.recorder import RunRecorder
        from mlmd_lineage.recording.spooling.spool import Spool

        return RunRecorder(
            self.record_access(),
            pipeline,
            run_name,
            parameters=parameters,
            tags=tags,
            resume=resume,
            on_unreachable=on_unreachable,
            enable_cache=enable_cache,
            save_value=save_value or saved_values.save_value,
            artifact_root=artifact_root or self.artifact_root,
            capture_code=capture_code,
            capture_host=capture_host,
            capture_software=capture_software,
            heartbeat=heartbeat,
            spool=Spool(self.location),
        )

    def record_access(self) -> StoreAccess:
        """Return what reads and writes the store for a recorder; it is not public.

        Raises:
            ConfigurationError: Nothing can be written to such a store, as to an archive.
        """
        from mlmd_lineage.recording.store_access import StoreAccess

        return StoreAccess(self._reader, self.writer(), self.location)

    def explore(
        self, node: Node | None = None, *, direction: str = "upstream", height: int = 640
    ) -> Any:
        """Return a widget in which the explorer shows the store: for Jupyter, VS Code and marimo.

        >>> store.explore()
        >>> store.explore("Model:churn", direction="both")

        Outside of notebooks ``mlmd-lineage explore`` shows it in the browser. ``docs/explorer.md``
        is the guide.

        Args:
            node: What is shown first: a node or a run, as ``upstream()`` takes it; without one an
                overview of the store.
            direction: What of the node is shown: ``upstream``, ``downstream`` or ``both``.
            height: How many pixels it is high.

        Raises:
            ConfigurationError: The extra ``explore`` or the front end is not installed.
            NotFoundError: The store holds no such node.
            AmbiguousNameError: A name fits several.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.explorer import widget

        return widget.explore(self, node, direction=direction, height=height)

    def _explored(self, graph: GraphBase, height: int) -> Any:
        from mlmd_lineage.explorer import widget

        return widget.explore_graph(self, graph, height=height)

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
        kept = {"artifact_root": self.artifact_root, "runs_store": self.runs_store}
        return type(self), (self._place, self._given_reader), kept

    def _repr_html_(self) -> str:
        """Return a table that says where the store is and what it offers; nothing is read."""
        from mlmd_lineage.post_execution.base_view import table

        rows = [
            ("flavor", self._place.FLAVOR),
            ("location", self.location),
            ("what it holds", "describe(), findings, frames"),
            ("what ran", "get_pipelines(), get_runs(), get_run(), get_step(), get_artifact()"),
            ("what came from what", "upstream(), downstream(), between(), lineage()"),
            ("comparisons", "diff(), impact(), get_pipeline(...).compare_runs()"),
            ("evidence", "audit(), dossier()"),
        ]
        return table("Store", rows)

    def __repr__(self) -> str:
        return f"<Store {self._place.FLAVOR}: {self.location}>"
