"""The base class of metadata stores, artifact stores and orchestrators."""

from __future__ import annotations

import typing
import uuid as uuids  # noqa: TC003 - pydantic reads it
from abc import ABC
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.config.origin import Origin, current_origin, made_from
from mlmd_lineage.config.pem import PEMField, PEMTextFile
from mlmd_lineage.config.secrets import secret_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

_SECRETS = (pydantic.SecretStr, pydantic.SecretBytes)
# Fields that a repr leaves out, as they say nothing on where a store is.
_NOT_SHOWN = {"uuid", "upgrade_migration_enabled"}


class Component(pydantic.BaseModel, ABC):
    """A component of a stack: checked settings; nothing is opened until the component is used.

    A text ``{{secret.key}}`` as the value of a secret field (a password, a token, TLS material)
    stands for a registered secret.

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
    _origin: Origin | None = pydantic.PrivateAttr(default=None)
    _destination: str = pydantic.PrivateAttr(default="")

    def __init__(self, **fields: Any) -> None:
        flavor = type(self)
        references = {
            name: value
            for name, value in fields.items()
            if isinstance(value, str) and secret_store.is_reference(value)
        }
        _refuse_shown_references(flavor, references)
        destination = flavor.destination(fields) if references else ""
        found = {
            name: _secret_value(flavor, name, value, destination)
            for name, value in references.items()
        }
        try:
            super().__init__(**{**fields, **found})
        except pydantic.ValidationError as error:
            failure = _explained(flavor, error)
        else:
            self._references = references
            self._origin = current_origin()
            self._destination = destination
            return
        # A traceback may show the variables of its frames: leave no secret in them.
        fields.clear()
        found.clear()
        raise failure from None

    @classmethod
    def destination(cls, fields: Mapping[str, Any]) -> str:
        """Return the server that secrets are sent to: ``HOST:PORT``.

        A registered secret is bound to it. Where a flavor does not say better, it is all that its
        fields say, secrets left out, so that whatever is changed asks again.

        Args:
            fields: The fields as they are given, not validated.
        """
        secret = secret_fields(cls)
        shown = (
            f"{name}={value}"
            for name, value in sorted(fields.items())
            if name not in secret and name not in RESERVED
        )
        return f"{cls.FLAVOR}({', '.join(shown)})"

    def as_made(self) -> AbstractContextManager[None]:
        """Return a context in which other components get what this one may have.

        A flavor that makes a built-in store when it is used makes it in this context, so that the
        store of a project gets no password of the environment either.
        """
        return made_from(self._origin)

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
        flavor = type(self)
        with self.as_made():
            for name, field in flavor.model_fields.items():
                if self.__dict__.get(name) is not None:
                    continue
                if name in self._references:
                    text = self._references[name]
                    value = _secret_value(flavor, name, text, self._destination)
                    self.__dict__[name] = _validated(field, value)
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


RESERVED = ("name", "uuid")
"""Fields that say how a component is registered, and are not given with the others."""


# What the fields of a flavor hold


def annotation_parts(annotation: object) -> Iterator[object]:
    """Yield an annotation and all that it is made of, marks such as ``PEMField()`` too."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from annotation_parts(part)


def secret_fields(flavor: type[Component]) -> frozenset[str]:
    """Return the names of the fields whose values are never shown.

    >>> secret_fields(MySQLMetadataStore)
    frozenset({'password'})
    """
    return frozenset(
        name
        for name, field in flavor.model_fields.items()
        if any(isinstance(part, type) and part in _SECRETS for part in _field_parts(field))
    )


def pem_fields(flavor: type[Component]) -> frozenset[str]:
    """Return the names of the fields that take TLS material: a path, a PEM text or a secret."""
    return frozenset(
        name
        for name, field in flavor.model_fields.items()
        if any(isinstance(part, PEMField) for part in _field_parts(field))
    )


def holds_several(flavor: type[Component], name: str) -> bool:
    """Return whether a field is a mapping or a sequence, which is given as JSON."""
    field = flavor.model_fields.get(name)
    parts = _field_parts(field) if field is not None else ()
    classes = (typing.get_origin(part) or part for part in parts)
    return any(isinstance(c, type) and issubclass(c, (dict, list, tuple, set)) for c in classes)


def _field_parts(field: Any) -> Iterator[object]:
    yield from annotation_parts(field.annotation)
    yield from field.metadata


def _refuse_shown_references(flavor: type[Component], references: Collection[str]) -> None:
    """Refuse references in fields that are shown, as the secret would be shown with them."""
    allowed = secret_fields(flavor) | pem_fields(flavor)
    for name in references:
        if name in flavor.model_fields and name not in allowed:
            where = f"; {', '.join(sorted(allowed))} may be one" if allowed else ""
            message = (
                f"The field {name!r} of {a(repr(flavor.FLAVOR))} {flavor.KIND} is shown to "
                f"people, so it cannot be a reference to a secret{where}."
            )
            raise errors.ConfigurationError(message)


def _secret_value(flavor: type[Component], name: str, reference: str, destination: str) -> Any:
    text = secret_store.resolved(reference, destination)
    if not holds_several(flavor, name):
        return text
    return json_value(name, text)


def json_value(name: str, text: str) -> Any:
    """Return the value of a field that is given as JSON.

    Raises:
        ConfigurationError: It is no JSON; the message does not quote it.
    """
    try:
        return parse_json(text)
    except JSONTextError:
        message = f'The field {name!r} takes JSON, such as {{"key": "value"}}.'
        raise errors.ConfigurationError(message) from None


def _validated(field: Any, value: Any) -> Any:
    annotation = field.annotation
    if field.metadata:
        annotation = Annotated.__class_getitem__((annotation, *field.metadata))  # type: ignore[attr-defined]
    return pydantic.TypeAdapter(annotation).validate_python(value)


def _holds_secret(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_secret, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_holds_secret, value))
    return isinstance(value, _SECRETS) or (isinstance(value, PEMTextFile) and value.is_private)


# Errors


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
    missing: list[str] = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = errors.did_you_mean(field, fields)
            problems.append(f"{field!r} is not a field of it (it has {', '.join(fields)}).{near}")
        elif problem["type"] == "missing":
            missing.append(repr(field))
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{field}: {message}" if field else message)
    if len(missing) == 1:
        problems.append(f"the field {missing[0]} is required.")
    elif missing:
        problems.append(f"the fields {', '.join(missing[:-1])} and {missing[-1]} are required.")
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
