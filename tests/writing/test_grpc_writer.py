"""Writing through MLMD's gRPC service: whole requests, batches, and answers that are lost."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from cutting_proxy import CuttingProxy, cutting_proxy
from metadata_service import Service, served
from test_sqlite_writer import one_step

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.native


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("service") / "metadata.db"
    ml.connect(found, create=True)
    return found


@pytest.fixture(scope="module")
def service(path: Path) -> Iterator[Service]:
    with served(path) as found:
        yield found


@pytest.fixture
def writer(service: Service) -> Iterator[Any]:
    with ml.connect(f"grpc://{service.address}").writer() as found:
        yield found


@pytest.fixture
def proxy(service: Service) -> Iterator[CuttingProxy]:
    with cutting_proxy(service.port) as found:
        yield found


def artifacts(path: Path, name: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        statement = "SELECT id, uri FROM Artifact WHERE name = ?"
        return connection.execute(statement, (name,)).fetchall()


def test_a_batch_is_as_few_calls_as_it_can_be(writer: Any, service: Service, path: Path):
    batch = one_step("a")
    batch.contexts.add(type="Run", name="parent")
    batch.parent_contexts.add(child_index=0, parent_index=1)
    batch.options.reuse_parent_contexts = True
    calls = service.log.count("Put")
    first = writer.put(batch)
    assert service.log.count("Put") == calls + 5
    assert artifacts(path, "a") == [(first.artifact_ids[0], "/models/a")]
    store = ml.connect(f"grpc://{service.address}")
    assert store.frames.contexts()["name"].tolist() == ["run", "parent"]
    again = one_step("b")
    again.executions[0].external_id = "once"
    again.options.reuse_executions_by_external_id = True
    second = writer.put(again)
    again.artifacts[0].name = "c"
    assert writer.put(again).execution_ids == second.execution_ids
    assert second.context_ids[0] == first.context_ids[0]


def test_a_refusal_has_its_status(writer: Any):
    writer.put(one_step("there"))
    with pytest.raises(ml.errors.AlreadyExistsError):
        writer.put(one_step("there"))
    for request, status in (
        (ml.message("PutArtifactsRequest")(artifacts=[{"type_id": 999}]), "NOT_FOUND"),
        (ml.message("PutEventsRequest")(events=[{"artifact_id": 1}]), "INVALID_ARGUMENT"),
        (
            ml.message("PutArtifactTypeRequest")(artifact_type={"name": "X", "base_type": 0}),
            "UNIMPLEMENTED",
        ),
    ):
        with pytest.raises(ml.errors.PutRefusedError) as refused:
            writer.put(request)
        assert refused.value.status == status


def one_artifact(name: str, type_id: int) -> Any:
    return ml.message("PutArtifactsRequest")(
        artifacts=[{"type_id": type_id, "name": name, "uri": f"/{name}"}]
    )


@pytest.mark.parametrize("answered", [None, 1])
def test_a_put_whose_answer_is_lost_is_made_once(
    writer: Any, path: Path, proxy: CuttingProxy, answered: int | None
):
    type_id = writer.put(one_step(f"before {answered}")).artifact_type_ids[0]
    name = f"lost {answered}"
    with ml.connect(f"grpc://127.0.0.1:{proxy.port}").writer() as cut:
        cut.put(ml.message("PutArtifactsRequest")())
        proxy.cut_at(name.encode(), answered=answered)
        [number] = cut.put(one_artifact(name, type_id)).artifact_ids
    assert proxy.cut == 1
    assert artifacts(path, name) == [(number, f"/{name}")]


def test_a_put_without_a_name_is_not_repeated_blindly(writer: Any, path: Path, proxy: CuttingProxy):
    type_id = writer.put(one_step("before unnamed")).artifact_type_ids[0]
    request = ml.message("PutArtifactsRequest")(artifacts=[{"type_id": type_id, "uri": "/unnamed"}])
    with ml.connect(f"grpc://127.0.0.1:{proxy.port}").writer() as cut:
        cut.put(ml.message("PutArtifactsRequest")())
        proxy.cut_at(b"/unnamed", answered=1)
        with pytest.raises(ml.errors.UncertainWriteError, match="name or an external_id"):
            cut.put(request)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT id FROM Artifact WHERE uri = '/unnamed'").fetchall()
    assert len(found) == 1


def test_a_service_that_is_not_there_is_an_error(proxy: CuttingProxy):
    del proxy
    writer = ml.connect("grpc://127.0.0.1:9").writer()
    with writer, pytest.raises(ml.errors.UnreachableError):
        writer.create()
