"""Values of a command's options and files: parameters as texts, JSON and YAML files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_YAML = {".yaml", ".yml"}


def parameter_value(text: str) -> Any:
    """Return a parameter's value: a number, true, false or null as JSON has them, else the text.

    >>> parameter_value("0.01"), parameter_value("true"), parameter_value("007")
    (0.01, True, '007')
    """
    try:
        found = json.loads(text)
    except ValueError:
        return text
    is_scalar = found is None or isinstance(found, (bool, int, float))
    return found if is_scalar and text not in {"NaN", "Infinity", "-Infinity"} else text


def read_values(path: Path) -> Mapping[str, Any]:
    """Return what a JSON or YAML file holds, by names.

    Raises:
        ConfigurationError: It holds something else, or cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = _yaml(path, text) if path.suffix.lower() in _YAML else json.loads(text)
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}"
        raise errors.ConfigurationError(message) from None
    if not isinstance(found, dict):
        message = f"{path} holds no values by names: its outermost value has to be an object."
        raise errors.ConfigurationError(message)
    return {str(name): value for name, value in found.items()}


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml
    except ImportError:
        message = f"{path} is YAML, which PyYAML reads: pip install 'mlmd-lineage[yaml]'."
        raise errors.ConfigurationError(message) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def numbers_in(values: Mapping[str, Any], prefix: str = "") -> dict[str, float | int | bool]:
    """Return the numbers in values, those inside others by names with dots.

    >>> numbers_in({"auc": 0.9, "loss": {"train": 0.1, "note": "x"}})
    {'auc': 0.9, 'loss.train': 0.1}
    """
    found: dict[str, float | int | bool] = {}
    for name, value in values.items():
        if isinstance(value, (int, float)):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, dict):
            found |= numbers_in({str(k): v for k, v in value.items()}, f"{prefix}{name}.")
    return found
