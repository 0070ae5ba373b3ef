"""The backend of this library's own readers and writers, which does without ``ml_metadata``.

Read-only it never changes anything in the store, and also serves stores of old schemas, archives
and other services. The responses are those of MLMD's own library, but complete where it truncates
them, and a row that it fails on does not fail the rest of the response. What is written follows the
rules of ``docs/writing.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.base import ConnectionKeeper
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.server import response_size
from mlmd_lineage.server.backend import parse_request, unimplemented, writes
from mlmd_lineage.server.read_methods import METHODS
from mlmd_lineage.server.status import StatusCode, StatusError
from mlmd_lineage.writing.registry import writer_for
from mlmd_lineage.writing.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.server.read_methods import Method
    from mlmd_lineage.store import Store
    from mlmd_lineage.writing.writer import Writer


class OwnBackend:
    """Answers from one store that this library reads and writes; threads may share it."""

    def __init__(self, store: Store, *, read_only: bool, max_response: int | None = None) -> None:
        """Check that the store can be read, and be written unless it is only read.

        ``max_response`` is how many MiB a response may have; None is no limit.

        Raises:
            StoreError: The store cannot be read, or its schema is not the one that is written.
            ConfigurationError: Nothing can write to a store of this flavor.
        """
        self._max_response = max_response
        self._reader = reader_for(store.metadata_store)
        if isinstance(self._reader, ConnectionKeeper):
            self._reader.keep_connections()
        self._writer = None if read_only else _open_writer(store)
        self._reader.ask(lambda session: session.fetch("Type", {"id": [0]}))

    def call(self, method: str, request: bytes) -> bytes:
        """Return the response to a request, from one read of the store or after one write.

        Raises:
            StatusError: The request is not valid, or what it asks for does not exist.
            PutRefusedError: MLMD's rules refuse what is put.
            StoreError: The store cannot be read or written.
        """
        message = _known_fields(method, parse_request(method, request))
        if writes(method):
            if self._writer is None:
                raise unimplemented(method)
            return bytes(self._writer.put(message).SerializeToString())
        function = METHODS.get(method)
        if function is None:
            raise unimplemented(method)
        with response_size.limited(method, self._max_response):
            response = self._reader.ask(
                lambda session: _response_or_status(function, session, message)
            )
        if isinstance(response, StatusError):
            raise response
        return bytes(response.SerializeToString())


def create_store(store: Store) -> bool:
    """Make MLMD's tables where there are none; return whether that was so.

    Raises:
        StoreError: They cannot be made.
        ConfigurationError: Nothing can write to a store of this flavor.
    """
    with writer_for(store.metadata_store) as writer:
        return writer.create()


def _open_writer(store: Store) -> Writer:
    try:
        writer = writer_for(store.metadata_store)
    except errors.ConfigurationError as error:
        message = f"{error} With --read-only it is served as it is."
        raise errors.ConfigurationError(message) from None
    version = reader_for(store.metadata_store).read(("Type",)).schema_version
    if version != SCHEMA_VERSION:
        message = (
            f"{store.location} has MLMD schema version {version}, and this release writes version "
            f"{SCHEMA_VERSION}. With --read-only it is served as it is; to write to it, let "
            "ml_metadata migrate a copy of it."
        )
        raise errors.UnsupportedSchemaError(message)
    return writer


def _known_fields(method: str, message: Any) -> Any:
    """Return a request.

    Raises:
        StatusError: It has a field or a value that this release does not know.
    """
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        text = (
            f"The {method}Request has a field or a value that this server does not know, and "
            "whose meaning it must not ignore."
        )
        raise StatusError(StatusCode.INVALID_ARGUMENT, text)
    return message


def _response_or_status(function: Method, session: Session, request: Any) -> Any:
    """Return a status instead of raising it: a reader may take an exception for a failed read."""
    try:
        return function(session, request)
    except StatusError as status:
        return status
