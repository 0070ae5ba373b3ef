"""Check: a function that looks for one thing in a store, with its reason, severity and remedy."""

from __future__ import annotations

import dataclasses
import enum
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mlmd_lineage.audit.checks.data import AuditData

NO_EVIDENCE: Mapping[str, Any] = MappingProxyType({})


class Severity(str, enum.Enum):
    """How bad it is: the levels of SARIF 2.1.0.

    >>> Severity.ERROR.reaches(Severity.WARNING)
    True
    """

    ERROR = "error"
    """The record contradicts itself, or has lost something: an answer may be wrong."""
    WARNING = "warning"
    """The record leaves something open that a reader should look at."""
    NOTE = "note"
    """Worth knowing; on many healthy stores it is so."""

    def reaches(self, least: Severity) -> bool:
        """Tell whether it is as bad as another, or worse."""
        return _ORDER.index(self) <= _ORDER.index(least)

    def __str__(self) -> str:
        return str(self.value)


_ORDER = tuple(Severity)


class Observation(NamedTuple):
    """One thing that a check found.

    Attributes:
        node: What it is about: a node's key such as ``artifact/7``, or ``type/3``, ``event/12``.
        message: A sentence for people.
        evidence: The ids and values on which it rests, as JSON has them.
    """

    node: str
    message: str
    evidence: Mapping[str, Any] = NO_EVIDENCE


@dataclasses.dataclass(frozen=True, slots=True)
class AuditCheck:
    """A check: what it looks for, why, and what to do about it.

    >>> check = AuditCheck(
    ...     "unnamed_model",
    ...     Severity.WARNING,
    ...     reason="Nobody finds a model without a name again.",
    ...     remedy="Give it a name with MLMD's put_artifacts().",
    ...     find=find_unnamed_models,
    ... )

    Attributes:
        name: Its name in the column ``check``, in lower case with underscores.
        severity: How bad what it finds is.
        reason: Why an auditor should know, in a sentence.
        remedy: What can be done about it, in a sentence.
        find: Yields what it finds in the data of an audit; one result for a node.
        reads_bytes: It runs only where the bytes of artifacts are checked too.
    """

    name: str
    severity: Severity
    reason: str
    remedy: str
    find: Callable[[AuditData], Iterable[Observation]]
    reads_bytes: bool = False


FoundByCheck: TypeAlias = tuple[tuple[AuditCheck, tuple[Observation, ...]], ...]
"""Each check that ran, with what it found, in order."""


def json_text(evidence: Mapping[str, Any]) -> str:
    """Return evidence as JSON in one line, its keys in order."""
    return json.dumps(dict(evidence), ensure_ascii=False, sort_keys=True)
