"""``Stack``: the metadata store, artifact store and orchestrator in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pydantic_settings

from mlmd_lineage import errors
from mlmd_lineage.config.json_text import JSONTextError, parse_json
from mlmd_lineage.stacks.artifact_stores import (
    BaseArtifactStore,  # noqa: TC001 - pydantic reads it
)
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.names import is_qualified_name
from mlmd_lineage.stacks.orchestrators import BaseOrchestrator  # noqa: TC001 - pydantic reads it
from mlmd_lineage.stacks.registration_view import STACK_VARIABLE, RegistrationView
from mlmd_lineage.stacks.registry import Registry
from mlmd_lineage.stores import BaseMetadataStore, metadata_store_from

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stores.component import Component

PREFIX = "MLMD_LINEAGE_"


class Stack(pydantic_settings.BaseSettings):
    """A metadata store, an artifact store and an orchestrator that are used together.

    >>> Stack().metadata_store
    SQLiteMetadataStore(name='default', uri='.../metadata.db', busy_timeout=10.0)

    Each field comes from the first of these that gives it:

    1. Python: ``Stack(name="prod")``, ``Stack(metadata_store=ml.MySQLMetadataStore(...))``
    2. environment variables: ``MLMD_LINEAGE_STACK``, ``MLMD_LINEAGE_METADATA_STORE``,
       ``MLMD_LINEAGE_ARTIFACT_STORE``, ``MLMD_LINEAGE_ORCHESTRATOR``
    3. the registered stack called ``name``: in ``.mlmd_lineage/`` of the project, which is this
       folder or one above it, then in the user's configuration folder

    A component may be given as itself, by its registered name, as a mapping (in a variable, JSON)
    with its ``flavor`` and fields, and a metadata store also by a path or URL. Where nothing names
    a stack, it is the one that was set, else ``default``: an SQLite file, a local folder and this
    machine.

    Attributes:
        name: The registered stack that gives what is not given otherwise.
        metadata_store: Where its history is.
        artifact_store: Where its artifacts are.
        orchestrator: What runs its pipelines.

    Raises:
        ConfigurationError: A component cannot be made, or they cannot be combined.
        NotFoundError: A name is not registered.
    """

    model_config = pydantic_settings.SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    name: str = pydantic.Field(validation_alias=pydantic.AliasChoices("name", STACK_VARIABLE))
    metadata_store: Annotated[
        pydantic.SerializeAsAny[BaseMetadataStore], pydantic_settings.NoDecode
    ]
    artifact_store: Annotated[
        pydantic.SerializeAsAny[BaseArtifactStore], pydantic_settings.NoDecode
    ]
    orchestrator: Annotated[pydantic.SerializeAsAny[BaseOrchestrator], pydantic_settings.NoDecode]

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except pydantic.ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in problem["loc"])
            if problem["type"] == "extra_forbidden":
                near = errors.did_you_mean(where, type(self).model_fields)
                said = f"{where!r} is no field of a stack.{near}"
            else:
                said = problem["msg"].removeprefix("Value error, ")
                said = f"{where}: {said}" if where else said
            message = f"These settings do not make a stack: {said}"
            raise errors.ConfigurationError(message) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[pydantic_settings.BaseSettings],
        init_settings: pydantic_settings.PydanticBaseSettingsSource,
        env_settings: pydantic_settings.PydanticBaseSettingsSource,
        dotenv_settings: pydantic_settings.PydanticBaseSettingsSource,
        file_secret_settings: pydantic_settings.PydanticBaseSettingsSource,
    ) -> tuple[pydantic_settings.PydanticBaseSettingsSource, ...]:
        """Return the sources of the fields, the one that counts most first."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _Registered(settings_cls)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _components(cls, values: Any) -> Any:
        view = Registry().view()
        made = {
            name: component(view, kind, values[name])
            for name, kind in KINDS.items()
            if name in values
        }
        return {**values, **made}

    @pydantic.model_validator(mode="after")
    def _combined(self) -> Stack:
        Registry().view().check_parts({name: getattr(self, name) for name in KINDS})
        return self

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("name", *KINDS))
        return f"Stack({parts})"

    __str__ = __repr__


class _Registered(pydantic_settings.PydanticBaseSettingsSource):
    """The stack that is registered under the name that the other sources give."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return nothing for a single field: the stack gives them together."""
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields."""
        view = Registry().view()
        state = self.current_state
        named = state.get("name") or state.get(STACK_VARIABLE)
        stack = view.stack(str(named)) if named else view.active_to_use()
        parts: dict[str, Any] = {} if named else {"name": stack.name}
        for name, kind in KINDS.items():
            if name not in state:
                view.require_trust(stack.layer)
                parts[name] = view.make(view.part(stack, kind))
        return parts


def component(view: RegistrationView, kind: ComponentKind, given: Any) -> Component:
    """Return a component that is given as itself, by name, as a mapping, or by a path or URL.

    Raises:
        ConfigurationError: It cannot be made.
        NotFoundError: The name is not registered.
    """
    if isinstance(given, kind.base):
        return given
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = parse_json(given)
        except JSONTextError:
            message = f"The JSON of the {kind.words} cannot be read."
            raise errors.ConfigurationError(message) from None
    if isinstance(given, dict):
        fields = dict(given)
        flavor = view.flavor(kind, str(fields.pop("flavor", kind.default))).load()
        made: Component = flavor(**fields)
        return made
    if isinstance(given, str) and is_qualified_name(given):
        return view.make(view.component(kind, given))
    if kind.name == "metadata_store":
        return metadata_store_from(given)
    message = (
        f"{kind.words.capitalize()}s are given as themselves, by name, or as a mapping with their "
        f"flavor; this is of type {type(given).__name__}."
    )
    raise errors.ConfigurationError(message)
