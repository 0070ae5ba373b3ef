"""Exports: valid by their formats' schemas and reference libraries, and the same each time."""

from __future__ import annotations

import http.server
import io
import json
import math
import threading
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import odd_stores
import pytest
import spdx_python_model
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde
from prov.model import ProvDocument
from rocrate.rocrate import ROCrate

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit.exports import export_files, open_lineage
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
STORES = {
    "tfx_local.db": 4,
    "kfp1_emulated.db": 11,
    "kfp2_emulated.db": 20,
    "zenml_0132.db": 30,
    "real/cmf_getting_started.db": 12,
    "real/model_registry.db": None,
    "real/tfx_dead_runs.db": None,
    "real/tfx_interactive.db": 10,
    "real/tfx_phantoms_v6.db": 5,
    "real/tfx_sepsis_2022_04.db": 9,
    "real/tfx_sepsis_2022_05.db": 60,
    "real/tfx_sepsis_2022_06.db": 120,
}
VALIDATORS = {
    "1.6": JsonStrictValidator(SchemaVersion.V1_6),
    "1.7": JsonStrictValidator(SchemaVersion.V1_7),
}


def check_prov(graph: ml.LineageGraph) -> None:
    document = ml.to_prov(graph)
    # NaN is never equal to NaN.
    as_json, as_n = (
        text.replace('"NaN"', '"0"') for text in (json.dumps(document), ml.to_provn(document))
    )
    parsed = ProvDocument.deserialize(content=as_json, format="json")
    assert ProvDocument.deserialize(content=as_n, format="provn") == parsed
    held = len(document.get("entity", {})) + len(document.get("activity", {}))
    relations = ("used", "wasGeneratedBy", "wasInfluencedBy", "hadMember")
    held += sum(len(document.get(name, {})) for name in relations)
    assert len(parsed.records) == held
    events = [
        key for name in relations for key in document.get(name, {}) if key.startswith("event:")
    ]
    assert len(events) == graph.index.size


def check_bom(graph: ml.LineageGraph) -> None:
    for version, validator in VALIDATORS.items():
        bom = ml.to_ml_bom(graph, version=version)
        assert validator.validate_str(json.dumps(bom)) is None
        tasks = [
            t for formula in bom.get("formulation", []) for t in formula["workflows"][0]["tasks"]
        ]
        assert len(tasks) == len(graph.index.execution_ids)
        subject = bom["metadata"]["component"]["bom-ref"]
        assert len(bom["components"]) + (subject != "store") == graph.index.artifacts


def check_spdx(graph: ml.LineageGraph) -> None:
    document = ml.to_spdx(graph)
    model, objects = spdx_python_model.load_data(json.loads(json.dumps(document)))
    written = io.BytesIO()
    model.JSONLDSerializer().write(objects, written)  # which takes no object without what it needs
    assert len(json.loads(written.getvalue())["@graph"]) == len(document["@graph"])
    kinds = Counter(element["type"] for element in document["@graph"])
    packages = kinds["ai_AIPackage"] + kinds["dataset_DatasetPackage"]
    assert packages == graph.index.artifacts
    assert kinds["build_Build"] == len(graph.index.execution_ids)
    identifiers = [element.get("spdxId") for element in document["@graph"]]
    assert len(identifiers) == len(set(identifiers))
    for element in document["@graph"]:
        assert {element.get("from"), *element.get("to", ())} - {None} <= set(identifiers)


def check_openlineage(graph: ml.LineageGraph) -> None:
    """Make the client's own events of ours, which check their fields, and compare what it sends."""
    for event in ml.to_openlineage(graph)["events"]:
        client_event = event_v2.RunEvent(
            eventType=event_v2.RunState[event["eventType"]],
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=event_v2.Run(event["run"]["runId"], client_facets(event["run"]["facets"])),
            job=event_v2.Job(
                event["job"]["namespace"],
                event["job"]["name"],
                client_facets(event["job"]["facets"]),
            ),
            inputs=[
                event_v2.InputDataset(d["namespace"], d["name"], facets=client_facets(d["facets"]))
                for d in event["inputs"]
            ],
            outputs=[
                event_v2.OutputDataset(d["namespace"], d["name"], facets=client_facets(d["facets"]))
                for d in event["outputs"]
            ],
        )
        sent = json.loads(Serde.to_json(client_event))
        assert without_schemas(sent) == without_schemas(event)
        assert event["schemaURL"].split("#")[0] == client_event.schemaURL.split("#")[0]


