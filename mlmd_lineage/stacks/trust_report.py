"""Text that says what trusting a project allows, for the user who is asked."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.stacks import description, trust
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.component_secrets import references
from mlmd_lineage.stacks.layers import PROJECT_FOLDER, Layer, layers
from mlmd_lineage.stacks.registration_file import FILE, Registrations, TrustState, parsed
from mlmd_lineage.stacks.registration_view import RegistrationView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclasses.dataclass(frozen=True)
class ProjectContents:
    """A project as it was read, to be shown and then trusted as it was shown.

    Attributes:
        folder: The project's folder.
        state: Whether it is trusted now.
        files: The SHA-256 of each file that has to be trusted, by path.
        changed: The files that are not as they were trusted.
    """

    folder: Path
    state: str
    files: Mapping[str, str]
    changed: tuple[str, ...]
    _data: bytes
    _layer: Layer
    _registrations: Registrations

    def lines(self) -> Iterator[str]:
        """Yield what the project does, in sentences."""
        view = RegistrationView([(self._layer, self._registrations)])
        for kind in KINDS.values():
            for found in view.components(kind).values():
                if found.layer is not None:
                    where = description.location(view, found)
                    yield f"{kind.words} {found.name} ({found.record.flavor}): {where}"
                    for secret in sorted(set(references(found.record).values())):
                        yield f"  asks for the secret {secret}"
            for name, source in self._registrations.flavors.get(kind.name, {}).items():
                yield f"flavor {name} of {kind.words}s runs {source}"
        if self._registrations.active_stack:
            yield f"the active stack is {self._registrations.active_stack}"
        for path, digest in self.files.items():
            new = " (new or changed)" if path in self.changed and self.is_known else ""
            yield f"file {path}: SHA-256 {digest}{new}"

    @property
    def is_known(self) -> bool:
        """Whether the project was trusted before."""
        return self.state == TrustState.CHANGED.value

    def trust(self) -> None:
        """Trust the project as it was read.

        Raises:
            UntrustedProjectError: A file has changed in the meantime.
        """
        if trust.contents(self.folder, self._data, self._registrations) != self.files:
            raise trust.refusal(self.folder, TrustState.CHANGED)
        trust.record(self.folder, self._data, self._registrations)


def read(folder: Path | None) -> ProjectContents:
    """Return the contents of a project.

    Args:
        folder: The project's folder or one below it; the current one where none is given.

    Raises:
        NotFoundError: There is no project.
        StorePermissionError: A file of it belongs to another user, or is a link.
    """
    layer = _project(folder)
    data = layer.read_bytes()
    if data is None:
        message = f"There is nothing to be trusted in {layer.folder}: it has no {FILE}."
        raise errors.NotFoundError(message)
    registrations = parsed(data, layer.path)
    registrations.set_trust(trust.state(layer.base, data, registrations))
    files = trust.contents(layer.base, data, registrations)
    changed = tuple(trust.changes(layer.base, files))
    state = registrations.trust.value
    return ProjectContents(layer.base, state, files, changed, data, layer, registrations)


def revoke(folder: Path | None) -> Path:
    """Trust a project no longer, and return its folder.

    Raises:
        NotFoundError: It is not trusted.
    """
    named = folder.absolute() if folder is not None else _project(None).base
    if str(named) not in trust.trusted() and (named / PROJECT_FOLDER).is_dir():
        named = _project(named).base
    trust.revoke(named)
    return named


def _project(folder: Path | None) -> Layer:
    layer = layers(folder)[0]
    if layer.name != "project":
        where = folder if folder is not None else "the current folder"
        message = f"There is no project in {where} or above it: no folder {PROJECT_FOLDER}."
        raise errors.NotFoundError(message)
    return layer


def listed() -> list[dict[str, Any]]:
    """Return the trusted projects: ``folder``, ``state`` and ``since``."""
    from pathlib import Path

    rows = []
    for name, entry in sorted(trust.trusted().items()):
        folder = Path(name)
        layer = Layer("project", folder / PROJECT_FOLDER)
        try:
            data = layer.read_bytes()
            state = (
                "gone"
                if data is None
                else trust.state(folder, data, parsed(data, layer.path)).value
            )
        except errors.MLMDLineageError as error:
            state = str(error)
        rows.append({"folder": name, "state": state, "since": str(entry["since"])})
    return rows
