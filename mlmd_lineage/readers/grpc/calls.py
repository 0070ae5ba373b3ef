"""Calls of MLMD's gRPC service: several in flight, tried again where that is safe.

Every call here only reads, so each may be made again. A call that fails for being too large, too
slow or for one bad row is cut into smaller ones where it can be.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto, deadline, errors
from mlmd_lineage.readers.answer_size import AnswerSize
from mlmd_lineage.readers.grpc.columnar_protobuf import MalformedError
from mlmd_lineage.readers.grpc.status_errors import (
    Address,
    GRPCStatus,
    MissingMethodError,
    explained,
    is_too_large,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from google.protobuf.message import Message
    from typing_extensions import Self

    from mlmd_lineage.stores import KubeflowMetadataStore

SERVICE = "ml_metadata.MetadataStoreService"

IN_FLIGHT = 16
"""How many calls wait for their answers at most."""
AHEAD = 2
"""While the oldest call is unanswered, at most this many times ``IN_FLIGHT`` calls are sent."""
CONNECTIONS = 8
"""Over how many connections they go: a service of several processes shares these out."""
PATIENCE = 15.0
"""For how many seconds to try again, once a call has been answered."""
FIRST_PATIENCE = 1.0
"""For how many, before."""
TARGET_BYTES = 1 << 19
"""How large an answer should be: the limit of most servers and gateways is eight times that."""
MOST_IDS = 1000
"""How many ids one call asks for at most."""
_DECODED = 4
"""How many times as large as an answer its messages and rows are in memory."""
PAGE = 100
"""How many nodes a page holds: MLMD's own limit."""

