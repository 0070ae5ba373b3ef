"""The arguments of a lineage question, checked."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import operator
from collections.abc import Collection
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage.bfs import CLOSED, NO_LIMIT, STOP
from mlmd_lineage.lineage.roles import followed
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.type_names import types_named

if TYPE_CHECKING:
    from typing import TypeAlias

    from mlmd_lineage.lineage.graph_tables import TableSource

Time: TypeAlias = "dt.datetime | str | int"
"""A moment: a datetime, date or pandas Timestamp, ISO 8601 text, or milliseconds since 1970 in UTC.

Without a time zone it is taken as UTC.
"""


_KINDS = (KINDS["artifact"], KINDS["execution"])
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


@dataclasses.dataclass(frozen=True)
class Question:
    """What bounds a walk, and which edges it follows."""

    max_hops: int | None = None
    until: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    reuse: bool = False
    internal: bool = False
    later: bool = False
    as_of: int | None = None

    @classmethod
    def of(  # noqa: PLR0913 - the public arguments
        cls,
        *,
        max_hops: int | None,
        until: str | Collection[str] | None,
        types: str | Collection[str] | None,
        reuse: bool,
        internal: bool,
        later: bool,
        as_of: Time | None,
    ) -> Question:
        """Check the arguments as users give them.

        Raises:
            ConfigurationError: One of them cannot be right.
        """
        _check_flag("reuse", reuse)
        _check_flag("internal", internal)
        _check_flag("later", later)
        if max_hops is None and until is None and types is None and as_of is None:
            return _unbounded(bool(reuse), bool(internal), bool(later))
        return cls(
            None if max_hops is None else _hops(max_hops),
            _names("until", until),
            _names("types", types),
            bool(reuse),
            bool(internal),
            bool(later),
            None if as_of is None else milliseconds(as_of),
        )

    @functools.cached_property
    def roles(self) -> int:
        """The roles that are followed, one bit each."""
        return followed(reuse=self.reuse, internal=self.internal)

    @functools.cached_property
    def hop_limit(self) -> int:
        """How many edges are followed at most."""
        return NO_LIMIT if self.max_hops is None else min(self.max_hops, NO_LIMIT)

    def type_flags(self, tables: TableSource) -> dict[int, int]:
        """Return for each type's id whether it stops the walk, or is not entered.

        A name, or a short one, means all versions of the type, and the types that have it as their
        base type.
        ``types`` restricts only the kinds of which it names a type.

        Raises:
            NotFoundError: The store has no such type.
            AmbiguousNameError: Several types have such a short name.
        """
        flags: dict[int, int] = {}
        if self.until:
            for type_id in types_named(tables, self.until, *_KINDS):
                flags[type_id] = STOP
        if self.types:
            kinds = kinds_of_types(tables)
            open_ids = types_named(tables, self.types, *_KINDS)
            restricted = {kinds[type_id] for type_id in open_ids}
            for type_id, kind in kinds.items():
                if kind in restricted and type_id not in open_ids:
                    flags[type_id] = flags.get(type_id, 0) | CLOSED
        return flags


def _hops(value: object) -> int:
    # NumPy's and pandas' integers are whole numbers too.
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        number = operator.index(value)
        if number >= 0:
            return number
    message = f"max_hops is a whole number from 0, or None for no limit; not {value!r}."
    raise errors.ConfigurationError(message)


@functools.cache
def _unbounded(reuse: bool, internal: bool, later: bool) -> Question:  # noqa: FBT001 - a key of the cache
    return Question(reuse=reuse, internal=internal, later=later)


def _check_flag(argument: str, value: object) -> None:
    if not isinstance(value, (bool, np.bool_)):
        message = f"{argument} is True or False; not {value!r}."
        raise errors.ConfigurationError(message)


def _names(argument: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Collection) or not all(isinstance(name, str) for name in names):
        message = f"{argument} is the name of a type, or several; not {value!r}."
        raise errors.ConfigurationError(message)
    return tuple(names)


def kinds_of_types(tables: TableSource) -> dict[int, int]:
    """Return each type's kind: 0 execution, 1 artifact, 2 context."""
    types = tables["Type"]
    return dict(zip(types["id"].to_pylist(), types["type_kind"].to_pylist(), strict=True))


def milliseconds(time: object) -> int:
    """Return a moment as MLMD counts it, in milliseconds since 1970 in UTC.

    >>> milliseconds("2026-11-21T06:00:00Z")
    1795240800000

    Raises:
        ConfigurationError: It is no moment.
    """
    if isinstance(time, str):
        text = time.strip()
        zulu = text.endswith(("Z", "z"))
        try:
            time = dt.datetime.fromisoformat(text[:-1] + "+00:00" if zulu else text)
        except ValueError:
            message = f"as_of={text!r} is no time; write it like 2026-11-21T06:00:00+00:00."
            raise errors.ConfigurationError(message) from None
    if isinstance(time, dt.datetime):
        if time.tzinfo is None:
            time = time.replace(tzinfo=dt.timezone.utc)
        if time == time:  # noqa: PLR0124 - pandas' NaT is a datetime too, and equals nothing
            return int((time - _EPOCH) // dt.timedelta(milliseconds=1))
    elif isinstance(time, dt.date):
        return milliseconds(time.isoformat())
    elif isinstance(time, np.datetime64) and not np.isnat(time):
        return int(time.astype("datetime64[ms]").astype(np.int64))
    if isinstance(time, SupportsIndex) and not isinstance(time, bool):
        return operator.index(time)
    message = f"as_of is a datetime, ISO 8601 text or milliseconds since 1970; not {time!r}."
    raise errors.ConfigurationError(message)
