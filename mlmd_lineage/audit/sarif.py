"""SARIF 2.1.0 of an audit, which code-scanning pages of CI systems show.

The format is OASIS' *Static Analysis Results Interchange Format (SARIF) Version 2.1.0*. A finding
is about a node, which is a logical location; the store is the artifact that it lies in.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.audit.checks.base import AuditCheck, FoundByCheck, Observation

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def to_sarif(
    source: str, scope: str | None, found: FoundByCheck, notes: Sequence[str]
) -> dict[str, Any]:
    """Return an audit as SARIF.

    >>> report.to_sarif()["runs"][0]["results"][0]["ruleId"]
    'no_producer'

    Args:
        source: The store, without any secret.
        scope: The key of the node whose lineage was audited; None for the whole store.
        found: What the checks found.
        notes: What limits the audit, in sentences.
    """
    source = quote(source, safe="/:@?=&%+,;~-._")
    rules = [_rule(check) for check, _ in found]
    results = [
        _result(number, check, one, source)
        for number, (check, observations) in enumerate(found)
        for one in observations
    ]
    notifications = [{"level": "note", "message": {"text": note}} for note in notes]
    run = {
        "tool": {
            "driver": {"name": "mlmd-lineage", "semanticVersion": _version(), "rules": rules},
        },
        "invocations": [
            {"executionSuccessful": True, "toolConfigurationNotifications": notifications}
        ],
        "artifacts": [{"location": {"uri": source}}],
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"scope": scope},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _version() -> str:
    """Return this library's version, or 0.0.0 where it runs without being installed."""
    try:
        return importlib.metadata.version("mlmd-lineage")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0"


def _rule(check: AuditCheck) -> dict[str, Any]:
    return {
        "id": check.name,
        "shortDescription": {"text": check.name.replace("_", " ")},
        "fullDescription": {"text": check.reason},
        "help": {"text": check.remedy},
        "defaultConfiguration": {"level": check.severity.value},
    }


def _result(number: int, check: AuditCheck, one: Observation, source: str) -> dict[str, Any]:
    same = hashlib.sha256(f"{check.name}\0{one.node}".encode()).hexdigest()
    return {
        "ruleId": check.name,
        "ruleIndex": number,
        "level": check.severity.value,
        "message": {"text": f"{one.node}: {one.message}."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": source, "index": 0},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": one.node, "kind": "object"}],
            }
        ],
        # The same finding in a later audit has the same fingerprint, whatever its message says.
        "partialFingerprints": {"checkAndNode/v1": same},
        "properties": {"evidence": dict(one.evidence)},
    }
