"""The base class of metadata stores, artifact stores and orchestrators."""

from __future__ import annotations

import uuid as uuids  # noqa: TC003 - pydantic reads it
from abc import ABC
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.secrets import secret_store

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_SECRETS = (pydantic.SecretStr, pydantic.SecretBytes)
# Fields that a repr leaves out, as they say nothing on where a store is.
_NOT_SHOWN = {"uuid", "upgrade_migration_enabled"}


class Component(pydantic.BaseModel, ABC):
    """A component of a stack: checked settings; nothing is opened until the component is used.

    A text ``{{secret.key}}`` as the value of a field stands for a registered secret.

    Pickled, it leaves its secrets behind: where it is loaded, its references to registered
    secrets are followed again. Copies keep them.

    Fields:
        name: The name under which it is registered.
        uuid: Its identity, whatever it is called.

    Raises:
        ConfigurationError: A field is missing, unknown or cannot be right.
    """

    KIND: ClassVar[str]
    """The kind of component, in words: ``metadata store``."""
    FLAVOR: ClassVar[str] = ""
    """The flavor's name; a class without one cannot be registered."""
    REQUIRES: ClassVar[tuple[str, ...]] = ()
    """Modules without which it cannot be used."""
    EXTRA: ClassVar[str] = ""
    """The extra of this library that brings those modules."""
    PATHS: ClassVar[tuple[str, ...]] = ()
    """Fields that are paths of this machine."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str | None = None
    uuid: uuids.UUID | None = None

    _references: dict[str, str] = pydantic.PrivateAttr(default_factory=dict)

    def __init__(self, **fields: Any) -> None:
        references = {
            name: value
            for name, value in fields.items()
            if isinstance(value, str) and secret_store.is_reference(value)
        }
        found = {name: secret_store.resolved(value) for name, value in references.items()}
        try:
            super().__init__(**{**fields, **found})
        except pydantic.ValidationError as error:
            failure = _explained(type(self), error)
        else:
            self._references = references
            return
        # A traceback may show the variables of its frames: leave no secret in them.
        fields.clear()
        found.clear()
        raise failure from None

    @property
    def local_path(self) -> Path | None:
        """The file or folder of this machine that it is in, or None where it is elsewhere."""
        return None

    def location(self) -> str:
        """Return where it is, for people, without any secret."""
        return f"the {self.FLAVOR} {self.KIND}"

    def __getstate__(self) -> dict[Any, Any]:
        # pydantic would pickle a SecretStr in clear text.
        state = super().__getstate__()
        fields = ((name, state["__dict__"].get(name)) for name in type(self).model_fields)
        kept = {name: None if _holds_secret(value) else value for name, value in fields}
        return {**state, "__dict__": kept}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        for name, field in type(self).model_fields.items():
            if self.__dict__.get(name) is not None:
                continue
            if name in self._references:
                secret = secret_store.resolved(self._references[name])
                self.__dict__[name] = pydantic.SecretStr(secret)
            elif field.default_factory is not None:
                self.__dict__[name] = field.get_default(call_default_factory=True)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value!r}"
            # Where validation failed there are no fields yet; tracebacks show the object anyway.
            for name, value in self.__dict__.items()
            if value is not None and name not in _NOT_SHOWN
        )
        return f"{type(self).__name__}({shown})"

    __str__ = __repr__


def _holds_secret(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_secret, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_holds_secret, value))
    return isinstance(value, _SECRETS)


def _explained(
    model: type[Component], error: pydantic.ValidationError
) -> errors.ConfigurationError:
    flavor = model.FLAVOR or model.__name__
    return errors.ConfigurationError(
        f"These settings do not make {a(f'{flavor!r}')} {model.KIND}: "
        + problems_of(own_first(model), error)
    )


def problems_of(fields: Collection[str], error: pydantic.ValidationError) -> str:
    """Turn pydantic's report into sentences that hold no value, as any value may be a secret."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = errors.did_you_mean(field, fields)
            problems.append(f"{field!r} is not a field of it (it has {', '.join(fields)}).{near}")
        elif problem["type"] == "missing":
            problems.append(f"the field {field!r} is required.")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{field}: {message}" if field else message)
    return " ".join(problems)


def own_first(model: type[Component]) -> list[str]:
    """Return the names of a component's fields, those that all components have last."""
    bases = [base for base in model.__mro__ if issubclass(base, Component) and not base.FLAVOR]
    common = {name for base in bases for name in base.model_fields}
    own = [name for name in model.model_fields if name not in common]
    return [*own, *(name for name in model.model_fields if name not in own)]


def a(noun: str) -> str:
    """Return a noun with its indefinite article.

    >>> a("orchestrator")
    'an orchestrator'
    """
    return f"an {noun}" if noun.lstrip("'\"")[:1].lower() in set("aeio") else f"a {noun}"
