"""Streams the rows of a transfer archive, so that no more than one is in memory at a time."""

from __future__ import annotations

import contextlib
import stat
from typing import IO, TYPE_CHECKING, Any

from mlmd_lineage import deadline, errors

try:
    import ijson
except ModuleNotFoundError:
    _MISSING = (
        "Transfer archives of Kubeflow are read by ijson, which is not installed: "
        "pip install 'mlmd-lineage[kubeflow]'."
    )
    raise errors.ConfigurationError(_MISSING) from None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 256 << 20
"""How large an archive may be: Kubeflow writes and imports none that is larger."""
_MOST_DEPTH = 100
MOST_PARTS = 1_000_000
"""How many values one row may hold."""
_ENDS = {"end_map", "end_array"}
_STARTS = {"start_map": dict, "start_array": list}


def stream(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the members of the object in a file, arrays in them row by row.

    A member that is an array, or a member of an object that is one, comes as many times as it has
    rows: ``("metadata.artifacts", {...})``. Anything else comes whole: ``("format", "...")``.

    Raises:
        DamagedStoreError: The file is truncated, no JSON, or larger or deeper than an archive is.
        StoreError: It is not there, or cannot be read.
    """
    check_file(path)
    with explained(path), path.open("rb") as file:
        yield from _members(events_of(file), path)


def check_file(path: Path) -> None:
    """Fail where a path is no regular file, or one that is too large."""
    with explained(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        message = f"{path} is no regular file; give the JSON file of an archive."
        raise errors.NotAMetadataStoreError(message)
    if status.st_size > MOST_BYTES:
        message = (
            f"{path} has {status.st_size:,} bytes, more than the {MOST_BYTES:,} that an archive of "
            "Kubeflow may have. Export a smaller interval."
        )
        raise errors.DamagedStoreError(message)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the file and of the parser into ours."""
    try:
        yield
    except FileNotFoundError:
        message = f"There is no file {path}. Check its path."
        raise errors.StoreNotFoundError(message) from None
    except PermissionError:
        message = f"{path} may not be read by this user."
        raise errors.StorePermissionError(message) from None
    except ijson.IncompleteJSONError as error:
        # Malformed JSON is an error of this class too; the parser's text tells which it is.
        what = "ends in the midst of it" if "premature" in str(error).lower() else "is no JSON"
        raise damaged(path, f"it {what} ({_said(error)})") from None
    except (ijson.JSONError, UnicodeDecodeError, OverflowError) as error:
        raise damaged(path, f"it is no JSON ({_said(error)})") from None
    except OSError as error:
        raise damaged(path, error.strerror or type(error).__name__) from None


def damaged(path: Path, why: str) -> errors.DamagedStoreError:
    """Return the error of a file that cannot be read."""
    return errors.DamagedStoreError(
        f"{path} cannot be read: {why}. Export it again, or restore it from a copy."
    )


def _said(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    return text[:120] if text.isprintable() else type(error).__name__


def _members(events: Iterator[tuple[str, Any]], path: Path) -> Iterator[tuple[str, Any]]:
    kind, _ = next(events, ("", None))
    if kind != "start_map":
        message = f"{path} holds no JSON object, so it is no archive of Kubeflow."
        raise errors.NotAMetadataStoreError(message)
    names: list[str] = []
    within: list[str] = []
    for count, (kind, value) in enumerate(events):
        if not count % 4096:
            deadline.check()
        if kind == "map_key":
            names[len(within) :] = [value]
        elif kind in _ENDS:
            if not within:
                continue
            within.pop()
        elif kind == "start_map" and not within:
            within.append("map")
        elif kind == "start_array" and (not within or within == ["map"]):
            within.append("array")
        else:
            inner = within[:1] == ["map"]
            yield ".".join(names[:2]) if inner else names[0], whole(kind, value, events, path)


def events_of(file: IO[bytes]) -> Iterator[tuple[str, Any]]:
    """Yield the events of a JSON text: the beginnings and ends of its parts, keys and values."""
    # Numbers with a point are floats, as those of Python's own decoder are.
    found: Iterator[tuple[str, Any]] = ijson.basic_parse(file, use_float=True)
    return found


def whole(kind: str, value: Any, events: Iterator[tuple[str, Any]], path: Path) -> Any:
    """Return the value that begins with an event."""
    if kind not in _STARTS:
        return value
    made_whole: Any = _STARTS[kind]()
    stack, keys = [made_whole], [""]
    for count, (part, inner) in enumerate(events):
        if count > MOST_PARTS or len(stack) > _MOST_DEPTH:
            raise damaged(path, "a row holds more, or deeper, than those of Kubeflow do")
        if part == "map_key":
            keys[-1] = inner
            continue
        if part in _ENDS:
            stack.pop()
            keys.pop()
            if not stack:
                break
            continue
        made = _STARTS[part]() if part in _STARTS else inner
        if isinstance(stack[-1], dict):
            stack[-1][keys[-1]] = made
        else:
            stack[-1].append(made)
        if part in _STARTS:
            stack.append(made)
            keys.append("")
    return made_whole
