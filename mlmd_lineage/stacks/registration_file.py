"""The registration file, ``registrations.json``: its model, its parser and its writer."""

from __future__ import annotations

import enum
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID  # noqa: TC003 - pydantic reads it

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.stacks.names import NAME, QUALIFIED_NAME

if TYPE_CHECKING:
    from pathlib import Path

FILE = "registrations.json"

Name = Annotated[str, pydantic.StringConstraints(pattern=NAME)]
Reference = Annotated[str, pydantic.StringConstraints(pattern=QUALIFIED_NAME)]
"""The name of something registered, in one layer where it begins with ``user:``."""
KindName = Literal["metadata_store", "artifact_store", "orchestrator"]
Value = str | int | float | bool | list[Any] | dict[str, Any]


class TrustState(str, enum.Enum):
    """Whether a project may be used."""

    TRUSTED = "trusted"
    NOT_TRUSTED = "not trusted"
    CHANGED = "changed since it was trusted"


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True)


class ComponentRecord(pydantic.BaseModel):
    """A registered component: its flavor, its uuid, and its fields as they were given."""

    model_config = pydantic.ConfigDict(extra="allow", hide_input_in_errors=True)
    __pydantic_extra__: dict[str, Value]

    flavor: str
    uuid: UUID

    @property
    def fields(self) -> dict[str, Value]:
        """The fields of its flavor."""
        return dict(self.__pydantic_extra__)


class StackRecord(_Strict):
    """A registered stack: the names of its components."""

    uuid: UUID
    metadata_store: Reference
    artifact_store: Reference
    orchestrator: Reference
    decouple_stores: bool = False

    def component(self, kind_name: str) -> str:
        """Return the name of its component of a kind.

        >>> record.component("metadata_store")
        'prod'
        """
        return {
            "metadata_store": self.metadata_store,
            "artifact_store": self.artifact_store,
            "orchestrator": self.orchestrator,
        }[kind_name]


class Registrations(_Strict):
    """Everything that is registered in one folder."""

    version: Literal[1] = 1
    active_stack: Reference | None = None
    metadata_stores: dict[Name, ComponentRecord] = {}
    artifact_stores: dict[Name, ComponentRecord] = {}
    orchestrators: dict[Name, ComponentRecord] = {}
    stacks: dict[Name, StackRecord] = {}
    flavors: dict[KindName, dict[Name, str]] = {}
    shown_fields: dict[KindName, dict[Name, list[str]]] = {}
    """By flavor, the fields that are no secrets: flavors are described without being loaded."""

    _trust: TrustState = pydantic.PrivateAttr(default=TrustState.TRUSTED)
    _is_being_changed: bool = pydantic.PrivateAttr(default=False)

    @property
    def is_being_changed(self) -> bool:
        """Whether a command of the user is changing it, under the lock of its file."""
        return self._is_being_changed

    @property
    def trust(self) -> TrustState:
        """Whether what is registered may be used, or only be listed."""
        return self._trust

    def begin_change(self) -> None:
        """Say that a command of the user is changing it."""
        self._is_being_changed = True

    def set_trust(self, state: TrustState) -> None:
        """Say whether what is registered may be used."""
        self._trust = state

    def components(self, plural: str) -> dict[str, ComponentRecord]:
        """Return the components of a kind, by name."""
        return {
            "metadata_stores": self.metadata_stores,
            "artifact_stores": self.artifact_stores,
            "orchestrators": self.orchestrators,
        }[plural]


def written(registrations: Registrations) -> bytes:
    """Return the bytes of the file: sorted, one value a line."""
    dumped = registrations.model_dump(mode="json", exclude_defaults=True) | {"version": 1}
    return (json.dumps(dumped, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def parsed(data: bytes, path: Path) -> Registrations:
    """Return the registrations in a file's bytes.

    Raises:
        ConfigurationError: It is damaged; the message names the line.
    """
    try:
        raw = parse_json(data)
    except JSONTextError as error:
        text = data.decode(errors="replace")
        line = error.line or (_second_line(text, error.key) if error.key is not None else 1)
        raise _damaged(path, line, str(error)) from None
    text = data.decode()
    if isinstance(raw, dict) and raw.get("version", 1) != 1:
        message = f"{path} was written by a newer release of mlmd-lineage; use that one."
        raise errors.ConfigurationError(message)
    try:
        return Registrations.model_validate(raw)
    except pydantic.ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = [str(part) for part in problem["loc"] if part != "[key]"]
        said = problem["msg"][:1].lower() + problem["msg"][1:]
        what = f"{'.'.join(where)}: {said}" if where else said
        raise _damaged(path, _line_of(text, where), what) from None


def _line_of(text: str, where: list[str]) -> int:
    """Return the line of a value, found by the names on the way to it."""
    position = 0
    for name in where:
        found = re.compile(re.escape(json.dumps(name, ensure_ascii=False)) + r"\s*:").search(
            text, position
        )
        if found is None:
            break
        position = found.start()
    return text.count("\n", 0, position) + 1


def _second_line(text: str, name: str) -> int:
    matches = list(re.finditer(re.escape(json.dumps(name, ensure_ascii=False)) + r"\s*:", text))
    return text.count("\n", 0, matches[-1].start()) + 1 if matches else 1


def _damaged(path: Path, line: int, what: str) -> errors.ConfigurationError:
    message = (
        f"{path} is damaged at line {line}: {what}. It is left unchanged; correct it, or move it "
        "away."
    )
    return errors.ConfigurationError(message)
