"""A user's own dialect, whose exceptions are reported as the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.dialects.base import Dialect
from mlmd_lineage.dialects.records import ArtifactRecord, RunDetails, RunIdentity, StepRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts

T = TypeVar("T")


class UserDialect(Dialect):
    """A dialect that passes every call on to a user's own.

    >>> UserDialect(Airflow()).identify_runs(contexts)

    Raises:
        DialectError: The user's dialect raised an exception, or returned what a dialect may not;
            the message says in which file and line.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.name = dialect.name
        self.platform = dialect.platform
        self.original_properties = dialect.original_properties
        self.group_properties = dialect.group_properties
        self.canceled_is_skipped = dialect.canceled_is_skipped
        self.attributed_types = dialect.attributed_types
        self.repeats_are_attempts = dialect.repeats_are_attempts

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the runs of an execution that has these contexts, the innermost first."""
        found: Any = self._called("identify_runs", self.dialect.identify_runs, contexts)
        if found is None:
            return None
        identities = tuple(found) if isinstance(found, (tuple, list)) else (found,)
        if not all(isinstance(identity, RunIdentity) for identity in identities):
            expected = "None or RunIdentity objects in a tuple"
            raise self._wrong(self.identify_runs.__name__, expected, found)
        return identities

    def claims(self, execution: ExecutionFacts) -> bool:
        """Tell whether an execution that ``identify_runs`` recognised is the dialect's."""
        return bool(self._called("claims", self.dialect.claims, execution))

    def step(self, execution: ExecutionFacts, identity: RunIdentity) -> StepRecord:
        """Return an execution as a step of a run."""
        found = self._called("step", self.dialect.step, execution, identity)
        return self._checked("step", StepRecord, found)

    def link_steps(self, steps: Mapping[int, StepRecord]) -> Mapping[int, StepRecord]:
        """Return the steps of a run with what follows from the other steps."""
        return self._called("link_steps", self.dialect.link_steps, steps)

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return what the platform says about an artifact."""
        found = self._called("artifact", self.dialect.artifact, artifact)
        return self._checked("artifact", ArtifactRecord, found)

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return what the platform says about a run."""
        given: tuple[Any, ...] = (identity, steps)
        if self.attributed_types:
            given = (*given, artifacts)
        return self._checked("run", RunDetails, self._called("run", self.dialect.run, *given))

    def _called(self, method: str, call: Callable[..., T], *given: Any) -> T:
        try:
            return call(*given)
        except errors.MLMDLineageError:
            raise
        except Exception as error:  # a user's code may raise anything
            message = (
                f"The dialect {self.name!r} failed in {method}(): {user_code.described(error)}. "
                "The mistake is in the dialect, and not in the store."
            )
            raise errors.DialectError(message) from error

    def _checked(self, method: str, kind: type[T], found: Any) -> T:
        if not isinstance(found, kind):
            raise self._wrong(method, f"a {kind.__name__}", found)
        return found

    def _wrong(self, method: str, expected: str, found: object) -> errors.DialectError:
        message = (
            f"The dialect {self.name!r} returned a {type(found).__name__} from {method}(), which "
            f"has to return {expected}."
        )
        return errors.DialectError(message)
