"""Records: canonical JSON, Merkle trees, and the same bytes whatever wrote the rows."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import odd_stores
import pyarrow as pa
import pytest
import sqlite_stores
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.audit.records import canonical_json, merkle
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS, all_records, records_of
from mlmd_lineage.audit.records.sha256 import hash_slices
from mlmd_lineage.audit.records.text_columns import doubles
from mlmd_lineage.snapshot.enums import (
    ArtifactState,
    EventType,
    ExecutionState,
    PropertyType,
    TypeKind,
    name_of,
)
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlmd_lineage.snapshot.tables import Tables

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
STORES = (
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "zenml_0132.db",
    "real/cmf_getting_started.db",
    "real/model_registry.db",
    "real/tfx_phantoms_v6.db",
    "real/tfx_sepsis_2022_04.db",
)


@pytest.mark.parametrize(
    ("value", "text"),
    [  # RFC 8785, appendix B, but for minus zero
        (0.0, "0"),
        (-0.0, "-0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (0.000001, "0.000001"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (333333333.3333333, "333333333.3333333"),
        (-3333333333333333.0, "-3333333333333333"),
        (0.00001234, "0.00001234"),
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (math.nan, '"NaN"'),
    ],
)
def test_doubles_are_written_as_ecmascript_does(value: float, text: str):
    assert canonical_json.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_double_reads_back_as_itself(value: float):
    assert math.copysign(1, float(canonical_json.number(value))) == math.copysign(1, value)
    assert float(canonical_json.number(value)) == value


@given(st.lists(st.floats(), max_size=30))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_a_column_of_doubles_is_written_as_each_of_them(values: list[float]):
    edges = [1e16, 9999999999999998.0, 1e-4, 9.999999999999999e-5, 100.0, -0.0, 1e15, -1e16]
    edges += [10000000000.5, 9999999999.999998, -123456789012.25, 999999999999999.9]
    column = pa.array([*values, *edges, None], pa.float64())
    texts = [canonical_json.number(value) for value in [*values, *edges]]
    assert doubles(column).to_pylist() == [*texts, None]


def test_names_are_in_the_order_of_their_utf_16_code_units():
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]  # RFC 8785, 3.2.3
    written = canonical_json.dumps(dict.fromkeys(names, 1))
    assert list(json.loads(written)) == [
        "\r",
        "1",
        "\x80",
        "\xf6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]
    assert canonical_json.dumps({"a": '\x0f\n"\\/€'}) == '{"a":"\\u000f\\n\\"\\\\/€"}'
    assert canonical_json.dumps([2**63 - 1, True, None]) == "[9223372036854775807,true,null]"
    with pytest.raises(TypeError, match="bytes"):
        canonical_json.dumps({"a": b""})


def recursive_root(leaves: list[bytes]) -> bytes:
    """Return the tree's root as RFC 6962 defines it."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hashlib.sha256().digest()
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    both = recursive_root(leaves[:half]) + recursive_root(leaves[half:])
    return hashlib.sha256(b"\1" + both).digest()


@pytest.mark.parametrize("way", ["compiled", "portable", "hashlib"])
@given(pieces=st.lists(st.binary(max_size=300), max_size=20), prefix=st.integers(0, 255))
@example(pieces=[b"x" * size for size in range(150)], prefix=0)
@settings(deadline=None, derandomize=True)
def test_slices_have_the_digests_of_hashlib(way: Any, pieces: list[bytes], prefix: int):
    offsets = np.cumsum([3, *map(len, pieces)])
    digests = hash_slices(b"abc" + b"".join(pieces) + b"d", offsets, prefix, way)
    expected = [hashlib.sha256(bytes([prefix]) + piece).digest() for piece in pieces]
    assert [digest.tobytes() for digest in digests] == expected


@pytest.mark.parametrize("offsets", [[], [-1, 2], [0, 4], [0, 2, 1]])
def test_slices_beyond_the_data_are_refused(offsets: list[int]):
    with pytest.raises(ValueError, match="do not lie"):
        hash_slices(b"abc", np.array(offsets, np.int64), 0)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 33])
def test_the_tree_is_that_of_rfc_6962(size: int):
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(size)]
    root = merkle.root(leaves)
    assert root == recursive_root(leaves)
    for at, leaf in enumerate(leaves):
        proof = merkle.inclusion_proof(leaves, at)
        assert merkle.is_included(leaf, at, size, proof, root)
        assert not merkle.is_included(merkle.leaf_hash(b"other"), at, size, proof, root)
        assert not merkle.is_included(leaf, at, size, [*proof, leaf], root)
        assert not merkle.is_included(leaf, size, size, proof, root)


# A second way to the same lines: row by row, and with nothing of Arrow's.

ENUMS: dict[str, Any] = {
    "state": ArtifactState,
    "last_known_state": ExecutionState,
    "type_kind": TypeKind,
    "type": EventType,
}


def plain_rows(tables: Tables, table: str) -> Iterator[dict[str, Any]]:
    names = SCHEMAS[table].names
    for row in rows_of(tables[table]):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}


