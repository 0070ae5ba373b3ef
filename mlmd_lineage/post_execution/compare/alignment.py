"""The alignment of two lineages: pairs of nodes that play the same role in both.

It begins with the two nodes that are compared. An artifact's pair leads to that of the steps that
made them, a step's to those of what it took under the same key. A pair of one and the same node
ends the walk: all above it is shared. Each pair is looked at once, so that the work is bounded by
the two lineages, and a circle ends too.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd

from mlmd_lineage.post_execution.compare import first_divergence, node_differences
from mlmd_lineage.post_execution.compare.first_divergence import AlignedPair
from mlmd_lineage.post_execution.compare.node_differences import Difference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.post_execution.compare.first_divergence import Pair
    from mlmd_lineage.post_execution.loading.ancestry import Ancestry


class Alignment:
    """The pairs of two lineages.

    Attributes:
        pairs: All pairs that were met, those nearest to the first one first.
        doubts: What the store does not tell, in sentences.
    """

    def __init__(self, ancestry: Ancestry, a: str, b: str) -> None:
        self.pairs: dict[Pair, AlignedPair] = {}
        self._ancestry = ancestry
        self._doubts: set[str] = set()
        self._waiting: list[tuple[Pair, str, int]] = []
        self._statuses: dict[str, str] = {}
        """The statuses of the runs that were asked about."""
        self._steps: dict[int, Pair] = {}
        """For each execution of a run that was asked about, its pair."""
        self._meet((a, b), "")
        for pair, role, hops in self._waiting:
            if pair not in self.pairs:
                self.pairs[pair] = aligned = AlignedPair(pair, role, hops)
                self._expand(aligned)
        first_divergence.find_first(ancestry, self.pairs)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the store does not tell."""
        return tuple(sorted(self._doubts))

    def _meet(
        self, pair: Pair, role: str, below: AlignedPair | None = None, *, hops: int = 1
    ) -> None:
        self._waiting.append((pair, role, 0 if below is None else below.hops + hops))
        if below is not None and pair not in below.above:
            below.above.append(pair)

    def _expand(self, aligned: AlignedPair) -> None:
        a, b = aligned.pair
        kind, _, _ = (a or b or "").partition("/")
        if kind == "context":
            self._expand_runs(aligned, a or "", b or "")
        elif kind == "execution":
            self._expand_steps(aligned, _number(a), _number(b))
        else:
            self._expand_artifacts(aligned, _number(a) or 0, _number(b) or 0)

    # Runs

    def _expand_runs(self, aligned: AlignedPair, a: str, b: str) -> None:
        one, other = self._by_path(a), self._by_path(b)
        membership = self._ancestry.run_index.membership
        names = [membership.pipelines[membership.runs[key].pipeline].name for key in (a, b)]
        aligned.role = " | ".join(sorted(set(names)))
        if a == b:
            return
        self._statuses = {s: self._ancestry.run(k).status for s, k in (("a", a), ("b", b))}
        if names[0] != names[1]:
            aligned.own.append(Difference("pipeline", "", *names))
        for path in sorted({*one, *other}):
            numbers = one.get(path), other.get(path)
            pair = (_key(numbers[0]), _key(numbers[1]))
            self._steps.update(dict.fromkeys((n for n in numbers if n is not None), pair))
            self._meet(pair, "", aligned)

    def _by_path(self, run: str) -> dict[str, int]:
        """Return a run's executions by the paths of their steps: of several attempts the last."""
        return {step.path: number for number, step in self._ancestry.run(run).steps.items()}

    # Steps

    def _expand_steps(self, aligned: AlignedPair, a: int | None, b: int | None) -> None:
        ancestry = self._ancestry
        aligned.role = _role(self._step_role(number) for number in (a, b))
        if a is None or b is None:
            self._only_one(aligned, a, b)
            return
        if a == b:
            return
        aligned.own += node_differences.of_steps(ancestry, a, b)
        for number in (a, b):
            if ancestry.step(number).status == "running" and not ancestry.record(number).is_dag:
                self._doubts.add(f"execution/{number} has not finished, or was killed.")
        made_a, made_b = ancestry.original(a), ancestry.original(b)
        if (made_a, made_b) != (a, b):
            # What made the results explains them, not what reuses them.
            if made_a != made_b:
                self._meet((_key(made_a), _key(made_b)), "", aligned, hops=0)
            return
        groups = ancestry.record(a).parent_dag, ancestry.record(b).parent_dag
        if None not in groups and self._known(groups):
            self._meet((_key(groups[0]), _key(groups[1])), "", aligned)
        if not (ancestry.record(a).is_dag or ancestry.record(b).is_dag):
            self._pair_inputs(aligned, a, b)

    def _known(self, numbers: Iterable[int | None]) -> bool:
        return all(
            number in self._ancestry.run_index.membership.runs_by_execution for number in numbers
        )

    def _step_role(self, number: int | None) -> str | None:
        if number is None:
            return None
        return f"{self._ancestry.pipeline(number)}/{self._ancestry.path(number)}"

    def _only_one(self, aligned: AlignedPair, a: int | None, b: int | None) -> None:
        number = a if a is not None else b
        assert number is not None
        there = [pd.NA if side is None else f"execution/{side}" for side in (a, b)]
        status = self._statuses["ab"[a is not None]]
        what = "structure" if status in {"completed", "cached"} else "not reached"
        aligned.own.append(Difference(what, "step", *there))
        # It comes from steps of its own run, which have counterparts.
        step = self._ancestry.step(number)
        for parent in (*step.parents, step.record.parent_dag):
            if parent in self._steps and self._steps[parent] != aligned.pair:
                self._meet(self._steps[parent], "", aligned)

    def _pair_inputs(self, aligned: AlignedPair, a: int, b: int) -> None:
        one, other = self._ancestry.inputs(a), self._ancestry.inputs(b)
        for name in sorted({*one, *other}):
            pairs = self._matched(one.get(name, ()), other.get(name, ()))
            for position, (left, right) in enumerate(pairs):
                told = name if len(pairs) == 1 else f"{name}[{position}]"
                resolved = self._is_resolved(left, a) or self._is_resolved(right, b)
                if left is None or right is None or (resolved and left != right):
                    sides = [pd.NA if s is None else f"artifact/{s}" for s in (left, right)]
                    what = "resolved" if resolved else "structure"
                    aligned.own.append(Difference(what, f"input {told}", *sides))
                else:
                    role = f"{aligned.role}<-{told}"
                    self._meet((f"artifact/{left}", f"artifact/{right}"), role, aligned)

    def _is_resolved(self, artifact: int | None, execution: int) -> bool:
        return artifact is not None and self._ancestry.is_resolved(artifact, execution)

    def _matched(
        self, one: tuple[int, ...], other: tuple[int, ...]
    ) -> list[tuple[int | None, int | None]]:
        """Pair what was taken under one key: the same ones, then those of the same step, the rest.

        So a window that moved on by one file differs by one file.
        """
        shared = set(one) & set(other)
        at = [{number: place for place, number in enumerate(side)} for side in (one, other)]
        pairs: list[tuple[int | None, int | None]] = [(n, n) for n in sorted(shared)]
        left, right = ([n for n in side if n not in shared] for side in (one, other))
        twins: dict[str, list[int]] = {}
        for number in right:
            twins.setdefault(self._maker_role(number) or "", []).append(number)
        unmatched = []
        for number in left:
            role = self._maker_role(number)
            if role and twins.get(role):
                pairs.append((number, twins[role].pop(0)))
            else:
                unmatched.append(number)
        alone = [number for number in right if any(number in some for some in twins.values())]
        pairs += itertools.zip_longest(unmatched, alone)

        def position(pair: tuple[int | None, int | None]) -> list[list[int]]:
            sides = zip(at, pair, strict=True)
            places = [places[n] for places, n in sides if n is not None]
            return [sorted(places), sorted(n for n in pair if n is not None)]

        return sorted(pairs, key=position)

    def _maker_role(self, artifact: int) -> str | None:
        makers = self._ancestry.producers(artifact)
        return self._step_role(makers[0]) if makers else None

    # Artifacts

    def _expand_artifacts(self, aligned: AlignedPair, a: int, b: int) -> None:
        ancestry = self._ancestry
        aligned.role = _role(self._artifact_role(n) or aligned.role for n in (a, b))
        if a == b:
            return
        aligned.own += node_differences.types(ancestry, a, b)
        one, other = ancestry.producers(a), ancestry.producers(b)
        for number, makers in ((a, one), (b, other)):
            if not makers:
                self._doubts.add(f"Nothing on record made artifact/{number}.")
            elif len(makers) > 1:
                named = ", ".join(f"execution/{maker}" for maker in makers)
                self._doubts.add(f"Several executions made artifact/{number}: {named}.")
        if not one or not other:
            if one or other:
                sides = [f"execution/{m[0]}" if m else pd.NA for m in (one, other)]
                aligned.own.append(Difference("structure", "producer", *sides))
            aligned.own += node_differences.of_sources(ancestry, a, b)
            return
        for left, right in zip(one, other, strict=False):
            made = ancestry.record(left), ancestry.record(right)
            if made[0].name == made[1].name or made[0].type == made[1].type:
                self._meet((f"execution/{left}", f"execution/{right}"), "", aligned)
            else:
                roles = self._step_role(left), self._step_role(right)
                aligned.own.append(Difference("structure", "producer", *roles))
        outputs = self._output_key(a), self._output_key(b)
        if outputs[0] != outputs[1]:
            aligned.own.append(Difference("structure", "output", *outputs))

    def _artifact_role(self, number: int) -> str | None:
        makers = self._ancestry.producers(number)
        return f"{self._step_role(makers[0])}:{self._output_key(number)}" if makers else None

    def _output_key(self, artifact: int) -> str:
        for maker in self._ancestry.producers(artifact):
            for name, numbers in self._ancestry.record(maker).outputs.items():
                if artifact in numbers:
                    return name if len(numbers) == 1 else f"{name}[{numbers.index(artifact)}]"
        return ""


def _key(number: int | None) -> str | None:
    return None if number is None else f"execution/{number}"


def _number(key: str | None) -> int | None:
    return None if key is None else int(key.partition("/")[2])


def _role(roles: Iterable[str | None]) -> str:
    """Return a role that does not depend on the order of the sides."""
    return " | ".join(sorted({role for role in roles if role}))
