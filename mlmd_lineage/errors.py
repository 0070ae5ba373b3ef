"""Every error that this library raises, in one tree.

::

    MLMDLineageError
    ├── ConfigurationError          a URL, field or argument that cannot be right      (also ValueError)
    │   ├── DialectError            a user's own dialect raised an exception
    │   ├── FilterError             a filter that cannot be understood
    │   ├── StepTypeError           a step is given, or returns, a value of another type  (also TypeError)
    │   └── UntrustedProjectError   a project's configuration that the user has not trusted
    ├── StoreError                  something is wrong with a metadata store
    │   ├── StoreNotFoundError      no such file or database                           (also FileNotFoundError)
    │   ├── NotAMetadataStoreError  it is there, but holds no MLMD tables
    │   ├── DamagedStoreError       it is truncated or malformed
    │   ├── LockedStoreError        another process kept it locked for too long        (also TimeoutError)
    │   ├── StorePermissionError    the operating system or the server refuses access  (also PermissionError)
    │   ├── AuthenticationError     the user or the password is wrong
    │   ├── UnreachableError        no server answers at the address                   (also ConnectionError)
    │   ├── TLSError                a secure connection was asked for and cannot be had
    │   ├── UnsupportedSchemaError  an MLMD schema version that this release cannot read
    │   ├── ReadError               the server or the driver failed in the midst of a read
    │   ├── AnswerTooLargeError     a server sent more than one question may receive
    │   ├── DeadlineExceededError   the answer took longer than allowed                (also TimeoutError)
    │   ├── CancelledError          the question was cancelled by another thread
    │   └── WriteError              the server or the driver failed in the midst of a write
    │       └── UncertainWriteError it cannot be known whether the write was committed
    ├── PutRefusedError             MLMD's rules, or what the store can hold, refuse a put (also ValueError)
    │   └── AlreadyExistsError      a name, an external id or an edge that must be unique is there already
    ├── NotFoundError               a node, type or name that the store does not hold  (also KeyError)
    ├── AmbiguousNameError          a name that fits more than one node                (also LookupError)
    ├── NotSingleError              one artifact was asked for, and there are none or several (also ValueError)
    ├── NotLoadedError              a table that was left out when the store was read
    ├── ArtifactReadError           an artifact's contents are not there, or cannot be read
    ├── MaterializerError           a value cannot be kept in an artifact store
    ├── PipelineFailedError         a step of a pipeline failed
    └── NativeLibraryError          ml_metadata is not installed, or refuses

A message names what failed, the store (never its password), and what to do. Catch
``MLMDLineageError`` to catch them all.
"""

from __future__ import annotations

import difflib
import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 1_000
"""How many letters a name has at most that is compared with another."""
_LONGEST_MESSAGE = 10_000
"""How many letters of a message are shown at most."""
_BEGINNING = 3
"""How many letters are enough for names that begin with them to come before others."""
_COMPARISONS = 6_000_000
"""How many pairs of letters are compared at most to find near matches: a second or two."""


class MLMDLineageError(Exception):
    """The base of every error that this library raises.

    A message may repeat what a store holds. As tracebacks show it on terminals, what does not print
    is escaped in it, and the middle of a very long one is left out.
    """

    def __str__(self) -> str:
        return _shown(self)


class ConfigurationError(MLMDLineageError, ValueError):
    """A URL, a field or an argument cannot be right."""


class FilterError(ConfigurationError):
    """A filter cannot be understood; the message says where in it, and why."""


class StepTypeError(ConfigurationError, TypeError):
    """A step is given, or returns, a value of another type than its function is annotated with."""


class UntrustedProjectError(ConfigurationError):
    """A project's configuration is not trusted on this machine, or has changed since it was."""


