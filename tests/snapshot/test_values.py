"""Every type of property reads back as what was put."""

from __future__ import annotations

import base64
import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import sqlite_stores as stores
from google.protobuf import any_pb2, struct_pb2

from mlmd_lineage.snapshot import values
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.snapshot.values import ProtoValue

if TYPE_CHECKING:
    from pathlib import Path


def struct_text(content: dict[str, Any]) -> str:
    message = struct_pb2.Struct()
    message.update(content)
    return "mlmd-struct::" + base64.b64encode(message.SerializeToString()).decode()


NESTED = {"a": 1.5, "b": [1.0, "x", None, {"c": True}], "d": {"e": {}, "f": []}, "": "ü"}


class TestDecoding:
    def test_structs(self):
        assert values.struct_from(struct_text(NESTED)) == NESTED
        assert values.struct_from(struct_text({})) == {}
        assert list(values.struct_from(struct_text({"b": 1, "a": 2}))) == ["a", "b"]

    @pytest.mark.parametrize("text", ["mlmd-struct::%%", "mlmd-struct:://///w==", "mlmd-struct::é"])
    def test_what_is_no_struct(self, text: str):
        with pytest.raises(ValueError, match="not a struct"):
            values.struct_from(text)

    def test_protos(self):
        raw = any_pb2.Any(type_url="type.googleapis.com/x.Y", value=b"\0\xff").SerializeToString()
        assert values.proto_from(raw) == ProtoValue("type.googleapis.com/x.Y", b"\0\xff")
        with pytest.raises(ValueError, match=r"not a google\.protobuf\.Any"):
            values.proto_from(b"\xff\xff\xff")

    @pytest.mark.parametrize(
        ("columns", "value"),
        [
            ((7, None, None, None, None, None), 7),
            ((0, None, None, None, None, None), 0),
            ((None, 0.0, None, None, None, None), 0.0),
            ((None, None, "", None, None, None), ""),
            ((None, None, struct_text(NESTED), None, None, None), NESTED),
            ((None, None, "mlmd-struct::%", None, None, None), "mlmd-struct::%"),
            ((None, None, None, b"raw", None, None), b"raw"),
            ((None, None, None, None, b"\n\x01a\x12\x01b", None), ProtoValue("a", b"b")),
            ((None, None, None, None, b"\xff", None), b"\xff"),
            ((None, None, None, None, None, False), False),
            ((None, None, None, None, None, None), None),
            # MLMD reads one column only; of several values the text counts, and a finding says so.
            ((7, 1.5, "text", b"raw", None, True), "text"),
            ((7, 1.5, None, b"raw", None, True), 7),
            ((None, 1.5, None, b"raw", None, True), 1.5),
        ],
    )
    def test_a_value_is_where_it_is(self, columns: tuple[Any, ...], value: object):
        found = values.value_of(*columns)
        assert found == value
        assert type(found) is type(value)
        table = pa.Table.from_pylist(
            [
                dict(
                    zip(
                        SCHEMAS["ArtifactProperty"].names,
                        (1, "p", True, columns[0], columns[1], *columns[2:]),
                        strict=True,
                    )
                )
            ],
            SCHEMAS["ArtifactProperty"],
        )
        assert values.values_by_owner(table) == {1: ({}, {"p": value})}
        (kind,) = values.kinds_of(table)
        expected = {
            int: values.INT,
            float: values.DOUBLE,
            str: values.STRING,
            dict: values.STRUCT,
            bytes: values.PROTO if columns[4] else values.BYTES,
            ProtoValue: values.PROTO,
            bool: values.BOOL,
            type(None): values.NOTHING,
        }[type(value)]
        looks_like_a_struct = isinstance(value, str) and value.startswith("mlmd-struct")
        assert kind == (values.STRUCT if looks_like_a_struct else expected)

    def test_no_properties_at_all(self):
        table = SCHEMAS["ContextProperty"].empty_table()
        assert values.values_by_owner(table) == {}
        assert values.kinds_of(table).tolist() == []


