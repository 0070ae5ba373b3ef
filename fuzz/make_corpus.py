"""Writes the kept inputs of fuzzing, ``fuzz/corpus``: small, and each made here.

Names that begin with ``valid`` are accepted, those with ``bad`` refused. An input that a run of
``scripts/fuzz`` found is made here too, once what it broke is corrected.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import any_pb2, struct_pb2

import mlmd_lineage
from mlmd_lineage import _proto

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
DEMO = ROOT / "mlmd_lineage" / "data" / "tfx_local.db"
_ARTIFACTS, _EXECUTIONS = 4, 4
"""How many artifacts and executions of the demo's store the seeds keep."""


def small_store(path: Path) -> None:
    """Write a part of the demo's store, in the smallest pages that SQLite has."""
    shutil.copyfile(DEMO, path)
    connection = sqlite3.connect(path)
    with contextlib.closing(connection):
        connection.executescript(f"""
            DELETE FROM Artifact WHERE id > {_ARTIFACTS};
            DELETE FROM Execution WHERE id > {_EXECUTIONS};
            DELETE FROM Event WHERE artifact_id NOT IN (SELECT id FROM Artifact)
                OR execution_id NOT IN (SELECT id FROM Execution);
            DELETE FROM EventPath WHERE event_id NOT IN (SELECT id FROM Event);
            DELETE FROM Attribution WHERE artifact_id NOT IN (SELECT id FROM Artifact);
            DELETE FROM Association WHERE execution_id NOT IN (SELECT id FROM Execution);
            DELETE FROM Attribution WHERE context_id > 3;
            DELETE FROM Association WHERE context_id > 3;
            DELETE FROM Context WHERE id > 3;
            DELETE FROM ParentContext WHERE context_id NOT IN (SELECT id FROM Context);
            DELETE FROM ArtifactProperty WHERE artifact_id NOT IN (SELECT id FROM Artifact);
            DELETE FROM ExecutionProperty WHERE execution_id NOT IN (SELECT id FROM Execution);
            DELETE FROM ContextProperty WHERE context_id NOT IN (SELECT id FROM Context);
            UPDATE ExecutionProperty SET string_value = substr(string_value, 1, 16);
            UPDATE ContextProperty SET string_value = substr(string_value, 1, 16);
            DELETE FROM TypeProperty WHERE type_id NOT IN (SELECT type_id FROM Artifact);
            DELETE FROM Type WHERE id NOT IN (SELECT type_id FROM Artifact)
                AND id NOT IN (SELECT type_id FROM Execution)
                AND id NOT IN (SELECT type_id FROM Context);
        """)
        # Indexes are larger than the rows here, and reading does without.
        indexes = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for (name,) in indexes:
            connection.execute(f'DROP INDEX "{name}"')
        connection.commit()
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


