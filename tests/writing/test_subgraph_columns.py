"""Subgraphs of many nodes, put by columns and node by node, end in the same store."""

from __future__ import annotations

import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from google.protobuf.struct_pb2 import Struct
from random_puts import PROPERTIES, VALUES
from twins import OurTwin, sqlite_rows

import mlmd_lineage as ml
from mlmd_lineage.writing import message_columns, subgraph_columns
from mlmd_lineage.writing.subgraph_request import Options, SubgraphRequest
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ARTIFACT_TYPE, EXECUTION_TYPE, CONTEXT_TYPE = range(3)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    if message_columns.library() is None:
        pytest.skip("the C library is not compiled")


TYPES = {
    "artifact_types": [{"name": "A", "properties": {"i": 1, "d": 2, "s": 3, "st": 4}}],
    "execution_types": [{"name": "E", "properties": {"i": 1, "p": 5, "b": 6}}],
    "context_types": [{"name": "C"}],
}


def properties_of(random: Random, names: list[str]) -> dict[str, Any]:
    held = random.sample(names, random.randint(0, len(names)))
    return {name: random.choice(VALUES[PROPERTIES[name]]) for name in held}


def custom_of(random: Random) -> dict[str, Any]:
    kinds = [*VALUES.values()]
    chosen = random.sample(["i", "ü", "", "x.y"], random.randint(0, 3))
    return {name: random.choice(random.choice(kinds)) for name in chosen}


def node(random: Random, kind: str, type_id: int, number: int) -> Any:
    """Return a node, most of which have the same properties."""
    made = message(kind)(type_id=type_id)
    usual = random.randrange(4)
    names = {"Artifact": ["i", "d", "s", "st"], "Execution": ["i", "p", "b"]}[kind]
    held = {"i": VALUES["INT"][0]} if usual else properties_of(random, names)
    for name, value in held.items():
        made.properties[name].CopyFrom(value)
    for name, value in ({"k": VALUES["STRING"][2]} if usual else custom_of(random)).items():
        made.custom_properties[name].CopyFrom(value)
    if random.randrange(8):
        made.name = random.choice([f"n{number}", f"日本 {number}"])
    if not random.randrange(3):
        made.external_id = f"e{number}"
    state = random.choice([None, 0, 2, 3])
    if state is not None:
        setattr(made, "state" if kind == "Artifact" else "last_known_state", state)
    if kind == "Artifact" and random.randrange(6):
        made.uri = random.choice(["", "s3://b/x", "ü"])
    if not random.randrange(20):
        made.create_time_since_epoch = 5
        made.type = "another"
    return made


def edge(random: Random, number: int) -> Any:
    made = message("PutLineageSubgraphRequest.EventEdge")()
    made.execution_index, made.artifact_index = number % 30, number
    made.event.type = 1 + number // 30 % 7
    if not random.randrange(3):
        made.event.path.steps.add().key = random.choice(["x", "ü"])
        made.event.path.steps.add().index = random.choice([0, -1, 7])
        if not random.randrange(3):
            made.event.path.steps.add()
    if not random.randrange(3):
        made.event.milliseconds_since_epoch = random.choice([0, 5, 10**10])
    return made


def subgraph(random: Random, types: list[int], start: int) -> Any:
    """Return the request of a subgraph of many new nodes."""
    request = message("PutLineageSubgraphRequest")()
    for number in range(start, start + 50):
        request.artifacts.append(node(random, "Artifact", types[ARTIFACT_TYPE], number))
    for number in range(start, start + 30):
        request.executions.append(node(random, "Execution", types[EXECUTION_TYPE], number))
    for number in range(random.randrange(3)):
        request.contexts.add(type_id=types[CONTEXT_TYPE], name=f"c{number}")
    for number in range(random.choice([0, 1, 50])):
        request.event_edges.append(edge(random, number))
    request.options.reuse_context_if_already_exist = True
    request.options.reuse_artifact_if_already_exist_by_external_id = bool(random.randrange(2))
    return request


def _no_value(request: Any) -> None:
    request.artifacts[40].custom_properties["x"].SetInParent()


def _reserved(request: Any) -> None:
    request.executions[7].custom_properties["x"].string_value = "mlmd-struct::x"


def _not_reserved(request: Any) -> None:
    request.executions[7].custom_properties["x"].string_value = "mlmd"


def _undeclared(request: Any) -> None:
    request.executions[29].properties["zz"].int_value = 1


def _another_kind(request: Any) -> None:
    request.artifacts[0].properties["i"].double_value = 1


def _no_type(request: Any) -> None:
    request.artifacts[3].ClearField("type_id")


def _unknown_type(request: Any) -> None:
    request.executions[3].type_id = 99


