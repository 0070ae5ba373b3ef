"""The interface of writers: one call puts one of MLMD's requests, or a batch, in one transaction.

A writer is made for one metadata store and opens nothing before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import _proto

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from google.protobuf.message import Message
    from typing_extensions import Self


class Writer(Protocol):
    """What writes to one metadata store."""

    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it.

        Args:
            request: A ``Put...Request`` of MLMD's service, or a ``PutBatchRequest``. It is ours
                (``message()``), or ``ml_metadata``'s own.

        Raises:
            PutRefusedError: MLMD's rules, or what the store can hold, refuse it.
            StoreError: The store cannot be reached or written; nothing was.
            UncertainWriteError: It cannot be known whether it was committed.
        """

    def put_lineage_subgraph(  # noqa: PLR0913 - the arguments of ml_metadata's client
        self,
        executions: Sequence[Message],
        artifacts: Sequence[Message],
        contexts: Sequence[Message],
        event_edges: Iterable[tuple[int | None, int | None, Message]],
        *,
        reuse_context_if_already_exist: bool = False,
        reuse_artifact_if_already_exist_by_external_id: bool = False,
    ) -> tuple[list[int], list[int], list[int]]:
        """Put executions, artifacts, contexts and events, as ``ml_metadata``'s client does.

        Returns:
            The ids of the executions, of the artifacts and of the contexts.
        """

    def create(self) -> bool:
        """Make MLMD's tables where there are none; return whether that was so.

        Raises:
            StoreError: They cannot be made.
        """

    def close(self) -> None:
        """Close what is open; a later put opens it again."""

    def __enter__(self) -> Self:
        """Return the writer."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Close it."""


class ServiceCaller(Protocol):
    """What calls the methods of MLMD's gRPC service."""

    def call(self, method: str, request: Message) -> Any:
        """Call a method, and return its response."""


def message(name: str) -> type[Any]:
    """Return the class of a message that is put, or of a part of one.

    >>> message("Artifact")(type_id=10, uri="s3://bucket/train.csv")
    type_id: 10
    uri: "s3://bucket/train.csv"
    <BLANKLINE>

    ``"PutBatchRequest"`` is ours; all others are MLMD's, by the names of its service.

    Raises:
        KeyError: There is no such message.
    """
    package = _proto.WRITING if name.startswith("PutBatch") else _proto.WIRE
    return _proto.message(name, package)


def is_utf8(put: Any) -> bool:
    """Return whether all texts of a message are; protobuf leaves others as bytes."""
    return _proto.field_that_is_not_utf8(put) is None
