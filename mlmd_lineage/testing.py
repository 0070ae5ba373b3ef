"""An in-memory MLMD store for the tests of programs that use this library.

>>> from mlmd_lineage.testing import InMemoryStore
>>> store = InMemoryStore()
>>> model = store.put_artifact("Model", name="churn", uri="s3://bucket/churn/1")
>>> step = store.put_execution("Trainer", outputs={"model": model})
>>> store.upstream(model).producers(model)
['execution/1']
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from mlmd_lineage import _proto, errors
from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, name_of
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import (
    KINDS,
    SCHEMAS,
    SORT_KEYS,
    Tables,
    wanted,
)
from mlmd_lineage.snapshot.values import STRUCT_PREFIX
from mlmd_lineage.store import Store
from mlmd_lineage.stores.base import BaseMetadataStore

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Collection, Mapping, Sequence

    from google.protobuf.message import Message

    from mlmd_lineage.readers.base import Session

T = TypeVar("T")

START = 1_704_067_200_000
"""When an in-memory store begins: 2024-01-01 UTC, in milliseconds since 1970-01-01 UTC."""
_SECOND = 1000


class InMemoryMetadataStore(BaseMetadataStore):
    """The location of a store that is only in the memory of this process."""

    FLAVOR: ClassVar[str] = "memory"

    def connection_config(self) -> Message:
        """Return MLMD's ``ConnectionConfig`` for an in-memory database, which is an empty one."""
        config: Any = _proto.message("ConnectionConfig")()
        config.fake_database.SetInParent()
        return config  # type: ignore[no-any-return]  # its fields are known at run time

    def location(self) -> str:
        """Return where the store is."""
        return "memory"


