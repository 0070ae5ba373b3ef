"""Rules for properties: those that say who, which code, which environment and which data.

MLMD has no columns for these. The names are those that TFX, Kubeflow Pipelines, ZenML and HPE CMF
use, and those that people commonly give.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.checks.digests import is_digest
from mlmd_lineage.audit.checks.uris import CONTENT_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Mapping

_START, _END = r"(?:^|[_\W])", r"(?:$|[_\W])"


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(f"{_START}(?:{'|'.join(words)}){_END}", re.IGNORECASE)


_CODE = _words(
    *("image", "source", "module", "module_path", "module_file", "code", "git", "commit", "wheel"),
    *("branch", "repo", "repository", "revision", "entrypoint", "run_fn"),
)
_ENVIRONMENT = _words(
    *("tfx_version", "py_version", "python", "python_version", "python_env", "framework"),
    *("framework_version", "platform", "host", "hostname", "machine", "machine_type", "gpu", "cpu"),
    *("accelerator", "accelerator_type", "cuda", "memory", "os", "environment", "runtime", "pod"),
    *("pod_name", "kfp_pod_name", "namespace", "cluster", "zenml_version", "kfp_sdk_version"),
)
_WHO = _words(
    *("user", "username", "author", "owner", "creator", "created_by", "operator", "approver"),
    *("approved_by", "service_account", "team", "email"),
)
_SPANS = re.compile(
    r"^(?:span|version|split_names|splits|revision|(?:data_|dataset_|model_)?version|first_span|"
    r"last_span|date|start_date|end_date|partition|rows|num_rows|records|num_examples|columns)$",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"@(sha256[=:][0-9a-f]{8,})$")


def code_of(properties: Mapping[str, Any], type_name: str) -> dict[str, Any]:
    """Return what tells one version of a step's code from another.

    >>> code_of({"module_file": "/src/train.py", "lr": 0.1}, "Trainer")
    {'module_file': '/src/train.py'}
    """
    found = _of(_CODE, properties)
    image = _IMAGE.search(type_name)  # Kubeflow Pipelines 1 names a component's type after it
    return found | ({"component": image[1]} if image else {})


def environment_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says in which environment something ran.

    >>> environment_of({"tfx_version": "1.15.1", "lr": 0.1})
    {'tfx_version': '1.15.1'}
    """
    return _of(_ENVIRONMENT, properties)


def people_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says who did something.

    >>> people_of({"author": "ada", "lr": 0.1})
    {'author': 'ada'}
    """
    return _of(_WHO, properties)


def spans_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says which part of the data something is.

    >>> spans_of({"span": 3, "split_names": '["train"]', "name": "a"})
    {'span': 3, 'split_names': '["train"]'}
    """
    return {n: v for n, v in sorted(properties.items()) if _SPANS.match(n) and _says(v)}


def digests_of(properties: Mapping[str, Any], uri: str | None, name: str | None) -> dict[str, Any]:
    """Return the digests and fingerprints of an artifact's contents.

    >>> digests_of({"sha256": "9f86"}, None, None)
    {'sha256': '9f86'}
    """
    found = {n: v for n, v in sorted(properties.items()) if is_digest(n) and _says(v)}
    if uri and CONTENT_ADDRESS.fullmatch(uri):
        found["uri"] = uri
    digits = (name or "").rpartition(":")[2]
    if CONTENT_ADDRESS.fullmatch(digits):
        found["name"] = digits
    return found


def _of(pattern: re.Pattern[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in sorted(properties.items()) if pattern.search(n) and _says(v)}


def _says(value: Any) -> bool:
    return value is not None and value not in ("", "None")
