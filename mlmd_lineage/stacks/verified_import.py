"""Importing a project's modules from the very bytes that were trusted.

Python's own import would read the files again, take compiled ones from ``__pycache__`` that nobody
looked at, and import whatever else lies in the project's folder.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

_lock = threading.RLock()


class UntrustedModuleError(ImportError):
    """A module of a project is imported that is not among its trusted files."""


class _BytesLoader(importlib.abc.Loader):
    """Runs source code that is already read."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data, self._path = data, path

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Let Python make the module."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Compile the source, never a cached form of it, and run it."""
        code = compile(self._data, self._path, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - the user has trusted these bytes

    def get_source(self, fullname: str) -> str:
        """Return the source, for tracebacks."""
        del fullname
        return importlib.util.decode_source(self._data)


class _TrustedFinder(importlib.abc.MetaPathFinder):
    """Finds the modules of a project among its trusted files, and refuses its other ones."""

    def __init__(self, base: Path, sources: Mapping[str, bytes | None]) -> None:
        self._base, self._sources = base, sources

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a trusted module, or None for one that is not the project's.

        Raises:
            UntrustedModuleError: It is the project's, and not among the trusted files.
        """
        del target
        relative = fullname.replace(".", "/")
        for key, is_package in ((f"{relative}/__init__.py", True), (f"{relative}.py", False)):
            data = self._sources.get(key)
            if data is not None:
                return spec_of(fullname, self._base / key, data, is_package=is_package)
        if any(key.startswith(f"{relative}/") for key in self._sources):
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self._base / relative)]
            return spec
        self._refuse_untrusted(fullname, path)
        return None

    def _refuse_untrusted(self, fullname: str, path: Sequence[str] | None) -> None:
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            return
        origin = Path(found.origin)
        if not origin.is_relative_to(self._base) or origin.is_relative_to(sys.prefix):
            return
        if "site-packages" in origin.parts or "dist-packages" in origin.parts:
            return
        message = (
            f"{origin} is not among the trusted files of the project {self._base}: they are those "
            "that import statements lead to"
        )
        raise UntrustedModuleError(message, name=fullname, path=str(origin))


def spec_of(
    name: str, path: Path, data: bytes, *, is_package: bool = False
) -> importlib.machinery.ModuleSpec:
    """Return the spec of a module whose source is already read."""
    loader: Any = _BytesLoader(data, str(path))
    spec = importlib.machinery.ModuleSpec(name, loader, origin=str(path), is_package=is_package)
    spec.has_location = True
    if is_package:
        spec.submodule_search_locations = [str(path.parent)]
    return spec


@contextlib.contextmanager
def only_trusted(base: Path, sources: Mapping[str, bytes | None]) -> Iterator[None]:
    """Import a project's modules only from trusted bytes, as long as the block runs.

    Args:
        base: The project's folder.
        sources: The contents of its trusted files, by path relative to ``base``.
    """
    finder = _TrustedFinder(base, sources)
    with _lock:
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
