"""The calls of Kubeflow Pipelines 2's driver and launcher, in their order.

Source: https://github.com/kubeflow/pipelines/blob/master/backend/src/v2/metadata/client.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service_requests import message

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[..., tuple[int, Any]]

RUNNING, COMPLETE, CACHED = 2, 3, 5
INPUT, OUTPUT = 3, 4
LIVE = 2


class KfpDriver:
    """One run of a pipeline, recorded as the driver and the launchers of its steps do.

    Attributes:
        responses: Each call's method, status and response, in their order.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.responses: list[tuple[str, int, Any]] = []

    def run(self, pipeline: str, run_id: str) -> None:
        """Record a run of two steps: an importer's data, and a trainer that uses it."""
        contexts = self._contexts(pipeline, run_id)
        root = self._create_execution("system.DAGExecution", contexts, name=f"run/{run_id}")
        parent = {"parent_dag_id": root}
        data = self._create_execution("system.ImporterExecution", contexts, numbers=parent)
        [dataset] = self._publish(data, contexts, "system.Dataset", key="examples", uri="gs://data")
        train = self._create_execution(
            "system.ContainerExecution",
            contexts,
            numbers=parent,
            texts={"task_name": "train", "cache_fingerprint": "abc"},
            inputs={"examples": dataset},
        )
        self._publish(train, contexts, "system.Model", key="model", uri=f"gs://{run_id}/model")
        self._in_dag(contexts[1], root)
        self._outputs(train)
        # A later run finds the same step done, and is cached.
        cached = self._create_execution(
            "system.ContainerExecution",
            contexts,
            numbers=parent,
            texts={"task_name": "train", "cached_execution_id": str(train)},
            inputs={"examples": dataset},
            state=CACHED,
        )
        self._finish(cached, contexts)
        self._finish(root, contexts)

    def _ask(self, method: str, **fields: Any) -> tuple[int, Any]:
        status, response = self._call(method, **fields)
        self.responses.append((method, status, response))
        return status, response

    def _contexts(self, pipeline: str, run_id: str) -> list[Any]:
        found = []
        for title, name, texts in (
            ("system.Pipeline", pipeline, {}),
            ("system.PipelineRun", run_id, {"namespace": "kubeflow", "pipeline_root": "gs://r"}),
        ):
            kind = message("ContextType", name=title)
            _, put = self._ask("PutContextType", context_type=kind)
            found.append(self._context(title, put.type_id, name, texts))
        edge = message("ParentContext", child_id=found[1].id, parent_id=found[0].id)
        self._ask("GetParentContextsByContext", context_id=found[1].id)
        self._ask("PutParentContexts", parent_contexts=[edge])
        self._ask("PutParentContexts", parent_contexts=[edge])  # another pod did the same
        return found

    def _context(self, type_name: str, type_id: int, name: str, texts: dict[str, str]) -> Any:
        asked = {"type_name": type_name, "context_name": name}
        _, found = self._ask("GetContextByTypeAndName", **asked)
        if not found.HasField("context"):
            made = message("Context", type_id=type_id, name=name)
            for key, text in texts.items():
                made.custom_properties[key].string_value = text
            self._ask("PutContexts", contexts=[made])
            self._ask("PutContexts", contexts=[made])  # a race that another pod won
            _, found = self._ask("GetContextByTypeAndName", **asked)
        return found.context

    def _create_execution(  # noqa: PLR0913 - what the driver knows of a task
        self,
        type_name: str,
        contexts: list[Any],
        *,
        name: str = "",
        numbers: dict[str, int] | None = None,
        texts: dict[str, str] | None = None,
        inputs: dict[str, int] | None = None,
        state: int = RUNNING,
    ) -> int:
        kind = message("ExecutionType", name=type_name)
        _, put = self._ask("PutExecutionType", execution_type=kind)
        made = message("Execution", type_id=put.type_id, last_known_state=state)
        if name:
            made.name = name
        for key, number in (numbers or {}).items():
            made.custom_properties[key].int_value = number
        for key, text in (texts or {}).items():
            made.custom_properties[key].string_value = text
        made.custom_properties["inputs"].struct_value["learning_rate"] = 0.1
        pairs = [self._pair(INPUT, key, artifact) for key, artifact in (inputs or {}).items()]
        _, response = self._ask(
            "PutExecution", execution=made, contexts=contexts, artifact_event_pairs=pairs
        )
        number: int = response.execution_id
        self._ask("GetExecutionsByID", execution_ids=[number])
        return number

    def _pair(self, kind: int, key: str, artifact: int) -> Any:
        pair: Any = message("PutExecutionRequest.ArtifactAndEvent")
        pair.event.artifact_id = artifact
        pair.event.type = kind
        pair.event.path.steps.add(key=key)
        return pair

    def _publish(
        self, number: int, contexts: list[Any], title: str, *, key: str, uri: str
    ) -> list[int]:
        status, found = self._ask("GetArtifactType", type_name=title)
        if status:
            kind = message("ArtifactType", name=title)
            kind.properties["schema"] = 3
            _, put = self._ask("PutArtifactType", artifact_type=kind)
            type_id = put.type_id
        else:
            type_id = found.artifact_type.id
        pair: Any = message("PutExecutionRequest.ArtifactAndEvent")
        pair.artifact.type_id = type_id
        pair.artifact.uri = uri
        pair.artifact.state = LIVE
        pair.artifact.properties["schema"].string_value = f"title: {title}\ntype: object\n"
        pair.artifact.custom_properties["display_name"].string_value = key
        pair.artifact.custom_properties["accuracy"].double_value = 0.75
        pair.artifact.custom_properties["tags"].struct_value.get_or_create_list("list").extend(
            ["a", "ü"]
        )
        pair.event.type = OUTPUT
        pair.event.path.steps.add(key=key)
        response = self._finish(number, contexts, [pair])
        return list(response.artifact_ids)

    def _finish(self, number: int, contexts: list[Any], pairs: list[Any] | None = None) -> Any:
        _, found = self._ask("GetExecutionsByID", execution_ids=[number])
        [execution] = found.executions
        execution.last_known_state = COMPLETE
        execution.custom_properties["outputs"].struct_value["done"] = True
        _, response = self._ask(
            "PutExecution",
            execution=execution,
            contexts=contexts,
            artifact_event_pairs=pairs or [],
        )
        return response

    def _in_dag(self, run: Any, root: int) -> None:
        options = message(
            "ListOperationOptions",
            filter_query=f"custom_properties.parent_dag_id.int_value = {root}",
            max_result_size=1,
        )
        while True:
            _, page = self._ask("GetExecutionsByContext", context_id=run.id, options=options)
            if not page.next_page_token:
                return
            options.next_page_token = page.next_page_token

    def _outputs(self, number: int) -> None:
        _, found = self._ask("GetEventsByExecutionIDs", execution_ids=[number])
        ids = [event.artifact_id for event in found.events if event.type == OUTPUT]
        _, artifacts = self._ask("GetArtifactsByID", artifact_ids=ids)
        self._ask("GetArtifactTypesByID", type_ids=[a.type_id for a in artifacts.artifacts])
        self._ask("GetEventsByArtifactIDs", artifact_ids=ids)
        self._ask("GetContextsByExecution", execution_id=number)
        _, listed = self._ask("GetContextTypes")
        assert listed.context_types
