"""Each check finds what it is for, and says nothing of a healthy store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.audit.checks.registry import BUILT_IN
from mlmd_lineage.audit.checks.store_rows import CHECKS as ROW_CHECKS
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.testing import START, InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
SECOND = 1_000


def healthy() -> InMemoryStore:
    """Return two runs: data from an importer, a trainer, an evaluator."""
    store = InMemoryStore()
    for number in range(2):
        digest = {"sha256": f"{number}" * 64}
        data = store.put_artifact("Data", uri=f"s3://b/data/{number}", custom_properties=digest)
        store.put_execution("Importer", outputs={"result": data})
        model = store.put_artifact("Model", uri=f"s3://b/model/{number}", custom_properties=digest)
        store.put_execution("Trainer", inputs={"data": data}, outputs={"model": model})
        report = store.put_artifact("Report", uri=f"s3://b/rep/{number}", custom_properties=digest)
        store.put_execution("Evaluator", inputs={"model": model}, outputs={"report": report})
    return store


def no_producer(store: InMemoryStore) -> list[str]:
    lone = store.put_artifact("Data")
    store.put_execution("Trainer", inputs={"data": lone}, outputs={"m": store.put_artifact("M")})
    declared = store.put_artifact("Data", custom_properties={"is_external": 1})
    store.put_execution("Trainer", inputs={"d": declared}, outputs={"m": store.put_artifact("M")})
    return [lone]


def unlinked_artifact(store: InMemoryStore) -> list[str]:
    return [store.put_artifact("Data")]


def several_producers(store: InMemoryStore) -> list[str]:
    model = store.put_artifact("Model")
    other = store.put_artifact("Model")
    for state in ("COMPLETE", "COMPLETE", "CACHED"):
        store.put_execution("Writer", outputs={"model": model}, state=state)
    store.put_execution("Writer", outputs={"model": other})
    store.put_execution("Writer", outputs={"model": other}, state="CACHED")
    imported = store.put_artifact("Data")
    for _ in range(2):
        store.put_execution("ImporterExecution", outputs={"data": imported})
    return [model]


def failed_producer(store: InMemoryStore) -> list[str]:
    made = [store.put_artifact("Model"), store.put_artifact("Model")]
    for model, state in zip(made, ("FAILED", "CANCELED"), strict=True):
        store.put_execution("Writer", outputs={"model": model}, state=state)
    logs = store.put_artifact("Logs")
    store.put_execution("Writer", outputs={"executor-logs": logs}, state="FAILED")
    return made


def unfinished_producer(store: InMemoryStore) -> list[str]:
    model = store.put_artifact("Model")
    store.put_execution("Writer", outputs={"model": model}, state="RUNNING")
    return [model]


def phantom(store: InMemoryStore) -> list[str]:
    found = [store.put_artifact("Model", state=None), store.put_artifact("Model")]
    store.put_execution("Writer", outputs={"model": found[0]}, state="RUNNING")
    failed = store.put_execution("Writer", state="FAILED")
    store.put_event(failed, found[1], "PENDING_OUTPUT")
    return found


def used_phantom(store: InMemoryStore) -> list[str]:
    model = store.put_artifact("Model", state=None)
    store.put_execution("Writer", outputs={"model": model}, state="NEW")
    store.put_execution("Evaluator", inputs={"m": model}, outputs={"r": store.put_artifact("R")})
    return [model]


def no_events(store: InMemoryStore) -> list[str]:
    store.put_execution("Step", custom_properties={"outputs": {"count": 3}})
    store.put_execution("system.DAGExecution")
    store.put_execution("Step", state="FAILED")
    return [store.put_execution("Step")]


def no_inputs(store: InMemoryStore) -> list[str]:
    data = store.put_artifact("Data", custom_properties={"is_external": 1})
    store.put_execution("Trainer", inputs={"d": data}, outputs={"m": store.put_artifact("M")})
    return [store.put_execution("Trainer", outputs={"m": store.put_artifact("M")})]


def no_outputs(store: InMemoryStore) -> list[str]:
    kind = "system.ContainerExecution"
    found = []
    for name, has_outputs in (("train", True), ("train", False), ("print", False)):
        data = store.put_artifact("Data", custom_properties={"is_external": 1})
        key = store.put_execution(
            kind,
            inputs={"d": data},
            outputs={"m": store.put_artifact("M")} if has_outputs else {},
            custom_properties={"task_name": name},
        )
        found += [] if has_outputs or name == "print" else [key]
    return found


def stuck_running(store: InMemoryStore) -> list[str]:
    store.put_execution("system.DAGExecution", state="RUNNING")
    return [store.put_execution("Step", state="RUNNING"), store.put_execution("Step", state="NEW")]


def unfinished_group(store: InMemoryStore) -> list[str]:
    for _ in range(3):
        store.put_execution("system.DAGExecution", state="RUNNING")
    return [f"type/{store.put_type('execution', 'system.DAGExecution')}"]


def used_before_produced(store: InMemoryStore) -> list[str]:
    data = store.put_artifact("Data", time=START)
    for kind, time in (("Taker", START + SECOND), ("Writer", START + 9 * SECOND)):
        step = store.put_execution(kind, time=time)
        store.put_event(step, data, "INPUT" if kind == "Taker" else "OUTPUT", time=time)
    return [data]


def used_before_created(store: InMemoryStore) -> list[str]:
    late = START + 3_600 * SECOND
    data = store.put_artifact("Data", time=late, custom_properties={"is_external": 1})
    step = store.put_execution("Taker", time=START)
    store.put_event(step, data, "INPUT", time=START + SECOND)
    return [data]


def untimed_event(store: InMemoryStore) -> list[str]:
    data = store.put_artifact("Data")
    for time in (0, START + 5 * SECOND):
        store.put_event(store.put_execution("Writer"), data, "OUTPUT", time=time)
    return [data]


def cycle(store: InMemoryStore) -> list[str]:
    first, second = store.put_artifact("Data"), store.put_artifact("Data")
    steps = [store.put_execution("Step", name=name) for name in ("one", "other")]
    for step, taken, made in ((steps[0], first, second), (steps[1], second, first)):
        store.put_event(step, taken, "INPUT", time=0)
        store.put_event(step, made, "OUTPUT", time=0)
    after = store.put_artifact("Data")
    store.put_execution("Step", inputs={"d": first}, outputs={"d": after})
    return [first, second, *steps]


def overwritten(store: InMemoryStore) -> list[str]:
    found = []
    for uri in ("s3://b/model", "s3://b/model", "ab" * 16, "ab" * 16):
        model = store.put_artifact("Model", uri=uri)
        store.put_execution("Writer", outputs={"model": model})
        found += [model] if uri.startswith("s3") else []
    both = [store.put_artifact("Model", uri="s3://b/same") for _ in range(2)]
    store.put_execution("Writer", outputs={"models": both})
    return found


def broken_link(store: InMemoryStore) -> list[str]:
    model = store.put_artifact("Model", uri="s3://b/link")
    store.put_execution("Writer", outputs={"model": model})
    found = [store.put_artifact("Model", uri="s3://b/link") for _ in range(2)]
    store.put_execution("Importer", outputs={"result": found[0]})
    store.put_execution("Taker", inputs={"m": found}, outputs={"r": store.put_artifact("R")})
    return found


def missing_digest(store: InMemoryStore) -> list[str]:
    store.put_artifact("Cmf", uri="ab" * 16)
    store.put_artifact("Cmf", name=f"data/train.csv:{'ab' * 16}", uri="s3://b/1")
    store.put_artifact("Bare", uri="s3://b/2")
    return [f"type/{store.put_type('artifact', 'Bare')}"]


def case_variant(store: InMemoryStore) -> list[str]:
    found = [store.put_context("run", name) for name in ("Churn", "churn")]
    store.put_context("pipeline", "CHURN")
    found += [store.put_artifact("M", name=name) for name in ("Model", "MODEL", "model")]
    types = [store.put_type("execution", name) for name in ("Trainer", "trainer")]
    return [*found, *(f"type/{number}" for number in types)]


CASES: dict[str, Callable[[InMemoryStore], list[str]]] = {
    found.__name__: found
    for found in (
        no_producer,
        unlinked_artifact,
        several_producers,
        failed_producer,
        unfinished_producer,
        phantom,
        used_phantom,
        no_events,
        no_inputs,
        no_outputs,
        stuck_running,
        unfinished_group,
        used_before_produced,
        used_before_created,
        untimed_event,
        cycle,
        overwritten,
        broken_link,
        missing_digest,
        case_variant,
    )
}


def test_every_check_is_tested():
    rest = {check.name for check in BUILT_IN if not check.reads_bytes}
    assert rest == set(CASES) | {check.name for check in ROW_CHECKS}


def test_every_code_of_a_finding_is_a_check_once():
    names = [check.name for check in BUILT_IN]
    assert len(set(names)) == len(names)
    assert {code.value for code in FindingCode} <= set(names)


def test_a_healthy_store_has_no_findings():
    assert healthy().audit().empty


@pytest.mark.parametrize("name", CASES)
def test_a_check_finds_what_it_is_for_and_nothing_else(name: str):
    store = InMemoryStore()
    expected = CASES[name](store)
    found = store.audit(only=[name])
    assert sorted(found["node"]) == sorted(expected)
    assert set(found["check"]) == {name}
    for evidence in found["evidence"]:
        assert isinstance(json.loads(evidence), dict)


# These compare a node with others, of which a scope reads only those that are near.
COMPARING = {"case_variant", "no_inputs", "no_outputs"}


@pytest.mark.parametrize("name", sorted(set(CASES) - COMPARING))
def test_a_scope_finds_the_same_of_its_nodes(name: str):
    store = InMemoryStore()
    nodes = [node for node in CASES[name](store) if node.startswith(("artifact/", "execution/"))]
    whole = store.audit(only=[name])
    for node in nodes:
        scoped = store.audit(node, only=[name])
        kept = whole[whole["node"] == node].to_dict("records")
        assert scoped[scoped["node"] == node].to_dict("records") == kept


def test_a_scope_is_a_lineage_up_and_down():
    store = InMemoryStore()
    data = [store.put_artifact("Data") for _ in range(2)]
    made = [store.put_artifact("Model") for _ in range(2)]
    for taken, model in zip(data, made, strict=True):
        store.put_execution("Trainer", inputs={"d": taken}, outputs={"m": model})
    assert store.audit()["node"].tolist() == data
    for start in (data[0], made[0], "execution/1"):
        assert store.audit(start)["node"].tolist() == [data[0]]


@pytest.mark.parametrize(
    "name",
    ["tfx_local.db", "kfp2_emulated.db", "zenml_0132.db", "real/cmf_getting_started.db"],
)
def test_a_scope_of_a_real_store_finds_the_same(name: str, shared_stores: Path):
    store = ml.connect(shared_stores / name)
    whole = store.audit()
    of_nodes = whole[whole["node"].str.match("artifact/|execution/")]
    for node in of_nodes["node"].unique().tolist()[:5]:
        scoped = store.audit(node)
        held = set(store.upstream(node)) | set(store.downstream(node))
        expected = of_nodes[of_nodes["node"].isin(held) & ~of_nodes["check"].isin(COMPARING)]
        kept = scoped["node"].str.match("artifact/|execution/") & ~scoped["check"].isin(COMPARING)
        assert scoped[kept].to_dict("records") == expected.to_dict("records")


REAL: dict[str, dict[str, int]] = {
    "tfx_local.db": {"broken_link": 1},
    "zenml_0132.db": {"stuck_running": 1},
    "kfp1_emulated.db": {"no_outputs": 1},
    "kfp2_emulated.db": {},
    "real/cmf_getting_started.db": {"no_producer": 1, "several_producers": 2},
    "real/model_registry.db": {},
    "real/tfx_dead_runs.db": {"stuck_running": 5},
    "real/tfx_interactive.db": {},
    "real/tfx_phantoms_v6.db": {"stuck_running": 16},
    "real/tfx_sepsis_2022_04.db": {},
    "real/tfx_sepsis_2022_05.db": {"stuck_running": 5},
    "real/tfx_sepsis_2022_06.db": {"stuck_running": 8},
}
"""The errors and warnings of each real store, which were looked at one by one."""


@pytest.mark.parametrize("name", REAL)
def test_real_stores_are_not_alarmed_about(name: str, shared_stores: Path):
    found = ml.connect(shared_stores / name).audit()
    worse = found[found["severity"] != "note"]
    assert worse.groupby("check").size().to_dict() == REAL[name]


def test_the_phantoms_of_a_real_store(shared_stores: Path):
    store = ml.connect(shared_stores / "real" / "tfx_phantoms_v6.db")
    assert len(store.audit(only="phantom")) == 16


def test_a_broken_link_proposes_the_link():
    [row] = ml.connect(DEMO_STORE).audit(only="broken_link").to_dict("records")
    assert row["node"] == "artifact/45"
    evidence: dict[str, Any] = json.loads(row["evidence"])
    assert (evidence["same_as"], evidence["producer"]) == ("artifact/7", "execution/6")
    assert ml.connect(DEMO_STORE).audit(only="no_events").empty
