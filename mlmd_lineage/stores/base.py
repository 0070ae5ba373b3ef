"""The base class of metadata store flavors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.stores.component import Component

if TYPE_CHECKING:
    from google.protobuf.message import Message


class BaseMetadataStore(Component):
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

    Fields:
        name: The name under which it is registered.
        uuid: Its identity, whatever it is called.
        upgrade_migration_enabled: Whether opening it for writing may bring the tables of an older
            MLMD up to date. Reading never does.

    Raises:
        ConfigurationError: A field is missing, unknown or cannot be right.
    """

    KIND: ClassVar[str] = "metadata store"

    upgrade_migration_enabled: bool = True

    @abstractmethod
    def connection_config(self) -> Message:
        """Return MLMD's ``ConnectionConfig`` for this store.

        It is ``ml_metadata``'s own class where that is installed, else one of ours with the same
        fields and the same wire format.
        """


def connection_config_of(store: BaseMetadataStore) -> Message:
    """Return a store's ``ConnectionConfig``; an exception of a user's flavor is reported as theirs.

    Raises:
        ConfigurationError: Its ``connection_config()`` failed; the message names file and line.
    """
    try:
        with store.as_made():
            return store.connection_config()
    except errors.MLMDLineageError:
        raise
    except Exception as error:
        message = (
            f"connection_config() of the flavor {store.FLAVOR!r} failed: "
            f"{user_code.described(error)}"
        )
        raise errors.ConfigurationError(message) from error
