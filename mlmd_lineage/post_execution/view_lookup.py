"""Finding a run of a pipeline, or a step of a run, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.post_execution.loading.run_assembly import Step
    from mlmd_lineage.post_execution.loading.run_membership import RunEntry


def find_run(pipeline: str, runs: Mapping[str, RunEntry], name: str) -> str:
    """Return the key of the newest of some runs that has a name, a ``run_id`` or a key.

    Raises:
        NotFoundError: There is none; the message suggests near names.
    """
    for key in reversed(list(runs)):
        if name in {runs[key].name, key, runs[key].run_id}:
            return key
    near = errors.did_you_mean(name, [entry.name for entry in runs.values()])
    message = f"The pipeline {pipeline!r} has no run {name!r}.{near} It has {len(runs)} runs."
    raise errors.NotFoundError(message)


def find_step(run: str, steps: Mapping[int, Step], name: str) -> int:
    """Return the id of the last of some steps that has a name, a path or a key.

    Raises:
        NotFoundError: There is none; the message suggests near names.
        AmbiguousNameError: Several steps in different groups have this name.
    """
    found = [n for n, s in steps.items() if name in {s.record.name, s.path, f"execution/{n}"}]
    exact = [n for n in found if steps[n].path == name]
    places = {(steps[n].record.parent_dag, steps[n].record.iteration) for n in exact or found}
    if not found:
        names = list(dict.fromkeys(step.record.name for step in steps.values()))
        near = errors.did_you_mean(name, [*names, *(s.path for s in steps.values())])
        held = ", ".join(map(repr, names)) if names else "none at all"
        message = f"The run {run!r} has no step {name!r}.{near} Its steps: {held}."
        raise errors.NotFoundError(message)
    if len(places) > 1:
        paths = ", ".join(repr(steps[n].path) for n in found)
        message = f"The run {run!r} has {len(found)} steps {name!r}; name one by its path: {paths}."
        raise errors.AmbiguousNameError(message)
    return max(exact or found)
