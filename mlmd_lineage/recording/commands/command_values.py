"""Values of a command's options and files: parameters as texts, JSON and YAML files."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_YAML = {".yaml", ".yml"}
# Without O_NONBLOCK, opening a named pipe waits for its writer; Windows alone has O_BINARY.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MOST_BYTES = 16 << 20
_MOST_DEPTH = 64
_MOST_VALUES = 100_000
"""How many values a file may hold; the aliases of YAML make very many of a few bytes."""


def parameter_value(text: str) -> Any:
    """Return a parameter's value: a number, true, false or null as JSON has them, else the text.

    >>> parameter_value("0.01"), parameter_value("true"), parameter_value("007")
    (0.01, True, '007')
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_scalar = found is None or isinstance(found, (bool, int, float))
    return found if is_scalar and text not in {"NaN", "Infinity", "-Infinity"} else text


def read_values(path: Path) -> Mapping[str, Any]:
    """Return what a JSON or YAML file holds, by names.

    Raises:
        ConfigurationError: It holds something else, or cannot be read: it is no regular file, too
            large, or holds too many values.
    """
    try:
        text = _bytes_of(path).decode()
        found = _yaml(path, text) if path.suffix.lower() in _YAML else json.loads(text)
        _check_size(found)
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}"
        raise errors.ConfigurationError(message) from None
    except RecursionError:
        message = f"{path} cannot be read: it is nested too deep"
        raise errors.ConfigurationError(message) from None
    if not isinstance(found, dict):
        message = f"{path} holds no values by names: its outermost value has to be an object."
        raise errors.ConfigurationError(message)
    return {str(name): value for name, value in found.items()}


def _bytes_of(path: Path) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        ValueError: It is none, or too large.
    """
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            message = "it is no regular file"
            raise ValueError(message)
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        message = f"it has more than {_MOST_BYTES:,} bytes"
        raise ValueError(message)
    return content


def _check_size(values: Any) -> None:
    """Refuse values that are nested too deep, or too many.

    Raises:
        ValueError: They are.
    """
    level, count = [values], 0
    for _ in range(_MOST_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, (dict, list)):
                below += each.values() if isinstance(each, dict) else each
            if count + len(below) > _MOST_VALUES:
                message = f"it holds more than {_MOST_VALUES:,} values"
                raise ValueError(message)
        if not below:
            return
        level, count = below, count + len(below)
    message = f"it is nested more than {_MOST_DEPTH} levels deep"
    raise ValueError(message)


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
