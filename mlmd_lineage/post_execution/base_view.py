"""The base class of all views, which are immutable values that show themselves."""

from __future__ import annotations

import abc
import datetime as dt
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.render import labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.post_execution.loading.run_index import RunIndex

_LONGEST = 100


class BaseView(abc.ABC):
    """A pipeline, a run, a step or an artifact of one store.

    It does not change, and never reads the store by itself. Two views are equal if they are of
    the same kind and stand for the same node of the same store. A view that is pickled takes along
    the rows that were read, and the store without its password.
    """

    __slots__ = ("_key", "_run_index")

    _run_index: RunIndex
    _key: str

    def __init__(self, run_index: RunIndex, key: str) -> None:
        """Views are made by the store; see ``Store.get_pipeline()``."""
        object.__setattr__(self, "_run_index", run_index)
        object.__setattr__(self, "_key", key)

    def __setattr__(self, name: str, value: object) -> None:
        message = f"{type(self).__name__} is immutable; {name!r} cannot be set"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> None:
        message = f"{type(self).__name__} is immutable; {name!r} cannot be deleted"
        raise AttributeError(message)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseView) or type(self) is not type(other):
            return NotImplemented
        return (self._run_index.store_image.source, self._key) == (
            other._run_index.store_image.source,
            other._key,
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._run_index.store_image.source, self._key))

    def _arguments(self) -> tuple[Any, ...]:
        """Return what the view is made from again when it is unpickled."""
        return self._run_index, self._key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments()

    @abc.abstractmethod
    def _shown(self) -> Mapping[str, Any]:
        """Return what a reader wants to see, in order."""

    def __repr__(self) -> str:
        fields = ", ".join(
            f"{name}={shortened(value)}" for name, value in self._shown().items() if value != {}
        )
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        rows = [(name, shortened(value)) for name, value in self._shown().items()]
        return table(f"{type(self).__name__}", rows)


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a small HTML table of two columns."""
    cells = "".join(
        f'<tr><th style="text-align:left">{labels.escaped(name)}</th>'
        f'<td style="text-align:left">{labels.escaped(value)}</td></tr>'
        for name, value in rows
    )
    made = f"<table><caption>{labels.escaped(title)}</caption>{cells}</table>"
    return f'<div class="{labels.NO_FORMULAS}">{made}</div>'


def shortened(value: Any) -> str:
    """Return a value as one readable piece of a line."""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def elapsed(started: int | None, finished: int | None) -> dt.timedelta | None:
    """Return the time between two moments in milliseconds; None where one is not known."""
    begin, end = moment(started), moment(finished)
    return None if begin is None or end is None else end - begin


def duration_text(duration: dt.timedelta) -> str:
    """Return a duration as people write it.

    >>> duration_text(dt.timedelta(seconds=3.25)), duration_text(dt.timedelta(seconds=4000))
    ('3.2 s', '1 h 6 min')
    >>> duration_text(dt.timedelta(seconds=0.012))
    '12 ms'
    """
    seconds = duration.total_seconds()
    if 0 < seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(milliseconds: int | None) -> dt.datetime | None:
    """Return a time in UTC; None where there is none, or none that a calendar has."""
    if milliseconds is None:
        return None
    start = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    try:
        return start + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
