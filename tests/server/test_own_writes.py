"""What clients write to our own engine: as to MLMD's library, call by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import service_requests
import sqlite_stores
from kfp_driver import KfpDriver
from metadata_service import served
from native_library import NEEDS_FILTERS

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path

TIMES = {
    "create_time_since_epoch",
    "last_update_time_since_epoch",
    "milliseconds_since_epoch",
    "next_page_token",
}


def comparable(response: Any) -> Any:
    """Return what of a response does not depend on the time, or on which server answered."""
    if isinstance(response, str):
        return "a status"
    if not hasattr(response, "ListFields"):
        return response
    found = {}
    for field, value in response.ListFields():
        if field.name in TIMES:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            found[field.name] = {key: comparable(value[key]) for key in sorted(value)}
        elif isinstance(value, (str, bytes, int, float)):
            found[field.name] = value
        elif field.message_type and hasattr(value, "ListFields"):
            found[field.name] = comparable(value)
        else:
            found[field.name] = [comparable(one) for one in value]
    return found


@pytest.mark.native
@NEEDS_FILTERS
def test_a_run_of_kubeflow_pipelines_is_answered_as_by_the_library(tmp_path: Path):
    answers = {}
    for engine in ("own", "native"):
        path = tmp_path / f"{engine}.db"
        with (
            served(path, "--create", "--engine", engine) as service,
            service_requests.channel(service.address) as channel,
        ):
            driver = KfpDriver(service_requests.client(channel))
            driver.run("churn", "6f1c")
            driver.run("churn", "70aa")
            answers[engine] = [
                (method, status, comparable(response))
                for method, status, response in driver.responses
            ]
    assert len(answers["own"]) > 80
    assert {status for _, status, _ in answers["own"]} == {0, 5, 6}
    assert answers["own"] == answers["native"]
    runs = ml.connect(tmp_path / "own.db").get_pipeline("churn").runs
    assert [run.name for run in runs] == ["6f1c", "70aa"]
    assert runs[-1].get_step("train").inputs["examples"].uri == "gs://data"


@pytest.mark.slow
def test_create_leaves_a_store_alone_and_refuses_other_databases(path: Path, tmp_path: Path):
    before = sqlite_stores.state_of(path)
    with served(path, "--create") as service, service_requests.channel(service.address) as channel:
        assert len(service_requests.client(channel)("GetArtifacts")[1].artifacts) == 47
    assert sqlite_stores.state_of(path) == before
    other = tmp_path / "other.db"
    sqlite_stores.change(other, "CREATE TABLE customer (id INT)")
    before = sqlite_stores.state_of(other)
    assert "customer" in service_requests.refused(other, "--create")
    assert sqlite_stores.state_of(other) == before


@pytest.mark.slow
def test_what_is_written_is_read_back_with_every_digit(tmp_path: Path):
    with (
        served(tmp_path / "new.db", "--create", "--workers", "2", without_mlmd=True) as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        _, put = call("PutArtifactType", artifact_type={"name": "Model"})
        artifact: Any = service_requests.message("Artifact", type_id=put.type_id)
        artifact.custom_properties["learning_rate"].double_value = 1e-7 / 3
        status, made = call("PutArtifacts", artifacts=[artifact])
        assert status == 0
        _, found = call("GetArtifactsByID", artifact_ids=made.artifact_ids)
        [kept] = found.artifacts
        assert kept.custom_properties["learning_rate"].double_value == 1e-7 / 3

        # The time of the last update is the lock that keeps two writers apart.
        lock = {"abort_if_latest_updated_time_changed": True}
        kept.uri = "s3://first"
        assert call("PutArtifacts", artifacts=[kept], options=lock)[0] == 0
        kept.uri = "s3://second"
        status, said = call("PutArtifacts", artifacts=[kept], options=lock)
        assert (status, "last_update_time_since_epoch" in said) == (9, True)
        mask = {"paths": ["custom_properties.learning_rate"]}
        assert call("PutArtifacts", artifacts=[kept], update_mask=mask)[0] == 0
        _, found = call("GetArtifactsByID", artifact_ids=made.artifact_ids)
        assert found.artifacts[0].uri == "s3://first"
        assert call("PutArtifacts", raw=b"\x7a\x00")[0] == 3  # an unknown field
