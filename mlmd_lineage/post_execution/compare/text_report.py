"""How comparisons speak: nodes, values and differences as people say them."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.lineage.render.labels import printable, shortened
from mlmd_lineage.post_execution.compare.node_differences import NOTES
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.post_execution.compare.lineage_diff import Divergence, LineageDiff
    from mlmd_lineage.post_execution.compare.node_differences import Difference
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry

_LONGEST = 80
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


def plain(value: Any) -> Any:
    """Return a value as JSON has it: null for NA, base64 for bytes, texts for NaN and infinity."""
    simple = value
    if value is pd.NA or value is None:
        simple = None
    elif isinstance(value, float) and not math.isfinite(value):
        simple = str(value)
    elif isinstance(value, bytes):
        simple = base64.b64encode(value).decode()
    elif isinstance(value, dict):
        simple = {str(name): plain(item) for name, item in value.items()}
    elif isinstance(value, (list, tuple)):
        simple = [plain(item) for item in value]
    elif not isinstance(value, (str, int, float, bool)):
        simple = str(value)
    return simple


def shown(value: Any) -> str:
    """Return a value as it stands in a sentence."""
    if value is pd.NA:
        return "absent"
    return shortened(printable(in_full(value)) or '""', _LONGEST)


def in_full(value: Any) -> str:
    """Return a value as text: texts as they are, other values as JSON."""
    simple = plain(value)
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def changed(found: Difference) -> str:
    """Return a difference as a clause: ``the parameter lr is 0.01 in a and 0.03 in b``."""
    one, other = shown(found.value_a), shown(found.value_b)
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


def report(diff: LineageDiff) -> str:
    """Return a diff in sentences."""
    lines = [f"a is {diff.labels[0]}.", f"b is {diff.labels[1]}."]
    if diff.a == diff.b:
        return "\n".join([*lines, "They are the same."])
    if diff.identical:
        lines.append("Nothing differs: they come from the same steps, data and parameters.")
    else:
        lines += ["", *_first(diff.first), *_rest(diff)]
    notes = [(p, d) for p in diff.divergences for d in p.differences if d.what in NOTES]
    if notes:
        lines += ["", "Of no effect on the results:"]
        lines += _listed(f"{pair.role}: {changed(found)}" for pair, found in notes)
    if diff.shared:
        lines += ["", "Both come from the same:", *_listed(diff.shared)]
    if diff.doubts:
        lines += ["", "The store does not tell all:", *_listed(diff.doubts)]
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


def _rest(diff: LineageDiff) -> list[str]:
    rest = [
        f"{pair.role}: {changed(found)}"
        for pair in diff.divergences
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
