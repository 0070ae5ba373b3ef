"""Exports: a lineage in the formats of other tools; ``docs/exports.md`` is the guide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.exports import ml_bom, open_lineage, prov, ro_crate

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph import LineageGraph


def export_files(graph: LineageGraph, source: str) -> dict[str, bytes]:
    """Return a graph in every format, as the files of a bundle by their names."""
    document = prov.to_prov(graph, source)
    return {
        "prov.json": json_bytes(document),
        "prov.provn": prov.to_provn(document).encode(),
        "openlineage.jsonl": "".join(
            open_lineage.event_lines(open_lineage.to_openlineage(graph, source))
        ).encode(),
        "ml-bom.cdx.json": json_bytes(ml_bom.to_ml_bom(graph, source)),
        f"ro-crate/{ro_crate.METADATA_FILE}": json_bytes(ro_crate.to_ro_crate(graph, source)),
        "lineage.graphml": graph.to_graphml().encode(),
        "lineage.dot": graph.to_dot().encode(),
    }


def json_bytes(document: Any) -> bytes:
    """Return a document as JSON in UTF-8, with the names of its members in order."""
    return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