def _type_of_others(request: Any) -> None:
    request.executions[3].type_id = request.artifacts[0].type_id


def _out_of_range(request: Any) -> None:
    request.event_edges.add(execution_index=30, artifact_index=0).event.type = 1


def _negative(request: Any) -> None:
    request.event_edges.add(execution_index=-1, artifact_index=0).event.type = 1


def _no_event_type(request: Any) -> None:
    request.event_edges.add(execution_index=0, artifact_index=0).event.SetInParent()


def _no_event(request: Any) -> None:
    request.event_edges.add(execution_index=0, artifact_index=0)


def _by_id(request: Any) -> None:
    made = request.event_edges.add(execution_index=0)
    made.event.artifact_id, made.event.type = 1, 3


def _same_edge(request: Any) -> None:
    for _ in range(2):
        request.event_edges.add(execution_index=1, artifact_index=1).event.type = 3


def _same_name(request: Any) -> None:
    request.artifacts[8].name = request.artifacts[9].name = "twice"


def _same_external_id(request: Any) -> None:
    request.executions[8].external_id = request.executions[9].external_id = "twice"


def _stored_external_id(request: Any) -> None:
    request.artifacts[9].external_id = "stored"


def _update(request: Any) -> None:
    request.artifacts[9].id = 1


def _nan(request: Any) -> None:
    request.artifacts[9].custom_properties["x"].double_value = float("nan")


def _no_name_of_context(request: Any) -> None:
    request.contexts.add(type_id=request.artifacts[0].type_id)


def _many_names(request: Any) -> None:
    for number in range(1100):
        request.artifacts[number % 50].custom_properties[f"p{number}"].int_value = number


def _large_numbers(request: Any) -> None:
    for number, value in enumerate((2**63 - 1, -(2**63), 2**31, -1)):
        request.artifacts[0].custom_properties[f"p{number}"].int_value = value
        request.artifacts[0].custom_properties[f"d{number}"].double_value = 1 / value


FAULTS: list[Callable[[Any], None] | None] = [
    *(None, _no_value, _reserved, _not_reserved, _undeclared, _another_kind, _no_type, _nan),
    *(_unknown_type, _type_of_others, _out_of_range, _negative, _no_event_type, _no_event, _by_id),
    *(_same_edge, _same_name, _same_external_id, _stored_external_id, _update, _many_names),
    *(_no_name_of_context, _large_numbers),
]


def unserialized(request: Any) -> SubgraphRequest:
    """Return a request as ``put_lineage_subgraph`` makes it."""
    edges = [
        (
            given.execution_index if given.HasField("execution_index") else None,
            given.artifact_index if given.HasField("artifact_index") else None,
            given.event,
        )
        for given in request.event_edges
    ]
    options = Options(
        request.options.reuse_context_if_already_exist,
        request.options.reuse_artifact_if_already_exist_by_external_id,
    )
    return SubgraphRequest(request.executions, request.artifacts, request.contexts, edges, options)


def test_columns_and_nodes_end_in_the_same_store(tmp_path: Path):
    names = ["nodes", "message", "messages"]
    paths = {name: tmp_path / f"{name}.db" for name in names}
    twins = {name: OurTwin(path) for name, path in paths.items()}
    stored = message("PutArtifactsRequest")()
    for name, twin in twins.items():
        _, answer = twin.put(message("PutTypesRequest")(**TYPES))
        types = [
            *answer.artifact_type_ids,
            *answer.execution_type_ids,
            *answer.context_type_ids,
        ]
        if name == names[0]:
            stored.artifacts.add(type_id=types[ARTIFACT_TYPE], external_id="stored")
        twin.put(stored)
    random = Random(5)  # noqa: S311 - no secret
    for number, fault in enumerate(FAULTS):
        request = subgraph(random, types, 100 * number)
        if fault is not None:
            fault(request)
        with mock.patch.object(message_columns, "library", return_value=None):
            expected = twins["nodes"].put(request)
        found = [twins["message"].put(request)]
        if fault is not _no_event:  # which cannot be said otherwise
            found.append(twins["messages"].put(unserialized(request)))
        else:
            twins["messages"].put(request)
        for status, answer in found:
            assert status == expected[0], fault
            if status:  # a message names the file
                assert answer.partition(str(tmp_path))[0] == expected[1].partition(str(tmp_path))[0]
            else:
                assert answer == expected[1]
    for twin in twins.values():
        twin.close()
    rows = {name: sqlite_rows(path) for name, path in paths.items()}
    assert len(rows["nodes"]["Artifact"]) > 300
    assert rows["message"] == rows["nodes"]
    assert rows["messages"] == rows["nodes"]


