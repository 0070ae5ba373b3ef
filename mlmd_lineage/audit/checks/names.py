"""Check of names that differ only by case, which MySQL takes for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.data import grouped, listed, several
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]

_NAMED = (
    ("type", "Type", "type_kind"),
    ("context", "Context", "type_id"),
    ("artifact", "Artifact", "type_id"),
    ("execution", "Execution", "type_id"),
)
"""What has names, its table, and the column within which MLMD wants them to be distinct."""


def _case_variant(data: AuditData) -> Iterator[Observation]:
    for kind, name, within in _NAMED:
        table = data.snapshot[name]
        names = table["name"]
        valid = np.flatnonzero(arrays.to_numpy(pc.is_valid(names)))
        if not len(valid):
            continue
        texts = names.combine_chunks().take(arrays.from_numpy(valid))
        ids = arrays.to_numpy(table["id"])[valid]
        lower = pc.utf8_lower(texts).dictionary_encode().indices
        group = np.stack([arrays.to_numpy(table[within])[valid], arrays.to_numpy(lower)])
        owners = np.unique(group, axis=1, return_inverse=True)[1].reshape(-1)
        spelt = arrays.to_numpy(texts.dictionary_encode().indices)
        more = several(owners, spelt, int(owners.max()) + 1)[owners]
        rows = np.flatnonzero(more)
        for found in grouped(owners[rows], rows).values():
            yield from _variants(kind, ids[found].tolist(), [texts[n].as_py() for n in found])


def _variants(kind: str, ids: list[int], names: list[str]) -> Iterator[Observation]:
    for number, name in zip(ids, names, strict=True):
        others = {
            f"{kind}/{n}": other for n, other in zip(ids, names, strict=True) if other != name
        }
        message = f"its name {name!r} differs only by case from that of {listed(list(others))}"
        yield Observation(f"{kind}/{number}", message, {"name": name, "others": others})


CHECKS = (
    AuditCheck(
        "case_variant",
        Severity.WARNING,
        "MySQL takes such names for one, SQLite and PostgreSQL do not: a move would mix them up.",
        "Find out whether both mean the same; rename one of them.",
        _case_variant,
    ),
)
