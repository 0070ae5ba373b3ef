"""The picture of a run: its steps from left to right, with their statuses and durations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import html as render_html
from mlmd_lineage.lineage.render import labels, svg
from mlmd_lineage.lineage.render.folding import counted
from mlmd_lineage.lineage.render.scene import Box, EdgeLine, Scene, shorten, when
from mlmd_lineage.post_execution.base_view import duration_text, elapsed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mlmd_lineage.post_execution.loading.run_assembly import Run, Step

MOST_BOXES = 40
"""How many boxes groups of steps are opened to, at most."""
DRAWN_STEPS = 2_000
"""How many steps a run has at most that draws itself in a notebook."""


def run_svg(run: Run, name: str, *, fold: bool = True) -> str:
    """Return a run drawn as an SVG image; ``fold`` is that of ``run_scene()``.

    Args:
        run: The run.
        name: Its name.
        fold: Draw groups of steps as one box each in a run of more than 40 steps.
    """
    count = sum(not step.record.is_root for step in run.steps.values())
    return svg.svg(run_scene(run, fold=fold), [_caption(run, name, count)])


def run_scene(run: Run, *, fold: bool = True, opened: Collection[int] = ()) -> Scene:
    """Return the steps of a run as boxes, and their order as lines.

    Args:
        run: The run.
        fold: In a run of more than 40 steps draw groups of steps, such as a DAG or a loop of
            Kubeflow, as one box each; with False draw every step.
        opened: The ids of groups whose steps are drawn in any case.
    """
    steps = {n: step for n, step in run.steps.items() if not step.record.is_root}
    shown = _boxes_of(steps, fold=fold, opened=opened)
    drawn = list(dict.fromkeys(box for box in shown.values() if box is not None))
    inside = {n: _below(n, steps) for n in drawn}
    names = _endings([steps[n].path for n in drawn])
    boxes = [_box(steps[n], n, name, inside[n]) for n, name in zip(drawn, names, strict=True)]
    shorten(boxes)
    numbers = {n: at for at, n in enumerate(drawn)}
    pairs = {
        (numbers[before], numbers[after])
        for n, step in steps.items()
        if (after := shown[n]) is not None
        for parent in step.parents
        if (before := shown.get(parent)) is not None and before != after
    }
    lines = [EdgeLine(a, b, "after") for a, b in sorted(pairs)]
    hidden = sum(map(len, inside.values()))
    plural = "" if hidden == 1 else "s"
    folded = f"{hidden:,} step{plural} are folded into their groups" if hidden else ""
    return Scene(boxes, lines, folded)


def run_html(run: Run, name: str) -> str:
    """Return a run's picture as HTML, nothing where it has too many steps to be looked at."""
    if not 0 < len(run.steps) <= DRAWN_STEPS:
        return ""
    return render_html.page_width(run_svg(run, name))


def _boxes_of(
    steps: Mapping[int, Step], *, fold: bool, opened: Collection[int]
) -> dict[int, int | None]:
    """Return the step as whose box each step is drawn; None for groups that are drawn as steps.

    Groups are opened as deep as leaves few enough boxes, and those that are named in any case.
    """
    paths = {number: _groups_above(number, steps) for number in steps}
    deepest = max(map(len, paths.values()), default=1)
    found: dict[int, int | None] = {}
    for depth in range(deepest) if fold else (deepest,):
        drawn: dict[int, int | None] = {}
        for number, path in paths.items():
            at = min(depth, len(path) - 1)
            while path[at] in opened and at + 1 < len(path):
                at += 1
            holds_steps = any(child in steps for child in steps[number].children)
            is_open = holds_steps and (len(path) <= depth or number in opened)
            drawn[number] = None if is_open and path[at] == number else path[at]
        if found and len({box for box in drawn.values() if box is not None}) > MOST_BOXES:
            break
        found = drawn
    return found


def _groups_above(number: int, steps: Mapping[int, Step]) -> list[int]:
    """Return the groups that hold a step, the outermost first, and the step."""
    path = [number]
    parent = steps[number].record.parent_dag
    while parent in steps and parent is not None and parent not in path:
        path.insert(0, parent)
        parent = steps[parent].record.parent_dag
    return path