@pytest.mark.parametrize("fault", [None, _not_reserved, _same_edge, _large_numbers])
def test_what_is_usual_is_decoded(fault: Callable[[Any], None] | None, tmp_path: Path):
    ml.connect(tmp_path / "new.db", create=True)
    random = Random(1)  # noqa: S311 - no secret
    seen: list[bool] = []
    decoded = subgraph_columns.decoded

    def watched(*arguments: Any) -> Any:
        found = decoded(*arguments)
        seen.append(found is not None)
        return found

    with (
        ml.connect(tmp_path / "new.db").writer() as writer,
        mock.patch.object(subgraph_columns, "decoded", watched),
    ):
        answer = writer.put(message("PutTypesRequest")(**TYPES))
        types = [*answer.artifact_type_ids, *answer.execution_type_ids, *answer.context_type_ids]
        request = subgraph(random, types, 0)
        if fault is not None:
            fault(request)
        if fault is _same_edge:
            with pytest.raises(ml.errors.AlreadyExistsError):
                writer.put(request)
        else:
            writer.put(request)
    assert seen == [True]


def test_bytes_that_are_no_messages_are_not_decoded():
    random = Random(3)  # noqa: S311 - no secret
    data = bytearray(subgraph(random, [10, 11, 12], 0).SerializeToString())
    for _ in range(3000):
        place = random.randrange(len(data))
        before = data[place]
        data[place] = random.randrange(256)
        given = bytes(data[: random.choice([len(data), random.randrange(len(data))])])
        for field in (1, 2, 4):
            found = message_columns.MessageBytes.in_field(given, field)
            if found is not None and field == 4:
                message_columns.edges(found, 1)
            elif found is not None:
                message_columns.nodes(found, are_artifacts=field == 2)
        if random.randrange(2):
            data[place] = before


@pytest.mark.parametrize(
    "texts",
    [[], [""], ["", ""], ["a", "", "ü", "日本", "z"], ["a", "b\0c", "d"], ["\0"], ["\0", ""]],
)
def test_texts_are_found_whatever_is_in_them(texts: list[str]):
    parts = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, parts)])
    # Some of the bytes between, as a column of an array with others has them.
    places = np.stack([ends[:-1] + 1, ends[1:] + 1]).T.copy()
    given = message_columns.MessageBytes(b"-" + b"".join(parts), ends[:0], ends[:0])
    assert given.texts(places[:, 0], places[:, 1]) == texts


def test_a_text_that_is_not_utf_8_is_not_decoded():
    for data in (b"a\xff", b"a\xff\0"):
        given = message_columns.MessageBytes(data, np.array([0]), np.array([len(data)]))
        with pytest.raises(UnicodeDecodeError):
            given.texts(given.starts, given.ends)


def test_messages_of_two_classes_are_serialized():
    other = Struct()
    other.update({"a": 1})
    given = message_columns.MessageBytes.of([message("Artifact")(id=7), other])
    assert given.data == b"\x08\x07" + other.SerializeToString()
    assert given.ends.tolist() == [2, len(given.data)]


def test_decoding_loads_nothing_more_of_numpy():
    """As its masked arrays, which take longer to load than a thousand nodes to decode."""
    code = """
import sys, numpy
from mlmd_lineage.writing import message_columns
from mlmd_lineage.writing.writer import message
given = message_columns.MessageBytes.of([message("Artifact")(type_id=1, name="a")] * 3)
before = {*sys.modules}
assert message_columns.nodes(given, are_artifacts=True).names == ["a"] * 3
print([name for name in {*sys.modules} - before if name.startswith("numpy")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[]\n")


def test_put_lineage_subgraph_takes_the_arguments_of_the_client(tmp_path: Path):
    store = ml.connect(tmp_path / "new.db", create=True)
    with store.writer() as writer:
        answer = writer.put(message("PutTypesRequest")(**TYPES))
        context = message("Context")(type_id=answer.context_type_ids[0], name="run")
        artifacts = [message("Artifact")(type_id=answer.artifact_type_ids[0]) for _ in range(2)]
        execution = message("Execution")(type_id=answer.execution_type_ids[0])
        for times in (1, 2):
            executions, made, contexts = writer.put_lineage_subgraph(
                [execution],
                artifacts,
                [context],
                [(0, 0, message("Event")(type=3)), (0, 1, message("Event")(type=4))],
                reuse_context_if_already_exist=True,
            )
            assert (executions, made) == ([times], [2 * times - 1, 2 * times])
            assert contexts == [1]
        by_id = message("Event")(type=3, artifact_id=1)
        executions, _, _ = writer.put_lineage_subgraph([execution], [], [], [(0, None, by_id)])
    assert store.upstream("execution/3").nodes["id"].tolist() == [1, 3]
