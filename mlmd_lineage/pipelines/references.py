"""References to pipelines: ``module:name`` or ``file.py:name``, and how they are loaded."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.pipelines.pipeline_call import PipelineFunction

if TYPE_CHECKING:
    from types import ModuleType


def found_reference_to(pipeline: PipelineFunction) -> tuple[str, str] | None:
    """Return the module and the name by which another process finds a pipeline.

    Returns:
        None where it is defined in a notebook, at a prompt, or within a function.
    """
    module = sys.modules.get(pipeline.function.__module__)
    if module is None:
        return None
    name = next((n for n, value in vars(module).items() if value is pipeline), None)
    is_interactive = module.__name__ == "__main__" and not hasattr(module, "__file__")
    return None if name is None or is_interactive else (module.__name__, name)


def reference_to(pipeline: PipelineFunction) -> tuple[str, str]:
    """Return the module and the name by which a process of another machine finds a pipeline.

    Raises:
        ConfigurationError: It is defined in a notebook, at a prompt, or within a function.
    """
    found = found_reference_to(pipeline)
    if found is None:
        message = (
            f"Other machines cannot import the pipeline {pipeline.name!r}, which is defined in a "
            "notebook, at a prompt or within a function. Define it in a module."
        )
        raise errors.ConfigurationError(message)
    return found


def find_pipeline(module_name: str, name: str) -> PipelineFunction:
    """Return a pipeline, given its module and its name in it.

    Raises:
        ConfigurationError: There is none.
    """
    return _pipeline_in(importlib.import_module(module_name), name)


def load_pipeline(text: str) -> PipelineFunction:
    """Return the pipeline that a text names: ``module:name``, ``path/to/file.py:name``.

    Where a module has only one pipeline, its name can be left out. Modules are looked for in the
    current folder first.

    Raises:
        ConfigurationError: There is no such module or pipeline, or the module fails.
    """
    place, _, name = text.partition(":") if not _has_drive(text) else _split_drive(text)
    if not place:
        message = f"{text!r} names no pipeline; write MODULE:PIPELINE or FILE.py:PIPELINE."
        raise errors.ConfigurationError(message)
    try:
        module = _module_of_file(Path(place)) if place.endswith(".py") else _module(place)
    except errors.MLMDLineageError:
        raise
    except ModuleNotFoundError as error:
        if error.name not in _with_parents(place):
            raise _failed(place, error) from error
        message = f"There is no module {place!r} here or among the installed ones."
        raise errors.ConfigurationError(message) from None
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise _failed(place, error) from error
    return _pipeline_in(module, name)


def _has_drive(text: str) -> bool:
    return len(text) > 2 and text[1] == ":" and text[2] in "\\/"


def _split_drive(text: str) -> tuple[str, str, str]:
    place, colon, name = text[2:].partition(":")
    return text[:2] + place, colon, name


def _with_parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[: length + 1]) for length in range(len(parts))}


def _failed(place: str, error: BaseException) -> errors.ConfigurationError:
    message = f"{place} cannot be imported: {user_code.described(error)}."
    return errors.ConfigurationError(message)


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        message = f"There is no file {path}."
        raise errors.ConfigurationError(message)
    folder, name = str(path.resolve().parent), path.stem
    if not name.isidentifier():
        message = f"{path.name} cannot be imported: rename it, so that its name is an identifier."
        raise errors.ConfigurationError(message)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path.resolve():
        message = f"{path} cannot be imported, as another module is called {name!r}: {found}."
        raise errors.ConfigurationError(message)
    return module


def _pipeline_in(module: ModuleType, name: str) -> PipelineFunction:
    held = {key: each for key, each in vars(module).items() if isinstance(each, PipelineFunction)}
    if not name and len(held) == 1:
        return next(iter(held.values()))
    if name in held:
        return held[name]
    place = module.__name__
    if not held:
        message = f"The module {place!r} has no pipeline: no function with @ml.pipeline."
    elif not name:
        message = f"The module {place!r} has several pipelines. Name one: " + ", ".join(
            f"{place}:{each}" for each in sorted(held)
        )
    else:
        near = errors.did_you_mean(name, held)
        message = f"The module {place!r} has no pipeline {name!r}; it has {', '.join(held)}.{near}"
    raise errors.ConfigurationError(message)
