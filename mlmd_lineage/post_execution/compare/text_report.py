"""The text report of a lineage diff: nodes and differences in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mlmd_lineage.post_execution.compare.node_differences import NOTES
from mlmd_lineage.post_execution.compare.value_text import shown_pair
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlmd_lineage.post_execution.compare.node_differences import Difference, Divergence
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry

_NAMED = 8


def label(ancestry: Ancestry, key: str) -> str:
    """Return what a node is called: ``artifact/4 (Model of the run 2026-11-21T02:44)``."""
    kind, _, number = key.partition("/")
    if kind == "context":
        return f"{key} (the run {ancestry.run_index.membership.runs[key].name})"
    if kind == "execution":
        run = ancestry.run_name(int(number))
        return f"{key} ({ancestry.path(int(number))} of the run {run})"
    facts = ancestry.facts(int(number))
    told = short_type(facts.type) if facts is not None else "of which there is no row"
    makers = ancestry.producers(int(number))
    run = f" of the run {ancestry.run_name(makers[0])}" if makers else ""
    return f"{key} ({told}{run})"


def changed(found: Difference) -> str:
    """Return a difference as a clause: ``the parameter lr is 0.01 in a and 0.03 in b``."""
    one, other = shown_pair(found.value_a, found.value_b)
    sides = f"is {one} in a and {other} in b"
    if found.what == "rerun":
        return f"executed again, with the same parameters: {one} in a, {other} in b"
    if found.what == "not reached":
        return f"a run that ended before did not reach it: {one} in a, {other} in b"
    if found.what in {"structure", "resolved"}:
        for value, side in ((found.value_a, "b"), (found.value_b, "a")):
            if value is pd.NA:
                there = other if value is found.value_a else one
                return f"the {found.name} is only in {side}: {there}"
    told = {
        "data": f"the data: {found.name}",
        "code": f"the code: {found.name}",
        "type": f"the {found.name}",
        "structure": f"the {found.name}",
        "status": "the status",
        "resolved": f"the {found.name}, the latest at that time,",
        "result": f"the result {found.name}, of the same parameters and inputs,",
        "pipeline": "the pipeline",
        "iteration": "the pass of the loop",
        "cached": "the result",
    }.get(found.what, f"the {found.what} {found.name}")
    return f"{told} {sides}"


def report(
    nodes: Sequence[tuple[str, str]],
    divergences: Sequence[Divergence],
    shared: Sequence[str],
    doubts: Sequence[str],
) -> str:
    """Return a diff in sentences; ``nodes`` are the keys and the labels of both sides."""
    (a, label_a), (b, label_b) = nodes
    lines = [f"a is {label_a}.", f"b is {label_b}."]
    if a == b:
        return "\n".join([*lines, "They are the same."])
    found = [(pair, difference) for pair in divergences for difference in pair.differences]
    notes = [(pair, difference) for pair, difference in found if difference.what in NOTES]
    if len(notes) == len(found):
        lines.append("Nothing differs: they come from the same steps, data and parameters.")
    else:
        first = [pair for pair in divergences if pair.first]
        lines += ["", *_first(first), *_rest(divergences)]
    if notes:
        lines += ["", "Of no effect on the results:"]
        lines += _listed(f"{pair.role}: {changed(difference)}" for pair, difference in notes)
    if shared:
        lines += ["", "Both come from the same:", *_listed(shared)]
    if doubts:
        lines += ["", "The store does not tell all:", *_listed(doubts)]
    return "\n".join(lines)


def _first(first: list[Divergence]) -> list[str]:
    count = "one place" if len(first) == 1 else f"{len(first)} places"
    lines = [f"They part first in {count}:"]
    for pair in first:
        sides = " and ".join(key for key in (pair.a, pair.b) if key is not None)
        lines.append(f"  {pair.role} ({sides})")
        own = [found for found in pair.differences if found.what not in NOTES]
        lines += [f"    - {changed(found)}" for found in own]
        if any(found.what == "rerun" for found in own):
            lines.append("      (nothing that is on record was changed)")
    return lines


def _rest(divergences: Sequence[Divergence]) -> list[str]:
    rest = [
        f"{pair.role}: {changed(found)}"
        for pair in divergences
        for found in pair.differences
        if not pair.first and found.what not in NOTES
    ]
    return (
        ["", "What else differs, nearer to them or as a consequence:", *_listed(rest)]
        if rest
        else []
    )


def _listed(texts: Iterable[str]) -> list[str]:
    lines = list(texts)
    shown_lines = [f"  - {line}" for line in lines[:_NAMED]]
    if len(lines) > _NAMED:
        shown_lines.append(f"  - and {len(lines) - _NAMED:,} more")
    return shown_lines
