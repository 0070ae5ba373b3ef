"""What our own readers answer, against MLMD's library: the same requests, the same responses."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import odd_stores
import pytest
import server_stores
import service_requests
import sqlite_stores
from metadata_service import served
from native_library import NEEDS_FILTERS

import mlmd_lineage as ml
from mlmd_lineage import _proto
from mlmd_lineage._proto import only_ours
from mlmd_lineage.server.backend import parse_request
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mlmd_lineage.snapshot.tables import Tables


class Two:
    """A store that both answer for: MLMD's library, and our readers."""

    def __init__(self, path: Path, native: Callable[..., Any], ours: Callable[..., Any]) -> None:
        self.tables = ml.connect(path).snapshot()
        self.native = native
        self.ours = ours

    def differences(self, requests: Iterator[service_requests.Request]) -> list[str]:
        found = []
        for method, fields in requests:
            expected, answer = self.native(method, **fields), self.ours(method, **fields)
            if answer[0] != expected[0] or _plain(answer[1]) != _plain(expected[1]):
                found.append(
                    f"{method} {fields}:\n{str(answer)[:1500]}\nnot\n{str(expected)[:1500]}"
                )
        return found


def _plain(answer: Any) -> Any:
    """Return what of a response must be the same.

    A token is each server's own, and so are the words beside a status. The library leaves some
    orders to the database, and the types of artifacts without their bases.
    """
    if isinstance(answer, str):
        return ""
    name = answer.DESCRIPTOR.name
    if name in {"GetEventsByArtifactIDsResponse", "GetArtifactsByURIResponse"}:
        return sorted(map(str, [*getattr(answer, "events", ()), *getattr(answer, "artifacts", ())]))
    if name == "GetLineageSubgraphResponse":
        graph = answer.lineage_subgraph
        for type_ in (*graph.artifact_types, *graph.execution_types):
            type_.ClearField("base_type")
        return {field.name: sorted(map(str, values)) for field, values in graph.ListFields()}
    if name == "GetArtifactsByIDResponse":
        for type_ in answer.artifact_types:
            type_.ClearField("base_type")
    if "next_page_token" in answer.DESCRIPTOR.fields_by_name:
        token = bool(answer.next_page_token)
        answer.ClearField("next_page_token")
        return answer, token
    return answer


@pytest.fixture(scope="module", params=["made", "tfx_local", "kfp2_emulated"])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    path = tmp_path_factory.mktemp("two") / "metadata.db"
    if request.param == "made":
        with only_ours():  # with the library in it, this process reads SQLite by another one
            server_stores.fill_natively(ml.SQLiteMetadataStore(uri=path), 1000)
    else:
        stores = request.getfixturevalue("shared_stores")
        shutil.copyfile(stores / f"{request.param}.db", path)
    with (
        served(path, "--engine", "native") as native,
        service_requests.channel(native.address) as channel,
    ):
        yield Two(path, service_requests.client(channel), service_requests.reader_client(path))


@pytest.mark.native
def test_every_answer_is_the_librarys(two: Two):
    requests = list(service_requests.requests_about(two.tables))
    assert two.differences(iter(requests)) == []


@pytest.mark.native
@NEEDS_FILTERS
def test_every_lineage_is_the_librarys(two: Two):
    assert two.differences(service_requests.lineage_requests(two.tables)) == []


@pytest.mark.native
@NEEDS_FILTERS
def test_every_filtered_list_is_the_librarys(two: Two):
    assert two.differences(service_requests.filter_requests(two.tables)) == []


class Reading(NamedTuple):
    """A store for which our readers answer."""

    tables: Tables
    call: Callable[..., Any]


@pytest.fixture(scope="module", params=["sqlite", "archive"])
def reading(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    snapshot = ml.connect(service_requests.DEMO_STORE).snapshot()
    path = service_requests.DEMO_STORE
    if request.param == "archive":
        path = snapshot.save(tmp_path_factory.mktemp("archive") / "archive")
    return Reading(snapshot, service_requests.reader_client(path))


@pytest.mark.parametrize("kind", ["Artifact", "Execution", "Context"])
@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 9, 100])
def test_pages_make_the_whole_list(reading: Reading, kind: str, size: int):
    numbers = reading.tables[kind]["id"].to_pylist()
    for order in service_requests.orders(size):
        got = [
            node
            for page in service_requests.pages(reading.call, f"Get{kind}s", options=order)
            for node in getattr(page, f"{kind.lower()}s")
        ]
        assert sorted(node.id for node in got) == numbers
        by = {1: "create_time_since_epoch", 2: "last_update_time_since_epoch", 3: "id"}
        keys = [(getattr(n, by[order.order_by_field.field]), n.id) for n in got]
        assert keys == sorted(keys, reverse=not order.order_by_field.is_asc)


