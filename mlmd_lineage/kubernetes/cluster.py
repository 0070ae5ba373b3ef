"""Calls to the API of a Kubernetes cluster."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlmd_lineage import errors
from mlmd_lineage.kubernetes import manifests

if TYPE_CHECKING:
    from collections.abc import Iterator

ObjectKind = Literal["secret", "persistent_volume_claim", "deployment", "service"]

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_CALL_SECONDS = 20
_POLL_SECONDS = 1.0
_LOG_LINES = 500
_NOT_FOUND, _CONFLICT, _UNAUTHORIZED, _FORBIDDEN = 404, 409, 401, 403


def inside() -> bool:
    """Return whether this process runs in a pod of a cluster."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _TOKEN.is_file()


class Cluster:
    """A cluster, and one namespace of it.

    Args:
        context: The context in the kubeconfig; inside a cluster, that cluster is meant.
        namespace: The namespace.

    Raises:
        ConfigurationError: The kubernetes client is not installed, or there is no such context.
    """

    def __init__(self, context: str, namespace: str) -> None:
        try:
            import kubernetes
        except ImportError:
            message = (
                "The kubernetes flavor needs the package kubernetes: pip install "
                "'mlmd-lineage[kubernetes]'."
            )
            raise errors.ConfigurationError(message) from None
        self.context, self.namespace = context, namespace
        client = _client(kubernetes, context)
        self.core: Any = kubernetes.client.CoreV1Api(client)
        self._apps: Any = kubernetes.client.AppsV1Api(client)
        self._as_json = client.sanitize_for_serialization
        self._api_error: type[Exception] = kubernetes.client.ApiException

    def ensure_namespace(self) -> bool:
        """Create the namespace unless it exists; return whether it was created."""
        with self._explained("look for the namespace"):
            try:
                self._call(self.core.read_namespace, self.namespace)
            except Exception as error:
                if self._status(error) == _FORBIDDEN:
                    return False  # who may not look at namespaces may still work in this one
                if self._status(error) != _NOT_FOUND:
                    raise
            else:
                return False
        with self._explained("create the namespace"):
            body = manifests.namespace(self.namespace)
            return self._created(self.core.create_namespace, body)

    def find(self, kind: ObjectKind, name: str) -> dict[str, Any] | None:
        """Return an object as the JSON of the API, or None where there is none."""
        with self._explained(f"look for the {kind} {name}"):
            try:
                found = self._call(self._method("read", kind), name, self.namespace)
            except Exception as error:
                if self._status(error) == _NOT_FOUND:
                    return None
                raise
        plain: dict[str, Any] = self._as_json(found)
        return plain

    def create(self, kind: ObjectKind, body: dict[str, Any]) -> bool:
        """Create an object; return False where another process has created it first."""
        with self._explained(f"create the {kind} {body['metadata']['name']}"):
            return self._created(self._method("create", kind), self.namespace, body)

    def delete(self, kind: ObjectKind, name: str) -> bool:
        """Delete an object and what it owns; return whether it existed."""
        with self._explained(f"delete the {kind} {name}"):
            try:
                method = self._method("delete", kind)
                self._call(method, name, self.namespace, propagation_policy="Foreground")
            except Exception as error:
                if self._status(error) == _NOT_FOUND:
                    return False
                raise
        return True

    def pods(self, selector: dict[str, str]) -> list[dict[str, Any]]:
        """Return the pods with some labels, the newest first."""
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        with self._explained("look for the pods"):
            found = self._call(self.core.list_namespaced_pod, self.namespace, label_selector=labels)
        pods: list[dict[str, Any]] = self._as_json(found).get("items", [])
        return sorted(
            pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True
        )

    def log_lines(self, pod: str, *, follow: bool) -> Iterator[str]:
        """Yield the last lines that a pod has written."""
        with self._explained(f"read the logs of the pod {pod}"):
            response = self.core.read_namespaced_pod_log(
                pod, self.namespace, follow=follow, tail_lines=_LOG_LINES, _preload_content=False
            )
            rest = b""
            for part in response.stream():
                *lines, rest = (rest + part).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
            if rest:
                yield rest.decode(errors="replace")

    def password(self, name: str) -> str:
        """Return the root password in a Secret.

        Raises:
            StoreNotFoundError: There is no such Secret.
        """
        found = self.find("secret", name)
        value = ((found or {}).get("data") or {}).get(manifests.PASSWORD_KEY)
        if value is None:
            message = (
                f"There is no Secret {name!r} with {manifests.PASSWORD_KEY!r} in "
                f"{self.context}/{self.namespace}; deploy the store with 'mlmd-lineage "
                "metadata-store up'."
            )
            raise errors.StoreNotFoundError(message)
        return base64.b64decode(value).decode()

    def wait(self, what: str, done: Any, seconds: float) -> None:
        """Wait until ``done()`` returns True.

        Raises:
            UnreachableError: It does not in time.
        """
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= end:
                message = f"{what} took longer than {seconds:g} seconds."
                raise errors.UnreachableError(message)
            time.sleep(_POLL_SECONDS)

    def _method(self, verb: str, kind: ObjectKind) -> Any:
        api = self._apps if kind == "deployment" else self.core
        return getattr(api, f"{verb}_namespaced_{kind}")

    def _call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        return method(*arguments, _request_timeout=_CALL_SECONDS, **options)

    def _created(self, method: Any, *arguments: Any) -> bool:
        try:
            self._call(method, *arguments)
        except Exception as error:
            if self._status(error) == _CONFLICT:
                return False
            raise
        return True

    def _status(self, error: Exception) -> int:
        """Return the HTTP status of the client's own error, and 0 of any other."""
        return int(vars(error).get("status") or 0) if isinstance(error, self._api_error) else 0

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Replace the client's errors, whose texts quote whole responses, by one sentence."""
        where = f"the cluster of the context {self.context!r}"
        try:
            yield
        except errors.MLMDLineageError:
            raise
        except Exception as error:  # noqa: BLE001 - the client's, urllib3's and the system's
            status = self._status(error)
            if status == _UNAUTHORIZED:
                message = f"Could not {doing}: {where} does not accept these credentials."
                raise errors.AuthenticationError(message) from None
            if status == _FORBIDDEN:
                message = (
                    f"Could not {doing}: {where} does not allow it in the namespace "
                    f"{self.namespace!r}; ask for the rights named in docs/kubernetes.md."
                )
                raise errors.StorePermissionError(message) from None
            if status:
                reason = vars(error).get("reason") or "no reason given"
                message = f"Could not {doing}: {where} says {status} {reason}."
                raise errors.StoreError(message) from None
            message = f"Could not {doing}: {where} does not answer ({type(error).__name__})."
            raise errors.UnreachableError(message) from None


