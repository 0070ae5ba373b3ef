"""Entries of a ledger, and the report on a store that is compared with one."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit import signing
from mlmd_lineage.audit.ledger import store_state
from mlmd_lineage.audit.records.changes import EVIDENCE, RecordChange, counted, frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mlmd_lineage.snapshot.tables import Tables

FORMAT = "mlmd-lineage ledger entry"
FORMAT_VERSION = 1
PAYLOAD_TYPE = "application/vnd.mlmd-lineage.ledger-entry+json"
_MOST_EVIDENCE = 1_000
"""How many changes an entry lists that only tampering explains."""
_LONGEST_VALUE = 1_000
"""How many characters of a value an entry shows."""


@dataclasses.dataclass(frozen=True)
class LedgerEntry:
    """An entry of a ledger.

    Attributes:
        number: Its number, from 1.
        digest: The SHA-256 of its line, which the next entry names.
        content: What it says: see ``docs/ledger.md``.
        signed_by: The id of the key whose signature was verified; None where it is not signed, or
            no key was given.
    """

    number: int
    digest: str
    content: Mapping[str, Any]
    signed_by: str | None = None


@dataclasses.dataclass(frozen=True)
class LedgerReport:
    """What a store became since the last entry of its ledger.

    >>> report = ml.Ledger("ledger").check(store, key="public.pem")
    >>> report.ok, report.counts
    (True, {'added': 12, 'finished': 1, 'changed': 0, 'removed': 0})

    Attributes:
        problems: What is wrong with the ledger itself, each in a sentence.
        changes: What changed in the store, in the order of the records.
        entry: The last entry; None where there is none.
        has_snapshot: Whether the old values were known.
    """

    problems: tuple[str, ...]
    changes: tuple[RecordChange, ...]
    entry: LedgerEntry | None
    has_snapshot: bool

    @property
    def counts(self) -> dict[str, int]:
        """How many records there are of each kind of change."""
        return counted(self.changes)

    @property
    def evidence(self) -> tuple[RecordChange, ...]:
        """The changes that MLMD's own calls never bring about."""
        return tuple(change for change in self.changes if change.kind in EVIDENCE)

    @property
    def ok(self) -> bool:
        """Whether the ledger is whole, and nothing was changed or removed."""
        return not self.problems and not self.evidence

    def to_pandas(self) -> pd.DataFrame:
        """Return the changes as a frame, like ``store.changes()``."""
        return frame(self.changes)


def opened(line: bytes, key: Any) -> tuple[dict[str, Any], str | None]:
    """Return what an entry says, and the id of the key that signed it.

    Raises:
        SignatureError: It is no entry, or was not signed with the key.
    """
    if key is not None:
        signed = signing.opened(line, key, PAYLOAD_TYPE)
        payload, keyid = signed.payload, signed.keyids[0]
    else:
        _, payload = signing.payload_of(line, PAYLOAD_TYPE)
        keyid = None
    try:
        content = json.loads(payload)
        known = (content["format"], content["format_version"]) == (FORMAT, FORMAT_VERSION)
        complete = isinstance(content["root"], str) and isinstance(content["files"], dict)
        complete = complete and isinstance(content["trees"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        known = complete = False
    if not known or not complete:
        message = "it is no entry of a ledger, or one of a later release"
        raise signing.SignatureError(message)
    return content, keyid


def content_of(
    number: int,
    report: LedgerReport,
    tables: Tables,
    state: Mapping[str, store_state.KindState],
) -> dict[str, Any]:
    """Return what an entry says, but for the files that are kept."""
    evidence = report.evidence
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "number": number,
        "previous": report.entry.digest if report.entry else "",
        "source": tables.source,
        "schema_version": tables.schema_version,
        "taken_at": tables.taken_at.isoformat(timespec="milliseconds"),
        "root": store_state.root_of(state),
        "trees": {
            kind: {"records": found.records, "root": found.root} for kind, found in state.items()
        },
        "changes": report.counts,
        "evidence": [_shown(change) for change in evidence[:_MOST_EVIDENCE]],
        "evidence_left_out": max(0, len(evidence) - _MOST_EVIDENCE),
    }


def _shown(change: RecordChange) -> dict[str, Any]:
    """Return a change as an entry lists it, its values shortened."""
    found: dict[str, Any] = dataclasses.asdict(change)
    for name in ("old", "new"):
        if found[name] is not None and len(found[name]) > _LONGEST_VALUE:
            found[name] = f"{found[name][:_LONGEST_VALUE]}…"
    return found
