"""Exports: a lineage in the formats of other tools; ``docs/exports.md`` is the guide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.exports import ml_bom, open_lineage, prov, ro_crate, spdx
from mlmd_lineage.audit.exports.graph_content import content_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlmd_lineage.lineage.graph import LineageGraph


_COMMA = ",\n  "


def export_files(graph: LineageGraph, source: str) -> dict[str, bytes]:
    """Return a graph in every format, as the files of a bundle by their names."""
    content = content_of(graph, source)
    document = prov.to_prov(content)
    return {
        "prov.json": json_bytes(document),
        "prov.provn": prov.to_provn(document).encode(),
        "openlineage.jsonl": "".join(
            open_lineage.event_lines(open_lineage.to_openlineage(content))
        ).encode(),
        "ml-bom.cdx.json": json_bytes(ml_bom.to_ml_bom(content)),
        f"ro-crate/{ro_crate.METADATA_FILE}": json_bytes(ro_crate.to_ro_crate(content)),
        "spdx.json": json_bytes(spdx.to_spdx(content)),
        "lineage.graphml": graph.to_graphml().encode(),
        "lineage.dot": graph.to_dot().encode(),
    }


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON in UTF-8, with the names of its members in order.

    What is in its members has a line each, so that two documents can be compared line by line.
    """
    return ("".join(_pieces(document)) + "\n").encode()


def _pieces(document: Mapping[str, Any]) -> Iterator[str]:
    # Python's own encoder in C does not write line ends, and that in Python takes ten times longer.
    encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
    separator = "{"
    for name, value in sorted(document.items()):
        yield f"{separator}\n {encode(name)}: "
        separator = ","
        if isinstance(value, dict) and value:
            lines = (f"{encode(key)}: {encode(held)}" for key, held in sorted(value.items()))
            yield f"{{\n  {(_COMMA.join(lines))}\n }}"
        elif isinstance(value, list) and value:
            yield f"[\n  {_COMMA.join(map(encode, value))}\n ]"
        else:
            yield encode(value)
    yield "\n}" if document else "{}"