def _client(kubernetes: Any, context: str) -> Any:
    """Return the client for a context, or inside a cluster for that cluster."""
    try:
        if inside():
            configuration = kubernetes.client.Configuration()
            kubernetes.config.load_incluster_config(configuration)
        else:
            configuration = kubernetes.client.Configuration()
            kubernetes.config.load_kube_config(
                config_file=_kubeconfig(), context=context, client_configuration=configuration
            )
    except kubernetes.config.ConfigException:
        known = _contexts(kubernetes)
        if context in known:
            message = f"The context {context!r} of the kubeconfig is incomplete; correct it."
        elif known:
            near = errors.did_you_mean(context, known)
            message = f"The kubeconfig has no context {context!r}; it has {', '.join(known)}.{near}"
        else:
            message = (
                f"There is no kubeconfig with the context {context!r}; KUBECONFIG names the file, "
                "else it is ~/.kube/config."
            )
        raise errors.ConfigurationError(message) from None
    # A call that fails is reported at once, not after urllib3's own attempts.
    configuration.retries = 0
    return kubernetes.client.ApiClient(configuration)


def _kubeconfig() -> str:
    # The client looks at the variable once, when it is imported.
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _contexts(kubernetes: Any) -> list[str]:
    try:
        contexts, _ = kubernetes.config.list_kube_config_contexts(_kubeconfig())
    except kubernetes.config.ConfigException:
        return []
    return [str(context["name"]) for context in contexts]
