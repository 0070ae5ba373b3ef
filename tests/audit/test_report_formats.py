"""SARIF and JUnit XML: valid by their schemas, whatever names a store holds."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
import report_schemas
import xmlschema

import mlmd_lineage as ml
from mlmd_lineage.testing import InMemoryStore

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
HOSTILE = "</failure><script>alert(1)</script>\x00\x1b[31m\u202e\ud800]]>&quot; %s"


def odd_store() -> InMemoryStore:
    """Return a store with findings of each severity, and names that mean harm."""
    store = InMemoryStore()
    name = HOSTILE.replace("\ud800", "")  # MLMD keeps UTF-8
    data = store.put_artifact("Data", name=name, uri=name)
    other = store.put_artifact("Data", name=name.upper(), uri=name)
    steps = [{"inputs": {"d": data}}, {"outputs": {name: other}, "state": "FAILED"}]
    for step in steps:
        store.put_execution(f"Step {name}", **step)  # type: ignore[arg-type]  # a table of arguments
    return store


@pytest.fixture(params=["odd", "demo", "empty", "off"])
def report(request: pytest.FixtureRequest, tmp_path: Path) -> ml.AuditReport:
    if request.param == "demo":
        return ml.connect(DEMO_STORE).audit_report()
    if request.param == "off":
        path = tmp_path / "audit.json"
        path.write_text(json.dumps({"off": {"no_producer": "<&\x01 why"}}), encoding="utf-8")
        return odd_store().audit_report(settings=path)
    return (odd_store() if request.param == "odd" else InMemoryStore()).audit_report()


def test_sarif_is_valid_and_whole(report: ml.AuditReport):
    made = json.loads(json.dumps(report.to_sarif()))
    jsonschema.Draft202012Validator(report_schemas.SARIF).validate(made)
    [run] = made["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    named = [
        (one["ruleId"], one["locations"][0]["logicalLocations"][0]["fullyQualifiedName"])
        for one in run["results"]
    ]
    frame = report.frame
    assert sorted(named) == sorted(zip(frame["check"], frame["node"], strict=True))
    prints = [one["partialFingerprints"]["checkAndNode/v1"] for one in run["results"]]
    assert len(set(prints)) == len(set(named))
    [call] = run["invocations"]
    told = [note["message"]["text"] for note in call["toolConfigurationNotifications"]]
    assert told == report.notes()


@pytest.mark.parametrize("fail_on", list(ml.Severity))
def test_junit_is_valid_and_whole(fail_on: ml.Severity, report: ml.AuditReport):
    text = report.to_junit(fail_on)
    xmlschema.XMLSchema(report_schemas.JUNIT).validate(text)
    root = ET.fromstring(text)  # noqa: S314 - our own text
    worse = [value for value in report.frame["severity"] if ml.Severity(value).reaches(fail_on)]
    assert len(root.findall(".//failure")) == len(worse) == int(root.attrib["failures"])
    assert len(root.findall(".//testcase")) == int(root.attrib["tests"])
    assert len(root.findall(".//skipped")) == len(report.settings.off)
    assert not root.findall(".//script")


def test_the_schemas_refuse_what_is_wrong():
    made = odd_store().audit_report().to_sarif()
    made["runs"][0]["results"][0]["level"] = "bad"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(report_schemas.SARIF).validate(made)
    text = (
        odd_store()
        .audit_report()
        .to_junit()
        .replace("failure>", "fault>")
        .replace("<failure", "<fault")
    )
    with pytest.raises(Exception, match="fault"):
        xmlschema.XMLSchema(report_schemas.JUNIT).validate(text)
