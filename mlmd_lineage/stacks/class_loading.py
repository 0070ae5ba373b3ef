"""Importing a flavor's class from the text that names it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from types import ModuleType

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stores.component import Component

_DOTTED = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")
_FLAVOR = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")


def flavor_class(source: str, kind: ComponentKind, folder: Path) -> type[Component]:
    """Return the class that a source names.

    Args:
        source: ``module.Class``; or ``path/to/file.py:Class``, where the class may be left out if
            the file makes only one flavor of the kind.
        kind: What the class has to be.
        folder: Where relative paths begin, and where modules are looked for that are not
            installed.

    Raises:
        ConfigurationError: There is no such class, or it makes no flavor.
    """
    path, _, name = source.partition(":") if ".py" in source else ("", "", "")
    if path.endswith(".py"):
        module = _module_in(folder / Path(path).expanduser(), source)
        found = vars(module).get(name) if name else _only_flavor(module, kind, source)
    elif _DOTTED.fullmatch(source):
        dotted, _, name = source.rpartition(".")
        module = _module_named(dotted, source, folder)
        found = vars(module).get(name)
    else:
        message = f"{source!r} names no class; write module.Class or path/to/file.py:Class."
        raise errors.ConfigurationError(message)
    if found is None:
        near = errors.did_you_mean(name, (n for n, v in vars(module).items() if inspect.isclass(v)))
        message = f"There is no class {name!r} in {source}.{near}"
        raise errors.ConfigurationError(message)
    return checked(found, kind, source)


def portable_source(source: str, loaded: type[Component], folder: Path, base: Path) -> str:
    """Return a source that no longer depends on the current folder.

    A file below ``base``, the project's folder, is named relative to it, as is a module in it; a
    module that is found only in ``folder`` is named by its file.
    """
    path, _, name = source.partition(":") if ".py" in source else ("", "", "")
    if not path.endswith(".py"):
        file = Path(inspect.getfile(loaded))
        if folder not in file.parents or "site-packages" in file.parts or folder == base:
            return source
        path, name = str(file), loaded.__name__
    absolute = Path(os.path.normpath(folder / Path(path).expanduser()))
    shown = absolute.relative_to(base) if absolute.is_relative_to(base) else absolute
    return f"{shown.as_posix()}:{name or loaded.__name__}"


def checked(found: Any, kind: ComponentKind, source: str) -> type[Component]:
    """Return a class if it makes a flavor.

    Raises:
        ConfigurationError: It does not; the message says why.
    """
    base = kind.base.__name__
    if not inspect.isclass(found) or not issubclass(found, kind.base):
        message = f"{source} is no {kind.words}: it has to be a class that inherits from {base}."
        raise errors.ConfigurationError(message)
    flavor: Any = found.FLAVOR
    if not flavor:
        message = f'{source} has no FLAVOR; give it one: FLAVOR: ClassVar[str] = "name".'
        raise errors.ConfigurationError(message)
    if not isinstance(flavor, str) or not _FLAVOR.fullmatch(flavor):
        message = (
            f"The FLAVOR of {source} cannot name a flavor: it takes letters, digits, - and _, and "
            "begins with a letter."
        )
        raise errors.ConfigurationError(message)
    missing = sorted(found.__abstractmethods__)
    if missing:
        message = f"{source} does not implement {' and '.join(f'{m}()' for m in missing)}."
        raise errors.ConfigurationError(message)
    return found


def _only_flavor(module: ModuleType, kind: ComponentKind, source: str) -> Any:
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, kind.base)
        and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        named = ", ".join(sorted(value.__name__ for value in own))
        which = f"it makes {named}" if own else f"it makes no {kind.words}"
        message = f"Say which class of {source} is meant, as {source}:Class; {which}."
        raise errors.ConfigurationError(message)
    return own[0]


def _module_in(path: Path, source: str) -> ModuleType:
    if not path.is_file():
        message = f"There is no file {path}, which {source!r} names."
        raise errors.ConfigurationError(message)
    # Every file is a module of its own, however many are called flavors.py.
    resolved = path.resolve()
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]
    name = f"_mlmd_lineage_flavor_{digest}_{resolved.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        message = f"{path} cannot be loaded as Python."
        raise errors.ConfigurationError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise _failed(source, error) from error
        raise
    return module


def _module_named(dotted: str, source: str, folder: Path) -> ModuleType:
    try:
        try:
            return importlib.import_module(dotted)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{dotted}.".startswith(f"{error.name}."):
                raise
        sys.path.insert(0, str(folder))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(dotted)
        finally:
            sys.path.remove(str(folder))
    except ModuleNotFoundError as error:
        if error.name is not None and f"{dotted}.".startswith(f"{error.name}."):
            message = (
                f"There is no module {dotted!r}, neither installed nor in {folder}; {source!r} "
                "has to be module.Class or path/to/file.py:Class."
            )
            raise errors.ConfigurationError(message) from None
        raise _failed(source, error) from error
    except Exception as error:
        raise _failed(source, error) from error


def _failed(source: str, error: Exception) -> errors.ConfigurationError:
    said = f"{type(error).__name__}: {error}"
    return errors.ConfigurationError(f"Loading {source!r} failed: {said}")
