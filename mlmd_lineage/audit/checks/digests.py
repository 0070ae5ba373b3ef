"""Check of digests: artifacts whose contents nothing in the store identifies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.uris import CONTENT_ADDRESS
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

_DIGEST = re.compile(
    r"(?:^|[_\W])(?:fingerprint|digest|checksum|hash|md5|sha1|sha256|sha512|etag)(?:$|[_\W])",
    re.IGNORECASE,
)
_EXAMPLES = 5


def is_digest(name: str) -> bool:
    """Tell whether a property holds a digest of an artifact's contents, by its name.

    >>> is_digest("checksum_md5"), is_digest("version"), is_digest("cache_fingerprint")
    (True, False, False)
    """
    return name != "cache_fingerprint" and _DIGEST.search(name) is not None


def _missing_digest(data: AuditData) -> Iterator[Observation]:
    places, uris = data.uris
    address = pc.match_substring_regex(uris, f"^(?:{CONTENT_ADDRESS.pattern})$")
    has = np.isin(data.artifacts.ids, data.owners("artifact", is_digest))
    has[places[arrays.to_numpy(address)]] = True
    table = data.snapshot["Artifact"]
    in_name = pc.match_substring_regex(table["name"], f":(?:{CONTENT_ADDRESS.pattern})$")
    has |= np.isin(data.artifacts.ids, arrays.to_numpy(table["id"])[arrays.to_numpy(in_name)])
    asked = data.flags(data.artifacts, places) & data.artifact_in_scope
    count = np.bincount(data.artifacts.types[asked].clip(0))
    lacking = asked & ~has
    for type_id, number in enumerate(np.bincount(data.artifacts.types[lacking].clip(0)).tolist()):
        if number:
            here = np.flatnonzero(lacking & (data.artifacts.types == type_id))
            name = short_type(data.type_names.get(type_id))
            of_all = f"{int(count[type_id]):,} artifacts of the type {name}"
            message = f"{number:,} of {of_all} have no digest of their contents"
            examples = data.artifacts.keys(here[:_EXAMPLES])
            yield Observation(f"type/{type_id}", message, {"count": number, "first": examples})


CHECKS = (
    AuditCheck(
        "missing_digest",
        Severity.NOTE,
        "Without a digest nobody can tell whether the data is still what was used.",
        "Record one as a property, such as 'sha256'; a bundle of today fixes today's bytes.",
        _missing_digest,
    ),
)