def test_properties_and_custom_properties_of_one_name_are_two(tmp_path: Path):
    path = stores.new_store(tmp_path / "m.db", rows=False)
    stores.change(
        path,
        "INSERT INTO ContextProperty (context_id, name, is_custom_property, int_value) "
        "VALUES (9, 'n', 1, 2), (9, 'n', 0, 1), (9, 'a', 1, 3), (2, 'n', 0, 4)",
    )
    found = values.values_by_owner(stores.snapshot(path).context_properties)
    assert found == {2: ({"n": 4}, {}), 9: ({"n": 1}, {"a": 3, "n": 2})}
    assert list(found[9][1]) == ["a", "n"]


PUT = """
import json, sys
from google.protobuf import any_pb2, struct_pb2
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

put = json.loads(sys.argv[2])
config = pb.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
store = MetadataStore(config)

def fill(properties):
    for kind, name, value in put:
        if kind == "struct":
            properties[name].struct_value.SetInParent()
            properties[name].struct_value.update(value)
        elif kind == "proto":
            message = any_pb2.Any(type_url=value[0], value=bytes.fromhex(value[1]))
            properties[name].proto_value.CopyFrom(message)
        else:
            setattr(properties[name], kind + "_value", value)

def declare(properties):
    kinds = {"int": pb.INT, "double": pb.DOUBLE, "string": pb.STRING, "bool": pb.BOOLEAN,
             "struct": pb.STRUCT, "proto": pb.PROTO}
    for kind, name, _ in put:
        properties[name] = kinds[kind]

kind = pb.ArtifactType(name="A"); declare(kind.properties)
artifact = pb.Artifact(type_id=store.put_artifact_type(kind))
kind = pb.ExecutionType(name="E"); declare(kind.properties)
execution = pb.Execution(type_id=store.put_execution_type(kind))
kind = pb.ContextType(name="C"); declare(kind.properties)
context = pb.Context(type_id=store.put_context_type(kind), name="c")
for node in (artifact, execution, context):
    fill(node.properties)
    fill(node.custom_properties)
store.put_execution(execution, [(artifact, pb.Event(type=pb.Event.OUTPUT))], [context])
"""

# Doubles have six digits after the point once ml_metadata has written them.
PUT_VALUES: list[tuple[str, str, Any]] = [
    ("int", "i", -(2**63)),
    ("int", "i0", 0),
    ("double", "d", 0.125),
    ("double", "d big", 123456789.015625),
    ("string", "s", "Zoë 😀\n"),
    ("string", "s0", ""),
    ("bool", "b", True),
    ("bool", "b0", False),
    ("struct", "st", NESTED),
    ("struct", "st0", {}),
    ("proto", "p", ["type.googleapis.com/x.Y", "00ff10"]),
    ("string", "näme with ' and \"", "x"),
]


@pytest.mark.native
def test_what_ml_metadata_put_comes_back(tmp_path: Path):
    path = tmp_path / "m.db"
    subprocess.run(
        [sys.executable, "-c", PUT, str(path), json.dumps(PUT_VALUES)],
        env=dict(os.environ),
        check=True,
    )
    expected = {
        name: ProtoValue(value[0], bytes.fromhex(value[1])) if kind == "proto" else value
        for kind, name, value in PUT_VALUES
    }
    snapshot = stores.snapshot(path)
    for table in ("ArtifactProperty", "ExecutionProperty", "ContextProperty"):
        found = values.values_by_owner(snapshot[table])
        assert found == {1: (expected, expected)}
        for kind, name, value in PUT_VALUES:
            if kind != "proto":
                assert type(found[1][0][name]) is type(value)
    assert snapshot.findings == ()

    def question(session: Any) -> list[tuple[Any, ...]]:
        return session.fetch("ArtifactProperty", {"artifact_id": [1]})

    asked = {row[1]: values.value_of(*row[3:]) for row in stores.reader(path).ask(question)}
    assert asked == expected


def test_doubles_keep_every_digit(tmp_path: Path):
    """Those that ml_metadata wrote lost theirs on the way in; those of others have not."""
    path = stores.new_store(tmp_path / "m.db")
    numbers = [1e-7, math.pi, 1 / 3, 2.5e-310, 1e300]
    with stores.connected(path) as connection:
        connection.executemany(
            "INSERT INTO ContextProperty (context_id, name, is_custom_property, double_value) "
            "VALUES (2, ?, 1, ?)",
            [(str(n), number) for n, number in enumerate(numbers)],
        )
    _, custom = values.values_by_owner(stores.snapshot(path).context_properties)[2]
    assert list(custom.values()) == numbers
