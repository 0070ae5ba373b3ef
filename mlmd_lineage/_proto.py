"""Protocol buffer messages, built at run time from the descriptor set that ``setup.py`` compiles.

The messages live in a pool of their own, so that they never meet those of ``ml_metadata`` in the
same process, and they work with every protobuf from 4.25 on. protobuf itself is imported by the
first call: reading a database does without it.
"""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import MLMDLineageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

WIRE = "mlmd_lineage.wire.v1"
"""The package of MLMD's own messages, as ``proto/mlmd.proto`` writes them down."""

READING = "mlmd_lineage.reading.v1"
"""The package of the same answers as columns want them, in ``proto/reading.proto``."""

WRITING = "mlmd_lineage.writing.v1"
"""The package of what one transaction writes, in ``proto/writing.proto``."""

_DESCRIPTOR_SET = "_proto.binpb"


@cache
def message(name: str, package: str = WIRE) -> type[Message]:
    """Return the class of one message.

    Nested messages are named with dots: ``message("MySQLDatabaseConfig.SSLOptions")``.

    Raises:
        MLMDLineageError: The installation lacks the compiled messages.
        KeyError: There is no such message.
    """
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(_pool().FindMessageTypeByName(f"{package}.{name}"))


def service() -> ServiceDescriptor:
    """Return MLMD's gRPC service, with the messages that its methods take and answer."""
    return _pool().FindServiceByName(f"{WIRE}.MetadataStoreService")


_only_ours = ContextVar("_only_ours", default=False)


@contextlib.contextmanager
def only_ours() -> Iterator[None]:
    """Have no message's class from ``ml_metadata``, which reading never imports."""
    token = _only_ours.set(True)
    try:
        yield
    finally:
        _only_ours.reset(token)


def connection_config_class() -> type[Message]:
    """Return MLMD's ``ConnectionConfig``: its own class where ``ml_metadata`` is installed.

    ``ml_metadata.MetadataStore`` accepts nothing but its own class. Ours, which everyone else
    gets, has the same fields and the same bytes.
    """
    return _theirs_or_ours("ConnectionConfig")


def client_config_class() -> type[Message]:
    """Return MLMD's ``MetadataStoreClientConfig``, as ``connection_config_class()`` does."""
    return _theirs_or_ours("MetadataStoreClientConfig")


def _theirs_or_ours(name: str) -> type[Message]:
    if _only_ours.get():
        return message(name)
    try:
        from ml_metadata.proto import metadata_store_pb2
    except ImportError:
        return message(name)
    own: type[Message] = getattr(metadata_store_pb2, name)
    return own


def files() -> Iterable[FileDescriptorProto]:
    """Return the compiled files, each after those that it imports.

    Raises:
        MLMDLineageError: The installation lacks them.
    """
    from importlib import resources

    from google.protobuf import descriptor_pb2

    try:
        compiled = resources.files("mlmd_lineage").joinpath(_DESCRIPTOR_SET).read_bytes()
    except FileNotFoundError as error:
        msg = (
            f"this installation of mlmd-lineage lacks {_DESCRIPTOR_SET}, which building it makes "
            "from proto/: install it again (in a checkout: pip install --editable .)"
        )
        raise MLMDLineageError(msg) from error
    return descriptor_pb2.FileDescriptorSet.FromString(compiled).file


def _pool() -> DescriptorPool:
    # Two threads that each built a pool would have two classes of each message ever after.
    with _building:
        return _built_pool()


_building = threading.Lock()


@cache
def _built_pool() -> DescriptorPool:
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.DescriptorPool()
    for file in files():
        pool.Add(file)
    return pool


def field_that_is_not_utf8(message: Any) -> str | None:
    """Return the name of a text that protobuf had to leave as bytes; None where there is none."""
    for field, value in message.ListFields():
        name = f"{field.containing_type.name}.{field.name}"
        try:
            texts, messages = _texts_and_messages(field, value)
        except UnicodeDecodeError:  # of the keys of a map
            return name
        if any(isinstance(text, bytes) for text in texts):
            return name
        for part in messages:
            if (found := field_that_is_not_utf8(part)) is not None:
                return found
    return None


def _texts_and_messages(field: Any, value: Any) -> tuple[list[Any], list[Any]]:
    """Return the texts and the messages that a field holds, keys of a map included."""
    from google.protobuf.message import Message

    if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        values = list(value.values())
        return [*value.keys()], [one for one in values if isinstance(one, Message)]
    if field.type == field.TYPE_MESSAGE:
        return [], [value] if isinstance(value, Message) else list(value)
    if field.type == field.TYPE_STRING:
        return [value] if isinstance(value, (str, bytes)) else list(value), []
    return [], []
