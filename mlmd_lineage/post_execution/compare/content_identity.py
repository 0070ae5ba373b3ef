"""Rules for properties: those that identify contents or code, and those that are volatile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.platform_properties import VOLATILE_PROPERTIES
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

CONTENT = re.compile(
    r"(?:^|[_\W])(?:fingerprint|digest|checksum|hash|md5|sha1|sha256|sha512|etag|commit)(?:$|[_\W])"
    r"|^(?:span|revision|(?:data_|dataset_|model_)?version)$",
    re.IGNORECASE,
)
"""Names of properties that tell one state of the same data from another."""

CODE = re.compile(
    r"(?:^|[_\W])(?:image|source|module|module_path|module_file|code|git|commit|wheel)(?:$|[_\W])",
    re.IGNORECASE,
)
"""Names of properties that tell one version of the code from another."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FINAL_STATUS = "pipelineJobResourceName"  # a field of Kubeflow's PipelineTaskFinalStatus
_CONTENT_ADDRESS = re.compile(r"[0-9a-f]{32,128}", re.IGNORECASE)


def is_content(name: str) -> bool:
    """Tell whether a property identifies the contents: a fingerprint, a digest, a span.

    >>> is_content("input_fingerprint"), is_content("framework_version")
    (True, False)
    """
    return name not in VOLATILE_PROPERTIES and CONTENT.search(name) is not None


def user_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without the final status that Kubeflow passes to an exit handler."""
    return {
        name: value
        for name, value in parameters.items()
        if not (isinstance(value, dict) and _FINAL_STATUS in value)
    }


def without_run_names(text: str, run_specific_names: Collection[str]) -> str:
    """Return a URI without the parts that say in which run, or by which execution, it was made.

    >>> without_run_names("/pipelines/Trainer/model/22", {"22"})
    '/pipelines/Trainer/model/*'

    Args:
        text: A URI, or another text.
        run_specific_names: Ids of executions, names of runs: whole parts of the URI.
    """
    parts = re.split(r"([/:@?&=])", _UUID.sub("*", text))
    return "".join("*" if part in run_specific_names else part for part in parts)


def contents_of(properties: Mapping[str, Any], uri: str | None) -> dict[str, Any]:
    """Return what identifies an artifact's contents, by name; nothing where the store has nothing.

    A URI counts where it is the hash of the contents, as HPE CMF writes it.

    >>> contents_of({"span": 3, "split_names": "[]"}, "/data/3")
    {'span': 3}
    """
    found = {name: value for name, value in sorted(properties.items()) if is_content(name)}
    if uri and _CONTENT_ADDRESS.fullmatch(uri):
        found["uri"] = uri
    return found


def flattened(name: str, value: Any) -> dict[str, Any]:
    """Return the values in a parameter by their paths; texts that hold JSON objects are opened.

    >>> flattened("train_args", '{"num_steps": 20}')
    {'train_args.num_steps': 20}
    """
    opened = _opened(value)
    if not isinstance(opened, dict) or not opened:
        return {name: value}
    return {path: leaf for path, leaf in _walk(name, opened)}  # noqa: C416 - a later one wins


def _walk(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    waiting = [(name, value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict) and item:
            waiting += [(f"{path}.{key}", part) for key, part in item.items()]
        else:
            yield path, item


def _opened(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json_of(value, halves=True)
        except ValueError:
            return value
    return value
