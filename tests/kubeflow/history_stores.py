"""Stores as Kubeflow Pipelines writes them, with every trap of its upgrade."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    import random

STATES = ("COMPLETE", "CACHED", "FAILED", "CANCELED", "RUNNING", "NEW", "UNKNOWN", None)
TYPES = ("system.ImporterExecution", "system.ImporterWorkspaceExecution", "components.train")
EVENTS = ("DECLARED_INPUT", "INTERNAL_OUTPUT", "PENDING_OUTPUT", "DECLARED_OUTPUT", "INPUT")
ARTIFACT_STATES = ("PENDING", "DELETED", "UNKNOWN", None)
VALUES: tuple[Any, ...] = (
    math.nan,
    math.inf,
    2**53 + 1,
    -(2**60),
    True,
    {"list": [1]},
    "text",
    2**53,
)
PATHS: tuple[tuple[Any, ...], ...] = ((), ("a", 0), (0,), ("",), ("a", "b"))


class HistoryMaker:
    """Makes a store of some runs, and the rows of ``run_details`` by their UUIDs."""

    def __init__(self, rng: random.Random, traps: float) -> None:
        """Keep what decides, and how probable a trap is at each place where it may be."""
        self.rng = rng
        self.traps = traps
        self.store = InMemoryStore()
        self.rows: dict[str, Any] = {}
        self.executions: list[str] = []
        self.artifacts: list[str] = []
        self.pipeline = self.store.put_context("system.Pipeline", "churn")
        for number in range(rng.randint(1, 4)):
            self._run(f"run-{number}")
        if self._trap():
            self.store.put_execution("system.ContainerExecution")

    def _trap(self, factor: float = 1.0) -> bool:
        return self.rng.random() < self.traps * factor

    def _run(self, name: str) -> None:
        rng, store = self.rng, self.store
        namespace = "team-b" if self._trap() else "team-a"
        shown = "elsewhere" if self._trap(0.5) else namespace
        run = store.put_context(
            "system.PipelineRun",
            name,
            parents=[self.pipeline],
            custom_properties={"namespace": shown},
        )
        if not self._trap():
            self.rows[name] = {
                "UUID": name,
                "Namespace": namespace,
                "State": "RUNNING" if self._trap() else "SUCCEEDED",
                "FinishedAtInSec": 0 if self._trap(0.5) else 1_700_000_000,
                "DisplayName": f"the run {name}",
            }
        root = store.put_execution(
            "system.DAGExecution",
            state="RUNNING" if self._trap() else "COMPLETE",
            name=f"run/{name}",
            contexts=[self.pipeline, run],
            custom_properties={} if self._trap() else {"task_name": "root"},
        )
        self.executions.append(root)
        for step in range(rng.randint(1, 4)):
            key = self._step([self.pipeline, run], root, f"step-{step}")
            self.executions.append(key)
            for taken in rng.sample(self.artifacts, min(len(self.artifacts), rng.randint(0, 2))):
                self._event(key, taken, "INPUT")
            for _ in range(rng.randint(0, 2)):
                made = self._artifact([] if self._trap() else [run])
                self.artifacts.append(made)
                if not self._trap():
                    self._event(key, made, "OUTPUT")

    def _step(self, contexts: list[str], root: str, name: str) -> str:
        rng = self.rng
        following = f"execution/{len(self.executions) + 1}"
        custom: dict[str, Any] = {"task_name": name, "parent_dag_id": number_in(root)}
        if self._trap():
            others = [*self.executions, following, "execution/999"]
            custom["parent_dag_id"] = number_in(rng.choice(others))
        if self._trap(0.5):
            custom["parent_dag_id"] = rng.choice(["7", 7.0, 0, -1])
        if self._trap(0.5):
            custom["cached_execution_id"] = rng.choice([7, "", "0", "x"])
        elif rng.random() < 0.2:
            later = [following, "execution/999"] if self._trap() else []
            custom["cached_execution_id"] = str(number_in(rng.choice([*self.executions, *later])))
        if self._trap():
            del custom["task_name"]
        custom["inputs"] = "no struct" if self._trap(0.5) else {"rows": 100.0}
        if rng.random() < 0.3:
            custom["namespace"] = "team-b" if self._trap() else ""
        if self._trap(0.5):
            odd = rng.choice(["iteration_index", "display_name", "pod_name"])
            custom[odd] = rng.choice([-1, 2, "a", 0.5])
        if self._trap():
            contexts = contexts[:1]  # of no run
        elif self._trap(0.5):
            other = self.store.put_context("system.PipelineRun", f"other-{following}")
            contexts = [*contexts, other]
        return self.store.put_execution(
            rng.choice(TYPES) if self._trap() else "system.ContainerExecution",
            state=rng.choice(STATES if self._trap() else ("COMPLETE", "FAILED", "CACHED")),
            contexts=contexts,
            custom_properties=custom,
        )

    def _event(self, execution: str, artifact: str, kind: str) -> None:
        path = self.rng.choice(PATHS) if self._trap() else ("data",)
        kind = self.rng.choice(EVENTS) if self._trap() else kind
        for _ in range(2 if self._trap(0.3) else 1):
            self.store.put_event(execution, artifact, kind, path=path)

    def _artifact(self, contexts: list[str]) -> str:
        rng = self.rng
        kind = rng.choice(("system.Dataset", "system.Metrics", "acme.Model"))
        custom: dict[str, Any] = {"display_name": "data"}
        if kind == "system.Metrics":
            count = 0 if self._trap() else rng.randint(1, 3)
            custom |= {f"metric_{number}": rng.random() for number in range(count)}
        if self._trap():
            custom[f"value_{rng.randint(0, 2)}"] = rng.choice(VALUES)
        if self._trap(0.5):
            custom["namespace"] = rng.choice(["team-a", "team-b", 7])
        return self.store.put_artifact(
            kind,
            uri="s3://bucket/data",
            state=rng.choice(ARTIFACT_STATES) if self._trap() else "LIVE",
            contexts=contexts,
            properties={"display_name": "twice"} if self._trap(0.3) else {},
            custom_properties=custom,
        )


def number_in(key: str) -> int:
    return int(key.partition("/")[2])