FACETS: dict[str, Any] = {
    "parent": lambda f: facet_v2.parent_run.ParentRunFacet(
        run=facet_v2.parent_run.Run(f["run"]["runId"]),
        job=facet_v2.parent_run.Job(f["job"]["namespace"], f["job"]["name"]),
        producer=f["_producer"],
    ),
    "jobType": lambda f: facet_v2.job_type_job.JobTypeJobFacet(
        f["processingType"], f["integration"], f["jobType"], producer=f["_producer"]
    ),
    "version": lambda f: facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet(
        f["datasetVersion"], producer=f["_producer"]
    ),
    "symlinks": lambda f: facet_v2.symlinks_dataset.SymlinksDatasetFacet(
        [
            facet_v2.symlinks_dataset.Identifier(i["namespace"], i["name"], i["type"])
            for i in f["identifiers"]
        ],
        producer=f["_producer"],
    ),
}


def client_facets(facets: dict[str, Any]) -> dict[str, Any]:
    """Return facets as the client's classes; parameters, of which it has none, are left out."""
    return {name: FACETS[name](facet) for name, facet in facets.items() if name in FACETS}


def without_schemas(value: Any) -> Any:
    """Return an event without what the client adds of its own, and without empty members."""
    if isinstance(value, dict):
        left_out = {"_schemaURL", "schemaURL", "executionParameters", "_deleted"}
        plain = {n: without_schemas(item) for n, item in value.items() if n not in left_out}
        return {name: item for name, item in plain.items() if item != {}}
    if isinstance(value, list):  # the client orders data sets in its own way
        return sorted(
            map(without_schemas, value), key=lambda item: json.dumps(item, sort_keys=True)
        )
    return value


def check_crate(graph: ml.LineageGraph, folder: Path) -> None:
    crate = ml.to_ro_crate(graph)
    ids = [entity["@id"] for entity in crate["@graph"]]
    assert len(ids) == len(set(ids))

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if set(value) == {"@id"}:
                yield value["@id"]
            else:
                for item in value.values():
                    yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    ours = {name for name in references(crate["@graph"]) if name.startswith("urn:")}
    assert ours <= set(ids)
    folder.mkdir()
    (folder / "ro-crate-metadata.json").write_text(json.dumps(crate), encoding="utf-8")
    read = ROCrate(folder)
    assert read.root_dataset["name"].startswith("Lineage")
    actions = [e for e in read.get_entities() if e.type == "CreateAction"]
    assert len(actions) == len(graph.index.execution_ids)
    for action in actions:
        assert action["instrument"]["@type"] == "SoftwareApplication"


def check(graph: ml.LineageGraph, folder: Path) -> None:
    check_prov(graph)
    check_bom(graph)
    check_openlineage(graph)
    check_spdx(graph)
    check_crate(graph, folder / "crate")
    assert export_files(graph, "store") == export_files(graph, "store")


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
def test_exports_of_every_platform_are_valid(
    name: str, shared_store: Callable[[str], Path], tmp_path: Path
):
    store = ml.connect(shared_store(name))
    node = STORES[name]
    check(
        store.lineage(properties=True) if node is None else store.upstream(node, max_hops=6),
        tmp_path,
    )


def test_exports_of_odd_values_are_valid(tmp_path: Path):
    store = ml.connect(odd_stores.odd(tmp_path / "odd.db"))
    check(store.lineage(properties=True), tmp_path)


def name_of(key: str) -> str:
    return key.replace("/", ":")


HOSTILE = "a\"\\\n\t\x00\x07<script>&amp;]]>%%'\u2028\U0001f600 [x=1] // %s {}"


def test_hostile_names_stay_texts(tmp_path: Path):
    store = InMemoryStore()
    values: dict[str, Any] = {
        HOSTILE: HOSTILE,
        "": "",
        "nan": math.nan,
        "inf": -math.inf,
    }
    values |= {"accuracy": 0.5, "most": 2**63 - 1, "yes": True, "nested": {"a": [1, None]}}
    context = store.put_context("pipeline_run", HOSTILE)
    data = store.put_artifact(
        "Data", name=HOSTILE, uri="s3://user:pw@bucket:9/a b?c#d", custom_properties=values
    )
    model = store.put_artifact(HOSTILE, uri="http://[bad", custom_properties=values)
    store.put_execution(
        "Trainer", name=HOSTILE, inputs={HOSTILE: data}, outputs={"m": model}, contexts=[context],
        custom_properties=values,
    )  # fmt: skip
    graph = store.lineage(properties=True)
    check(graph, tmp_path)
    entity = ml.to_prov(graph)["entity"][name_of(data)]
    assert entity["custom_property:most"] == {"$": "9223372036854775807", "type": "xsd:long"}
    assert entity["custom_property:inf"] == {"$": "-INF", "type": "xsd:double"}
    events = ml.to_openlineage(graph)["events"]
    [dataset] = events[0]["inputs"]
    assert dataset["namespace"] == "s3://bucket:9"
    assert "pw" not in json.dumps(dataset)


