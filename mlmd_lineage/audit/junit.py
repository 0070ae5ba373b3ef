"""JUnit XML of an audit, which CI systems show beside the results of tests.

Of the dialects of the format it is the common one of Jenkins and GitLab: ``testsuites``, a
``testsuite`` for the audit, and in it a ``testcase`` for each finding, and for each check that
found nothing.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from mlmd_lineage.audit.checks.base import json_text
from mlmd_lineage.lineage.render.labels import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.audit.checks.base import AuditCheck, FoundByCheck, Observation, Severity


def to_junit(
    source: str,
    found: FoundByCheck,
    off: Mapping[str, str],
    notes: Sequence[str],
    fail_on: Severity,
) -> str:
    """Return an audit as JUnit XML.

    Args:
        source: The store, without any secret.
        found: What the checks found.
        off: The checks that are off, each with the reason.
        notes: What limits the audit, in sentences.
        fail_on: Findings that are at least as bad are failures; the others pass, and say so in
            their output.
    """
    cases: list[ET.Element] = []
    failures = 0
    for check, observations in found:
        if not observations:
            cases.append(_case(check.name))
        for one in observations:
            case = _case(check.name, one.node)
            failed = check.severity.reaches(fail_on)
            failures += failed
            _put(case, check, one, failed=failed)
            cases.append(case)
    for name, why in off.items():
        case = _case(name)
        ET.SubElement(case, "skipped", {"message": printable(f"off: {why}")})
        cases.append(case)
    counts = {
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(len(off)),
    }
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": printable(source), **counts})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = printable("\n".join(notes))
    ET.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, "unicode") + "\n"


def _case(check: str, node: str | None = None) -> ET.Element:
    name = check if node is None else f"{check} {printable(node)}"
    return ET.Element("testcase", {"classname": f"audit.{check}", "name": name})


def _put(case: ET.Element, check: AuditCheck, one: Observation, *, failed: bool) -> None:
    text = f"{check.severity}: {one.message}\n{check.reason}\n{check.remedy}\n"
    text = printable(f"{text}{json_text(one.evidence)}")
    if failed:
        given = {"message": printable(one.message), "type": check.severity.value}
        ET.SubElement(case, "failure", given).text = text
    else:
        ET.SubElement(case, "system-out").text = text
