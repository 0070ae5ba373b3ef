"""Finding a run of a pipeline, or a step of a run, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys
from mlmd_lineage.post_execution.base_view import BaseView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.post_execution.loading.run_assembly import Step
    from mlmd_lineage.post_execution.loading.run_membership import RunEntry


def one_name(what: str, name: object, **also: object) -> str:
    """Return the one name that is given: a text, or a view's key.

    >>> one_name("pipeline", None, pipeline="churn")
    'churn'

    Raises:
        ConfigurationError: None is given, several are, or it is neither a text nor a view.
    """
    given = [value for value in (name, *also.values()) if value is not None]
    if len(given) == 1 and isinstance(given[0], BaseView):
        return given[0]._key  # noqa: SLF001 - views are ours
    if len(given) == 1 and isinstance(given[0], str) and given[0].strip():
        return given[0]
    if len(given) > 1:
        message = f"The {what} is named twice: {', '.join(map(repr, given))}. Name it once."
    else:
        shown = repr(given[0]) if given else "None"
        message = f"A {what} is named by a text, its name or its key, and not by {shown}."
    raise errors.ConfigurationError(message)


def run_id(name: str, run_names: RunNames) -> str:
    """Return the UUID of the run that people gave a name in Kubeflow; any other name as it is.

    Raises:
        AmbiguousNameError: People gave it to several runs.
    """
    ids = run_names.ids_of(name)
    if len(ids) > 1:
        message = f"There are {len(ids)} runs {name!r}; name one by its UUID: {', '.join(ids)}."
        raise errors.AmbiguousNameError(message)
    return ids[0] if ids else name


def execution_id(step: object) -> int:
    """Return the id of the execution that a key or an id names.

    Raises:
        ConfigurationError: It is neither.
        NotFoundError: It is larger than any of MLMD's.
    """
    if isinstance(step, int) and not isinstance(step, bool):
        return keys.checked_id(step)
    text = str(step)
    digits = text.removeprefix("execution/")
    if isinstance(step, str) and digits.removeprefix("-").isdecimal():
        return keys.parse(f"execution/{digits}")[1]
    if text.startswith("artifact/"):
        message = f"{text} is an artifact; get_artifact() gives one."
        raise errors.ConfigurationError(message)
    message = (
        f"{step!r} is no key of an execution, such as 'execution/7'. To name a step by its name, "
        f"name its run too: get_step({step!r}, run=...)."
    )
    raise errors.ConfigurationError(message)


def artifact_id(key: str) -> int:
    """Return the id in an artifact's key.

    Raises:
        ConfigurationError: It is another node's.
        NotFoundError: It is larger than any of MLMD's.
    """
    kind, number = keys.parse(key)
    if kind == "artifact":
        return number
    message = f"{key} is no artifact; get_step() gives a step."
    raise errors.ConfigurationError(message)


def find_run(pipeline: str, runs: Mapping[str, RunEntry], name: object) -> str:
    """Return the key of the newest of some runs that has a name, a ``run_id`` or a key.

    Raises:
        NotFoundError: There is none; the message suggests near names.
    """
    if not isinstance(name, str):
        message = f"A run is named by a text, its name or its key, and not by {name!r}."
        raise errors.ConfigurationError(message)
    for key in reversed(list(runs)):
        if name in {runs[key].name, key, runs[key].run_id}:
            return key
    near = errors.did_you_mean(name, [entry.name for entry in runs.values()])
    message = f"The pipeline {pipeline!r} has no run {name!r}.{near} It has {len(runs)} runs."
    raise errors.NotFoundError(message)


def find_step(run: str, steps: Mapping[int, Step], name: object) -> int:
    """Return the id of the step that has a name, a path or its end, or a key; of attempts the last.

    Raises:
        NotFoundError: There is none; the message suggests near names.
        AmbiguousNameError: Several steps have this name, which are not attempts at one step.
    """
    if not isinstance(name, str):
        message = f"A step is named by a text, such as 'Trainer', and not by {name!r}."
        raise errors.ConfigurationError(message)
    found = _named(steps, name)
    if not found:
        names = list(dict.fromkeys(step.record.name for step in steps.values()))
        near = errors.did_you_mean(name, [*names, *(s.path for s in steps.values())])
        held = ", ".join(map(repr, names)) if names else "none at all"
        message = f"The run {run!r} has no step {name!r}.{near} Its steps: {held}."
        raise errors.NotFoundError(message)
    if len(found) > 1 and len(found) != steps[found[0]].attempts:
        paths = [steps[number].path for number in found]
        distinct = len(set(paths)) > 1
        named = [repr(path) for path in dict.fromkeys(paths)]
        if not distinct:
            named = [f"'execution/{number}'" for number in found]
        message = (
            f"The run {run!r} has {len(found)} steps {name!r}; name one by its "
            f"{'path' if distinct else 'key'}: {', '.join(named)}."
        )
        raise errors.AmbiguousNameError(message)
    return max(found)


def _named(steps: Mapping[int, Step], name: str) -> list[int]:
    """Return the steps that have a path, a key or a name, or whose paths end so, in this order."""
    for rule in (
        lambda number, step: name in {step.path, f"execution/{number}"},
        lambda number, step: name == step.record.name,  # noqa: ARG005 - by the name alone
        lambda number, step: step.path.endswith(f"/{name}"),  # noqa: ARG005 - by the path alone
    ):
        found = [number for number, step in steps.items() if rule(number, step)]
        if found:
            return found
    return []
