"""The read-only backend: every method that reads, answered by this library's readers.

Nothing in the store is ever changed, ``ml_metadata`` is not needed, and stores of old schemas and
archives are served too. The responses are those of MLMD's own library, but complete where it
truncates them, and a row that it fails on does not fail the rest of the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.readers.base import ConnectionKeeper
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.server.backend import parse_request, unimplemented
from mlmd_lineage.server.read_methods import METHODS
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.server.read_methods import Method
    from mlmd_lineage.store import Store


class ReaderBackend:
    """Answers from one store that is only read."""

    def __init__(self, store: Store) -> None:
        """Check that the store can be read.

        Raises:
            StoreError: The store cannot be read.
        """
        self._reader = reader_for(store.metadata_store)
        if isinstance(self._reader, ConnectionKeeper):
            self._reader.keep_connections()
        self._reader.ask(lambda session: session.fetch("Type", {"id": [0]}))

    def call(self, method: str, request: bytes) -> bytes:
        """Return the response to a request, from one consistent read of the store.

        Raises:
            StatusError: The request is not valid, or what it asks for does not exist.
            StoreError: The store cannot be read.
        """
        function = METHODS.get(method)
        if function is None:
            raise unimplemented(method)
        message = parse_request(method, request)
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() != size:
            text = (
                f"The {method}Request has a field or a value that this server does not know, and "
                "whose meaning it must not ignore."
            )
            raise StatusError(StatusCode.INVALID_ARGUMENT, text)
        response = self._reader.ask(lambda session: _response_or_status(function, session, message))
        if isinstance(response, StatusError):
            raise response
        return bytes(response.SerializeToString())


def _response_or_status(function: Method, session: Session, request: Any) -> Any:
    """Return a status instead of raising it: a reader may take an exception for a failed read."""
    try:
        return function(session, request)
    except StatusError as status:
        return status