def test_what_each_role_becomes():
    store = InMemoryStore()
    data = store.put_artifact("Data", uri="s3://b/data")
    model = store.put_artifact("Model", uri="s3://b/model")
    run = store.put_context("pipeline_run", "run-1")
    trainer = store.put_execution(
        "Trainer", inputs={"d": data}, outputs={"m": model}, contexts=[run],
        custom_properties={"accuracy": 0.91},
    )  # fmt: skip
    cached = store.put_execution("Trainer", state="CACHED", outputs={"m": model})
    failed = store.put_execution("Pusher", state="FAILED", inputs={"m": model})
    running = store.put_execution("Evaluator", state="RUNNING", inputs={"m": model})
    graph = store.lineage(properties=True)
    prov = ml.to_prov(graph)
    [generated] = prov["wasGeneratedBy"].values()
    assert generated["prov:activity"] == name_of(trainer)
    used = {relation["prov:activity"]: relation["mlmd:role"] for relation in prov["used"].values()}
    assert used[name_of(cached)] == "reuses"
    [influenced] = prov["wasInfluencedBy"].values()
    assert influenced["prov:influencer"] == name_of(run)

    events = ml.to_openlineage(graph)["events"]
    kinds: dict[str, list[str]] = {}
    for event in events:
        kinds.setdefault(event["run"]["runId"], []).append(event["eventType"])
        assert uuid.UUID(event["run"]["runId"]).version == 5
    assert sorted(map(tuple, kinds.values())) == [
        ("START",),
        ("START", "COMPLETE"),
        ("START", "COMPLETE"),
        ("START", "FAIL"),
    ]
    assert failed != running
    bom = ml.to_ml_bom(graph.upstream(model))
    assert bom["metadata"]["component"]["type"] == "machine-learning-model"
    assert bom["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"] == [
        {"ref": data}
    ]
    assert bom["dependencies"] == [{"ref": model, "dependsOn": [data]}]
    spdx = ml.to_spdx(graph.upstream(model))["@graph"]
    [document] = [element for element in spdx if element["type"] == "SpdxDocument"]
    [package] = [element for element in spdx if element["type"] == "ai_AIPackage"]
    assert document["rootElement"] == [package["spdxId"]]
    [trained] = [element for element in spdx if element.get("relationshipType") == "trainedOn"]
    assert (trained["from"], trained["to"][0].rpartition(":")[2]) == (package["spdxId"], data[9:])
    with pytest.raises(errors.ConfigurationError, match=r"1\.6 and 1\.7"):
        ml.to_ml_bom(graph, version="1.5")


class Endpoint(http.server.ThreadingHTTPServer):
    """An OpenLineage endpoint that keeps what it is sent, and refuses what comes after some."""

    def __init__(self, most: int = 1000) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: list[Any] = []
        self.most = most
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v1/lineage"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", self.server.url)
            self.end_headers()
            return
        refused = len(self.server.events) >= self.server.most
        if not refused:
            self.server.events.append(json.loads(raw))
        self.send_response(422 if refused else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_events_are_sent_to_an_endpoint():
    document = ml.to_openlineage(ml.connect(DEMO_STORE).upstream("artifact/4", max_hops=3))
    with Endpoint() as endpoint:
        assert open_lineage.send(document, endpoint.url) == len(document["events"])
        assert endpoint.events == document["events"]
    with Endpoint(most=2) as endpoint, pytest.raises(errors.ConfigurationError, match="took 2 of"):
        open_lineage.send(document, endpoint.url)
    with Endpoint() as endpoint, pytest.raises(errors.ConfigurationError, match="failed: 302"):
        open_lineage.send(document, endpoint.url.replace("/api/v1/lineage", "/moved"))
    with pytest.raises(errors.ConfigurationError, match="took 0 of"):
        open_lineage.send(document, "http://127.0.0.1:9/")
    with pytest.raises(errors.ConfigurationError, match="https://"):
        open_lineage.send(document, "file:///etc/passwd")


def test_the_same_execution_has_the_same_run_id_wherever_it_is_met():
    store = ml.connect(DEMO_STORE)
    ids = [
        {e["run"]["runId"] for e in ml.to_openlineage(trace)["events"]}
        for trace in (store.upstream("artifact/4"), store.upstream("artifact/5"))
    ]
    assert ids[0] < ids[1]


def test_graphs_in_a_bundle_are_read_by_others():
    graph = ml.connect(DEMO_STORE).upstream("artifact/4")
    files = export_files(graph, "store")
    root = ET.fromstring(files["lineage.graphml"])  # noqa: S314 - our own
    assert len(root.findall(".//{*}node")) == len(graph)
    assert files["lineage.dot"].startswith(b"digraph")
