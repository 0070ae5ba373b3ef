"""Reading MLMD from its gRPC service, without ``ml_metadata``.

The service has neither transactions nor the tables' own rows, so some of what a database tells is
not to be had: ids of events and memberships, rows that no node leads to, and values on which
MLMD's own code fails. docs/kubeflow.md lists them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage.readers.grpc.calls import ServiceClient
from mlmd_lineage.readers.grpc.session import WireSession
from mlmd_lineage.readers.grpc.status_errors import Address
from mlmd_lineage.readers.grpc.tables import WholeRead
from mlmd_lineage.snapshot.tables import Tables, wanted
from mlmd_lineage.stores.kubectl import KubectlPortForward

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlmd_lineage.stores import KubeflowMetadataStore

T = TypeVar("T")

_SERVICE = "svc/metadata-grpc-service"
_PORT = 8080  # of Kubeflow's service, whatever container is behind it


class KubeflowReader:
    """Reads one MLMD service, and calls none of its methods that write."""

    def __init__(self, store: KubeflowMetadataStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._forward: KubectlPortForward | None = None

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables: of the nodes that were there when it began."""
        with self.client() as service:
            return WholeRead(service, wanted(tables)).tables()

    def ask(self, question: Callable[[WireSession], T]) -> T:
        """Answer a question; what is asked for twice within it is read once."""
        with self.client() as service:
            return question(WireSession(service))

    def client(self) -> ServiceClient:
        """Return a connection to the service, over a forwarded port where the store says so."""
        store = self._store
        if store.kube_context is None or store.kube_namespace is None:
            return ServiceClient(store, Address(store.host, store.port, store.location()))
        with self._lock:
            if self._forward is None or not self._forward.is_open:
                self._forward = KubectlPortForward(
                    store.kube_context, store.kube_namespace, _SERVICE, _PORT
                )
            port = self._forward.port
        return ServiceClient(store, Address("127.0.0.1", port, store.location()))
