"""Two models side by side: what each dossier says, and what differs between their lineages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.dossier.gathering import deployments_of
from mlmd_lineage.post_execution.compare import lineage_diff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Reader

    Facts = Mapping[str, Any]


def compared(reader: Reader, a: str, one: Facts, b: str, other: Facts) -> dict[str, Any]:
    """Return two models side by side.

    Args:
        reader: What reads the store.
        a: The key of the first.
        one: The parts of its dossier.
        b: The key of the other.
        other: The parts of the other's dossier.
    """
    diff = lineage_diff.diff(reader, a, b)
    return {
        "model": other["model"],
        "rows": _rows(one, other),
        **json.loads(diff.to_json()),
    }


def _rows(one: Facts, other: Facts) -> list[dict[str, Any]]:
    """Return what both dossiers say of the same thing, one row each."""
    sides = [_facts(one), _facts(other)]
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    return [
        {
            "name": name,
            "a": sides[0].get(name),
            "b": sides[1].get(name),
            "same": sides[0].get(name) == sides[1].get(name),
        }
        for name in names
    ]


def _facts(sections: Facts) -> dict[str, Any]:
    model = sections["model"]
    makers = [step for step in sections["steps"] if step["node"] in model["produced_by"]]
    found: dict[str, Any] = {
        "URI": model["uri"],
        "created": model.get("created"),
        "pipeline": ", ".join(sorted({step["pipeline"] or "" for step in makers})) or None,
        "run": ", ".join(sorted({step["run"] or "" for step in makers})) or None,
        "steps": len(sections["steps"]),
        "data sets": ", ".join(one["node"] for one in sections["data_sets"]) or None,
        "approved": _approved(sections["approvals"]),
        "deployments": len(deployments_of(sections)),
    }
    for row in sections["metrics"]:
        for name, value in row["values"].items():
            found[f"metric {name}"] = value
    return found


def _approved(approvals: list[Facts]) -> str | None:
    told = {True: "yes", False: "no", None: "not said"}
    return ", ".join(told[row["approved"]] for row in approvals) or None
