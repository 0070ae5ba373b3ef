"""Names that platforms give to nodes elsewhere than in MLMD's columns for names.

- HPE CMF names an artifact by its path and the hash of its content, ``data/train.csv:8d77...``.
- Kubeflow Pipelines keeps the pod of a step in the properties ``pod_name`` and ``pod_uid`` (version
  2) or ``kfp_pod_name`` (version 1, and TFX on it), and a run's id and name in properties of its
  context.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeKind

    Row = tuple[Any, ...]

PODS = ("pod_name", "pod_uid", "kfp_pod_name")
"""The properties of executions that hold a pod's name or uid."""
RUNS = ("run_id", "display_name", "pipeline_run_id")
"""The properties of contexts that hold a run's id or name."""

_HASH = re.compile(r":[0-9a-f]{6,}(\.dir)?")
_LONGEST_NAME = 1_000


def find(session: Session, text: str) -> dict[str, Row]:
    """Return the rows of the nodes with such a name, by their keys."""
    if len(text) > _LONGEST_NAME or not text.isprintable():
        return {}
    found = _nodes(session, "artifact", f"name LIKE {_quoted(_pattern(text))}")
    at = SCHEMAS["Artifact"].names.index("name")
    found = {
        key: row
        for key, row in found.items()
        if str(row[at]).startswith(text) and _HASH.fullmatch(str(row[at])[len(text) :])
    }
    found = found or _with_property(session, "execution", PODS, text)
    return found or _with_property(session, "context", RUNS, text)


def _with_property(
    session: Session, kind: NodeKind, names: tuple[str, ...], text: str
) -> dict[str, Row]:
    conditions = [
        f"{group}.{name}.string_value = {_quoted(text)}"
        for name in names
        for group in ("properties", "custom_properties")
    ]
    return _nodes(session, kind, " OR ".join(conditions))


def _nodes(session: Session, kind: NodeKind, where: str) -> dict[str, Row]:
    from mlmd_lineage.filters.find import find_ids

    table = KINDS[kind].table
    ids = find_ids(session, kind, where)
    rows = session.fetch(table, {"id": ids}) if ids else []
    return {f"{kind}/{row[0]}": row for row in rows}


def _pattern(text: str) -> str:
    """Return the pattern of LIKE for a text and a hash after it."""
    return re.sub(r"([\\%_])", r"\\\1", text) + ":%"


def _quoted(text: str) -> str:
    """Return a text as it stands in a filter."""
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