_TRANSIENT = {"UNAVAILABLE", "ABORTED", "CANCELLED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
_SMALLER_HELPS = {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
_BAD_ROW = {"INTERNAL", "UNKNOWN", "DATA_LOSS", "INVALID_ARGUMENT"}
# How gRPC says in INTERNAL or UNKNOWN that it was the connection that broke.
BROKEN = ("RST_STREAM", "Stream removed", "GOAWAY")
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Each channel has a connection of its own.
    ("grpc.use_local_subchannel_pool", 1),
    # What one asks for must not go to a proxy that is meant for the web.
    ("grpc.enable_http_proxy", 0),
)


@dataclasses.dataclass(frozen=True, eq=False)
class ServiceCall:
    """One call of a method, and what to do with its answer."""

    method: str
    request: Message
    take: Callable[[bytes], Iterable[ServiceCall] | None]
    """Takes the answer, of no bytes where there is nothing; may return further calls."""
    smaller: Callable[[], Collection[ServiceCall]] | None = None
    """Returns calls that together ask for the same, or none where it cannot be cut."""
    refused: Callable[[GRPCStatus], Iterable[ServiceCall] | None] | None = None
    """Takes the failure of a call that cannot be cut, where its rows are to blame."""
    optional: bool = False
    """Whether ``refused`` takes UNIMPLEMENTED too, as there is another way."""


class ConnectionLoads:
    """How many calls are in flight on each connection.

    The next one goes where the fewest are: of a service's processes, some are quicker, and some
    have more of the connections.
    """

    def __init__(self) -> None:
        self._each = [0] * CONNECTIONS
        self._changed = threading.Condition()

    @property
    def total(self) -> int:
        """How many calls are in flight."""
        return sum(self._each)

    def add(self) -> int:
        """Count a call, and return the number of the connection that it goes to."""
        with self._changed:
            number = self._each.index(min(self._each))
            self._each[number] += 1
        return number

    def remove(self, number: int, _: object = None) -> None:
        """Count a call as answered."""
        with self._changed:
            self._each[number] -= 1
            self._changed.notify_all()

    def wait(self, done: Callable[[], bool], fewer: int) -> None:
        """Wait until something is done, or fewer calls are in flight than a number."""
        with self._changed:
            self._changed.wait_for(lambda: done() or self.total < fewer)


class ServiceClient:
    """An open connection to a service; a context manager that closes it."""

    def __init__(self, store: KubeflowMetadataStore, address: Address) -> None:
        self._store = store
        self.address = address
        self._channels: dict[int, Any] = {}
        self._methods: dict[tuple[int, str], Any] = {}
        self._missing: set[str] = set()
        self._answered = False
        self._failing_since: float | None = None
        self._failures = 0
        self._waited = 0.0
        self._size = AnswerSize(address.location, store.max_answer)
        self.calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for channel in self._channels.values():
            channel.close()

    def run(self, calls: Iterable[ServiceCall], *, in_flight: int = IN_FLIGHT) -> None:
        """Make calls, and those that their answers lead to, and take the answers in that order.

        Raises:
            MissingMethodError: The service has not a method that others of MLMD have.
            StoreError: A call failed, and trying again did not help.
        """
        source = iter(calls)
        waiting: collections.deque[ServiceCall] = collections.deque()
        flying: collections.deque[tuple[ServiceCall, float, Any]] = collections.deque()
        loads = ConnectionLoads()
        more, window = True, 1
        try:
            while True:
                deadline.check()
                while more and loads.total < window and len(flying) < AHEAD * window:
                    call = waiting.popleft() if waiting else next(source, None)
                    more = call is not None
                    if call is not None:
                        number = loads.add()
                        flying.append((call, time.monotonic(), self._send(call, number)))
                        flying[-1][2].add_done_callback(functools.partial(loads.remove, number))
                if not flying:
                    return
                full = len(flying) >= AHEAD * window or not more
                loads.wait(flying[0][2].done, 0 if full else window)
                if flying[0][2].done():
                    # No variable holds the future, which shows in tracebacks what the server said.
                    outcome = self._outcome(flying[0][2])
                    call, sent = flying.popleft()[:2]
                    waiting.extend(self._finish(call, outcome, sent) or ())
                    # The first answers tell how much to ask for at once.
                    window = min(window + 1, in_flight)
                    # A source may have more calls after it has seen an answer.
                    more = True
        finally:
            while flying:
                flying.pop()[2].cancel()

    def cancel(self) -> None:
        """Cancel all calls, from another thread; no others can be made."""
        for channel in list(self._channels.values()):
            channel.close()

    def _send(self, call: ServiceCall, number: int) -> Any:
        self.calls += 1
        if call.method in self._missing:
            raise _missing(self.address, call.method)
        if number not in self._channels:
            self._channels[number] = channel(self._store, self.address)
        key = (number, call.method)
        if key not in self._methods:
            path = f"/{SERVICE}/{call.method}"
            self._methods[key] = self._channels[number].unary_unary(path)
        return self._methods[key].future(
            call.request.SerializeToString(),
            timeout=self._timeout(),
            metadata=headers(self._store),  # a variable of this frame would show in tracebacks
        )

    def _timeout(self) -> float:
        """Return for how many seconds to wait for an answer."""
        left = deadline.remaining()
        return self._store.timeout if left is None else min(self._store.timeout, max(left, 0.001))

    def _outcome(self, future: Any) -> bytes | GRPCStatus:
        import grpc

        try:
            answer: bytes = future.result()
        except grpc.FutureCancelledError:
            return GRPCStatus("CANCELLED", "")
        except grpc.RpcError as error:
            return GRPCStatus.of(error, headers(self._store))
        return answer

    def _finish(
        self, call: ServiceCall, outcome: bytes | GRPCStatus, sent: float
    ) -> Iterable[ServiceCall] | None:
        if isinstance(outcome, GRPCStatus):
            return self._failed(call, outcome, sent)
        self._answered, self._failing_since, self._failures = True, None, 0
        self._size.add(_DECODED * len(outcome))
        return self._taken(call, outcome)

    def _taken(self, call: ServiceCall, answer: bytes) -> Iterable[ServiceCall] | None:
        with self.decoding(f"answered {call.method}"):
            return call.take(answer)

    @contextlib.contextmanager
    def decoding(self, what: str) -> Iterator[None]:
        """Say what the service did whose answer the body cannot decode.

        Raises:
            ReadError: It is no message of MLMD.
        """
        from google.protobuf.message import DecodeError

        try:
            yield
        except (DecodeError, MalformedError):
            message = (
                f"{self.address.location} {what} with what is no message of MLMD. Check that it "
                "is an MLMD service."
            )
            failure = errors.ReadError(message)
        else:
            return
        raise failure  # without the answer's bytes in its context

    def _failed(
        self, call: ServiceCall, status: GRPCStatus, sent: float
    ) -> Iterable[ServiceCall] | None:
        deadline.check()
        if status.code == "NOT_FOUND":
            # Some methods, in some versions, say so where others answer with nothing.
            self._answered = True
            return call.take(b"")
        if status.code == "UNIMPLEMENTED" and self._is_mlmd():
            if call.optional and call.refused is not None:
                return call.refused(status)
            self._missing.add(call.method)
            raise _missing(self.address, call.method)
        broken = any(words in status.details for words in BROKEN)
        bad_row = status.code in _BAD_ROW and not broken
        if bad_row or status.code in _SMALLER_HELPS:
            parts = call.smaller() if call.smaller is not None else ()
            if parts:
                return parts
        if bad_row and call.refused is not None:
            return call.refused(status)
        if not is_too_large(status) and (broken or status.code in _TRANSIENT):
            self._wait(call, status, sent)
            return [call]
        raise explained(self._store, self.address, call.method, status)

    def _is_mlmd(self) -> bool:
        """Tell whether the service has the methods that every version has."""
        if not self._answered:
            asked = request("GetArtifactTypesRequest")
            call = ServiceCall("GetArtifactTypes", asked, lambda _: None)
            self._answered = not isinstance(self._outcome(self._send(call, 0)), GRPCStatus)
        return self._answered

    def _wait(self, call: ServiceCall, status: GRPCStatus, sent: float) -> None:
        """Wait before a call is made again, or raise where that was done for long enough."""
        if sent < self._waited:
            return  # others that were in flight with it have failed, and this has waited with them
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        patience = PATIENCE if self._answered else FIRST_PATIENCE
        if now - self._failing_since >= patience:
            raise explained(self._store, self.address, call.method, status)
        deadline.check()
        time.sleep(min(0.05 * 1.3**self._failures, 1.0))
        self._failures += 1
        self._waited = time.monotonic()


def channel(store: KubeflowMetadataStore, address: Address) -> Any:
    """Return a new gRPC channel to a service, with the store's certificates where it has some."""
    import grpc

    host = f"[{address.host}]" if ":" in address.host else address.host
    target = f"{host}:{address.port}"
    options = (*_OPTIONS, ("grpc.max_receive_message_length", store.max_message << 20))
    if not store.tls:
        return grpc.insecure_channel(target, options=options)
    credentials = grpc.ssl_channel_credentials(
        *(path and path.read_bytes() for path in (store.ssl_ca, store.ssl_key, store.ssl_cert))
    )
    return grpc.secure_channel(target, credentials, options=options)


def headers(store: KubeflowMetadataStore) -> list[tuple[str, str]]:
    """Return what is sent with each call; never in a variable, which a traceback may show."""
    return [(name, text.get_secret_value()) for name, text in store.headers.items()]


def _missing(address: Address, method: str) -> errors.ReadError:
    message = f"{address.location} lacks MLMD's method {method}: its MLMD is too old."
    return MissingMethodError(message)


def request(name: str, **fields: Any) -> Any:
    """Return a message of MLMD's service."""
    return _proto.message(name)(**fields)


class Chunks:
    """Calls that ask for many ids, each for as many as make an answer of a good size.

    Args:
        method: The method's name.
        field: The field of its request that takes the ids.
        ids: All of them; they are taken when a call is made.
        take: Takes each answer.
        refused: Takes an id for which the call fails, and the failure.
    """

    def __init__(
        self,
        method: str,
        field: str,
        ids: Iterable[int],
        take: Callable[[bytes], Iterable[ServiceCall] | None],
        refused: Callable[[int, GRPCStatus], Iterable[ServiceCall] | None] | None = None,
    ) -> None:
        self._method = method
        self._field = field
        self._ids = iter(ids)
        self._take = take
        self._refused = refused
        self._size = 250

    def __iter__(self) -> Iterator[ServiceCall]:
        while True:
            ids = list(itertools.islice(self._ids, self._size))
            if not ids:
                return
            yield self._call(ids)

    def _call(self, ids: list[int]) -> ServiceCall:
        def take(answer: bytes) -> Iterable[ServiceCall] | None:
            fitting = int(TARGET_BYTES * len(ids) / max(len(answer), 1))
            self._size = max(1, min(fitting, 2 * max(self._size, len(ids)), MOST_IDS))
            return self._take(answer)

        def smaller() -> list[ServiceCall]:
            self._size = max(1, len(ids) // 2)
            half = len(ids) // 2
            return [self._call(ids[:half]), self._call(ids[half:])] if half else []

        refused = self._refused
        return ServiceCall(
            self._method,
            request(f"{self._method}Request", **{self._field: ids}),
            take,
            smaller,
            None if refused is None else (lambda status: refused(ids[0], status)),
        )
