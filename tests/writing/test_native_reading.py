"""What we write, MLMD's library reads; and a store that both write in turn stays right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_sqlite_writer import one_step
from twins import NativeTwin, server_config, sqlite_config

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.native


@pytest.fixture(params=["sqlite", "mariadb_server", "postgresql_server"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ml.Store, Any]:
    """Return a store that we made, and MLMD's own on it."""
    if request.param == "sqlite":
        path = tmp_path / "metadata.db"
        return ml.connect(path, create=True), NativeTwin(sqlite_config(path)).store
    server = request.getfixturevalue(request.param)
    database = server.new_database()
    store = ml.connect(server.url(database), create=True)
    return store, NativeTwin(server_config(server, database)).store


def full_step() -> Any:
    batch = one_step("Zürich 日本 \U0001f389")
    artifact, execution, context = batch.artifacts[0], batch.executions[0], batch.contexts[0]
    artifact.state, artifact.external_id = 2, "x"
    for node in (artifact, execution, context):
        values = node.custom_properties
        values["int"].int_value = -(2**31)
        values["double"].double_value = 0.5
        values["text"].string_value = "it's \n ü"
        values["bool"].bool_value = False
        values["struct"].struct_value.update({"a": [1, "ü", None], "b": {"c": True}})
        values["proto"].proto_value.type_url = "t/x"
        values["proto"].proto_value.value = b"\0\xff"
    steps = batch.event_edges[0].event.path.steps
    steps.add(key="modelü")
    steps.add(index=3)
    batch.execution_types[0].base_type = 1
    batch.execution_types[0].input_type.simple.name = "ü"
    batch.artifact_types.add(name="Model", version="2", description="ü", external_id="e")
    batch.contexts.add(type="Run", name="parent")
    batch.parent_contexts.add(child_index=0, parent_index=1)
    return batch


def same(theirs: Any, given: Any) -> None:
    """Compare a node with what was put, as far as that says anything."""
    assert theirs.SerializeToString() != b""
    for field in ("name", "uri", "state", "last_known_state", "external_id"):
        if field in given.DESCRIPTOR.fields_by_name and given.HasField(field):
            assert getattr(theirs, field) == getattr(given, field)
    assert theirs.type == given.type
    for field in ("properties", "custom_properties"):
        found = {name: value.SerializeToString() for name, value in getattr(theirs, field).items()}
        put = {name: value.SerializeToString() for name, value in getattr(given, field).items()}
        assert found.keys() == put.keys()
        assert {k: v for k, v in found.items() if k != "struct"} == {
            k: v for k, v in put.items() if k != "struct"
        }
        if "struct" in put:
            theirs_struct = getattr(theirs, field)["struct"].struct_value
            assert dict(theirs_struct) == dict(getattr(given, field)["struct"].struct_value) or (
                str(theirs_struct) == str(getattr(given, field)["struct"].struct_value)
            )


def test_every_get_answers(both: tuple[ml.Store, Any]):
    store, native = both
    batch = full_step()
    with store.writer() as writer:
        answer = writer.put(batch)
    [artifact_id], [execution_id] = answer.artifact_ids, answer.execution_ids
    context_id, parent_id = answer.context_ids
    for found in (
        native.get_artifacts(),
        native.get_artifacts_by_id([artifact_id]),
        native.get_artifacts_by_type("Model"),
        native.get_artifacts_by_uri(batch.artifacts[0].uri),
        native.get_artifacts_by_external_ids(["x"]),
        native.get_artifacts_by_context(context_id),
        [native.get_artifact_by_type_and_name("Model", batch.artifacts[0].name)],
    ):
        assert [node.id for node in found] == [artifact_id]
        same(found[0], batch.artifacts[0])
    for found in (
        native.get_executions(),
        native.get_executions_by_id([execution_id]),
        native.get_executions_by_type("Train"),
        native.get_executions_by_context(context_id),
        [native.get_execution_by_type_and_name("Train", batch.executions[0].name)],
    ):
        assert [node.id for node in found] == [execution_id]
        same(found[0], batch.executions[0])
    for found in (
        native.get_contexts_by_id([context_id]),
        native.get_contexts_by_artifact(artifact_id),
        native.get_contexts_by_execution(execution_id),
        native.get_children_contexts_by_context(parent_id),
        [native.get_context_by_type_and_name("Run", "run")],
    ):
        assert [node.id for node in found] == [context_id]
        same(found[0], batch.contexts[0])
    assert len(native.get_contexts()) == 2
    assert [c.id for c in native.get_parent_contexts_by_context(context_id)] == [parent_id]
    for events in (
        native.get_events_by_artifact_ids([artifact_id]),
        native.get_events_by_execution_ids([execution_id]),
    ):
        [event] = events
        assert (event.type, event.artifact_id, event.execution_id) == (4, artifact_id, execution_id)
        assert [step.key or step.index for step in event.path.steps] == ["modelü", 3]
    assert native.get_artifact_type("Model", "2").description == "ü"
    assert native.get_artifact_types_by_external_ids(["e"])[0].version == "2"
    found = native.get_execution_type("Train")
    assert (found.base_type, found.input_type.simple.name) == (1, "ü")
    assert len(native.get_artifact_types()) == 2


def test_both_write_in_turn(both: tuple[ml.Store, Any]):
    from ml_metadata.proto import metadata_store_pb2

    store, native = both
    with store.writer() as writer:
        for turn in range(3):
            ours = writer.put(one_step(f"ours ü {turn}"))
            artifact = native.get_artifacts_by_id(ours.artifact_ids)[0]
            execution = metadata_store_pb2.Execution(
                type_id=native.get_execution_type("Train").id, name=f"theirs {turn}"
            )
            made = metadata_store_pb2.Artifact(type_id=artifact.type_id, name=f"theirs ü {turn}")
            native.put_execution(
                execution,
                [
                    (artifact, metadata_store_pb2.Event(type=3)),
                    (made, metadata_store_pb2.Event(type=4)),
                ],
                [native.get_context_by_type_and_name("Run", "run")],
                reuse_context_if_already_exist=True,
            )
            [theirs] = [a for a in native.get_artifacts() if a.name == f"theirs ü {turn}"]
            # A message of theirs is put as it is.
            theirs.uri = f"/changed/ü/{turn}"
            request = ml.message("PutArtifactsRequest")()
            request.artifacts.add().MergeFromString(theirs.SerializeToString())
            writer.put(request)
            assert native.get_artifacts_by_id([theirs.id])[0].uri == f"/changed/ü/{turn}"
        with pytest.raises(ml.errors.AlreadyExistsError):
            writer.put(one_step("theirs ü 1"))
    assert len(store.snapshot().artifacts) == 6
    assert len(store.upstream(f"artifact/{theirs.id}").nodes) == 4
    assert len(native.get_contexts()) == 1
    assert len(native.get_artifacts_by_context(1)) == 6
