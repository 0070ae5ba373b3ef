"""The names and statuses that platforms give the nodes of a graph.

A graph itself knows MLMD's rows only. Who opens a store also knows the dialects by which its
platforms name steps and artifacts, and gives its graphs a ``graph_data.Labeler``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd


@dataclasses.dataclass(frozen=True, slots=True)
class NodeLabel:
    """What a platform calls a node.

    Attributes:
        name: The name of a step in its pipeline, or that of an artifact; for an artifact without a
            name the key under which its producer wrote it. None where neither is known.
        status: ``completed``, ``failed``, ``running``, ``cached`` or ``canceled``; None for
            artifacts.
        run: The name of the run of a step, or of the run that made an artifact.
        pipeline: The name of that run's pipeline.
        run_key: The key of that run.
    """

    name: str | None = None
    status: str | None = None
    run: str | None = None
    pipeline: str | None = None
    run_key: str | None = None


NO_LABEL = NodeLabel()
LABEL_COLUMNS = {"label": "name", "status": "status", "run": "run", "pipeline": "pipeline"}
"""The columns of frames and exports, and the attribute of a label that each holds."""


def label_frame(nodes: Iterable[str], labels: Mapping[str, NodeLabel]) -> pd.DataFrame:
    """Return the labels of a graph's nodes, whose keys are given, in their order.

    The index, ``node``, holds their keys. Columns: ``label``, ``status``, ``run``, ``pipeline``,
    all texts, NA where the platform does not say it.
    """
    import pandas as pd

    from mlmd_lineage.snapshot import columns

    keys = list(nodes)
    found = [labels.get(key, NO_LABEL) for key in keys]
    return pd.DataFrame(
        {
            column: pd.array([getattr(label, name) for label in found], columns.TEXT)
            for column, name in LABEL_COLUMNS.items()
        },
        index=pd.Index(pd.array(keys, columns.TEXT), name="node"),
    )