def _below(number: int, steps: Mapping[int, Step]) -> list[Step]:
    """Return the steps in a group, those of its groups among them, without the groups."""
    found: list[Step] = []
    waiting, seen = list(steps[number].children), {number}
    while waiting:
        child = waiting.pop()
        if child in seen or child not in steps:
            continue
        seen.add(child)
        if steps[child].children:
            waiting += steps[child].children
        else:
            found.append(steps[child])
    return found


def _endings(paths: Sequence[str]) -> list[str]:
    """Return the shortest ends of paths that tell them apart.

    >>> _endings(["a/loop/0/train", "a/loop/1/train", "a/deploy"])
    ['0/train', '1/train', 'deploy']
    """
    parts = [path.split("/") for path in paths]
    lengths = [1] * len(paths)
    while True:
        ends = ["/".join(some[-length:]) for some, length in zip(parts, lengths, strict=True)]
        alike: dict[str, set[str]] = {}
        for end, path in zip(ends, paths, strict=True):
            alike.setdefault(end, set()).add(path)
        if all(len(some) == 1 for some in alike.values()):
            return ends
        lengths = [
            length + (len(alike[end]) > 1) for length, end in zip(lengths, ends, strict=True)
        ]


def _box(step: Step, number: int, name: str, inside: Sequence[Step]) -> Box:
    record = step.record
    took = elapsed(step.started, step.finished)
    if name == record.name and record.display_name:
        name = record.display_name
    about = [f"#{number}"]
    if inside:
        odd = counted(Counter("cached" if s.is_cached else s.status for s in inside))
        about.append(f"{len(inside):,} step{'' if len(inside) == 1 else 's'}{odd and f', {odd}'}")
    elif step.attempts > 1:
        about.append(f"attempt {step.attempt} of {step.attempts}")
    if took is not None:
        about.append(duration_text(took))
    status = "cached" if step.is_cached else step.status
    tooltip = [f"execution/{number}: {record.type}", f"status: {status}"]
    for what, time in (("started", step.started), ("finished", step.finished)):
        tooltip += [f"{what}: {when(time)}"] if time else []
    for key, value in list(record.parameters.items())[:12]:
        tooltip.append(f"{key} = {labels.shortened(str(value), 80)}")
    return Box(
        f"execution/{number}",
        "group" if inside else "execution",
        (name, " · ".join(about)),
        "\n".join(tooltip),
        type=record.type,
        status=status,
        is_folded=bool(inside),
    )


def _caption(run: Run, name: str, steps: int) -> str:
    took = elapsed(run.started, run.finished)
    told = f" in {duration_text(took)}" if took is not None else ""
    count = f"{steps:,} step{'' if steps == 1 else 's'}"
    return f"run {name}: {run.status}{told}, {count}"


def runs_table(runs: Sequence[tuple[str, Run, Mapping[str, float]]], hidden: int) -> str:
    """Return runs as a small HTML table: name, status, start, duration and metrics.

    Args:
        runs: The name of each run, the run, and its metrics.
        hidden: How many older runs are left out.
    """
    metrics = list(dict.fromkeys(name for _, _, found in runs for name in found))[:5]
    heads = "".join(
        f"<th>{_escaped(name)}</th>" for name in ("run", "status", "started", "duration", *metrics)
    )
    rows = "".join(
        "<tr>" + "".join(_cells(name, run, [found.get(m) for m in metrics])) + "</tr>"
        for name, run, found in runs
    )
    more = f"<p>The newest {len(runs):,} of {len(runs) + hidden:,} runs.</p>" if hidden else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="{labels.NO_FORMULAS}">{table}{more}</div>'


def _cells(name: str, run: Run, metrics: list[float | None]) -> Iterator[str]:
    mark, colour = svg.STATUS_MARKS["cached" if run.is_cached else run.status]
    took = elapsed(run.started, run.finished)
    yield f'<td style="text-align:left">{_escaped(name)}</td>'
    yield f'<td style="text-align:left;color:{colour}">{mark} {run.status}</td>'
    yield f"<td>{when(run.started) if run.started else ''}</td>"
    yield f"<td>{duration_text(took) if took is not None else ''}</td>"
    for value in metrics:
        yield f"<td>{'' if value is None else f'{value:.6g}'}</td>"


def _escaped(text: str) -> str:
    return labels.escaped(labels.shortened(text, 60))
