"""The resolution of a target of ``connect()``: registered names and the active stack."""

from __future__ import annotations

import os

from mlmd_lineage import errors
from mlmd_lineage.stacks.names import is_name
from mlmd_lineage.stores import BaseMetadataStore, metadata_store_from


def opened(target: object, *, create: bool = False) -> BaseMetadataStore:
    """Return the metadata store that a target means; the active stack's where it is None.

    A name that is registered means that store. Whatever cannot be a name (it holds a dot, a slash
    or a colon) is never looked up, and costs nothing more than before.

    Args:
        target: The target.
        create: A mere word that is not registered is the path of a file to be made.

    Raises:
        ConfigurationError: The target cannot be a store.
        AmbiguousNameError: It is a registered name, and a file or folder here too.
    """
    if target is None:
        from mlmd_lineage.stacks.stack import Stack

        return Stack().metadata_store
    if not isinstance(target, str) or not is_name(target):
        return metadata_store_from(target)
    # A path or URL does without the registrations, and without what they take to load.
    from mlmd_lineage.stacks.component_kinds import KINDS
    from mlmd_lineage.stacks.registry import Registry

    kind = KINDS["metadata_store"]
    view = Registry().view()
    known = view.components(kind)
    there = os.path.exists(target)  # noqa: PTH110 - a name is no path yet
    if target not in known:
        if there or create:
            return metadata_store_from(target)
        near = errors.did_you_mean(target, known)
        message = (
            f"There is no file or folder {target!r} here, and no metadata store of this name is "
            f"registered.{near} 'mlmd-lineage metadata-store list' shows those that are."
        )
        raise errors.StoreNotFoundError(message)
    if there:
        message = (
            f"{target!r} is a registered metadata store, and a file or folder here too; write "
            f"./{target} for the latter, or call connect() from elsewhere."
        )
        raise errors.AmbiguousNameError(message)
    made = view.make(known[target])
    assert isinstance(made, BaseMetadataStore)
    return made
