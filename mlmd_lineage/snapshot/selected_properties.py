"""Selection of rows of property tables by the properties' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Collection


def of_names(properties: pa.Table, names: Collection[str]) -> pa.Table:
    """Return the properties with some names.

    >>> of_names(snapshot.execution_properties, ["component_id", "zenml-*"])

    Args:
        properties: A table of properties.
        names: The names, or ``NAME*`` for all that begin so.
    """
    exact = {name for name in names if not name.endswith("*")}
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    column = properties["name"].unify_dictionaries()
    parts = [np.zeros(0, bool)]
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        fits = [name in exact or name.startswith(beginnings) for name in map(str, texts)]
        if not any(fits):
            parts.append(np.zeros(len(chunk), bool))
        else:
            parts.append(np.array(fits)[arrays.to_numpy(chunk.indices)])
    return properties.filter(pa.chunked_array([arrays.from_numpy(np.concatenate(parts))]))
