"""Importing a flavor's class from the text that names it."""

from __future__ import annotations

import contextlib
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
from mlmd_lineage.config import user_code
from mlmd_lineage.stacks.flavor_files import is_dotted_source, is_file_source
from mlmd_lineage.stacks.verified_import import only_trusted, spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stores.component import Component

_FLAVOR = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")


def flavor_class(
    source: str,
    kind: ComponentKind,
    folder: Path,
    trusted: Mapping[str, bytes | None] | None = None,
) -> type[Component]:
    """Return the class that a source names.

    Args:
        source: ``module.Class``; or ``path/to/file.py:Class``, where the class may be left out if
            the file makes only one flavor of the kind.
        kind: What the class has to be.
        folder: Where relative paths begin, and where modules are looked for that are not
            installed.
        trusted: The contents of the files of the project in ``folder`` that are trusted; where
            given, nothing else of the project is run.

    Raises:
        ConfigurationError: There is no such class, or it makes no flavor.
    """
    name = source.partition(":")[2] if is_file_source(source) else source.rpartition(".")[2]
    if not is_file_source(source) and not is_dotted_source(source):
        message = f"{source!r} names no class; write module.Class or path/to/file.py:Class."
        raise errors.ConfigurationError(message)
    with contextlib.nullcontext() if trusted is None else only_trusted(folder, trusted):
        if is_file_source(source):
            path = folder / Path(source.partition(":")[0]).expanduser()
            module = _module_in_file(path, source, folder, trusted)
            found = vars(module).get(name) if name else _only_flavor(module, kind, source)
        else:
            search = folder if trusted is None else None
            module = _module_named(source.rpartition(".")[0], source, folder, search)
            found = vars(module).get(name)
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
    path, _, name = source.partition(":") if is_file_source(source) else ("", "", "")
    if not path:
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


def _module_in_file(
    path: Path, source: str, folder: Path, trusted: Mapping[str, bytes | None] | None
) -> ModuleType:
    if not path.is_file():
        message = f"There is no file {path}, which {source!r} names."
        raise errors.ConfigurationError(message)
    if trusted is None:
        resolved = path.resolve()
        data = resolved.read_bytes()
    else:
        resolved = Path(os.path.normpath(path))
        inside = resolved.is_relative_to(folder)
        key = resolved.relative_to(folder).as_posix() if inside else str(resolved)
        trusted_data = trusted.get(key)
        if trusted_data is None:
            message = f"{path}, which {source!r} names, is not among the trusted files."
            raise errors.ConfigurationError(message)
        data = trusted_data
    # Every file is a module of its own, however many are called flavors.py, and a changed one too.
    digest = hashlib.sha256(os.fsencode(resolved) + b"\0" + data).hexdigest()[:12]
    name = f"_mlmd_lineage_flavor_{digest}_{resolved.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_of(name, resolved, data)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        assert spec.loader is not None
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise _failed(source, error) from error
        raise
    return module


def _module_named(dotted: str, source: str, folder: Path, search: Path | None) -> ModuleType:
    """Import a module; ``search`` is a folder that is looked in where it is not installed."""
    try:
        try:
            return importlib.import_module(dotted)
        except ModuleNotFoundError as error:
            if search is None or not _is_part(error.name, dotted):
                raise
        sys.path.insert(0, str(search))
        try:
            importlib.invalidate_caches()
            return importlib.import_module(dotted)
        finally:
            sys.path.remove(str(search))
    except ModuleNotFoundError as error:
        if _is_part(error.name, dotted):
            message = (
                f"There is no module {dotted!r}, neither installed nor in {folder}; {source!r} "
                "has to be module.Class or path/to/file.py:Class."
            )
            raise errors.ConfigurationError(message) from None
        raise _failed(source, error) from error
    except Exception as error:
        raise _failed(source, error) from error


def _is_part(missing: str | None, dotted: str) -> bool:
    """Return whether the module that is missing is the one asked for or a package it is in."""
    return missing is not None and f"{dotted}.".startswith(f"{missing}.")


def _failed(source: str, error: Exception) -> errors.ConfigurationError:
    return errors.ConfigurationError(f"Loading {source!r} failed: {user_code.described(error)}")
