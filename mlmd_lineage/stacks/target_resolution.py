"""The resolution of a target of ``connect()``: registered names and the active stack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stacks.names import is_qualified_name
from mlmd_lineage.stores.local_paths import LocalStore, local_store

if TYPE_CHECKING:
    from mlmd_lineage.stores import BaseMetadataStore


def place_of(target: object, *, create: bool = False) -> BaseMetadataStore | LocalStore:
    """Return what a target means; where it is the path of a store that is there, that alone.

    Arguments and errors are those of ``opened()``.
    """
    may_be_name = isinstance(target, str) and is_qualified_name(target)
    if isinstance(target, (str, os.PathLike)) and not may_be_name:
        found = local_store(target)
        if found is not None:
            return found
    return opened(target, create=create)


def opened(target: object, *, create: bool = False) -> BaseMetadataStore:
    """Return the metadata store that a target means; the active stack's where it is None.

    A name that is registered means that store; ``user:prod`` and ``project:prod`` say which of two
    is meant. Whatever cannot be a name (it holds a dot, a slash or another colon) is never looked
    up, and the registrations are not read for it.

    Args:
        target: The target.
        create: A mere word that is not registered is the path of a file to be made.

    Raises:
        ConfigurationError: The target cannot be a store.
        UntrustedProjectError: A project registers it that is not trusted.
        AmbiguousNameError: It is a registered name, and a file or folder here too; or the project
            and the user both have it.
    """
    if target is None:
        from mlmd_lineage.stacks.stack import Stack

        return Stack().metadata_store
    from mlmd_lineage.stores import BaseMetadataStore, metadata_store_from

    if not isinstance(target, str) or not is_qualified_name(target):
        return metadata_store_from(target)
    # Imported only where a name is looked up, as it takes a while.
    from mlmd_lineage.stacks.component_kinds import KINDS
    from mlmd_lineage.stacks.registry import Registry

    kind = KINDS["metadata_store"]
    view = Registry().view()
    there = os.path.exists(target)  # noqa: PTH110 - a name is no path yet
    try:
        found = view.component(kind, target)
    except errors.NotFoundError:
        if there or create:
            return metadata_store_from(target)
        near = errors.did_you_mean(target, view.components(kind))
        message = (
            f"There is no file or folder {target!r} here, and no metadata store of this name is "
            f"registered.{near} 'mlmd-lineage metadata-store list' shows those that are."
        )
        raise errors.StoreNotFoundError(message) from None
    if there:
        message = (
            f"{target!r} is a registered metadata store, and a file or folder here too; write "
            f"./{target} for the latter, or call connect() from elsewhere."
        )
        raise errors.AmbiguousNameError(message)
    made = view.make(found)
    assert isinstance(made, BaseMetadataStore)
    return made
