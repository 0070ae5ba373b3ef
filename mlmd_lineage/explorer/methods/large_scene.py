"""A large scene as columns of numbers in one binary answer, which a page draws by WebGL.

The layout of the bytes, little endian: the length of the header as an unsigned 32-bit integer, the
header as JSON, padded with blanks to a multiple of 4, and the columns in the order in which the
header names them, each padded to 4 bytes. ``docs/explorer-api.md`` says what they hold.
"""

from __future__ import annotations

import inspect
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.explorer.methods import lineage, paths
from mlmd_lineage.explorer.methods.lineage import pairs_of
from mlmd_lineage.explorer.parameters import checked
from mlmd_lineage.explorer.scenes import folds
from mlmd_lineage.explorer.scenes.scene_graph import STATUS_CODES
from mlmd_lineage.lineage.render import large_layout
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlmd_lineage.explorer.explored_store import EdgeFlags, ExploredStore
    from mlmd_lineage.explorer.methods.lineage import Answer
    from mlmd_lineage.lineage.render.folding import Group

    Array = np.ndarray[Any, np.dtype[Any]]

_LAYER, _ROW = 180.0, 56.0
"""How many pixels a layer is wide and a row is high."""
_FOLD = 2
_METHODS: dict[str, Callable[..., Any]] = {
    "lineage": lineage.lineage,
    "path": paths.path,
    "impact": paths.impact,
}


def columns(store: ExploredStore, method: str, params: Mapping[str, Any]) -> bytes:
    """Return a scene of any size as bytes.

    Args:
        store: The store.
        method: What is asked: ``lineage``, ``path`` or ``impact``.
        params: The parameters of that method; its ``limit`` is ignored.
    """
    answer, groups = _asked(store, method, params)
    return encode(answer, groups)


def statuses(store: ExploredStore, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statuses of a large scene as its platforms have them.

    MLMD's own states, which ``columns`` gives, know no cached or canceled step of most platforms.
    To read what the platforms say takes longer, so that a picture shows without it at first.

    Members: ``statuses``: for each node, in the order of the columns, its place in the header's
    ``statuses``.

    Args:
        store: The store.
        method: As for ``columns()``.
        params: As for ``columns()``.
    """
    answer, groups = _asked(store, method, params)
    graph = answer.graph
    codes = [STATUS_CODES.index(graph.label(key).status) for key in graph.keys]
    if groups is not None:
        found = np.array(codes, np.uint8)
        codes = [_common(found, group.members) for group in groups]
    return {"statuses": codes}


def _asked(
    store: ExploredStore, method: str, params: Mapping[str, Any]
) -> tuple[Answer, Sequence[Group] | None]:
    """Return the answer to a question, and the groups in which its nodes are drawn if folded."""
    if method not in _METHODS:
        near = errors.did_you_mean(method, _METHODS)
        message = f"There are no columns of {method!r}, but of {', '.join(_METHODS)}.{near}"
        raise errors.ConfigurationError(message)
    function = _METHODS[method]
    known = inspect.signature(function).parameters.values()
    given = {each.name: each.default for each in known} | checked(method, function, params)
    fold, expand = given["fold"], given["expand"]
    folds.check_fold(fold)
    if method == "impact":
        answer, _ = paths.ask_impact(store, given["key"], expand=expand)
    else:
        flags: EdgeFlags = {
            "internal": given["internal"],
            "later": given["later"],
            "reuse": given["reuse"],
        }
        if method == "path":
            ends = given["source"], given["target"]
            answer = paths.ask_path(store, *ends, expand=expand, flags=flags)
        else:
            asked = {name: given[name] for name in ("direction", "hops", "expand")}
            answer = lineage.ask_lineage(store, given["key"], **asked, flags=flags)
    if fold == "none":
        return answer, None
    return answer, folds.groups(answer.graph, fold, keep=answer.starts, opened=expand)


def encode(answer: Answer, groups: Sequence[Group] | None) -> bytes:
    """Return the nodes of an answer, or the groups in which they are drawn, as bytes."""
    graph = answer.graph
    names, types = graph.types
    ids = np.concatenate([graph.artifact_ids, graph.execution_ids])
    kinds = (np.arange(len(graph)) >= len(graph.artifact_ids)).astype(np.uint8)
    statuses = graph.statuses
    sources, targets, roles = graph.sources, graph.targets, graph.roles
    folded: list[list[Any]] = []
    if groups is not None:
        sources, targets, roles = pairs_of(graph, groups)
        first = np.array([group.members[0] for group in groups], np.int64)
        statuses = np.array([_common(statuses, group.members) for group in groups], np.uint8)
        is_fold = np.array([len(group.members) > 1 for group in groups], bool)
        kinds, ids, types = kinds[first], ids[first], types[first]
        kinds[is_fold] = _FOLD
        folded = [
            [number, group.id, _called(answer, group), len(group.members)]
            for number, group in enumerate(groups)
            if len(group.members) > 1
        ]
    x, y = large_layout.arrange(len(ids), sources, targets)
    small = ids.max(initial=0) < 2**32 and ids.min(initial=0) >= 0
    held = {
        "x": (x * _LAYER).astype("<f4"),
        "y": (y * _ROW).astype("<f4"),
        "kind": kinds,
        "status": statuses,
        "type": types.astype("<u2"),
        "source": sources.astype("<u4"),
        "target": targets.astype("<u4"),
        "role": roles.astype(np.uint8),
        "id": ids.astype("<u4" if small else "<f8"),
    }
    header = {
        "focus": _focus(answer, groups),
        "direction": answer.direction,
        "complete": answer.complete,
        "said": answer.said,
        "count": len(ids),
        "edges": len(sources),
        "width": float(held["x"].max(initial=0)),
        "height": float(held["y"].max(initial=0)),
        "types": [short_type(name) for name in names],
        "roles": list(ROLES),
        "statuses": list(STATUS_CODES),
        "folds": folded,
        "columns": [[name, column.dtype.str.lstrip("<|")] for name, column in held.items()],
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    parts = [struct.pack("<I", len(text)), text]
    for column in held.values():
        data = column.tobytes()
        parts += [data, b"\0" * (-len(data) % 4)]
    return b"".join(parts)


def _common(statuses: Array, members: Sequence[int]) -> int:
    """Return the status that all steps of a group have; 0 where they differ."""
    found = set(statuses[list(members)].tolist()) - {0}
    return found.pop() if len(found) == 1 else 0


def _called(answer: Answer, group: Group) -> str:
    name = group.name or answer.graph.label(answer.graph.keys[group.members[0]]).name
    if name is None:
        names, types = answer.graph.types
        name = short_type(names[types[group.members[0]]])
    return f"{name} \N{MULTIPLICATION SIGN} {len(group.members):,}"


def _focus(answer: Answer, groups: Sequence[Group] | None) -> int | None:
    graph = answer.graph
    if not answer.starts or not len(graph):
        return None
    at = graph.keys.index(answer.starts[0])
    if groups is None:
        return at
    return next((n for n, group in enumerate(groups) if at in group.members), None)
