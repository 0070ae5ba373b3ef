"""The ``kubernetes`` flavor: MLMD in a MySQL server that this library deploys in a cluster."""

from __future__ import annotations

import functools
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.environment import password_from_environment
from mlmd_lineage.config.folders import private_folder
from mlmd_lineage.kubernetes import cluster, manifests
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.mysql import MySQLMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message

    from mlmd_lineage.kubernetes.cluster import Cluster, ObjectKind
    from mlmd_lineage.kubernetes.port_forward import PortForwardProcess

# What names may be: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
_QUANTITY = r"^[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|Ei|k|M|G|T|P|E)?$"
_PASSWORD_BYTES = 24
_RETRY_SECONDS = 0.5


class KubernetesMetadataStore(BaseMetadataStore):
    """An MLMD store in a MySQL server that ``up`` deploys in a Kubernetes cluster.

    >>> store = KubernetesMetadataStore(deployment_name="mlmd", kubernetes_context="prod")
    >>> store.location()
    'kubernetes://prod/mlmd-lineage/mlmd'

    A MySQL server that is there already is of the flavor ``mysql``.

    Fields:
        deployment_name: The name of everything that is deployed.
        kubernetes_context: The context of the cluster in the kubeconfig.
        kubernetes_namespace: The namespace.
        storage_capacity: The size of the volume.
        ready_timeout: For how many seconds ``up`` waits for the server to answer.
    """

    FLAVOR: ClassVar[str] = "kubernetes"
    REQUIRES: ClassVar[tuple[str, ...]] = ("kubernetes",)
    EXTRA: ClassVar[str] = "kubernetes"

    deployment_name: str = pydantic.Field(pattern=_LABEL)
    kubernetes_context: str = pydantic.Field(min_length=1, pattern=r"^[^\s\x00]+$")
    kubernetes_namespace: str = pydantic.Field(default="mlmd-lineage", pattern=_LABEL)
    storage_capacity: str = pydantic.Field(default="10Gi", pattern=_QUANTITY)
    ready_timeout: float = pydantic.Field(default=300.0, gt=0, le=7200, allow_inf_nan=False)

    @functools.cached_property
    def _cluster(self) -> Cluster:
        return cluster.Cluster(self.kubernetes_context, self.kubernetes_namespace)

    @property
    def _forward(self) -> PortForwardProcess:
        from mlmd_lineage.kubernetes.port_forward import PortForwardProcess, Target

        target = Target(self.kubernetes_context, self.kubernetes_namespace, self.deployment_name)
        # One folder for each server, under whatever name the server is registered.
        digest = hashlib.sha256(self.location().encode()).hexdigest()[:16]
        return PortForwardProcess(private_folder("kubernetes", digest), target)

    def location(self) -> str:
        """Return the context, the namespace and the name of the deployment."""
        parts = (self.kubernetes_context, self.kubernetes_namespace, self.deployment_name)
        return f"kubernetes://{'/'.join(parts)}"

    def connection_config(self) -> Message:
        """Return the ``ConnectionConfig`` of the forwarded port, or in the cluster of the Service.

        Raises:
            UnreachableError: No port is forwarded; ``up`` does it.
            StoreError: The cluster does not give the password.
        """
        return self._mysql().connection_config()

    def _mysql(self) -> MySQLMetadataStore:
        """Return the server as a MySQL store."""
        if cluster.inside():
            host = f"{self.deployment_name}.{self.kubernetes_namespace}.svc"
            port: int | None = manifests.PORT
        else:
            host, port = "127.0.0.1", self._forward.port
        if port is None:
            named = f" {self.name}" if self.name else ""
            message = (
                f"No port of this machine is forwarded to {self.location()}; 'mlmd-lineage "
                f"metadata-store up{named}' opens one."
            )
            raise errors.UnreachableError(message)
        with self.as_made():
            given = password_from_environment()
        password = given or pydantic.SecretStr(self._cluster.password(self.deployment_name))
        return MySQLMetadataStore(
            host=host,
            port=port,
            database=manifests.DATABASE,
            username=manifests.USER,
            password=password,
        )

    # Starting and stopping

    @property
    def is_provisioned(self) -> bool:
        """Whether everything it needs is in the cluster."""
        kinds: tuple[ObjectKind, ...] = (
            "secret",
            "persistent_volume_claim",
            "deployment",
            "service",
        )
        found = (self._cluster.find(kind, self.deployment_name) for kind in kinds)
        return all(each is not None and not _is_being_deleted(each) for each in found)

    @property
    def is_running(self) -> bool:
        """Whether it can be reached: inside the cluster always, else by a forwarded port."""
        return cluster.inside() or self._forward.port is not None

    def provision(self, report: Callable[[str], None]) -> None:
        """Create what is missing in the cluster, and wait until the server is ready.

        Raises:
            ConfigurationError: An object of this name exists that this library did not create.
            StoreError: The cluster refuses, or the server is not ready in time.
        """
        name, space = self.deployment_name, self.kubernetes_namespace
        if self._cluster.ensure_namespace():
            report(f"Created the namespace {space}.")
        found = self._found("secret")
        if found is None and self._found("persistent_volume_claim") is not None:
            message = (
                f"The volume {name!r} in {space} holds a database, and the Secret with its "
                "password is gone. Restore the Secret, or delete the volume and all data in it "
                "with 'down --force --delete-data'."
            )
            raise errors.ConfigurationError(message)
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        for kind, body in (
            ("secret", manifests.secret(name, space, password)),
            ("persistent_volume_claim", manifests.volume_claim(name, space, self.storage_capacity)),
            ("deployment", manifests.deployment(name, space)),
            ("service", manifests.service(name, space)),
        ):
            self._ensure(kind, body, report)  # type: ignore[arg-type]  # the kinds, as texts
        report("Waiting for the server to be ready.")
        try:
            waiting = f"Starting {self.location()}"
            self._cluster.wait(waiting, self._is_ready, self.ready_timeout)
        except errors.UnreachableError as error:
            raise errors.UnreachableError(f"{error} {self._why()}".strip()) from None

    def _found(self, kind: ObjectKind) -> dict[str, Any] | None:
        """Return the object of this name, after waiting for one that is being deleted."""

        def settled() -> bool:
            found = self._cluster.find(kind, self.deployment_name)
            return found is None or not _is_being_deleted(found)

        words = kind.replace("_", " ")
        self._cluster.wait(f"Deleting the {words}", settled, self.ready_timeout)
        found = self._cluster.find(kind, self.deployment_name)
        if found is not None and not _is_ours(found):
            message = (
                f"There is a {words} {self.deployment_name!r} in {self.kubernetes_namespace} that "
                "mlmd-lineage did not create; choose another deployment_name."
            )
            raise errors.ConfigurationError(message)
        return found

    def _ensure(
        self, kind: ObjectKind, body: dict[str, Any], report: Callable[[str], None]
    ) -> None:
        words = kind.replace("_", " ")
        found = self._found(kind)
        if found is None:
            if self._cluster.create(kind, body):
                report(f"Created the {words} {self.deployment_name}.")
        elif kind == "persistent_volume_claim":
            has = found["spec"]["resources"]["requests"]["storage"]
            if has != self.storage_capacity:
                report(f"The volume has {has}, and is not resized to {self.storage_capacity}.")

    def _is_ready(self) -> bool:
        found = self._cluster.find("deployment", self.deployment_name) or {}
        return int(found.get("status", {}).get("availableReplicas") or 0) >= 1

    def _why(self) -> str:
        """Return why the pod is not ready, as far as the cluster reports it."""
        for pod in self._cluster.pods(manifests.selector(self.deployment_name)):
            status = pod.get("status", {})
            for container in status.get("containerStatuses") or ():
                waiting = (container.get("state") or {}).get("waiting")
                if waiting:
                    return f"Its container waits: {waiting.get('reason', 'no reason given')}."
            for condition in status.get("conditions") or ():
                if condition.get("status") == "False" and condition.get("reason"):
                    return f"Its pod is not {condition['type']}: {condition['reason']}."
        return "There is no pod of it." if not self._pods() else ""

    def _pods(self) -> list[dict[str, Any]]:
        return self._cluster.pods(manifests.selector(self.deployment_name))

    def resume(self, report: Callable[[str], None]) -> None:
        """Forward a port of this machine to the server, and wait until it answers.

        Raises:
            UnreachableError: It does not in time.
        """
        if not cluster.inside():
            had = self._forward.port
            port = self._forward.start()
            report(f"The port {port} of this machine {'is' if had else 'is now'} forwarded to it.")
        self._wait_for_answer()
        report(f"{self.location()} answers.")

    def _wait_for_answer(self) -> None:
        import pymysql

        server = self._mysql()
        assert server.password is not None
        end = time.monotonic() + min(self.ready_timeout, server.connect_timeout * 3)
        while True:
            try:
                pymysql.connect(
                    host=server.address,
                    port=server.port,
                    user=server.username,
                    password=server.password.get_secret_value(),
                    database=server.database,
                    connect_timeout=int(server.connect_timeout),
                ).close()
            except pymysql.err.OperationalError as error:
                code = error.args[0] if error.args else ""
                if time.monotonic() < end:
                    time.sleep(_RETRY_SECONDS)
                    continue
                message = (
                    f"{self.location()} does not answer through its port (MySQL error {code}); "
                    "'mlmd-lineage metadata-store logs' may say why."
                )
                raise errors.UnreachableError(message) from None
            return

    def suspend(self, report: Callable[[str], None]) -> None:
        """Stop forwarding the port; the server in the cluster keeps running."""
        if self._forward.stop():
            report(f"The port forwarded to {self.location()} is closed.")
        else:
            report(f"No port of this machine was forwarded to {self.location()}.")

    def deprovision(self, report: Callable[[str], None], *, delete_data: bool) -> None:
        """Delete what was created; the volume and its Secret only with ``delete_data``.

        Raises:
            ConfigurationError: An object of this name exists that this library did not create.
            StoreError: The cluster refuses.
        """
        kinds: list[ObjectKind] = ["service", "deployment"]
        if delete_data:
            kinds += ["persistent_volume_claim", "secret"]
        for kind in kinds:
            if self._found(kind) is not None and self._cluster.delete(kind, self.deployment_name):
                report(f"Deleted the {kind.replace('_', ' ')} {self.deployment_name}.")
        if not delete_data and self._found("persistent_volume_claim") is not None:
            report("The volume and its Secret stay; '--delete-data' deletes them too.")

    def logs(self, *, follow: bool) -> Iterator[str]:
        """Yield the last lines that the server has written.

        Raises:
            StoreNotFoundError: No pod of it is there.
        """
        pods = self._pods()
        if not pods:
            message = f"There is no pod of {self.location()}; 'mlmd-lineage metadata-store up'."
            raise errors.StoreNotFoundError(message)
        yield from self._cluster.log_lines(pods[0]["metadata"]["name"], follow=follow)


def _is_being_deleted(found: dict[str, Any]) -> bool:
    """Return whether an object is being deleted."""
    return "deletionTimestamp" in found["metadata"]


def _is_ours(found: dict[str, Any]) -> bool:
    labels = found["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == manifests.MANAGER
