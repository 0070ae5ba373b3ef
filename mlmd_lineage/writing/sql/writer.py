"""The base class of the writers of databases, and how they put a request in a transaction."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

from mlmd_lineage import errors
from mlmd_lineage.writing.batch import put_batch
from mlmd_lineage.writing.put_methods import PutMethods
from mlmd_lineage.writing.requests import PUTS
from mlmd_lineage.writing.writer import message as message_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message
    from typing_extensions import Self

    from mlmd_lineage.writing.subgraph_request import SubgraphRequest
    from mlmd_lineage.writing.transaction import Transaction

_SUFFIX = "Request"
_BATCH = "PutBatch"


def put_in(transaction: Transaction, request: Message) -> Any:
    """Put a request in an open transaction, and return the response.

    Raises:
        PutRefusedError: MLMD's rules refuse something of it.
    """
    method = method_of(request)
    put = put_batch if method == _BATCH else PUTS[method]
    return message_class(f"{method}Response")(**put(transaction, request))


def method_of(request: Message) -> str:
    """Return the name of the method whose request a message is.

    Raises:
        ConfigurationError: It is no request that puts something.
    """
    name: str = request.DESCRIPTOR.name
    method = name.removesuffix(_SUFFIX)
    if method == name or (method != _BATCH and method not in PUTS):
        known = ", ".join(f"{method}Request" for method in (*PUTS, _BATCH))
        what = f"A {name} cannot be put. A writer takes {known}."
        raise errors.ConfigurationError(what)
    return method


@contextlib.contextmanager
def nothing_written() -> Iterator[None]:
    """Say in the error of a deadline that nothing was written."""
    try:
        yield
    except (errors.DeadlineExceededError, errors.CancelledError) as error:
        message = f"{error} Nothing was written."
        raise type(error)(message) from None


class SQLWriter(PutMethods):
    """The base of the writers of databases."""

    @abstractmethod
    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it."""

    def _put_subgraph(self, request: SubgraphRequest) -> Any:
        """Put the request of a lineage subgraph, whose messages need not be copied."""
        return self.put(cast("Message", request))

    @abstractmethod
    def create(self) -> bool:
        """Make MLMD's tables where there are none; return whether that was so."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open; a later put opens it again."""

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
