"""Errors of nodes that are there already: which one, and what option takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from test_sqlite_writer import one_step

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "mariadb_server", "postgresql_server"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Return the writer of a store that has a step."""
    target: Any = tmp_path / "metadata.db"
    if request.param != "sqlite":
        server = request.getfixturevalue(request.param)
        target = server.url(server.new_database())
    first = one_step("a")
    for node in (first.artifacts[0], first.executions[0], first.contexts[0]):
        node.external_id = "once"
    with ml.connect(target, create=True).writer() as found:
        found.put(first)
        yield found


def batch(**fields: Any) -> Any:
    return ml.message("PutBatchRequest")(**fields)


@pytest.mark.parametrize(
    ("field", "node", "said"),
    [
        (
            "artifacts",
            {"type": "Model", "name": "a"},
            (
                "An artifact with the name 'a' and the type with id 10 is there already: id 1. Put "
                "it with its id to update it, or give the new one another name."
            ),
        ),
        (
            "artifacts",
            {"type": "Model", "external_id": "once"},
            (
                "An artifact with the external_id 'once' is there already: id 1. The option "
                "reuse_artifacts_by_external_id updates it."
            ),
        ),
        (
            "executions",
            {"type": "Train", "external_id": "once"},
            (
                "An execution with the external_id 'once' is there already: id 1. The option "
                "reuse_executions_by_external_id updates it."
            ),
        ),
        (
            "contexts",
            {"type": "Run", "name": "run"},
            (
                "A context with the name 'run' and the type with id 12 is there already: id 1. The "
                "option reuse_contexts takes it as it is."
            ),
        ),
    ],
)
def test_a_node_of_a_batch(writer: Any, field: str, node: dict[str, Any], said: str):
    others = [{"type": node["type"], "name": f"{number}"} for number in range(3)]
    with pytest.raises(ml.errors.AlreadyExistsError) as refused:
        writer.put(batch(**{field: [*others, node]}))
    assert str(refused.value).startswith(f"{said} Nothing was written to ")
    assert refused.value.status == "ALREADY_EXISTS"
    writer.put(batch(**{field: others}))  # none of them was written before


def test_a_context_of_a_request_of_mlmds(writer: Any):
    request = ml.message("PutLineageSubgraphRequest")(contexts=[{"type_id": 12, "name": "run"}])
    with pytest.raises(ml.errors.AlreadyExistsError, match="reuse_context_if_already_exist takes"):
        writer.put(request)
    request.options.reuse_context_if_already_exist = True
    assert writer.put(request).context_ids == [1]


def test_two_of_one_request(writer: Any):
    nodes = [{"type": "Model", "name": "b"}] * 2
    with pytest.raises(
        ml.errors.AlreadyExistsError, match="Two artifacts of the request have the name 'b'"
    ):
        writer.put(batch(artifacts=nodes))


def test_a_context_that_is_reused_and_whose_external_id_is_anothers(writer: Any):
    contexts = [{"type": "Run", "name": "new", "external_id": "once"}]
    with pytest.raises(ml.errors.AlreadyExistsError, match="context with the external_id 'once'"):
        writer.put(batch(contexts=contexts, options={"reuse_contexts": True}))
