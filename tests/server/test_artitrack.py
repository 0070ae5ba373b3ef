"""artitrack, where it is installed, records into the service of our own engine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from metadata_service import served

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.native  # its client is ml_metadata's


def test_artitrack_reads_back_what_it_records(tmp_path: Path):
    pytest.importorskip("artitrack")
    from artitrack.models import JobExecution, PipelineRun
    from artitrack.storage.metadata import MlmdMetadataStore
    from artitrack.types import JobStatus, RunStatus

    now = dt.datetime.now(tz=dt.timezone.utc)
    path, decoy = tmp_path / "store.db", tmp_path / "decoy.db"
    with served(path, "--create", "--engine", "own") as service:
        store = MlmdMetadataStore(
            db_path=str(decoy), use_grpc=True, grpc_host=service.host, grpc_port=service.port
        )
        experiment = store.get_or_create_experiment("sweep", "learning rates")
        assert store.get_or_create_experiment("sweep") == experiment
        run = PipelineRun(
            run_id="run-1",
            experiment_name="sweep",
            pipeline_version="1.0",
            status=RunStatus.PENDING,
            created_at=now,
            config={"lr": 1e-7},
        )
        store.create_run(run, parent_context_id=experiment)
        for number, step in enumerate(("train", "evaluate"), 1):
            job = JobExecution(
                job_id=f"run-1:{step}",
                ts_job_id=number,
                run_id="run-1",
                step_name=step,
                status=JobStatus.FINISHED,
                created_at=now,
            )
            store.create_job(job)
        store.add_output_artifact("run-1:train", "Model", "/models/1")
        store.add_output_artifact("run-1:evaluate", "Metrics", "/metrics/1")
        store.add_job_metrics("run-1:evaluate", {"auc": 0.9123456789012345})
        assert {job.step_name for job in store.get_jobs_for_run("run-1")} == {"train", "evaluate"}
        assert [found.step_name for found in store.get_jobs_writing_path("/models/1")] == ["train"]
        assert [found.run_id for found in store.get_all_runs()] == ["run-1"]
        assert store.get_job_by_ts_id(2).job_id == "run-1:evaluate"
    assert not decoy.exists()  # artitrack falls back to a file of its own where a service fails
    [model] = ml.connect(path).find_artifacts("uri = '/models/1'").index
    assert "run-1:train" in set(ml.connect(path).upstream(f"artifact/{model}").nodes["name"])
