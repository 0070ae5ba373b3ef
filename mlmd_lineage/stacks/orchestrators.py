"""Orchestrators: the systems that run pipelines, and the stores each can be combined with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pydantic

from mlmd_lineage.stores.component import Component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.orchestration.tasks import RunTasks, StepOutcome

_KUBERNETES_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"


class BaseOrchestrator(Component):
    """The system that runs the pipelines of a stack.

    It says where they run, and with it which metadata stores and artifact stores their steps can
    reach. ``local`` runs the pipelines of this library; Kubernetes and Kubeflow run those that
    were written for them. A flavor of your own inherits from this class, sets ``FLAVOR`` and the
    class variables below, and where it runs pipelines, has ``run()``::

        class SlurmOrchestrator(BaseOrchestrator):
            FLAVOR = "slurm"
            ON_THIS_MACHINE = False

            def run(self, tasks):
                return tasks.in_order(lambda task: self.submit(task.command()))

    Fields:
        name: The name under which it is registered.
        uuid: Its identity, whatever it is called.
    """

    KIND: ClassVar[str] = "orchestrator"
    ON_THIS_MACHINE: ClassVar[bool] = True
    """Whether its steps run where they can reach local files."""
    METADATA_STORES: ClassVar[frozenset[str]] = frozenset()
    """The flavors of metadata store that only such an orchestrator can be combined with."""

    def run(self, tasks: RunTasks) -> Mapping[str, StepOutcome]:
        """Run the steps of a pipeline, and return how each ended, by its name.

        Each task records itself, in this process with ``task.run()`` or wherever its
        ``command()`` is called. A step that fails is an outcome, and no exception.
        """
        raise NotImplementedError  # one that is only part of a stack has none


class LocalOrchestrator(BaseOrchestrator):
    """Runs the steps of a pipeline in processes of this machine.

    Fields:
        jobs: How many steps run at the same time, where a run does not say it. One runs them in
            the process that starts the run, one after the other.
    """

    FLAVOR: ClassVar[str] = "local"

    jobs: int = pydantic.Field(default=1, ge=1)

    def run(self, tasks: RunTasks) -> Mapping[str, StepOutcome]:
        """Run the steps, independent ones side by side, and return how each ended."""
        from mlmd_lineage.orchestration.local import run_locally

        return run_locally(tasks, tasks.jobs or self.jobs)

    def location(self) -> str:
        """Return where the steps run."""
        return "this machine"


class _KubernetesBase(BaseOrchestrator):
    """The common fields of orchestrators in a Kubernetes cluster."""

    kubernetes_context: str | None = pydantic.Field(default=None, min_length=1)
    kubernetes_namespace: str = pydantic.Field(default="mlmd-lineage", pattern=_KUBERNETES_NAME)

    def location(self) -> str:
        """Return the cluster and the namespace in which the steps run."""
        return f"{self.kubernetes_context or 'the current context'}/{self.kubernetes_namespace}"


class KubernetesOrchestrator(_KubernetesBase):
    """Runs the steps as pods of a Kubernetes cluster elsewhere.

    Fields:
        kubernetes_context: The context of the cluster; the current one where none is given.
        kubernetes_namespace: The namespace of the pods.
    """

    FLAVOR: ClassVar[str] = "kubernetes"
    ON_THIS_MACHINE: ClassVar[bool] = False


class LocalKubernetesOrchestrator(_KubernetesBase):
    """Runs the steps as pods of a Kubernetes cluster on this machine: kind, k3d, minikube.

    The folders of local stores have to be mounted into the cluster's node.

    Fields:
        kubernetes_context: The context of the cluster; the current one where none is given.
        kubernetes_namespace: The namespace of the pods.
    """

    FLAVOR: ClassVar[str] = "local_kubernetes"


class KubeflowOrchestrator(_KubernetesBase):
    """Runs the steps with Kubeflow Pipelines in a cluster elsewhere.

    Fields:
        kubernetes_context: The context of the cluster; the current one where none is given.
        kubernetes_namespace: The namespace of Kubeflow Pipelines.
    """

    FLAVOR: ClassVar[str] = "kubeflow"
    ON_THIS_MACHINE: ClassVar[bool] = False
    METADATA_STORES: ClassVar[frozenset[str]] = frozenset({"kubeflow"})

    kubernetes_namespace: str = pydantic.Field(default="kubeflow", pattern=_KUBERNETES_NAME)


class LocalKubeflowOrchestrator(KubeflowOrchestrator):
    """Runs the steps with Kubeflow Pipelines in a cluster on this machine.

    The folders of local stores have to be mounted into the cluster's node.

    Fields:
        kubernetes_context: The context of the cluster; the current one where none is given.
        kubernetes_namespace: The namespace of Kubeflow Pipelines.
    """

    FLAVOR: ClassVar[str] = "local_kubeflow"
    ON_THIS_MACHINE: ClassVar[bool] = True


BUILT_IN: dict[str, type[BaseOrchestrator]] = {
    flavor.FLAVOR: flavor
    for flavor in (
        LocalOrchestrator,
        LocalKubernetesOrchestrator,
        KubernetesOrchestrator,
        LocalKubeflowOrchestrator,
        KubeflowOrchestrator,
    )
}