def changed(store: bytes, *statements: str) -> bytes:
    """Return a store after some statements."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        path.write_bytes(store)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement).fetchall()
        return path.read_bytes()


def sqlite_files(store: bytes) -> dict[str, bytes]:
    """Return SQLite files."""
    writable = "PRAGMA writable_schema = ON"
    return {
        "valid-store": store,
        "valid-write-ahead": changed(store, "PRAGMA journal_mode = WAL"),
        "valid-text-in-numbers": changed(
            store,
            "UPDATE Artifact SET type_id = 'x' WHERE id = 1",
            "UPDATE Event SET type = 9.5 WHERE id = 1",
            "UPDATE ExecutionProperty SET int_value = 'many' WHERE int_value IS NOT NULL",
            "UPDATE Artifact SET uri = x'ff00fe' WHERE id = 2",
        ),
        "valid-large-ids": changed(
            store,
            "UPDATE Artifact SET id = 9223372036854775807 WHERE id = 3",
            "UPDATE Event SET artifact_id = -9223372036854775808 WHERE id = 1",
            "UPDATE Artifact SET create_time_since_epoch = 9223372036854775807 WHERE id = 4",
        ),
        "bad-empty": b"",
        "bad-header": store[:100],
        "bad-half": store[: len(store) // 2],
        "bad-zeros": b"SQLite format 3\0" + bytes(600),
        "bad-no-tables": changed(store, "DROP TABLE Artifact"),
        "bad-schema": changed(
            store, writable, "UPDATE sqlite_master SET sql = 'CREATE TABLE' WHERE name = 'Event'"
        ),
        "odd-root-page": changed(
            store, writable, "UPDATE sqlite_master SET rootpage = 1 WHERE name = 'Event'"
        ),
    }


def journals(store: bytes) -> dict[str, bytes]:
    """Return write-ahead logs (first byte 0) and rollback journals (1)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        path.write_bytes(store)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("UPDATE Artifact SET name = 'logged' WHERE id = 1")
            log = path.with_name("store.db-wal").read_bytes()
        path.write_bytes(store)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA cache_size = 1")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE Artifact SET uri = 'journaled'")
            connection.execute("UPDATE ExecutionProperty SET string_value = 'x'")
            journal = path.with_name("store.db-journal").read_bytes()
    return {
        "valid-empty-log": b"\0",
        "valid-log": b"\0" + log,
        "valid-half-log": b"\0" + log[: len(log) // 2],
        "odd-journal": b"\1" + journal,
        "odd-journal-magic": b"\1" + bytes.fromhex("d9d505f920a163d7") + b"\xff" * 600,
    }


def filters() -> dict[str, bytes]:
    """Return filters; the first byte chooses artifacts, executions or contexts."""
    texts = {
        "valid-type": "\0type = 'Model' AND state = LIVE",
        "valid-property": "\1properties.a.int_value > 1 OR "
        "custom_properties.`b c`.string_value LIKE '%x_'",
        "valid-neighbours": "\0contexts_a.name IN ('x', \"y\") AND events_0.type = INPUT",
        "valid-parents": "\2parent_contexts_p.type = 'pipeline' AND id BETWEEN 1 AND 0x10",
        "valid-sums": "\0-id * 2.5e3 / 7 != 3 -- a comment",
        "valid-nested": "\0" + "(" * 50 + "id = 1" + ")" * 50,
        "bad-deep": "\0" + "NOT " * 20_000 + "id = 1",
        "bad-parentheses": "\0" + "(" * 60_000,
        "bad-text": "\0name = 'x",
        "bad-nul": "\0name = '\0' AND",
        "bad-word": "\0nmae = 'x'",
        "bad-neighbour": "\2contexts_a.name = 'x'",
        "bad-number": "\0id = 1e99999999 AND id = 0x" + "f" * 5000,
        "odd-many-alternatives": "\0"
        + " AND ".join(f"(id = {n} OR name = 'x{n}')" for n in range(24)),
        "odd-many-neighbours": "\0"
        + " + ".join(f"contexts_{letter}.id" for letter in "abcdefgh")
        + " = -1",
        "odd-pattern": "\0uri LIKE '" + "%a" * 2000 + "'",
        "odd-large-number": "\0id = " + "9" * 400,
    }
    return {name: text.encode() for name, text in texts.items()}


def manifests(archive: Path) -> dict[str, bytes]:
    """Return manifests of an archive."""
    manifest = json.loads((archive / "manifest.json").read_bytes())
    manifest |= {"source": "metadata.db", "taken_at": "2026-01-01T00:00:00+00:00"}
    text = json.dumps(manifest).encode()
    return {
        "valid-manifest": text,
        "bad-empty": b"",
        "bad-list": b"[]",
        "bad-deep": b'{"format": ' + b"[" * 5_000,
        "bad-not-utf8": b"\xff\xfe" + text,
        "bad-version": re.sub(rb'("format_version": )\d+', rb"\g<1>1e999", text),
        "bad-digests": json.dumps({**manifest, "files": {"Type.parquet": 1}}).encode(),
        "bad-time": json.dumps({**manifest, "taken_at": "9" * 5000}).encode(),
        "odd-schema": json.dumps({**manifest, "schema_version": 10**30}).encode(),
    }


def tables(archive: Path) -> dict[str, bytes]:
    """Return Parquet files; the first byte chooses their table."""
    from mlmd_lineage.snapshot.tables import ALL_TABLES

    def table(name: str, change: slice = slice(None)) -> bytes:
        return bytes([ALL_TABLES.index(name)]) + (archive / f"{name}.parquet").read_bytes()[change]

    return {
        "valid-artifacts": table("Artifact"),
        "valid-events": table("Event"),
        "valid-properties": table("ExecutionProperty"),
        "bad-empty": table("Event", slice(0)),
        "bad-half": table("Artifact", slice(0, 700)),
        "bad-footer": table("Artifact", slice(0, -20)) + b"\xff" * 12 + b"\xff\xff\xff\x7fPAR1",
        "odd-other-table": bytes([ALL_TABLES.index("Event")]) + table("Artifact")[1:],
    }


def registrations() -> dict[str, bytes]:
    """Return registration files."""
    number = "00000000-0000-4000-8000-000000000000"
    component = {"flavor": "sqlite", "uuid": number, "uri": "metadata.db", "odd": {"a": [1, None]}}
    stack = {
        "uuid": number,
        "metadata_store": "prod",
        "artifact_store": "default",
        "orchestrator": "default",
    }
    whole = {
        "version": 1,
        "active_stack": "prod",
        "metadata_stores": {"prod": {**component, "odd": [1, "{{prod.password}}"]}},
        "stacks": {"prod": stack},
        "flavors": {"metadata_store": {"own": "flavor.py:Own"}},
    }
    return {
        "valid-registrations": json.dumps(whole).encode(),
        "valid-empty": b"{}",
        "bad-empty": b"",
        "bad-twice": b'{"version": 1, "version": 1}',
        "bad-deep": b'{"metadata_stores": ' + b'{"a":' * 5_000,
        "bad-deep-list": b"[" * 5_000,
        "bad-newer": b'{"version": 2}',
        "bad-name": json.dumps({"metadata_stores": {"../x": component}}).encode(),
        "bad-value": json.dumps({"stacks": {"prod": {**stack, "uuid": "x"}}}).encode(),
        "bad-not-utf8": b'{"active_stack": "\xff"}',
        "odd-surrogate": b'{"metadata_stores": {"a": {"flavor": "\\ud800", "uuid": "%s"}}}'
        % number.encode(),
        "odd-number": b'{"metadata_stores": {"a": {"flavor": "x", "uuid": "%s", "n": 1e999}}}'
        % number.encode(),
        "odd-digits": b'{"version": ' + b"9" * 5000 + b"}",
    }


def structs() -> dict[str, bytes]:
    """Return values: of a STRUCT (first byte 0), of a text (1) or of a PROTO (2)."""
    message = struct_pb2.Struct()
    message.update({"a": [1.5, "x", None, {"b": True}], "nan": float("nan")})
    deep = struct_pb2.Struct()
    inner = deep
    for _ in range(30):  # protobuf reads 100 messages deep, and each is three
        inner = inner.fields["a"].struct_value
    packed = any_pb2.Any(type_url="type.googleapis.com/a", value=b"b")
    nested = b""
    for _ in range(2000):
        body = b"\x0a\x01a\x12" + _varint(len(nested) + 1 + len(_varint(len(nested)))) + b"\x2a"
        body += _varint(len(nested)) + nested
        nested = b"\x0a" + _varint(len(body)) + body
    return {
        "valid-struct": b"\0" + message.SerializeToString(deterministic=True),
        "valid-empty": b"\0",
        "valid-deep": b"\0" + deep.SerializeToString(),
        "valid-proto": b"\2" + packed.SerializeToString(),
        "bad-struct": b"\0\xff\xff",
        "bad-deeper": b"\0" + nested,
        "bad-proto": b"\2\x0a\xff",
        "odd-text": b"\1mlmd-struct::not base64",
        "odd-null": b"\1__MLMD_NULL__",
    }


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def answers() -> dict[str, bytes]:
    """Return answers of the service's methods."""
    from targets import data_of

    def answer(method: str, **fields: Any) -> bytes:
        return data_of(method, _proto.message(f"{method}Response")(**fields))

    artifact = _proto.message("Artifact")(id=1, type_id=1, uri="x", state=2)
    lost = _proto.message("Event")(artifact_id=2**62, execution_id=-5, type=3)
    listed = answer("GetArtifacts", artifacts=[artifact])
    return {
        "valid-types": answer("GetArtifactTypes", artifact_types=[{"id": 1, "name": "Thing"}]),
        "valid-artifacts": listed,
        "odd-no-artifacts": answer("GetArtifacts"),
        "odd-lost-events": answer("GetEventsByArtifactIDs", events=[lost, lost]),
        "odd-same-page": answer("GetArtifacts", artifacts=[artifact], next_page_token="CAEQAQ=="),
        "odd-negative": answer("GetExecutionsByID", executions=[{"id": -1}, {"id": -1}]),
        "bad-bytes": listed[:1] + b"\xff" * 40,
        "bad-field": answer("GetExecutionsByID")[:1]
        + bytes.fromhex("0a0b08ffffffffffffffffff010a0b0801ffffffffff010000fe"),
        "bad-node": answer("GetExecutionsByID")[:1] + b"\x0a\x0b\x08" + b"\xff" * 10 + b"\xfe",
        "bad-length": listed[:1] + b"\x0a\xff\xff\xff\xff\x07",
    }


def requests() -> dict[str, bytes]:
    """Return requests to the service's methods."""
    from targets import data_of

    def request(method: str, **fields: Any) -> bytes:
        return data_of(method, _proto.message(f"{method}Request")(**fields))

    filtered = {"max_result_size": 2, "filter_query": "type = 'Model'"}
    deep = {"max_result_size": 2, "filter_query": "NOT " * 20_000 + "id = 1"}
    neighbours = " + ".join(f"contexts_{letter}.id" for letter in "abcdefgh")
    return {
        "valid-types": request("GetArtifactTypes"),
        "valid-ids": request("GetArtifactsByID", artifact_ids=[1, 1, -1, 2**63 - 1]),
        "valid-page": request("GetArtifacts", options={"max_result_size": 2}),
        "valid-filter": request("GetArtifacts", options=filtered),
        "valid-subgraph": request(
            "GetLineageSubgraph",
            lineage_subgraph_query_options={
                "starting_artifacts": {"filter_query": "id = 2"},
                "max_num_hops": 20,
                "direction": 1,
            },
        ),
        "bad-filter": request("GetExecutions", options=deep),
        "bad-token": request("GetContexts", options={"next_page_token": "!", "max_result_size": 1}),
        "bad-bytes": request("GetArtifactsByID") + b"\xff\xff",
        "odd-size": request("GetArtifacts", options={"max_result_size": -(2**31)}),
        "odd-neighbours": request("GetArtifacts", options={"filter_query": f"{neighbours} = -1"}),
    }


def main() -> None:
    """Write all inputs anew."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        small_store(path)
        store = path.read_bytes()
        archive = mlmd_lineage.connect(path).snapshot().save(Path(folder, "archive"))
        _write("sqlite", sqlite_files(store))
        _write("sqlite-journal", journals(store))
        _write("archive-manifest", manifests(archive))
        _write("archive-table", tables(archive))
    _write("filters", filters())
    _write("registrations", registrations())
    _write("structs", structs())
    _write("grpc-answers", answers())
    _write("grpc-requests", requests())


def _write(target: str, inputs: dict[str, bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True)
    for name, data in inputs.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
