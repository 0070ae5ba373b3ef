"""Checks of the blocks in which an archive holds the index of a lineage graph, and their columns.

The C code that walks over the arrays trusts them, so that whatever lies out of bounds is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage.saved.index_saving import BLOCK
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from mlmd_lineage.lineage.saved.index_saving import Layout

    Array = np.ndarray[Any, np.dtype[Any]]


def check_layout(layout: Layout) -> None:
    """Refuse a layout that cannot be.

    Raises:
        DamagedStoreError: It is one.
    """
    numbers: tuple[Any, ...] = (layout.artifacts, layout.nodes, layout.edges)
    is_right = all(isinstance(number, int) and 0 <= number < 2**31 for number in numbers)
    first: Any = layout.first_ids
    if first is not None:
        is_right &= len(first) == 2 and all(
            isinstance(number, int) and -(2**62) < number < 2**62 for number in first
        )
    if not is_right or layout.artifacts > layout.nodes:
        refuse("it does not say what it holds")


def check_blocks(layout: Layout, blocks: Mapping[str, Array]) -> None:
    """Refuse blocks that cannot be.

    Raises:
        DamagedStoreError: They are such.
    """
    for name, values in blocks.items():
        if len(values) != 1 - (-layout.nodes // BLOCK):
            refuse("it does not have the blocks that it says")
        if name != "id":
            check_bounds(name, values, np.int64, 2**31)
    for name in ("incoming", "outgoing"):
        starts = blocks[name]
        if starts[0] != 0 or starts[-1] != layout.edges or (np.diff(starts) < 0).any():
            refuse("its blocks are not in order")


def columns(part: pa.RecordBatch | pa.Table) -> dict[str, Array]:
    """Return the columns of a part as arrays.

    Raises:
        DamagedStoreError: There is a null in one.
    """
    if any(column.null_count for column in part.columns):
        refuse("a number is missing")
    return {
        name: arrays.to_numpy(column)
        for name, column in zip(part.schema.names, part.columns, strict=True)
    }


def summed(differences: Array, before: Any) -> Array:
    """Return numbers that are given by their differences."""
    made = np.cumsum(differences, dtype=differences.dtype)
    if before:
        made += before
    return made


def check_bounds(name: str, values: Array, kind: Any, bound: int) -> None:
    """Refuse numbers of another type, below 0, or not below a bound.

    Raises:
        DamagedStoreError: There are such.
    """
    if values.dtype != kind or (
        len(values) and not 0 <= int(values.min()) <= int(values.max()) < bound
    ):
        refuse(f"{name} is out of bounds")


def refuse(what: str) -> NoReturn:
    """Raise the error of a damaged index.

    Raises:
        DamagedStoreError: Always.
    """
    message = f"The lineage graph of the archive is damaged: {what}. Restore it from a copy."
    raise errors.DamagedStoreError(message)
