"""The difference between the lineages of two artifacts, steps or runs, for ``store.diff()``."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.lineage.render import labels
from mlmd_lineage.post_execution import rich_html
from mlmd_lineage.post_execution.compare import text_report
from mlmd_lineage.post_execution.compare.alignment import Alignment
from mlmd_lineage.post_execution.compare.node_differences import NOTES, Divergence
from mlmd_lineage.post_execution.loading import closures, node_resolution
from mlmd_lineage.snapshot.columns import TEXT
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.post_execution.compare.first_divergence import AlignedPair
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry
    from mlmd_lineage.readers.base import Reader

_KINDS = {"artifact": "artifact", "execution": "execution", "context": "run"}


class LineageDiff:
    """Why two artifacts, steps or runs differ.

    >>> diff = store.diff("artifact/4", "artifact/15")
    >>> print(diff.text())
    >>> [found.role for found in diff.first]
    ['penguin-train/Trainer']

    Attributes:
        a, b: The keys of what was compared.
        divergences: All pairs of nodes that differ by themselves, the first divergent ancestors
            first, then those nearest to what was compared.
        doubts: What the store does not tell, in sentences.
    """

    def __init__(self, a: str, b: str, ancestry: Ancestry) -> None:
        """Compare two nodes of an ancestry; ``Store.diff()`` makes it."""
        alignment = Alignment(ancestry, a, b)
        self.a, self.b = a, b
        self.labels = tuple(text_report.label(ancestry, key) for key in (a, b))
        self.doubts = alignment.doubts
        self.divergences = tuple(sorted(map(_divergence, alignment.pairs.values()), key=_order))
        self.divergences = tuple(d for d in self.divergences if d.differences)
        self._shared = tuple(
            sorted(
                {
                    f"{p.role} ({p.pair[0]})"
                    for p in alignment.pairs.values()
                    if p.pair[0] == p.pair[1] and p.hops
                }
            )
        )

    @property
    def identical(self) -> bool:
        """Whether nothing differs; that one was cached and the other not is no difference."""
        return all(d.what in NOTES for pair in self.divergences for d in pair.differences)

    @property
    def first(self) -> list[Divergence]:
        """The first divergent ancestors: they differ by themselves, and nothing above them does.

        What was executed again with nothing changed, or came out otherwise, is named only where
        nothing else explains the difference.
        """
        return [pair for pair in self.divergences if pair.first]

    @property
    def shared(self) -> tuple[str, ...]:
        """Where the two lineages meet in one and the same node."""
        return self._shared

    def to_pandas(self) -> pd.DataFrame:
        """Return the differences, one row each.

        Columns: ``role``, ``kind``, ``a`` and ``b`` (node keys), ``what``, ``name``, ``value_a``
        and ``value_b`` (Python values, NA where a side has none), ``first``, ``hops``.
        """
        return self._frame.copy()

    @functools.cached_property
    def _frame(self) -> pd.DataFrame:
        rows = [(pair, found) for pair in self.divergences for found in pair.differences]
        return pd.DataFrame(
            {
                "role": pd.array([pair.role for pair, _ in rows], TEXT),
                "kind": pd.array([pair.kind for pair, _ in rows], TEXT),
                "a": pd.array([pair.a for pair, _ in rows], TEXT),
                "b": pd.array([pair.b for pair, _ in rows], TEXT),
                "what": pd.array([found.what for _, found in rows], TEXT),
                "name": pd.array([found.name for _, found in rows], TEXT),
                "value_a": pd.Series([found.value_a for _, found in rows], dtype=object),
                "value_b": pd.Series([found.value_b for _, found in rows], dtype=object),
                "first": [pair.first and found.what not in NOTES for pair, found in rows],
                "hops": pd.Series([pair.hops for pair, _ in rows], dtype="int64"),
            }
        ).astype({"first": bool})

    def text(self) -> str:
        """Return the report in sentences, to be read by a person, or aloud."""
        nodes = [(self.a, self.labels[0]), (self.b, self.labels[1])]
        told = text_report.report(nodes, self.divergences, self.shared, self.doubts)
        return labels.printable_lines(told)

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(
            {
                "a": self.a,
                "b": self.b,
                "identical": self.identical,
                "divergences": [_as_dict(pair) for pair in self.divergences],
                "shared": list(self.shared),
                "doubts": list(self.doubts),
            },
            ensure_ascii=False,
            indent=1,
        )

    def __len__(self) -> int:
        """Return the number of differences."""
        return sum(len(pair.differences) for pair in self.divergences)

    def __repr__(self) -> str:
        first = ", ".join(pair.role for pair in self.first) or "none"
        number = "1 difference" if len(self) == 1 else f"{len(self)} differences"
        return f"<LineageDiff {self.a} {self.b}: {number}, first: {first}>"

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        shown = self._frame.drop(columns="kind")
        table = rich_html.frame_html(shown, index=False) if len(self) else ""
        return f"{rich_html.report_html(self.text())}{table}"


def diff(reader: Reader, a: Node, b: Node) -> LineageDiff:
    """Return why two artifacts, steps or runs differ.

    Raises:
        NotFoundError: The store holds no such node or run.
        AmbiguousNameError: A name fits several.
        ConfigurationError: One of them has no lineage, or they are of different kinds.
    """
    one, other = (node_resolution.subject(reader, node) for node in (a, b))
    closures.check_alike(one, other)
    return LineageDiff(one, other, closures.read(reader, {one, other}))


def _divergence(aligned: AlignedPair) -> Divergence:
    a, b = aligned.pair
    return Divergence(
        role=aligned.role,
        kind=_KINDS[(a or b or "").partition("/")[0]],
        a=a,
        b=b,
        hops=aligned.hops,
        first=aligned.is_first,
        differences=tuple(sorted(aligned.own, key=lambda d: (d.what in NOTES, d.what, d.name))),
    )


def _order(pair: Divergence) -> tuple[Any, ...]:
    keys = sorted(key or "" for key in (pair.a, pair.b))
    return (not pair.first, pair.hops, pair.role, keys)


def _as_dict(pair: Divergence) -> dict[str, Any]:
    fields = {name: getattr(pair, name) for name in ("role", "kind", "a", "b", "hops", "first")}
    return fields | {
        "differences": [
            {
                "what": found.what,
                "name": found.name,
                "value_a": json_value(found.value_a),
                "value_b": json_value(found.value_b),
            }
            for found in pair.differences
        ]
    }
