"""Writes the kept inputs of fuzzing, ``fuzz/corpus``: small, and each made here.

Names that begin with ``valid`` are accepted, those with ``bad`` refused; of ``odd-release``,
manifests with the digests of what one release of Arrow wrote, each release is to judge. An input
that a run of ``scripts/fuzz`` found is made here too, once what it broke is corrected.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import any_pb2, struct_pb2

import mlmd_lineage
from mlmd_lineage import _proto
from mlmd_lineage.audit.bundle import layout
from mlmd_lineage.audit.ledger import state_files
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Callable

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
        "odd-release": text,
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

    def table(name: str, change: slice = slice(None)) -> bytes:
        return bytes([ALL_TABLES.index(name)]) + (archive / f"{name}.parquet").read_bytes()[change]

    # The archive's indexes say other types, and lead to these rows.
    events = pq.read_table(archive / "Event.parquet")
    types = pa.array([-1, 8, 2**62] * len(events), pa.int64())[: len(events)]
    other_types = io.BytesIO()
    pq.write_table(events.set_column(events.column_names.index("type"), "type", types), other_types)
    return {
        "valid-artifacts": table("Artifact"),
        "valid-events": table("Event"),
        "valid-properties": table("ExecutionProperty"),
        "bad-empty": table("Event", slice(0)),
        "bad-half": table("Artifact", slice(0, 700)),
        "bad-footer": table("Artifact", slice(0, -20)) + b"\xff" * 12 + b"\xff\xff\xff\x7fPAR1",
        "odd-other-table": bytes([ALL_TABLES.index("Event")]) + table("Artifact")[1:],
        # A column's type that is none: pyarrow 26 refuses it, pyarrow 17 reads by the schema.
        "odd-column-type": table("Event").replace(b"\x1c\x15\x04\x19", b"\x1c\x15\x0b\x19", 1),
        "odd-event-types": bytes([ALL_TABLES.index("Event")]) + other_types.getvalue(),
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


def indexes(folder: Path) -> dict[str, bytes]:
    """Return indexes of an archive; the first byte chooses which."""
    import archive_targets
    import pyarrow as pa

    folder.mkdir()
    archive = archive_targets.snapshot(folder).save(folder / "archive")
    names = sorted(path.name for path in archive.iterdir() if path.suffix in {".parquet", ".arrow"})
    names = [name for name in names if name.removesuffix(".parquet") not in ALL_TABLES]
    tables = {
        name: pa.ipc.open_file(archive / name).read_all()
        if name.endswith(".arrow")
        else pq.read_table(archive / name)
        for name in names
    }

    def index(name: str, table: pa.Table) -> bytes:
        written = pa.BufferOutputStream()
        made = table.replace_schema_metadata(tables[name].schema.metadata)
        if name.endswith(".arrow"):
            with pa.ipc.new_file(written, made.schema) as file:
                file.write_table(made)
        else:
            pq.write_table(made, written)
        return bytes([names.index(name)]) + written.getvalue().to_pybytes()

    def changed(name: str, column: str, change: Callable[[list[int]], list[int]]) -> bytes:
        table = tables[name]
        at = table.schema.get_field_index(column)
        values = pa.array(change(table[column].to_pylist()), table.schema.field(at).type)
        return index(name, table.set_column(at, table.schema.field(at), values))

    events, graph, nodes = (
        "Event.by_artifact_id.parquet",
        "graph.incoming.arrow",
        "graph.nodes.arrow",
    )
    held = tables[events].num_rows
    return {
        "valid-events": index(events, tables[events]),
        "valid-edges": index(graph, tables[graph]),
        "valid-nodes": index(nodes, tables[nodes]),
        "bad-empty": bytes([names.index(events)]),
        "bad-rows-beyond": changed(events, "row", lambda rows: [held + row for row in rows]),
        "bad-rows-negative": changed(events, "row", lambda rows: [-1 - row for row in rows]),
        "bad-order": changed(events, "artifact_id", lambda ids: ids[::-1]),
        "bad-fewer-rows": index(events, tables[events].slice(1)),
        "odd-neighbours-beyond": changed(graph, "neighbour", lambda held: [2**30] * len(held)),
        "odd-edges-twice": changed(graph, "edge", lambda held: [0] * len(held)),
        "odd-edges-to-themselves": changed(graph, "neighbour", lambda held: [0] * len(held)),
        "odd-counts": changed(nodes, "incoming", lambda held: [2**31 - 1] * len(held)),
        "odd-counts-negative": changed(nodes, "outgoing", lambda held: [-1] * len(held)),
        "odd-ids": changed(nodes, "id", lambda held: [2**62] * len(held)),
    }


def generations(folder: Path) -> dict[str, bytes]:
    """Return manifests of an archive of two generations."""
    import archive_targets

    folder.mkdir()
    archive = archive_targets.generations(archive_targets.snapshot(folder), folder / "archive")
    manifest = json.loads((archive / "manifest.json").read_bytes())
    [first] = manifest["earlier"]

    def text(**changes: Any) -> bytes:
        return json.dumps({**manifest, **changes}).encode()

    def sizes(size: float) -> dict[str, Any]:
        return {name: {**file, "bytes": size} for name, file in manifest["files"].items()}

    return {
        "odd-release": text(),
        "bad-deep": b'{"earlier": ' + b"[" * 5_000,
        "bad-digest": text(earlier=[{**first, "sha256": "0" * 64}]),
        "bad-path": text(earlier=[{**first, "manifest": "../manifest.json"}]),
        "odd-sizes": text(files=sizes(10**30)),
        "odd-sizes-negative": text(files=sizes(-1)),
        "bad-sizes-infinite": re.sub(rb'"bytes": \d+', b'"bytes": 1e999', text()),
        "bad-number": text(generation="x"),
        "bad-checksums": text(checksums="../../etc/passwd"),
        "odd-number": text(generation=10**400),
        "odd-itself": text(earlier=[{**first, "manifest": "manifest.json"}]),
        "odd-many": text(earlier=[first] * 300),
        "odd-rows": text(files={n: {**f, "rows": 2**62} for n, f in manifest["files"].items()}),
    }


def spooled() -> dict[str, bytes]:
    """Return files of the spool; the first byte says which."""
    batch = message("PutBatchRequest")()
    batch.artifact_types.add(name="Model")
    batch.artifacts.add(type="Model", uri="model.pkl", external_id="step/model")
    whole = batch.SerializeToString(deterministic=True)
    state = {"run": "churn", "property": "state", "value": "FAILED"}
    return {
        "valid-batch": b"\0" + whole,
        "valid-location": b"\2" + json.dumps({"location": "metadata.db"}).encode(),
        "bad-batch": b"\0\xff\xff",
        "bad-text": b"\0" + whole.replace(b"model.pkl", b"model.pk\xe5"),
        "bad-state": b"\1" + json.dumps({**state, "value": None}).encode(),
        "bad-deep": b"\1" + b"[" * 5_000,
        "bad-run": b"\1" + json.dumps(state).encode(),
        "bad-location": b"\2{}",
        "odd-value": b"\1" + json.dumps({**state, "value": 10**400}).encode(),
    }


def ledgers(store: Path, folder: Path) -> dict[str, bytes]:
    """Return entries of a ledger (first byte 0), what one says (1), and what is kept with it."""
    made = mlmd_lineage.Ledger(folder / "ledger")
    made.add(mlmd_lineage.connect(store), snapshot=True)
    [entry] = made.entries()
    said = {**entry.content, "source": "metadata.db", "taken_at": "2026-01-01T00:00:00.000+00:00"}
    text = json.dumps(said).encode()
    names = sorted(said["files"])
    envelope = {"payload": base64.b64encode(text).decode(), "signatures": []}
    envelope["payloadType"] = "application/vnd.mlmd-lineage.ledger-entry+json"
    line = json.dumps(envelope).encode() + b"\n"
    kept = {
        name: bytes([2 + at]) + (folder / "ledger" / "state-000001" / name).read_bytes()
        for at, name in enumerate(names)
        if not name.startswith("snapshot")
    }
    leaves = kept[state_files.LEAVES]
    return {
        "bad-line": b"\0" + line + b"x",
        "bad-twice": b"\0" + line * 2,
        "bad-said": b"\1" + text.replace(b'"number"', b'"numbr"'),
        "bad-deep": b"\1" + b"[" * 5_000,
        "bad-root": b"\1" + json.dumps({**said, "root": "0" * 64}).encode(),
        "bad-files": b"\1" + json.dumps({**said, "files": dict.fromkeys(names, 1)}).encode(),
        "bad-trees": b"\1" + json.dumps({**said, "trees": {"artifact": 1e999}}).encode(),
        "bad-half": leaves[: len(leaves) // 2],
        **{f"valid-{name.partition('.')[0]}": raw for name, raw in kept.items()},
    }


def bundles(store: Path, folder: Path) -> dict[str, bytes]:
    """Return zip files of a bundle, and files of it; the first line names the file."""
    made = mlmd_lineage.connect(store)
    trace = made.upstream("artifact/2")
    path = mlmd_lineage.save_bundle(trace, folder / "small.bundle", store=made)

    def file(name: str, raw: bytes) -> bytes:
        return name.encode() + b"\n" + raw

    manifest = (path / "bundle.json").read_bytes()
    records = (path / "records.jsonl").read_bytes()
    checksums = (path / "SHA256SUMS").read_bytes()
    whole = layout.zipped({"bundle.json": manifest, "records.jsonl": records})
    digits = b'"size":' + b"9" * 4000
    infinite = re.sub(rb'"artifact":\d+', b'"artifact":1e999', manifest)
    return {
        "valid-records": file("records.jsonl", records),
        "odd-checksums": file("SHA256SUMS", checksums),
        "bad-zip": b"\n" + whole,
        "bad-half": b"\n" + whole[: len(whole) // 2],
        "bad-manifest": file("bundle.json", manifest[:-20]),
        "bad-counts": file("bundle.json", infinite),
        "bad-deep": file("bundle.json", b"[" * 5_000),
        "bad-sizes": file("bundle.json", re.sub(rb'"size":\d+', digits, manifest, count=1)),
        "bad-records": file("records.jsonl", records[:-5]),
        "bad-record": file("records.jsonl", records.replace(b"pipeline", b"papeline")),
        "bad-record-deep": file("records.jsonl", b"[" * 5_000 + b"\n"),
        "bad-hashes": file("records.sha256", b"0" * 64 + b"  artifact/1\n"),
    }


def transfers(store: Path) -> dict[str, bytes]:
    """Return transfer archives of Kubeflow."""
    sys.path.append(str(ROOT / "tests" / "kubeflow"))
    import transfer_archives

    # The base types of the seed are not in it.
    alone = store.with_name("alone.db")
    alone.write_bytes(changed(store.read_bytes(), "DELETE FROM ParentType"))
    graph = transfer_archives.graph_of(mlmd_lineage.connect(alone).snapshot())
    whole = {"format": transfer_archives.RUN_HISTORY, "source": "s", "digest": "0" * 64}
    text = json.dumps({**whole, "metadata": graph}).encode()
    return {
        "valid-history": text,
        "bad-half": text[: len(text) // 2],
        "bad-deep": b'{"metadata": {"artifacts": [' + b"[" * 5_000,
        "bad-id": re.sub(rb'"id": "1"', b'"id": "%s"' % (b"9" * 5_000), text),
        "bad-list": b"[]",
        "odd-surrogate": text.replace(b'"uri": "', b'"uri": "\\ud800'),
        "bad-twice": text.replace(b'"id": "2"', b'"id": "1"'),
        "odd-number": text.replace(b'"id": "1"', b'"id": 1e999'),
    }


def explorer_requests() -> dict[str, bytes]:
    """Return requests to the explorer; the first line names the method."""

    def request(name: str, text: str) -> bytes:
        return f"{name}\n{text}".encode()

    lineage = '{"key": "artifact/2", "direction": "both"}'
    export = '{"method": "lineage", "params": {"key": "artifact/2"}, "to": "svg"}'
    return {
        "valid-overview": request("overview", "{}"),
        "valid-node": request("node", '{"key": "artifact/1"}'),
        "valid-search": request("search", '{"text": "e"}'),
        "bad-list": request("lineage", "[]"),
        "bad-deep": request("lineage", '{"key": ' + "[" * 60_000),
        "bad-number": request("node", '{"key": 1e999}'),
        "bad-parameter": request("search", '{"txet": "e"}'),
        "valid-lineage": request("lineage", lineage),
        "odd-columns": request("columns", lineage),
        "valid-export": request("export", export),
        "odd-export": request("export", export.replace('"artifact/2"', "1e999")),
        "bad-export": request("export", export.replace('"key"', '"kee"')),
        "odd-hops": request("lineage", '{"key": "artifact/2", "hops": %s}' % ("9" * 30)),
        "odd-limit": request("lineage", '{"key": "artifact/2", "limit": -1}'),
        "odd-path": request("path", '{"from": "artifact/1", "to": "artifact/2"}'),
        "odd-diff": request("diff", '{"a": "artifact/1", "b": "artifact/2"}'),
        "odd-digits": request("search", '{"text": "e", "limit": %s}' % ("9" * 4000)),
        "odd-surrogate": request("search", '{"text": "\\ud800"}'),
        "odd-pattern": request("search", '{"text": "' + "%_*(" * 5_000 + '"}'),
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
        _write("archive-index", indexes(Path(folder, "indexes")))
        _write("archive-generations", generations(Path(folder, "generations")))
        _write("spool", spooled())
        _write("ledger", ledgers(path, Path(folder)))
        _write("bundle", bundles(path, Path(folder)))
        _write("transfer-archives", transfers(path))
    _write("filters", filters())
    _write("registrations", registrations())
    _write("structs", structs())
    _write("grpc-answers", answers())
    _write("grpc-requests", requests())
    _write("explorer-requests", explorer_requests())


def _write(target: str, inputs: dict[str, bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True)
    for name, data in inputs.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
