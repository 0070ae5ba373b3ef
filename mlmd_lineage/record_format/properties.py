"""Python values as MLMD properties that every database holds, and back.

A value that MLMD's columns hold exactly in each of its databases is kept as it is: booleans,
integers of 32 bits, finite floats, and texts that are neither long nor odd. Everything else is
JSON. Which properties are JSON stands in one further property, ``__encoded__``, so that a reader
who does not know it sees text, and one who does gets the value back.
"""

from __future__ import annotations

import functools
import json
import math
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.typed_json import UnrecordableValueError, dumps, loads, scalar
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Plain: TypeAlias = "bool | int | float | str"
"""What is a property as it is."""

_LEAST_INT, _MOST_INT = -(2**31), 2**31 - 1  # MLMD's columns in MySQL and PostgreSQL
MOST_TEXT = 2000
"""Bytes of a text; PostgreSQL's index of MLMD's properties takes about 2,700."""
_SHORT = MOST_TEXT // 4
"""Letters of a text that is not longer than that, whatever they are."""
MOST_NAME = 200
"""Characters of a property's name; MLMD's column in MySQL takes 255."""
_KEPT_NAMES = 1024
"""Of how many names it is kept whether they are odd: steps have the same ones again and again."""
_RESERVED_TEXTS = ("mlmd-struct::", "__MLMD_NULL__")
_OWN = ("__", names.TAG_PREFIX)
_PIECE = "__piece_{}_of__{}"
PIECES = "__piece_*"
"""What the names of all properties look like that hold a piece of a long text."""


def encode(
    values: Mapping[Any, Any], own: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Plain]:
    """Return values as properties.

    >>> encode({"learning_rate": 0.1, "layers": [64, 32]})
    {'learning_rate': 0.1, 'layers': '[64, 32]', '__encoded__': '{"layers": {"json": true}}'}

    Args:
        values: By the user's names.
        own: The recorder's own, whose names stay as they are.

    Raises:
        UnrecordableValueError: A name is no text, or a value is of a type that JSON and Python's
            standard types do not cover.
    """
    found: dict[str, Plain] = {}
    specs: dict[str, dict[str, Any]] = {}
    taken: set[str] = set()
    for name, given in own.items():
        taken |= _folded(name)
        spec = _keep(found, name, given, name)
        if spec:
            specs[name] = spec
    for name, given in values.items():
        if not isinstance(name, str):
            message = f"The name of a value has to be a text, and {name!r} is none."
            raise UnrecordableValueError(message)
        stored, spec = _stored_name(name, taken)
        taken |= _folded(stored)
        spec |= _keep(found, stored, given, name)
        if spec:
            specs[stored] = spec
    if specs:
        _keep_text(found, names.ENCODED, json.dumps(specs))
    return found


def _keep(found: dict[str, Plain], stored: str, given: Any, name: str) -> dict[str, Any]:
    """Add a value to properties, and return what says how it is kept; nothing where it is plain."""
    value: Any = scalar(given)
    spec: dict[str, Any] = {}
    if not _is_plain(value):
        try:
            value = dumps(value)
        except UnrecordableValueError as error:
            message = (
                f"{name!r} cannot be recorded: {error}. Record it as an artifact, or what "
                "matters of it as text, numbers, lists and dicts."
            )
            raise UnrecordableValueError(message) from None
        spec["json"] = True
    if isinstance(value, str) and len(value) > _SHORT:
        pieces = _keep_text(found, stored, value)
        if pieces > 1:
            spec["pieces"] = pieces
    else:
        found[stored] = value
    return spec


def _keep_text(found: dict[str, Plain], stored: str, text: str) -> int:
    """Add a text to properties, and return into how many pieces it is cut."""
    first, *others = _pieces(text)
    found[stored] = first
    for number, piece in enumerate(others, 1):
        found[_PIECE.format(number, stored)] = piece
    return len(others) + 1


def decode(properties: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that ``encode()`` was given, and those that were the recorder's own.

    What cannot be decoded, as somebody changed it, is left as it is.
    """
    text = properties.get(names.ENCODED)
    specs: Any = {}
    if isinstance(text, str):
        try:
            specs = json_of("".join(_held_pieces(properties, names.ENCODED)), halves=True)
        except ValueError:
            specs = {}
    if not isinstance(specs, dict):
        specs = {}
    values: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in sorted(properties.items()):
        if name == names.ENCODED or _is_piece(name):
            continue
        found = own if name.startswith(_OWN) else values
        spec = specs.get(name)
        if not isinstance(spec, dict):
            found[name] = value
            continue
        held = value
        if spec.get("pieces"):
            held = "".join(_held_pieces(properties, name))
        if spec.get("json") and isinstance(held, str):
            try:
                held = loads(held)
            except (ValueError, TypeError, ArithmeticError, RecursionError):
                held = value
        found[str(spec.get("name", name))] = held
    return values, own


def _stored_name(name: str, taken: set[str]) -> tuple[str, dict[str, Any]]:
    """Return the name under which a property is kept, and what says that it is another."""
    if not _is_odd(name) and taken.isdisjoint(_folded(name)):
        return name, {}
    number = 1
    while f"renamed_{number}" in taken:
        number += 1
    return f"renamed_{number}", {"name": name}


@functools.lru_cache(_KEPT_NAMES)
def _is_odd(name: str) -> bool:
    """Tell whether a property cannot have a name in each database."""
    return (
        not name
        or len(name.encode("utf-8", "surrogatepass")) > MOST_NAME
        or not _is_simple(name)
        or name.startswith(_OWN)
        or name != name.strip()
    )


@functools.lru_cache(_KEPT_NAMES)
def _folded(name: str) -> frozenset[str]:
    """Return what names have in common that a database may take for equal.

    MLMD stores text in MySQL twice encoded, which then compares what it takes for letters.
    """
    if name.isascii():
        return frozenset({name.lower().rstrip()})
    twice = name.encode().decode("latin-1")
    return frozenset({_without_marks(name), _without_marks(twice)})


def _without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).rstrip()


def _is_plain(value: Any) -> bool:
    if type(value) is float:
        # MySQL makes 0.0 of -0.0.
        return math.isfinite(value) and not (value == 0 and math.copysign(1, value) < 0)
    if type(value) is int:
        return _LEAST_INT <= value <= _MOST_INT
    if type(value) is str:
        return _is_kept(value)
    return type(value) is bool


def _is_kept(text: str) -> bool:
    return _is_simple(text) and not text.startswith(_RESERVED_TEXTS)


def _is_simple(text: str) -> bool:
    """Tell whether a text has neither NUL nor lone surrogates."""
    return "\0" not in text and (
        text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
    )


def _pieces(text: str) -> list[str]:
    """Cut a text into pieces that PostgreSQL's index takes."""
    if len(text) <= _SHORT:
        return [text]
    pieces: list[str] = []
    piece: list[str] = []
    size = 0
    for letter in text:
        width = len(letter.encode())
        if size + width > MOST_TEXT:
            pieces.append("".join(piece))
            piece, size = [], 0
        piece.append(letter)
        size += width
    return [*pieces, "".join(piece)]


def _held_pieces(properties: Mapping[str, Any], name: str) -> Iterator[str]:
    yield str(properties[name])
    number = 1
    while (piece := _PIECE.format(number, name)) in properties:
        yield str(properties[piece])
        number += 1


def _is_piece(name: str) -> bool:
    return name.startswith("__piece_") and "_of__" in name
