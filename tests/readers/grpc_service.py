"""An MLMD service of chosen behaviour, in memory and in pure Python, at the edge of the network.

It answers what a test tells it to, so that what rarely happens to a service happens here: calls
that fail, methods that are missing, a store that grows between two calls.
"""

from __future__ import annotations

import base64
import contextlib
from concurrent import futures
from typing import TYPE_CHECKING, Any, ClassVar

import grpc

from mlmd_lineage import _proto
from mlmd_lineage.readers.grpc.calls import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[str, Any], Any]

KINDS = {"Artifact": "artifact", "Execution": "execution", "Context": "context"}


class Refusal(Exception):  # noqa: N818 - it is a status
    """A status other than OK."""

    def __init__(self, code: str, details: str = "") -> None:
        super().__init__(code, details)
        self.code = grpc.StatusCode[code]
        self.details = details


class Fake:
    """A store of some nodes and events, which a test may change at any time.

    Attributes:
        nodes: The nodes of each kind, by their ids.
        members: The ids of artifacts or executions in each context.
        before: Called with each method's name and request; may raise a ``Refusal``.
        missing: The methods that it lacks.
        bad: The nodes, as ``(kind, id)``, on which it fails as MLMD does.
        compression: How answers are compressed.
        seen: The names of the methods that were called.
    """

    def __init__(self) -> None:
        self.nodes: dict[str, dict[int, Any]] = {kind: {} for kind in KINDS}
        self.events: list[Any] = []
        self.members: dict[str, dict[int, list[int]]] = {"Artifact": {}, "Execution": {}}
        self.before: Callable[[str, Any], None] = lambda *_: None
        self.missing: set[str] = {"GetLineageSubgraph"}
        self.bad: set[tuple[str, int]] = set()
        self.compression = grpc.Compression.NoCompression
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []

    def put(self, kind: str, number: int, **fields: Any) -> Any:
        """Add a node with a property."""
        node = _proto.message(kind)(id=number, type_id=1, **fields)
        node.custom_properties["n"].int_value = number
        self.nodes[kind][number] = node
        return node

    def tie(self, artifact: int, execution: int, kind: int, **fields: Any) -> None:
        """Add an event."""
        self.events.append(
            _proto.message("Event")(
                artifact_id=artifact, execution_id=execution, type=kind, **fields
            )
        )

    def chain(self, length: int) -> Fake:
        """Add a chain of executions, each of which takes the artifact of the one before."""
        self.put("Context", 1, name="all")
        for number in range(1, length + 1):
            self.chain_on(number)
        return self

    def chain_on(self, number: int) -> None:
        """Add the next execution to the chain."""
        self.put("Artifact", number, uri=f"/data/{number}")
        self.put("Execution", number)
        self.tie(number, number, 4)
        if number > 1:
            self.tie(number - 1, number, 3)
        for held in self.members.values():
            held.setdefault(1, []).append(number)

    def answer(self, method: str, request: bytes) -> bytes:
        """Answer a call."""
        self.seen.append(method)
        if method in self.missing or method not in _methods():
            msg = "UNIMPLEMENTED"
            raise Refusal(msg, "unknown method")
        asked = _proto.message(f"{method}Request").FromString(request)
        self.before(method, asked)
        response: Any = _proto.message(f"{method}Response")()
        for kind, name in KINDS.items():
            for pattern, fill in self._fillers.items():
                if pattern.format(kind) == method:
                    fill(self, kind, name, asked, response)
        return bytes(response.SerializeToString())

    def _types(self, _: str, name: str, __: Any, response: Any) -> None:
        getattr(response, f"{name}_types").add(id=1, name="Thing")

    def _all(self, kind: str, _: str, asked: Any, response: Any) -> None:
        self._page(kind, sorted(self.nodes[kind]), asked, response)

    def _by_context(self, kind: str, _: str, asked: Any, response: Any) -> None:
        held = self.members[kind].get(asked.context_id, ())
        self._page(kind, sorted(n for n in held if n in self.nodes[kind]), asked, response)

    def _by_id(self, kind: str, name: str, asked: Any, response: Any) -> None:
        ids = [n for n in getattr(asked, f"{name}_ids") if n in self.nodes[kind]]
        getattr(response, f"{name}s").extend(self._node(kind, n) for n in ids)

    def _by_name(self, kind: str, name: str, asked: Any, response: Any) -> None:
        for node in self.nodes[kind].values():
            if node.name == getattr(asked, f"{name}_name"):
                getattr(response, name).CopyFrom(node)

    def _of_node(self, _: str, name: str, asked: Any, response: Any) -> None:
        ids = set(getattr(asked, f"{name}_ids"))
        response.events.extend(e for e in self.events if getattr(e, f"{name}_id") in ids)

    def _contexts(self, kind: str, name: str, asked: Any, response: Any) -> None:
        number = getattr(asked, f"{name}_id")
        held = self.members[kind].items()
        response.contexts.extend(self.nodes["Context"][c] for c, nodes in held if number in nodes)

    _fillers: ClassVar = {
        "Get{}Types": _types,
        "Get{}s": _all,
        "Get{}sByType": _all,
        "Get{}sByContext": _by_context,
        "Get{}sByID": _by_id,
        "Get{}ByTypeAndName": _by_name,
        "GetEventsBy{}IDs": _of_node,
        "GetContextsBy{}": _contexts,
    }

    def _node(self, kind: str, number: int) -> Any:
        if (kind, number) in self.bad:
            msg = "INTERNAL"
            raise Refusal(msg, f"cannot convert {kind} {number}")
        return self.nodes[kind][number]

    def _page(self, kind: str, ids: list[int], asked: Any, response: Any) -> None:
        how = asked.options
        if how.filter_query:
            msg = "INVALID_ARGUMENT"
            raise Refusal(msg, "no filters here")
        if not how.order_by_field.is_asc:
            ids.reverse()
        if how.next_page_token:
            token = _proto.message("ListOperationNextPageToken").FromString(
                base64.urlsafe_b64decode(how.next_page_token)
            )
            ids = [n for n in ids if (n > token.id_offset) == how.order_by_field.is_asc]
        if not asked.HasField("options"):
            msg = "RESOURCE_EXHAUSTED"
            raise Refusal(msg, "a list in one piece")
        page = ids[: min(how.max_result_size, 100)]
        getattr(response, f"{KINDS[kind]}s").extend(self._node(kind, n) for n in page)
        if len(ids) > len(page):
            made = _proto.message("ListOperationNextPageToken")(
                id_offset=page[-1], field_offset=page[-1]
            )
            response.next_page_token = base64.urlsafe_b64encode(made.SerializeToString()).decode()


def _methods() -> set[str]:
    pool = _proto.message("Artifact").DESCRIPTOR.file.pool
    service = pool.FindServiceByName(f"{_proto.WIRE}.MetadataStoreService")
    return set(service.methods_by_name)


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, fake: Any) -> None:
        self._fake = fake

    def service(self, details: Any) -> Any:
        service, _, method = details.method.lstrip("/").partition("/")
        if service != SERVICE:
            return None

        def handle(request: bytes, context: Any) -> bytes:
            self._fake.headers.append(dict(context.invocation_metadata()))
            context.set_compression(self._fake.compression)
            try:
                return self._fake.answer(method, request)
            except Refusal as refusal:
                context.abort(refusal.code, refusal.details)
                raise

        return grpc.unary_unary_rpc_method_handler(handle)


@contextlib.contextmanager
def running(fake: Any, *, port: int = 0, credentials: Any = None) -> Iterator[int]:
    """Run a service on a port of 127.0.0.1, and yield the port."""
    with futures.ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((_Handler(fake),))
        address = f"127.0.0.1:{port}"
        bound = (
            server.add_secure_port(address, credentials)
            if credentials
            else server.add_insecure_port(address)
        )
        server.start()
        try:
            yield bound
        finally:
            server.stop(None).wait(5)