class InMemoryReader:
    """A reader of rows that are held in memory: ``mlmd_lineage.Reader``."""

    source = "memory"

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in SCHEMAS}

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Return whole tables."""
        made = {}
        for name in wanted(tables):
            keys = [SCHEMAS[name].names.index(key) for key in SORT_KEYS[name]]
            rows = sorted(self.rows[name], key=lambda row: [row[key] for key in keys])
            made[name] = table_from_rows(name, rows)
        return Tables(made, source=self.source)

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question."""
        return question(self)

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return the rows whose columns have some values, in their order."""
        at = {SCHEMAS[table].names.index(name): set(kept) for name, kept in where.items()}
        return [row for row in self.rows[table] if all(row[n] in kept for n, kept in at.items())]

    def newest(self, table: str, limit: int) -> list[tuple[Any, ...]]:
        """Return the newest nodes of a kind."""
        return self.rows[table][-limit:]


class InMemoryStore(Store):
    """A store in memory: filled by its ``put_...()`` methods, and read like any other.

    >>> store = InMemoryStore()
    >>> pipeline = store.put_context("pipeline", "churn")
    >>> run = store.put_context("pipeline_run", "churn-1", parents=[pipeline])
    >>> data = store.put_artifact("Examples", uri="s3://bucket/data")
    >>> model = store.put_artifact("Model", uri="s3://bucket/model")
    >>> step = store.put_execution(
    ...     "Trainer", contexts=[pipeline, run], inputs={"examples": data}, outputs={"model": model}
    ... )
    >>> store.get_run("churn-1").get_step("Trainer").output.uri
    's3://bucket/model'

    Nodes are named by their keys, such as ``"artifact/1"``; ids count from 1. What is put without
    a time follows what was put before by a second, beginning on 2024-01-01 UTC.
    """

    def __init__(self) -> None:
        """Make an empty store."""
        self._rows = InMemoryReader()
        self._clock = START
        self._types: dict[tuple[int, str], int] = {}
        super().__init__(InMemoryMetadataStore(), self._rows)

    def put_context(  # noqa: PLR0913 - a context has as many parts
        self,
        type: str,  # noqa: A002 - MLMD's word
        name: str,
        *,
        parents: Sequence[str] = (),
        properties: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
        time: int | None = None,
    ) -> str:
        """Put a context, and return its key.

        Args:
            type: The name of its type, which is put too where it is not there.
            name: The context's name.
            parents: The keys of its parent contexts.
            properties: Declared properties: booleans, integers, floats, texts, dicts and lists.
            custom_properties: Custom properties.
            time: Milliseconds since 1970-01-01 UTC.

        Raises:
            ConfigurationError: A value is of no type that MLMD has, or a key of no such node.
        """
        created = self._time(time)
        row = (self.put_type("context", type), name, None, created, created)
        key = self._put_node("context", row, properties, custom_properties)
        for parent in parents:
            self._rows.rows["ParentContext"].append((_id(key), self._there("context", parent)))
        return key

    def put_artifact(  # noqa: PLR0913 - an artifact has as many parts
        self,
        type: str,  # noqa: A002 - MLMD's word
        *,
        name: str | None = None,
        uri: str | None = None,
        state: str | None = "LIVE",
        contexts: Sequence[str] = (),
        properties: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
        time: int | None = None,
    ) -> str:
        """Put an artifact, and return its key; otherwise like ``put_context()``.

        Args:
            type: The name of its type.
            name: The artifact's name.
            uri: Where its contents lie.
            state: MLMD's name of its state; None for none.
            contexts: The keys of the contexts that hold it.
            properties: Declared properties.
            custom_properties: Custom properties.
            time: Milliseconds since 1970-01-01 UTC.
        """
        created = self._time(time)
        number = _number("artifact state", state, ArtifactState)
        type_id = self.put_type("artifact", type)
        row = (type_id, uri, number, name, None, created, created)
        key = self._put_node("artifact", row, properties, custom_properties)
        self._put_memberships("Attribution", key, contexts)
        return key

    def put_execution(  # noqa: PLR0913 - an execution has as many parts
        self,
        type: str,  # noqa: A002 - MLMD's word
        *,
        name: str | None = None,
        state: str | None = "COMPLETE",
        contexts: Sequence[str] = (),
        inputs: Mapping[str, str | Sequence[str]] | None = None,
        outputs: Mapping[str, str | Sequence[str]] | None = None,
        properties: Mapping[str, Any] | None = None,
        custom_properties: Mapping[str, Any] | None = None,
        time: int | None = None,
    ) -> str:
        """Put an execution with its events, and return its key; otherwise like ``put_artifact()``.

        Args:
            type: The name of its type.
            name: The execution's name.
            state: MLMD's name of its state; None for none.
            contexts: The keys of the contexts that hold it.
            inputs: The keys of the artifacts that it used, by the keys of the events' paths.
            outputs: The keys of the artifacts that it produced.
            properties: Declared properties.
            custom_properties: Custom properties.
            time: Milliseconds since 1970-01-01 UTC, of its events too.
        """
        created = self._time(time)
        number = _number("execution state", state, ExecutionState)
        row = (self.put_type("execution", type), number, name, None, created, created)
        key = self._put_node("execution", row, properties, custom_properties)
        self._put_memberships("Association", key, contexts)
        for event_type, held in ((EventType.INPUT, inputs), (EventType.OUTPUT, outputs)):
            for step, artifacts in (held or {}).items():
                several = [artifacts] if isinstance(artifacts, str) else artifacts
                for index, artifact in enumerate(several):
                    path = (step, index)
                    self.put_event(
                        key, artifact, name_of(EventType, event_type), path=path, time=created
                    )
        return key

    def put_event(
        self,
        execution: str,
        artifact: str,
        type: str = "OUTPUT",  # noqa: A002 - MLMD's word
        *,
        path: Sequence[str | int] = (),
        time: int | None = None,
    ) -> None:
        """Put an event between an execution and an artifact.

        Args:
            execution: The execution's key.
            artifact: The artifact's key.
            type: MLMD's name of the event's type, such as ``INPUT`` or ``OUTPUT``.
            path: The steps of its path: keys and indexes.
            time: Milliseconds since 1970-01-01 UTC.
        """
        rows = self._rows.rows["Event"]
        pair = self._there("artifact", artifact), self._there("execution", execution)
        number = _number("event type", type, EventType)
        rows.append((len(rows) + 1, *pair, number, self._time(time)))
        for step in path:
            is_index = isinstance(step, int)
            parts = (step, None) if is_index else (None, step)
            self._rows.rows["EventPath"].append((len(rows), is_index, *parts))

    def put_type(self, kind: str, name: str, *, base_type: str | None = None) -> int:
        """Put a type unless it is there, and return its id.

        Args:
            kind: ``artifact``, ``execution`` or ``context``.
            name: The type's name.
            base_type: The name of the ``mlmd.*`` type that it extends, such as ``mlmd.Model``.
        """
        type_kind = KINDS[kind].type_kind
        rows = self._rows.rows["Type"]
        if (type_kind, name) not in self._types:
            rows.append((len(rows) + 1, name, None, type_kind, None, None, None, None))
            self._types[type_kind, name] = len(rows)
        number = self._types[type_kind, name]
        if base_type is not None:
            pair = (number, self.put_type(kind, base_type))
            if pair not in self._rows.rows["ParentType"]:
                self._rows.rows["ParentType"].append(pair)
        return number

    def _time(self, given: int | None) -> int:
        self._clock = self._clock + _SECOND if given is None else max(given, self._clock)
        return self._clock if given is None else given

    def _put_node(
        self,
        kind: str,
        row: tuple[Any, ...],
        properties: Mapping[str, Any] | None,
        custom_properties: Mapping[str, Any] | None,
    ) -> str:
        values = [
            (name, is_custom, *_columns(name, value))
            for given, is_custom in ((properties, False), (custom_properties, True))
            for name, value in (given or {}).items()
        ]
        rows = self._rows.rows[KINDS[kind].table]
        number = len(rows) + 1
        rows.append((number, *row))
        self._rows.rows[KINDS[kind].properties] += [(number, *value) for value in values]
        return f"{kind}/{number}"

    def _put_memberships(self, table: str, key: str, contexts: Sequence[str]) -> None:
        rows = self._rows.rows[table]
        for context in contexts:
            rows.append((len(rows) + 1, self._there("context", context), _id(key)))

    def _there(self, kind: str, key: str) -> int:
        """Return the id in a key of a node that is there."""
        prefix, _, number = key.partition("/")
        count = len(self._rows.rows[KINDS[kind].table])
        if prefix == kind and number.isdecimal() and 1 <= int(number) <= count:
            return int(number)
        message = f"{key!r} is no {kind} of this store; put it first, and give the key returned."
        raise errors.ConfigurationError(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (), {name: vars(self)[name] for name in ("_rows", "_clock", "_types")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _given_reader=state["_rows"])


def _id(key: str) -> int:
    return int(key.partition("/")[2])


def _number(what: str, name: str | None, kind: type[enum.IntEnum]) -> int | None:
    if name is None:
        return None
    if name not in kind.__members__:
        near = errors.did_you_mean(name, kind.__members__)
        message = f"MLMD has no {what} {name!r}.{near}"
        raise errors.ConfigurationError(message)
    return int(kind[name])


def _columns(name: str, value: Any) -> tuple[Any, ...]:
    """Return a property's value in the columns of a property table.

    They are int_value, double_value, string_value, byte_value, proto_value and bool_value.
    """
    number, real, text, flag = None, None, None, None
    if isinstance(value, bool):
        flag = value
    elif isinstance(value, int):
        number = value
    elif isinstance(value, float):
        real = value
    elif isinstance(value, str):
        text = value
    elif isinstance(value, (dict, list)):
        text = _struct(value)
    else:
        message = f"The property {name!r} is a {type(value).__name__}, which MLMD cannot hold."
        raise errors.ConfigurationError(message)
    return number, real, text, None, None, flag


def _struct(value: dict[str, Any] | list[Any]) -> str:
    """Return a dict as MLMD keeps a STRUCT; a list as Kubeflow wraps one."""
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    message.update(value if isinstance(value, dict) else {"list": value})
    return STRUCT_PREFIX + base64.b64encode(message.SerializeToString()).decode()
