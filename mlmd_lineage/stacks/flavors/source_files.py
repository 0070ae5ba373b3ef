"""The Python files of a project that its registered flavors lead to.

They are found without running them: the file or module that a flavor's source names, the packages
that it is in, and, by its import statements, the project's other modules that it needs.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config.owned_files import read_owned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.stacks.registration_file import Registrations

MAX_FILES = 1000
_DOTTED = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)+$")


def is_file_source(source: str) -> bool:
    """Return whether a flavor's source names a file: ``path/to/file.py:Class``."""
    return ".py" in source and source.partition(":")[0].endswith(".py")


def is_dotted_source(source: str) -> bool:
    """Return whether a flavor's source names a module: ``package.module.Class``."""
    return _DOTTED.fullmatch(source) is not None


def flavor_files(base: Path, registrations: Registrations) -> dict[str, bytes | None]:
    """Return the contents of the files that a project's flavors lead to.

    Args:
        base: The project's folder.
        registrations: The project's registrations.

    Returns:
        The contents by path, relative to ``base`` where the file is below it; None for a file
        that a source names and that is not there.

    Raises:
        StorePermissionError: A file belongs to another user, or is or lies behind a link.
        ConfigurationError: They are too many.
    """
    found: dict[str, bytes | None] = {}
    for sources in registrations.flavors.values():
        for source in sources.values():
            _add_source(base, source, found)
    return dict(sorted(found.items()))


def _add_source(base: Path, source: str, found: dict[str, bytes | None]) -> None:
    if is_file_source(source):
        path = Path(os.path.normpath(base / Path(source.partition(":")[0]).expanduser()))
        _add_file(base, path, "", found)
    elif is_dotted_source(source):
        _add_module(base, source.rpartition(".")[0], found)


def _add_module(base: Path, dotted: str, found: dict[str, bytes | None]) -> None:
    """Add a module of the project and the packages it is in; those that are installed are not."""
    parts = dotted.split(".")
    for length in range(1, len(parts) + 1):
        folder = base.joinpath(*parts[:length])
        name = ".".join(parts[:length])
        if (folder / "__init__.py").is_file():
            _add_file(base, folder / "__init__.py", name, found)
        elif folder.with_suffix(".py").is_file():
            _add_file(base, folder.with_suffix(".py"), name.rpartition(".")[0], found)
            return
        elif not folder.is_dir():
            return


def _add_file(base: Path, path: Path, package: str, found: dict[str, bytes | None]) -> None:
    key = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
    if key in found:
        return
    if len(found) >= MAX_FILES:
        message = f"The flavors of {base} lead to more than {MAX_FILES:,} Python files."
        raise errors.ConfigurationError(message)
    if path.is_relative_to(base):
        _refuse_links(base, path)
    data = read_owned(path)
    found[key] = data
    if data is not None:
        for dotted in _imported(data, package):
            _add_module(base, dotted, found)


def _refuse_links(base: Path, path: Path) -> None:
    for folder in path.relative_to(base).parents:
        if (base / folder).is_symlink() and str(folder) != ".":
            message = f"{base / folder} is a link, and no flavor is read through a link."
            raise errors.StorePermissionError(message)


def _imported(data: bytes, package: str) -> Iterator[str]:
    """Yield the modules that a file's import statements may name, with dots."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it cannot be run either
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            if origin:
                yield origin
            yield from (".".join(filter(None, (origin, alias.name))) for alias in node.names)
