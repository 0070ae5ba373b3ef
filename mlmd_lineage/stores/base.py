"""The base of all metadata store flavors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pydantic

from mlmd_lineage import errors

if TYPE_CHECKING:
    from google.protobuf.message import Message


_SECRETS = (pydantic.SecretStr, pydantic.SecretBytes)


class BaseMetadataStore(pydantic.BaseModel, ABC):
    """Where an MLMD store lives, and how to reach it.

    To add a flavor, inherit from this class, set ``FLAVOR`` and implement
    ``connection_config()``::

        class TeamStore(BaseMetadataStore):
            FLAVOR = "team"
            team: str

            def connection_config(self):
                return SQLiteMetadataStore(uri=f"/mlmd/{self.team}.db").connection_config()

    A metadata store is a description: nothing is opened until it is read. Fields are checked
    when it is made, because wrong settings abort the interpreter once the native library of
    ``ml_metadata`` has them.

    Pickled, it leaves its secrets behind: where it is loaded, ``MLMD_LINEAGE_PASSWORD`` gives the
    password, as it does wherever none is given. Copies keep them.

    Raises:
        ConfigurationError: A field is missing, unknown or cannot be right.
    """

    FLAVOR: ClassVar[str]

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except pydantic.ValidationError as error:
            raise _explained(type(self), error) from None

    @abstractmethod
    def connection_config(self) -> Message:
        """Return MLMD's ``ConnectionConfig`` for this store.

        It is ``ml_metadata``'s own class where that is installed, else one of ours with the same
        fields and the same wire format.
        """

    def location(self) -> str:
        """Return where the store is, for people: without any secret."""
        return f"the {self.FLAVOR} metadata store"

    def __getstate__(self) -> dict[Any, Any]:
        # pydantic would pickle a SecretStr in clear text.
        state = super().__getstate__()
        fields = state["__dict__"].items()
        kept = {name: None if _is_secret(value) else value for name, value in fields}
        return {**state, "__dict__": kept}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        for name, field in type(self).model_fields.items():
            if self.__dict__.get(name) is None and field.default_factory is not None:
                self.__dict__[name] = field.get_default(call_default_factory=True)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self if value is not None)
        return f"{type(self).__name__}({shown})"

    __str__ = __repr__


def _is_secret(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_secret, value.values()))
    return isinstance(value, _SECRETS)


def _explained(
    model: type[BaseMetadataStore], error: pydantic.ValidationError
) -> errors.ConfigurationError:
    flavor = getattr(model, "FLAVOR", model.__name__)
    return errors.ConfigurationError(
        f"These settings do not make a {flavor!r} metadata store: {problems_of(model, error)}"
    )


def problems_of(model: type[pydantic.BaseModel], error: pydantic.ValidationError) -> str:
    """Turn pydantic's report into sentences that hold no value, as any value may be a secret."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            near = errors.did_you_mean(field, model.model_fields)
            problems.append(f"{field!r} is not a field of it (it has {known}).{near}")
        elif problem["type"] == "missing":
            problems.append(f"the field {field!r} is required.")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{field}: {message}" if field else message)
    return " ".join(problems)