def test_a_large_page_is_whole(reading: Reading):
    # Where more than 100 are asked for, MLMD gives 101, and does not say that more follow.
    status, page = reading.call(
        "GetExecutions", options=service_requests.options(max_result_size=5000)
    )
    assert (status, len(page.executions), page.next_page_token) == (0, 57, "")


def test_a_token_goes_with_its_order(reading: Reading):
    _, page = reading.call("GetArtifacts", options=service_requests.options(max_result_size=3))
    again = service_requests.options(
        max_result_size=3, next_page_token=page.next_page_token, order_by_field={"field": 1}
    )
    status, said = reading.call("GetArtifacts", options=again)
    assert (status, "order_by_field" in said) == (3, True)


def test_what_the_server_does_not_know_is_refused(reading: Reading):
    # A transaction option of number 1000, an order of a kind that is yet to come.
    for method, request in (
        ("GetArtifacts", b"\x12\x03\xc2\x3e\x00"),
        ("GetArtifacts", b"\x0a\x04\x12\x02\x08\x09"),
        ("GetArtifactTypes", b"\x7a\x00"),
    ):
        status, said = reading.call(method, raw=request)
        assert (status, "does not know" in said) == (3, True), method


def test_garbage_is_refused(reading: Reading):
    status, said = reading.call("GetArtifacts", raw=b"\xff\xff\xff")
    assert (status, "GetArtifactsRequest" in said) == (3, True)


def test_what_nobody_answers(reading: Reading):
    assert reading.call("GetLineageGraph")[0] == 12


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8, 9])
def test_old_schemas_are_served(tmp_path: Path, version: int):
    path = sqlite_stores.new_store(tmp_path / "old.db", version=version)
    before = sqlite_stores.state_of(path)
    tables = ml.connect(path).snapshot()
    call = service_requests.reader_client(path)
    for method, fields in service_requests.requests_about(tables):
        assert call(method, **fields)[0] in {0, 3, 5}, method
    for kind in ("artifact", "execution", "context"):
        table = kind.capitalize()
        _, page = call(f"Get{table}s", options=next(service_requests.orders(100)))
        found = {node.id: node.name for node in getattr(page, f"{kind}s")}
        rows = tables[table].to_pylist()
        assert found == {row["id"]: row["name"] or "" for row in rows}
    assert sqlite_stores.state_of(path) == before


def test_a_bad_row_does_not_hide_the_others(tmp_path: Path):
    wrong = {
        "null": {"string_value": "__MLMD_NULL__"},
        "struct": {"string_value": "mlmd-struct::!"},
        "nothing": {},
        "number": {"int_value": 7},
    }
    path = odd_stores.store(
        tmp_path / "odd.db",
        {
            "Artifact": [odd_stores.artifact(1, state=9, type_id=77), odd_stores.artifact(2)],
            "Execution": [odd_stores.execution(1)],
            "ArtifactProperty": [
                {"artifact_id": 1, "name": name, "is_custom_property": 1, **value}
                for name, value in wrong.items()
            ],
            "Event": odd_stores.events([(1, 1, 4), (9, 1, 3), (2, 1, 9)]),
        },
    )
    call = service_requests.reader_client(path)
    status, found = call("GetArtifacts")
    assert (status, [a.id for a in found.artifacts]) == (0, [1, 2])
    [first, second] = found.artifacts
    held = first.custom_properties
    assert held["null"].string_value == "__MLMD_NULL__"
    assert held["struct"].string_value == "mlmd-struct::!"
    assert held["nothing"].WhichOneof("value") is None
    assert held["number"].int_value == 7
    # A number that MLMD does not name stays with the message, for whoever knows it.
    assert not first.HasField("state")
    size = first.ByteSize()
    first.DiscardUnknownFields()
    assert size == first.ByteSize() + 2
    assert (first.type_id, first.HasField("type"), second.type) == (77, False, "Data")
    status, events = call("GetEventsByExecutionIDs", execution_ids=[1])
    assert [e.artifact_id for e in events.events] == [1, 9, 2]


def test_texts_that_are_not_utf8_are_refused():
    asked = _proto.message("GetArtifactsRequest")()
    asked.options.filter_query = "QQQQ"
    put = _proto.message("PutArtifactsRequest")()
    put.artifacts.add(uri="Zürich").custom_properties["QQQQ"].string_value = "ü"
    for name, request, field in (
        ("GetArtifacts", asked, "ListOperationOptions.filter_query"),
        ("PutArtifacts", put, "Artifact.custom_properties"),
    ):
        data = request.SerializeToString()
        assert parse_request(name, data) == request
        with pytest.raises(StatusError, match=f"{field} .*not valid UTF-8") as caught:
            parse_request(name, data.replace(b"QQQQ", b"\xff\xfeQQ"))
        assert caught.value.code == StatusCode.INVALID_ARGUMENT
