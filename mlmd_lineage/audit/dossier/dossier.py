"""Dossier: a model's whole provenance, as HTML, Markdown and JSON."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.audit import auditing
from mlmd_lineage.audit.dossier import annex_iv, comparing, gathering, rendering, unknowns
from mlmd_lineage.audit.dossier.picture import Picture, pictures
from mlmd_lineage.audit.files import write_file
from mlmd_lineage.post_execution.compare.impact import MODELS
from mlmd_lineage.post_execution.loading import node_resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from mlmd_lineage.audit.report import AuditReport
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.readers.base import Reader

FORMAT = "mlmd-lineage dossier 1"
"""What ``format`` says in a dossier's JSON."""


class Dossier:
    """A model's whole provenance as one document.

    >>> dossier = store.dossier("artifact/4")
    >>> dossier.save("model-4.html")
    >>> dossier.data["data_sets"], dossier.data["unknown"]

    The same store gives the same document, byte for byte.

    Attributes:
        node: The key of the model.
        compared_with: The key of the model that it is compared with; None where there is none.
        reader: What reads the store.
        location: Where the store is, without any secret.
        trace: What the model came from.
        downstream_trace: What came from it.
        report: The audit of both.
        data: All of the document, as JSON has it.
    """

    def __init__(
        self, reader: Reader, location: str, node: str, *, compared_with: str | None = None
    ) -> None:
        """Gather what a store says; ``Store.dossier()`` asks for it."""
        self.reader = reader
        self.location = location
        self.node = node
        self.compared_with = compared_with
        gathered = gathering.gather(reader, node)
        self.trace: Trace = gathered.upstream
        self.downstream_trace: Trace = gathered.downstream
        self.report: AuditReport = auditing.audit(reader, node)
        self.data = _data(self, gathered.sections)

    @property
    def findings(self) -> pd.DataFrame:
        """The findings on the model's lineage: the frame of ``Store.audit()``."""
        return self.report.frame

    @functools.cached_property
    def _pictures(self) -> list[Picture]:
        return pictures(self.trace)

    def to_html(self) -> str:
        """Return it as one HTML file, which opens without a network and prints well."""
        return rendering.html(self.data, self._pictures)

    def to_markdown(self) -> str:
        """Return it as Markdown, without the picture."""
        return rendering.markdown(self.data)

    def to_json(self) -> str:
        """Return it as JSON: all that the other formats show, and all properties."""
        return json.dumps(self.data, ensure_ascii=False, indent=1) + "\n"

    def save(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write it to a file whose name says the format.

        Args:
            path: A file that ends in ``.html``, ``.md`` or ``.json``; or a bundle, which holds the
                records behind it too: a folder whose name ends in ``.bundle`` or with a slash,
                or a file in ``.zip``.
            options: Those of ``save_bundle()``, for a bundle.

        Raises:
            ConfigurationError: The name says no format, or the file cannot be written.
        """
        target = Path(path)
        if os.fspath(path).endswith(("/", os.sep)):
            return self._save_bundle(target, {"format": "folder", **options})
        made = _WRITERS.get(target.suffix.lower())
        if made is not None:
            if options:
                message = f"{target.suffix} takes no options, and got {', '.join(options)}."
                raise errors.ConfigurationError(message)
            return write_file(target, made(self))
        if target.suffix.lower() in _BUNDLES:
            return self._save_bundle(target, options)
        known = ", ".join([*_WRITERS, *_BUNDLES])
        message = (
            f"{target.name} says no format that there is: {known}, or a slash at its end for the "
            "folder of a bundle."
        )
        raise errors.ConfigurationError(message)

    def _save_bundle(self, target: Path, options: Mapping[str, Any]) -> Path:
        from mlmd_lineage.audit.bundle.saving import save_bundle

        return save_bundle(self, target, **options)

    def _repr_html_(self) -> str:
        return rendering.summary_html(self.data)

    def __repr__(self) -> str:
        counts = [
            f"{len(rows):,} {noun}{'' if len(rows) == 1 else 's'}"
            for noun, rows in (("step", self.data["steps"]), ("data set", self.data["data_sets"]))
        ]
        return f"<Dossier of {self.node}: {', '.join(counts)}>"


_BUNDLES = (".bundle", ".zip")
_WRITERS: Mapping[str, Callable[[Dossier], str]] = {
    ".html": Dossier.to_html,
    ".htm": Dossier.to_html,
    ".md": Dossier.to_markdown,
    ".json": Dossier.to_json,
}


def dossier(reader: Reader, location: str, model: Node, *, compare: Node | None = None) -> Dossier:
    """Return the dossier of a model; the arguments are those of ``Store.dossier()``.

    Raises:
        NotFoundError: The store holds no such artifact.
        AmbiguousNameError: A name fits several.
        ConfigurationError: It is no artifact, or both are the same.
    """
    node = _artifact(reader, model)
    other = None if compare is None else _artifact(reader, compare)
    if other == node:
        message = f"{node} cannot be compared with itself; name another model."
        raise errors.ConfigurationError(message)
    return Dossier(reader, location, node, compared_with=other)


def _artifact(reader: Reader, node: Node) -> str:
    key = node_resolution.subject(reader, node, runs=False)
    if not key.startswith("artifact/"):
        message = f"{key} is no artifact: a dossier is that of a model, or of another artifact."
        raise errors.ConfigurationError(message)
    return key


def _data(made: Dossier, sections: dict[str, Any]) -> dict[str, Any]:
    report = made.report
    data: dict[str, Any] = {
        "format": FORMAT,
        "statement": annex_iv.STATEMENT,
        "store": _name(made.location),
        "node": made.node,
        **sections,
        "models_above": _models_above(made),
        "comparison": None,
    }
    if made.compared_with is not None:
        other = gathering.gather(made.reader, made.compared_with)
        data["comparison"] = comparing.compared(
            made.reader, made.node, sections, made.compared_with, other.sections
        )
    data["findings"] = report.to_dict()["findings"]
    data["finding_counts"] = report.to_dict()["counts"]
    data["unknown"] = unknowns.unknowns(sections, report)
    data["annex_iv"] = annex_iv.rows(data)
    data["articles"] = [
        {"article": article, "title": title, "text": text}
        for article, title, text in annex_iv.ARTICLES
    ]
    return data


def _name(location: str) -> str:
    """Return a store's location; of a file only its name, which is the same on every machine."""
    return location if "://" in location else Path(location).name


def _models_above(made: Dossier) -> list[str]:
    """Return the keys of the models that a model was made from, as in fine-tuning."""
    nodes = made.trace.nodes
    types = nodes["type"].fillna("").str.rsplit(".", n=1).str[-1]
    named = nodes["type"].isin(MODELS) | types.isin(MODELS)
    keys = [str(key) for key in nodes.index[named & (nodes["kind"] == "artifact")]]
    return [key for key in keys if key != made.node]