class StoreError(MLMDLineageError):
    """Something is wrong with a metadata store."""


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no such file or database."""


class NotAMetadataStoreError(StoreError):
    """The file or database is there, but holds no MLMD tables."""


class DamagedStoreError(StoreError):
    """The store is truncated or malformed."""


class LockedStoreError(StoreError, TimeoutError):
    """Another process kept the store locked for longer than the time allowed."""


class StorePermissionError(StoreError, PermissionError):
    """The operating system or the database server refuses access."""


class AuthenticationError(StoreError):
    """The database server refuses the user or the password."""


class UnreachableError(StoreError, ConnectionError):
    """No server answers at the address."""


class TLSError(StoreError):
    """A secure connection was asked for and cannot be had."""


class UnsupportedSchemaError(StoreError):
    """The store has an MLMD schema version that this release cannot read."""


class ReadError(StoreError):
    """The server or the driver failed in the midst of a read."""


class AnswerTooLargeError(StoreError):
    """A server sent more than one question may receive."""


class DeadlineExceededError(StoreError, TimeoutError):
    """The answer took longer than the time that was allowed for it."""


class CancelledError(StoreError):
    """The question was cancelled before its answer was complete."""


class WriteError(StoreError):
    """The server or the driver failed in the midst of a write, of which nothing was kept."""


class UncertainWriteError(WriteError):
    """The connection was lost while a write was committed, and whether it was cannot be known."""


class PutRefusedError(MLMDLineageError, ValueError):
    """MLMD's rules, or what the store can hold, refuse what was put; nothing was written.

    Attributes:
        status: The name of the gRPC status code with which MLMD's service refuses it, such as
            ``"INVALID_ARGUMENT"``.
    """

    def __init__(self, message: str, status: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message, status)
        self.status = status


class AlreadyExistsError(PutRefusedError):
    """A name, an external id or an edge that must be unique is in the store already."""

    def __init__(self, message: str, status: str = "ALREADY_EXISTS") -> None:
        super().__init__(message, status)


class NotFoundError(MLMDLineageError, KeyError):
    """The store holds no node, type or name like the one asked for."""


class AmbiguousNameError(MLMDLineageError, LookupError):
    """The name fits more than one node."""


class NotSingleError(MLMDLineageError, ValueError):
    """One artifact was asked for, and there are none or several."""


class NotLoadedError(MLMDLineageError):
    """The answer needs a table that was left out when the store was read."""


class ArtifactReadError(MLMDLineageError):
    """The contents of an artifact are not there, or cannot be read."""


class DialectError(ConfigurationError):
    """A user's own dialect raised an exception, or returned what a dialect may not."""


class MaterializerError(MLMDLineageError):
    """A value cannot be kept in an artifact store; the message says what to do."""


class PipelineFailedError(MLMDLineageError):
    """A step of a pipeline failed; the message names each, and the steps that were not started.

    Attributes:
        run: The ``PipelineRunView`` of the run; None where the error was pickled.
    """

    run: Any = None


class NativeLibraryError(MLMDLineageError):
    """``ml_metadata`` is not installed, or refuses to do what was asked."""


def did_you_mean(name: str, candidates: Iterable[str], *, limit: int = 3) -> str:
    """Return a sentence that suggests near matches, or an empty string.

    >>> did_you_mean("Modle", ["Model", "Examples"])
    " Did you mean 'Model'?"

    Names that begin with what was given come first, the shortest before others.
    """
    names = sorted({c for c in candidates if len(c) <= _LONGEST})
    lowered = name.lower()
    longer = [c for c in names if c.lower().startswith(lowered)] if len(name) >= _BEGINNING else []
    near = sorted(longer, key=len)
    near += close_matches(name, (c for c in names if c not in longer), limit=limit, cutoff=0.5)
    near += [c for c in names if len(lowered) > 1 and lowered in c.lower() and c not in near]
    near = near[:limit]
    if not near:
        return ""
    return f" Did you mean {' or '.join(repr(n) for n in near)}?"


class RecordingWarning(UserWarning):
    """Something of a run is not recorded, or should not be."""

    def __str__(self) -> str:
        return _shown(self)


def close_matches(name: str, candidates: Iterable[str], *, limit: int, cutoff: float) -> list[str]:
    """Return the candidates that are most like a name, the nearest first.

    As ``difflib.get_close_matches``, but what is compared letter by letter is bounded: a store can
    hold names for which that takes minutes.

    >>> close_matches("Modle", ["Model", "Examples"], limit=3, cutoff=0.5)
    ['Model']

    Args:
        name: What was meant.
        candidates: What there is; those after too much work are left out.
        limit: How many to return at most.
        cutoff: How like they are at least, from 0 to 1.
    """
    found: list[tuple[float, str]] = []
    left = _COMPARISONS
    matcher = difflib.SequenceMatcher()
    matcher.set_seq2(name)
    for candidate in candidates:
        if len(candidate) > _LONGEST or len(name) > _LONGEST:
            continue
        left -= len(candidate) + len(name)
        if left < 0:
            break
        matcher.set_seq1(candidate)
        if matcher.real_quick_ratio() >= cutoff and matcher.quick_ratio() >= cutoff:
            left -= len(candidate) * len(name)
            if (ratio := matcher.ratio()) >= cutoff:
                found.append((ratio, candidate))
    return [candidate for _, candidate in heapq.nlargest(limit, found)]


def _shown(said: Exception) -> str:
    """Return the message of an error or a warning as it is printed."""
    text = str(said.args[0]) if said.args else ""
    if len(text) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    r"""Return a character as it is printed: what does not print as ``\x1b`` or ``\u202e``."""
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape", "backslashreplace").decode()


class IgnoredConfigurationWarning(UserWarning):
    """A configuration folder or file is ignored, as it belongs to another user."""

    def __str__(self) -> str:
        return _shown(self)
