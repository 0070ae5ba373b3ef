"""Put methods with the arguments of ``ml_metadata``'s client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from mlmd_lineage.writing.subgraph_request import Options, SubgraphRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message


class PutMethods(ABC):
    """The base of all writers: put methods that call ``put()``."""

    @abstractmethod
    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it."""

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
        """Put executions, artifacts, contexts and events in one transaction.

        Args:
            executions: MLMD's messages, ours or ``ml_metadata``'s own.
            artifacts: The same.
            contexts: The same; all nodes become members of all of them.
            event_edges: The place of an execution, that of an artifact, and the event that joins
                them; None where the event has the node's id.
            reuse_context_if_already_exist: Take contexts of the same type and name as they are.
            reuse_artifact_if_already_exist_by_external_id: Update artifacts that have the same
                external id.

        Returns:
            The ids of the executions, of the artifacts and of the contexts.

        Raises:
            PutRefusedError: MLMD's rules, or what the store can hold, refuse it.
            StoreError: The store cannot be reached or written; nothing was.
        """
        options = Options(
            reuse_context_if_already_exist, reuse_artifact_if_already_exist_by_external_id
        )
        request = SubgraphRequest(executions, artifacts, contexts, event_edges, options)
        response = self._put_subgraph(request)
        return list(response.execution_ids), list(response.artifact_ids), list(response.context_ids)

    def _put_subgraph(self, request: SubgraphRequest) -> Any:
        """Put the request of a lineage subgraph."""
        return self.put(request.message)
