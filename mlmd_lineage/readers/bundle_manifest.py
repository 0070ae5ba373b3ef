"""Reads from a bundle's manifest what bounds the lineage that the bundle holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_limits import MOST_MANIFEST_BYTES
from mlmd_lineage.stores.local_paths import BUNDLE_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.archive_files import ArchiveFiles

    Bounds = Mapping[str, Mapping[str, frozenset[str]]]


def lineage_bounds(files: ArchiveFiles) -> Bounds:
    """Return the nodes of a bundle at which more was left out, by directions and arguments.

    >>> lineage_bounds(files)
    {'upstream': {'max_hops': frozenset({'artifact/35', 'artifact/37'})}}

    Args:
        files: The files of the bundle.

    Raises:
        DamagedStoreError: The manifest is no manifest.
        StorePermissionError: It may not be read.
    """
    path = files.path / BUNDLE_MANIFEST
    try:
        manifest = json.loads(files.read(BUNDLE_MANIFEST, MOST_MANIFEST_BYTES))
        return _bounds(manifest["lineage"])
    except PermissionError:
        message = f"{path} may not be read by this user."
        raise errors.StorePermissionError(message) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = f"{path} is no manifest of a bundle any more. Restore the bundle from a copy."
        raise errors.DamagedStoreError(message) from None


def _bounds(lineage: list[dict[str, Any]]) -> Bounds:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for answer in lineage:
        by_argument = found.setdefault(str(answer["question"]), {})
        boundary = frozenset(map(str, answer.get("boundary", ())))
        for argument in answer.get("truncated_by", ()):
            by_argument[argument] = by_argument.get(argument, frozenset()) | boundary
    return {direction: bounds for direction, bounds in found.items() if bounds}