def plain_records(tables: Tables, kind: str) -> list[str]:
    table = {
        "type": "Type",
        "parent_type": "ParentType",
        "event": "Event",
        "attribution": "Attribution",
        "association": "Association",
        "parent_context": "ParentContext",
    }.get(kind) or KINDS[kind].table
    found: dict[Any, dict[str, Any]] = {}
    for row in plain_rows(tables, table):
        key = row["id"] if "id" in row else tuple(row.values())
        found[key] = {
            name: name_of(ENUMS[name], value) if name in ENUMS else value
            for name, value in row.items()
        }
    if kind == "type":
        for row in plain_rows(tables, "TypeProperty"):
            properties = found.setdefault(row["type_id"], {"id": row["type_id"]})
            named = name_of(PropertyType, row["data_type"])
            properties.setdefault("properties", {})[row["name"]] = named
    if kind == "event":
        for row in plain_rows(tables, "EventPath"):
            step = {"key": row.get("step_key")}
            if row.get("is_index_step"):
                step = {"index": row.get("step_index")}
            if "step_index" in row and "step_key" in row:
                step = {"index": row["step_index"], "key": row["step_key"]}
                step["is_index_step"] = bool(row.get("is_index_step"))
            found.setdefault(row["event_id"], {"id": row["event_id"]}).setdefault(
                "path", []
            ).append(step)
    if kind in KINDS:
        for row in plain_rows(tables, KINDS[kind].properties):
            owner = row[KINDS[kind].id_column]
            where = "custom_properties" if row.get("is_custom_property") else "properties"
            value = {
                name: base64.b64encode(held).decode() if isinstance(held, bytes) else held
                for name, held in row.items()
                if name.endswith("_value")
            }
            found.setdefault(owner, {"id": owner}).setdefault(where, {})[row["name"]] = value
    return [canonical_json.dumps(found[key] | {"kind": kind}) + "\n" for key in sorted(found)]


def check_against_plain(tables: Tables) -> None:
    for kind in RECORD_KINDS:
        records = records_of(tables, kind)
        assert records.lines.to_pylist() == plain_records(tables, kind), kind
        assert len(records.keys()) == len(records)
        text, offsets = bytes(records.text), records.offsets()
        parts = [text[a:b].decode() for a, b in itertools.pairwise(offsets)]
        assert parts == records.lines.to_pylist()


@pytest.mark.parametrize("name", STORES)
def test_records_are_those_of_the_rows(name: str, shared_store: Callable[[str], Path]):
    check_against_plain(ml.connect(shared_store(name)).snapshot())


def test_records_of_odd_rows_are_those_of_the_rows(tmp_path: Path):
    path = odd_stores.odd(tmp_path / "odd.db")
    sqlite_stores.change(
        path,
        "INSERT INTO ArtifactProperty(artifact_id, name, is_custom_property, double_value)"
        " VALUES (4, 'big', 1, 1e300), (4, 'tiny', 1, 1e-7), (4, 'i', 1, 9e999)",
        "INSERT INTO ArtifactProperty(artifact_id, name, is_custom_property, string_value)"
        " VALUES (4, char(233, 34, 92, 10, 128512), 1, char(7, 34, 92, 8232, 128512)),"
        " (987654, 'orphan', 0, ''), (4, char(64307), 1, 'x'), (4, char(128512), 1, 'y')",
        "INSERT INTO ArtifactProperty(artifact_id, name, is_custom_property, int_value)"
        " VALUES (4, 'most', 0, 9223372036854775807), (4, 'least', 0, -9223372036854775808)",
        "UPDATE Artifact SET state = 99 WHERE id = 4",
    )
    snapshot = ml.connect(path).snapshot()
    check_against_plain(snapshot)
    lines = dict(
        zip(
            records_of(snapshot, "artifact").keys(),
            records_of(snapshot, "artifact").lines.to_pylist(),
            strict=True,
        )
    )
    assert '"most":{"int_value":9223372036854775807}' in lines["artifact/4"]
    assert '"state":"UNKNOWN(99)"' in lines["artifact/4"]
    assert "artifact/987654" in lines


def test_records_of_nothing_are_nothing():
    from mlmd_lineage.testing import InMemoryStore

    assert [len(records) for records in all_records(InMemoryStore().snapshot())] == [0] * 9


def lines(tables: Tables) -> list[str]:
    return [line for records in all_records(tables) for line in records.lines.to_pylist()]


def test_an_archive_and_another_order_of_the_rows_give_the_same_records(tmp_path: Path):
    path = odd_stores.odd(tmp_path / "odd.db")
    before = ml.connect(path).snapshot()
    archive = before.save(tmp_path / "archive")
    assert lines(ml.connect(archive).snapshot()) == lines(before)
    with sqlite_stores.connected(path) as connection:
        for table in SCHEMAS:
            if table != "EventPath":  # the order of its rows means something
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows[::-1])  # noqa: S608
    assert lines(ml.connect(path).snapshot()) == lines(before)


def test_rows_of_tables_without_constraints_are_kept_too():
    from mlmd_lineage.snapshot.table_building import table_from_rows
    from mlmd_lineage.snapshot.tables import ALL_TABLES, Tables, empty

    rows = [
        (1, "auc", False, None, 0.5, None, None, None, None),
        (1, "auc", False, 3, None, None, None, None, None),
        (1, "both", False, 3, 0.5, None, None, None, None),
        (1, "zero", False, None, -0.0, None, None, None, None),
    ]
    tables = Tables(
        {name: empty(name) for name in ALL_TABLES}
        | {"ArtifactProperty": table_from_rows("ArtifactProperty", rows)}
    )
    [line] = records_of(tables, "artifact").lines.to_pylist()
    assert json.loads(line)["properties"] == {
        "auc": [{"double_value": 0.5}, {"int_value": 3}],
        "both": {"double_value": 0.5, "int_value": 3},
        "zero": {"double_value": 0},
    }
    assert '"zero":{"double_value":-0}' in line
