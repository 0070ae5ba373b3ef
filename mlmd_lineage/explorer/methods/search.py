"""Search of nodes, runs and pipelines by names, URIs and types, or in MLMD's filter language."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.explored_store import frame_of
from mlmd_lineage.explorer.methods.lineage import labels
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlmd_lineage.explorer.explored_store import ExploredStore

    Hit = dict[str, Any]

_KINDS = ("artifact", "execution", "context")
_ORDER = ("pipeline", "run", "artifact", "execution", "context")
_EXACTLY = {"key", "its name"}
_FILTER = "filter:"
_RUN_TYPES = {"pipeline_run", "run", "system.PipelineRun", "KfpRun"}
_PIPELINE_TYPES = {"pipeline", "system.Pipeline"}


def search(store: ExploredStore, text: str, *, limit: int = 50) -> dict[str, Any]:
    """Return the nodes, runs and pipelines that a text names or is a part of.

    Members: ``hits`` (``key``, ``label``, ``type``, ``uri``, ``kind``, ``why``: what the text was
    found in); ``total``: how many there are; ``said``. What was named exactly comes first, and what
    has the text in its URI last; of each pipelines, runs, artifacts, executions and other contexts,
    the newest first.

    Args:
        store: The store.
        text: A key, a name, a URI, a type or a part of them; or ``filter:`` and a condition of
            ``docs/filters.md``, which is asked of artifacts, executions and contexts.
        limit: How many hits to return at most.
    """
    wanted = text.strip()
    if not wanted:
        return {"hits": [], "total": 0, "said": ""}
    if wanted.startswith(_FILTER):
        return _filtered(store, wanted.removeprefix(_FILTER).strip(), limit)
    hits: dict[str, Hit] = {}
    for hit in _exact(store, wanted):
        hits.setdefault(hit["key"], hit)
    for hit in _containing(store, wanted):
        hits.setdefault(hit["key"], hit)
    return _answer(store, sorted(hits.values(), key=_rank), limit)


def _rank(hit: Hit) -> tuple[bool, bool, int]:
    """Return what orders hits: what was named exactly first, parts of URIs last."""
    return hit["why"] not in _EXACTLY, hit["why"] == "URI", _ORDER.index(hit["kind"])


def _answer(store: ExploredStore, found: list[Hit], limit: int) -> dict[str, Any]:
    """Return the first hits, with the names that their platforms give them."""
    hits = found[:limit]
    nodes = [hit["key"] for hit in hits if hit["kind"] in {"artifact", "execution"}]
    names = labels(store, nodes)["labels"]
    for hit in hits:
        name = names.get(hit["key"], [None])[0]
        if name and not name.startswith("#"):
            hit["label"] = name
    said = f"{len(found):,} found, of which the first {limit:,} are listed."
    return {"hits": hits, "total": len(found), "said": said if len(found) > limit else ""}


def _filtered(store: ExploredStore, where: str, limit: int) -> dict[str, Any]:
    """Return what a filter finds; a field that a kind of node lacks is no error for the others."""
    found: list[Hit] = []
    failed: list[errors.FilterError] = []
    for kind in _KINDS:
        try:
            frame = frame_of(store, kind, where)
        except errors.FilterError as error:
            failed.append(error)
        else:
            found += _hits(kind, frame, "filter")
    if len(failed) == len(_KINDS):
        raise failed[0]
    return _answer(store, found, limit)


def _exact(store: ExploredStore, text: str) -> Iterator[Hit]:
    with contextlib.suppress(errors.NotFoundError, errors.AmbiguousNameError):
        key = store.find_node(text)
        kind, _, number = key.partition("/")
        why = "key" if key == text or text.isdecimal() else "its name"
        yield from _hits(kind, frame_of(store, kind, f"id = {number}"), why)


def _containing(store: ExploredStore, text: str) -> Iterator[Hit]:
    pattern = _quoted(f"%{_escaped(text)}%")
    fields = {
        "context": ("name", "type"),
        "artifact": ("name", "uri", "type"),
        "execution": ("name", "type"),
    }
    for kind, some in fields.items():
        for field in some:
            frame = frame_of(store, kind, f"{field} LIKE {pattern}")
            yield from _hits(kind, frame.iloc[::-1], "URI" if field == "uri" else field)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _quoted(pattern: str) -> str:
    """Return a text as a literal of the filter language."""
    return "'" + pattern.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _hits(kind: str, frame: pd.DataFrame, why: str) -> Iterator[Hit]:
    uris = frame["uri"] if "uri" in frame else [None] * len(frame)
    for number, name, type_name, uri in zip(
        frame.index, frame["name"], frame["type"], uris, strict=True
    ):
        label = json_value(name) or json_value(uri) or f"#{number}"
        hit = {
            "key": f"{kind}/{number}",
            "kind": kind,
            "label": label,
            "type": short_type(json_value(type_name)),
            "uri": json_value(uri),
            "why": why,
        }
        if kind == "context" and type_name in _RUN_TYPES:
            hit |= {"kind": "run", "key": f"run:context/{number}"}
        elif kind == "context" and type_name in _PIPELINE_TYPES:
            hit |= {"kind": "pipeline", "key": f"pipeline:{label}"}
        yield hit
