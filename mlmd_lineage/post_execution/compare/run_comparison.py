"""A comparison of the runs of a pipeline: for ``pipeline.compare_runs()``."""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage import errors
from mlmd_lineage.post_execution.base_view import moment
from mlmd_lineage.post_execution.compare import value_text
from mlmd_lineage.post_execution.compare.run_values import RunColumns
from mlmd_lineage.snapshot.columns import TEXT

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from matplotlib.axes import Axes

    from mlmd_lineage.post_execution.loading.run_index import RunIndex

_INPUTS = "inputs."


class RunComparison:
    """Runs of one pipeline, one row each.

    >>> comparison = pipeline.compare_runs(last=20, only_changes=True)
    >>> comparison.to_pandas()
    >>> comparison.plot()

    Attributes:
        pipeline: The pipeline's name.
        only_changes: Whether only the columns are kept whose values differ.
    """

    def __init__(
        self,
        pipeline: str,
        run_index: RunIndex,
        keys: Sequence[str],
        *,
        only_changes: bool = False,
    ) -> None:
        """Compare runs, from the oldest to the newest; ``PipelineView.compare_runs()`` makes it."""
        self.pipeline = pipeline
        self.only_changes = only_changes
        self._run_index = run_index
        self._keys = tuple(keys)

    def to_pandas(self) -> pd.DataFrame:
        """Return the runs from the oldest to the newest; the index, ``run``, holds their names.

        Columns: ``status``, ``started`` (UTC), ``duration`` (NaT while a run is running), then
        ``parameters.STEP.NAME``, ``metrics.STEP.NAME`` and ``inputs.STEP.KEY``, in the order of
        the newest run's steps. A step in a group comes with its path, ``for-loop-2/0/train``. Of
        a cached step the parameters are those of the execution whose results it reuses, where
        these say more.

        An input is shown as its artifact's key and what identifies its contents, where the
        store has that: ``artifact/33 (span 4)``. Only those inputs are columns that come from
        outside the run, or that differ between runs. NA stands where a run has no such value;
        with ``only_changes``, that a run did not come to a step is no change of its columns.
        """
        return self._frame.copy()

    @functools.cached_property
    def _frame(self) -> pd.DataFrame:
        runs = [self._run_index.run(key) for key in self._keys]
        found = [RunColumns(self._run_index, run) for run in runs]
        names = [self._run_index.membership.runs[key].name for key in self._keys]
        times = [moment(run.started) or pd.NaT for run in runs]
        columns: dict[Hashable, Any] = {
            "status": pd.array([run.status for run in runs], TEXT),
            "started": pd.DatetimeIndex(times, tz="UTC"),
            "duration": pd.to_timedelta([one.duration for one in found]),
        }
        if self.only_changes:
            columns = {name: column for name, column in columns.items() if _differs(column)}
        outside = {name for one in found for name in one.from_outside}
        paths = {name: path for one in found for name, path in one.paths.items()}
        for name in _in_order([list(one.found) for one in reversed(found)]):
            values = [one.found.get(name, pd.NA) for one in found]
            if self.only_changes:
                held = [v for v, one in zip(values, found, strict=True) if paths[name] in one.steps]
                kept = _differs(_column(held))
            else:
                kept = name in outside or not name.startswith(_INPUTS) or _differs(_column(values))
            if kept:
                columns[name] = _column(values)
        return pd.DataFrame(columns, index=pd.Index(pd.array(names, TEXT), name="run"))

    @property
    def metrics(self) -> pd.DataFrame:
        """The columns of ``frame`` that are metrics, under their names without ``metrics.``."""
        found = self._frame.filter(regex=r"^metrics\.")
        return found.rename(columns=lambda name: str(name).removeprefix("metrics."))

    def plot(self, columns: str | Collection[str] | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw metrics over time with matplotlib, which the extra ``plot`` installs.

        >>> comparison.plot()
        >>> comparison.plot(["duration", "parameters.Trainer.train_args.num_steps"])

        Args:
            columns: Which columns of numbers of ``frame`` to draw; all metrics where None is
                given. The duration is drawn in seconds.
            ax: Where to draw; a new figure where None is given.

        Raises:
            ConfigurationError: There is no such column, or none of numbers; or matplotlib is not
                installed.
        """
        whole = RunComparison(self.pipeline, self._run_index, self._keys).to_pandas()
        if columns is None:
            named = [name for name in map(str, whole) if name.startswith("metrics.")]
        else:
            named = [columns] if isinstance(columns, str) else list(columns)
        drawn = {name: _numbers(whole, name) for name in named}
        if not drawn:
            numbers = [name for name in map(str, whole) if _is_numeric(whole[name])]
            message = (
                "The runs have no metrics in the store; name columns of numbers to draw, such as "
                f"{', '.join(map(repr, numbers[:3])) or 'none here'}."
            )
            raise errors.ConfigurationError(message)
        if ax is None:
            _, ax = _pyplot().subplots()
        for name, values in drawn.items():
            there = values.notna()
            label = name.removeprefix("metrics.")
            ax.plot(whole["started"][there], values[there], marker="o", label=label)
        ax.set_xlabel("started (UTC)")
        ax.set_title(self.pipeline)
        ax.legend()
        ax.figure.autofmt_xdate()
        return ax

    def to_json(self) -> str:
        """Return the runs as JSON: an array of objects, missing values null."""
        rows = self._frame.reset_index().to_dict("records")
        made = [{str(name): _plain(value) for name, value in row.items()} for row in rows]
        return json.dumps(made, ensure_ascii=False, indent=1)

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<RunComparison of {self.pipeline!r}: {len(self)} runs>"

    def _repr_html_(self) -> str:
        return str(self._frame.to_html(na_rep=""))


def _in_order(lists: Sequence[list[str]]) -> list[str]:
    """Return all names once: parameters, metrics, inputs, each as the newest run has them."""
    names = list(dict.fromkeys(name for some in lists for name in some))
    order = ("parameters.", "metrics.", _INPUTS)
    return [name for prefix in order for name in names if name.startswith(prefix)]


def _column(values: list[Any]) -> Any:
    """Return values as a column of one type; of several, as Python objects."""
    kinds = {type(value) for value in values if value is not pd.NA and value is not None}
    cleaned: list[Any] = [pd.NA if value is None else value for value in values]
    dtypes: dict[type, Any] = {bool: "boolean", str: TEXT}
    for kind, dtype in dtypes.items():
        if kinds == {kind}:
            return pd.array(cleaned, dtype)
    if kinds == {int} and all(abs(v) < 2**63 for v in cleaned if v is not pd.NA):
        return pd.array(cleaned, "Int64")
    if kinds and kinds <= {int, float}:
        return pd.array([v if v is pd.NA else float(v) for v in cleaned], "Float64")
    return pd.array(cleaned, object)  # no value is a list: those came as JSON


def _differs(column: Any) -> bool:
    told = {"\0" if _is_na(value) else f"{type(value).__name__} {value!r}" for value in column}
    return len(told) > 1


def _is_na(value: Any) -> bool:
    return value is pd.NA or value is pd.NaT or value is None


def _plain(value: Any) -> Any:
    if _is_na(value):
        return None
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds")
    return value_text.json_value(value)


def _is_numeric(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "m"


def _numbers(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame:
        near = errors.did_you_mean(name, map(str, frame.columns))
        message = f"There is no column {name!r} to draw.{near}"
        raise errors.ConfigurationError(message)
    column = frame[name]
    if not _is_numeric(column):
        message = f"The column {name!r} holds no numbers to draw."
        raise errors.ConfigurationError(message)
    seconds = column.dt.total_seconds() if column.dtype.kind == "m" else column
    return seconds.astype("Float64")


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        message = "plot() needs matplotlib: pip install 'mlmd-lineage[plot]'."
        raise errors.ConfigurationError(message) from None
    return plt
