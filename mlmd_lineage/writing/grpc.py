"""Writing MLMD through its gRPC service, without ``ml_metadata``.

A request of MLMD's is one call, and so one transaction of the service. A batch is as few calls as
MLMD has methods for: see ``grpc_batch``. Threads may share a writer, so that several calls are in
flight.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.grpc import calls
from mlmd_lineage.readers.grpc.reader import KubeflowReader
from mlmd_lineage.readers.grpc.status_errors import GRPCStatus, explained
from mlmd_lineage.writing.grpc_batch import put_batch
from mlmd_lineage.writing.grpc_lost_answers import can_repeat, written_response
from mlmd_lineage.writing.put_methods import PutMethods
from mlmd_lineage.writing.sql.writer import method_of
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from typing_extensions import Self

    from mlmd_lineage.readers.grpc.status_errors import Address
    from mlmd_lineage.stores import KubeflowMetadataStore

PATIENCE = 15.0
"""For how many seconds to try again what another writer, or the network, kept from being done."""
FIRST_PATIENCE = 1.0
"""For how many, before the service has answered anything."""
_MOST_PAUSE = 1.0

# What MLMD answers where its rules refuse a put. INTERNAL is also what its database refuses.
_REFUSALS = {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "INTERNAL"}
# The service rolled back for another writer, or had no room: nothing was written.
_AGAIN = {"ABORTED", "RESOURCE_EXHAUSTED"}
# Nobody knows what became of the call.
_LOST = {"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED", "UNKNOWN"}
# gRPC's words for a call that it could not even send.
_UNSENT = "failed to connect"


class _Channel(NamedTuple):
    address: Address
    channel: Any


def _sleep(seconds: float) -> None:
    """Sleep, and no longer than until the deadline of this thread."""
    left = deadline.remaining()
    time.sleep(seconds if left is None else min(seconds, left))


class GRPCWriter(PutMethods):
    """Writes to one MLMD service; threads may share it."""

    def __init__(self, store: KubeflowMetadataStore) -> None:
        self._store = store
        self._reader = KubeflowReader(store)
        self._lock = threading.Lock()
        self._open: _Channel | None = None
        self._answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a later put opens it again."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            opened.channel.close()

    def create(self) -> bool:
        """Return False: a service makes MLMD's tables itself, when it starts."""
        self.call("GetArtifactTypes", message("GetArtifactTypesRequest")())
        return False

    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it."""
        method = method_of(request)
        if method == "PutBatch":
            return put_batch(self, request)
        return self.call(method, request)

    def call(self, method: str, request: Message) -> Any:
        """Call a method of the service, and return its response.

        Raises:
            PutRefusedError: The service refuses it.
            StoreError: The service cannot be reached, or fails.
            UncertainWriteError: The answer to a put was lost, and nothing tells what became of it.
        """
        begun, pause, lost = time.monotonic(), 0.02, False
        while True:
            outcome = self._outcome(method, request)
            if not isinstance(outcome, GRPCStatus):
                self._answered = True
                return message(f"{method}Response").FromString(outcome)
            if outcome.code == "ALREADY_EXISTS" and lost:
                found = written_response(self, method, request)
                if found is not None:
                    return found
            failure = self._failure(method, outcome)
            if failure is not None:
                raise failure
            if outcome.code in _LOST and _UNSENT not in outcome.details.lower():
                if not can_repeat(method, request):
                    raise self._uncertain(method, outcome)
                lost = lost or method.startswith("Put")
            patience = PATIENCE if self._answered else FIRST_PATIENCE
            if deadline.remaining() == 0 or time.monotonic() > begun + patience:
                if lost:
                    raise self._uncertain(method, outcome)
                deadline.check()
                raise self._explained(method, outcome)
            _sleep(random.uniform(pause / 2, pause))  # noqa: S311 - so that two do not meet again
            pause = min(2 * pause, _MOST_PAUSE)

    def _outcome(self, method: str, request: Message) -> bytes | GRPCStatus:
        """Call a method once; a call that would begin after the deadline is not made."""
        import grpc

        if deadline.remaining() == 0:
            return GRPCStatus("DEADLINE_EXCEEDED", f"{_UNSENT}: the time was over")

        opened = self._channel()
        function = opened.channel.unary_unary(f"/{calls.SERVICE}/{method}")
        left, current = deadline.remaining(), deadline.current()
        sent = function.future(
            request.SerializeToString(),
            timeout=self._store.timeout if left is None else min(self._store.timeout, left),
            metadata=calls.headers(self._store),
        )
        try:
            with contextlib.ExitStack() as stack:
                if current is not None:
                    stack.enter_context(current.when_cancelled(sent.cancel))
                answer: bytes = sent.result()
        except grpc.FutureCancelledError:
            return GRPCStatus("CANCELLED", "the call was cancelled")
        except grpc.RpcError as error:
            status = GRPCStatus.of(error, calls.headers(self._store))
            if any(words in status.details for words in calls.BROKEN):
                return status._replace(code="UNAVAILABLE")  # the connection is what failed
            return status
        return answer

    def _channel(self) -> _Channel:
        with self._lock:
            if self._open is None:
                address = self._reader.client().address
                self._open = _Channel(address, calls.channel(self._store, address))
            return self._open

    def _failure(self, method: str, status: GRPCStatus) -> errors.MLMDLineageError | None:
        """Return what is wrong with a call, or None where it may be made again."""
        said = f"{self._channel().address.location} refuses {method}: {status.details}"
        if status.code == "ALREADY_EXISTS":
            return errors.AlreadyExistsError(said)
        if status.code in _REFUSALS:
            return errors.PutRefusedError(said, status.code)
        if status.code == "UNIMPLEMENTED" and method.startswith("Put") and self._is_mlmd():
            return errors.PutRefusedError(said, status.code)
        if status.code in _AGAIN or status.code in _LOST:
            return None
        return self._explained(method, status)

    def _is_mlmd(self) -> bool:
        asked = message("GetArtifactTypesRequest")()
        return not isinstance(self._outcome("GetArtifactTypes", asked), GRPCStatus)

    def _explained(self, method: str, status: GRPCStatus) -> errors.StoreError:
        found = explained(self._store, self._channel().address, method, status)
        if isinstance(found, errors.ReadError):
            return errors.WriteError(f"{found} Nothing was written.")
        return found

    def _uncertain(self, method: str, status: GRPCStatus) -> errors.UncertainWriteError:
        return errors.UncertainWriteError(
            f"The answer of {self._channel().address.location} to {method} was lost "
            f"({status.code}: {status.details}), and whether it was written cannot be known. Read "
            "the store to see; nodes with a name or an external_id can be put again safely."
        )
