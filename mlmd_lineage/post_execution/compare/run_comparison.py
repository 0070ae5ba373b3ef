"""A comparison of the runs of a pipeline: for ``pipeline.compare_runs()``."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage import errors
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.post_execution import rich_html
from mlmd_lineage.post_execution.base_view import elapsed, moment
from mlmd_lineage.post_execution.compare.run_values import (
    RunColumns,
    columns_of_run,
    columns_of_steps,
)
from mlmd_lineage.post_execution.step_metrics import is_scalar
from mlmd_lineage.snapshot.columns import TEXT
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlmd_lineage.post_execution.loading.run_index import RunIndex

_INPUTS = "inputs."
_LONGEST_SHOWN = 80  # letters of a value in a notebook's table


class RunComparison:
    """Runs of one pipeline, one row each.

    >>> comparison = pipeline.compare_runs(last=20, only_changes=True)
    >>> comparison.to_pandas()
    >>> comparison.plot()

    Attributes:
        pipeline: The pipeline's name.
        only_changes: Whether only the columns are kept whose values differ.
        read_artifacts: Whether artifacts that are a single number each are read as metrics.
    """

    def __init__(
        self,
        pipeline: str,
        run_index: RunIndex,
        keys: Sequence[str],
        *,
        only_changes: bool = False,
        read_artifacts: bool = False,
    ) -> None:
        """Compare runs, from the oldest to the newest; ``PipelineView.compare_runs()`` makes it."""
        self.pipeline = pipeline
        self.only_changes = only_changes
        self.read_artifacts = read_artifacts
        self._run_index = run_index
        self._keys = tuple(keys)

    def to_pandas(self) -> pd.DataFrame:
        """Return the runs from the oldest to the newest; the index, ``run``, holds their names.

        Where a platform has no runs, as HPE CMF has none, each row is an execution of a stage.

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
        rows = self._rows
        columns: dict[Hashable, Any] = {
            "status": pd.array([row.status for row in rows], TEXT),
            "started": pd.DatetimeIndex([moment(row.started) or pd.NaT for row in rows], tz="UTC"),
            "duration": pd.to_timedelta([elapsed(row.started, row.finished) for row in rows]),
        }
        if self.only_changes:
            columns = {name: column for name, column in columns.items() if _differs(column)}
        outside = {name for row in rows for name in row.from_outside}
        paths = {name: path for row in rows for name, path in row.paths.items()}
        for name in _in_order([list(row.found) for row in reversed(rows)]):
            values = [row.found.get(name, pd.NA) for row in rows]
            if self.only_changes:
                held = [v for v, row in zip(values, rows, strict=True) if paths[name] in row.steps]
                kept = _differs(held)
            else:
                kept = name in outside or not name.startswith(_INPUTS) or _differs(values)
            if kept:
                columns[name] = _column(values)
        names = pd.array([row.name for row in rows], TEXT)
        return pd.DataFrame(columns, index=pd.Index(names, name="run"))

    @functools.cached_property
    def _rows(self) -> list[RunColumns]:
        """The rows: one a run, or one a step where a run only groups executions (HPE CMF)."""
        index = self._run_index
        rows = []
        for key in self._keys:
            run, name = index.run(key), index.membership.runs[key].name
            if index.repeats_are_attempts(run):
                rows.append(columns_of_run(index, run, name, read=self.read_artifacts))
            else:
                found = columns_of_steps(index, run, read=self.read_artifacts)
                rows += sorted(found, key=lambda row: row.started or 0)
        return rows

    @property
    def keys(self) -> tuple[str, ...]:
        """The key of each row's run, or of its execution where a row is a single step."""
        return tuple(row.key for row in self._rows)

    @property
    def unread(self) -> dict[str, str]:
        """The artifacts that ``read_artifacts`` asks for and that could not be read, and why.

        >>> pipeline.compare_runs(read_artifacts=True).unread
        {'artifact/8': 'artifact/8 (DataArtifact) at /srv/... cannot be read: ...'}

        Their metrics are NA; a metric that could be read of no run has no column.
        """
        found: dict[str, str] = {}
        for row in self._rows:
            found |= row.unread
        return found

    @property
    def metrics(self) -> pd.DataFrame:
        """The columns of ``frame`` that are metrics, under their names without ``metrics.``."""
        found = self._frame.filter(regex=r"^metrics\.")
        return found.rename(columns=lambda name: str(name).removeprefix("metrics."))

    def plot(
        self, columns: str | Collection[str] | None = None, *, figure: Figure | None = None
    ) -> list[Axes]:
        """Draw metrics over time with matplotlib, one panel each; the extra ``plot`` installs it.

        >>> comparison.plot()
        >>> comparison.plot(["duration", "parameters.Trainer.train_args.num_steps"])

        The panels, which are returned, share the axis of time. Runs that failed are marked by
        crosses.

        >>> comparison.plot()[0].figure.savefig("runs.svg")

        Args:
            columns: Which columns of numbers of ``frame`` to draw; all metrics where None is
                given. The duration is drawn in seconds.
            figure: Where to draw; a new figure where None is given.

        Raises:
            ConfigurationError: There is no such column, or none of numbers; or matplotlib is not
                installed.
        """
        whole = RunComparison(
            self.pipeline, self._run_index, self._keys, read_artifacts=self.read_artifacts
        ).to_pandas()
        if columns is None:
            named = [name for name in map(str, whole) if name.startswith("metrics.")]
        else:
            named = [columns] if isinstance(columns, str) else list(columns)
        drawn = {name: _numbers(whole, name) for name in named}
        if not drawn:
            numbers = [name for name in map(str, whole) if _is_numeric(whole[name])]
            message = (
                f"The runs have no metrics in the store{self._where_metrics_are()}; name columns "
                f"of numbers to draw, such as {', '.join(map(repr, numbers[:3])) or 'none here'}."
            )
            raise errors.ConfigurationError(message)
        from mlmd_lineage.post_execution.compare.metric_panels import draw

        return draw(self.pipeline, whole, drawn, figure)

    def _where_metrics_are(self) -> str:
        """Return what to say of metrics that are artifacts; nothing where there are none."""
        if self.unread:
            reason = next(iter(self.unread.values())).removesuffix(".")
            return f", and {_unread(self.unread)} ({reason})"
        index = self._run_index
        steps = (step.record for key in self._keys for step in index.run(key).steps.values())
        outputs = ((step, n) for step in steps for some in step.outputs.values() for n in some)
        if any(is_scalar(index, number, step.dialect) for step, number in outputs):
            return ", but artifacts that are numbers: compare_runs(read_artifacts=True) reads them"
        return ""

    def to_json(self) -> str:
        """Return the runs as JSON: an array of objects, missing values null."""
        rows = self._frame.reset_index().to_dict("records")
        made = [{str(name): json_value(value) for name, value in row.items()} for row in rows]
        return json.dumps(made, ensure_ascii=False, indent=1)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<RunComparison of {self.pipeline!r}: {len(self)} runs>"

    def _repr_html_(self) -> str:
        note = f"<p>{labels.escaped(_unread(self.unread))}</p>" if self.unread else ""
        return f"{rich_html.frame_html(self._frame, longest=_LONGEST_SHOWN)}{note}"


def _unread(unread: Mapping[str, str]) -> str:
    """Return that artifacts could not be read, for a sentence."""
    named = ", ".join(list(unread)[:3])
    more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
    return f"{named}{more} could not be read"


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
    seen: set[str] = set()
    for value in column:
        seen.add("\0" if is_missing(value) else f"{type(value).__name__} {value!r}")
        if len(seen) > 1:
            return True
    return False


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
