"""The base class of materializers, and the list of those that are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mlmd_lineage import errors

if TYPE_CHECKING:
    from pathlib import Path

_loaded: dict[str, type[BaseMaterializer]] = {}


class BaseMaterializer:
    """Keeps the values of some classes as files, and makes values of the files again.

    One of your own inherits from it. It is in force as soon as its module is imported, for its
    classes and for those that inherit from them::

        class ForestMaterializer(BaseMaterializer):
            TYPES = (Forest,)
            ARTIFACT_TYPE = "Model"

            def save(self, value, folder):
                value.write(folder / "forest.txt")

            def load(self, folder):
                return Forest.read(folder / "forest.txt")

    A package names its materializers under the entry point group ``mlmd_lineage.materializers``;
    these are loaded when they are first needed.

    >>> @ml.step(materializers={"output": ForestMaterializer})
    ... def train() -> Forest: ...
    """

    TYPES: ClassVar[tuple[type | str, ...]] = ()
    """The classes whose values it keeps; a text is the full name of a class: ``numpy.ndarray``."""
    ARTIFACT_TYPE: ClassVar[str] = "Data"
    """The type of the artifacts, where the step's output names none."""
    RUNS_CODE: ClassVar[bool] = False
    """Whether reading the files may run code of whoever wrote them, as pickle does."""
    USES_FOLDER: ClassVar[bool] = False
    """Whether what ``load()`` returns still needs the files, as a path or an open file does."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _loaded[full_name(cls)] = cls

    def holds(self, value: Any) -> bool:
        """Return whether a value of one of its classes can be kept exactly."""
        del value
        return True

    def save(self, value: Any, folder: Path) -> None:
        """Write a value into files of an empty folder of this machine."""
        raise NotImplementedError  # one that only reads may leave it out

    def load(self, folder: Path) -> Any:
        """Return the value that ``save()`` wrote into a folder."""
        raise NotImplementedError  # one that only writes may leave it out


def full_name(kind: type) -> str:
    """Return the module and the name of a class.

    >>> full_name(Path)
    'pathlib.Path'
    """
    return f"{kind.__module__}.{kind.__qualname__}"


def loaded() -> dict[str, type[BaseMaterializer]]:
    """Return the materializers that are loaded by their full names, those of packages too.

    Raises:
        ConfigurationError: A package's entry point cannot be loaded.
    """
    _load_entry_points()
    return _loaded


_entry_points_are_loaded: list[bool] = []


def _load_entry_points() -> None:
    if _entry_points_are_loaded:
        return
    from importlib.metadata import entry_points

    for entry in entry_points(group="mlmd_lineage.materializers"):
        try:
            entry.load()
        except Exception as error:  # a package of somebody else's may raise anything
            message = (
                f"The materializer {entry.name!r}, which the entry point {entry.value!r} names, "
                f"cannot be loaded: {type(error).__name__}: {error}."
            )
            raise errors.ConfigurationError(message) from error
    _entry_points_are_loaded.append(True)
