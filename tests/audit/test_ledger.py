"""Ledgers, and changes between two states of a store."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bundle_keys
import numpy as np
import pytest
import sqlite_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit.ledger import state_changes, state_files, store_parts, store_state
from mlmd_lineage.audit.records import changes as record_changes
from mlmd_lineage.audit.records import record_lines
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.audit.records.record_lines import Records

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
SEPSIS = tuple(f"real/tfx_sepsis_2022_0{month}.db" for month in (4, 5, 6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(DEMO_STORE, tmp_path / "metadata.db"))


LATER = "last_update_time_since_epoch = last_update_time_since_epoch + 1"


def change(path: Path, *statements: str) -> None:
    sqlite_stores.change(path, *(statement.replace("LATER", LATER) for statement in statements))


def changed(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    before = ml.connect(path).snapshot()
    change(path, *statements)
    found = ml.connect(path).changes(before)
    return [
        tuple(None if isna else value for value, isna in zip(row, nulls, strict=True))
        for row, nulls in zip(
            found.itertuples(index=False), found.isna().itertuples(index=False), strict=True
        )
    ]


def test_a_store_that_grows_only_grows(shared_stores: Path, tmp_path: Path):
    grown = [ml.connect(shared_stores / name) for name in SEPSIS]
    first, second = grown[0].snapshot(), grown[1].snapshot()
    for before, store in ((first, grown[1]), (second, grown[2])):
        kinds = store.changes(before)["kind"]
        assert len(kinds) > 1000
        assert set(kinds) == {"added"}
    ledger = ml.Ledger(tmp_path / "ledger")
    counts = [ledger.add(store).counts for store in grown]
    assert [found["added"] for found in counts] == [0, 1057, 1724]
    assert all(found["changed"] + found["removed"] + found["finished"] == 0 for found in counts)
    # What is kept grows with the store, and not with the number of entries.
    assert sorted(p.name for p in ledger.path.glob("state*")) == ["state-000003"]
    # In the other order it is evidence.
    assert set(grown[0].changes(second)["kind"]) == {"removed"}


def test_what_mlmd_does_to_a_node_is_finished(path: Path):
    change(path, "UPDATE Execution SET last_known_state = 2 WHERE id = 57")
    found = changed(
        path,
        "UPDATE Execution SET last_known_state = 3, LATER WHERE id = 57",
        "INSERT INTO ExecutionProperty(execution_id, name, is_custom_property, double_value)"
        " VALUES (57, 'auc', 1, 0.5)",
        "UPDATE Artifact SET state = 4, name = 'late', LATER WHERE id = 47",
        "INSERT INTO TypeProperty(type_id, name, data_type) VALUES (30, 'more', 1)",
    )
    assert {row[0] for row in found} == {"finished"}
    told = {(record, field): (old, new) for _, record, field, old, new in found}
    assert told["execution/57", "last_known_state"] == ('"RUNNING"', '"COMPLETE"')
    assert told["execution/57", "custom_properties.auc"] == (None, "0.5")
    assert told["artifact/47", "state"] == ('"LIVE"', '"DELETED"')
    assert told["type/30", "properties.more"] == (None, '"INT"')


NEVER = [
    # Without the time of an update, it was none of MLMD's calls.
    ("artifact/47", "state", "UPDATE Artifact SET state = 4"),
    ("execution/44", "last_known_state", "UPDATE Execution SET last_known_state = 4, LATER"),
    ("artifact/4", "uri", "UPDATE Artifact SET uri = 's3://other', LATER"),
    ("artifact/5", "create_time_since_epoch", "UPDATE Artifact SET create_time_since_epoch = 1"),
    ("event/9", "milliseconds_since_epoch", "UPDATE Event SET milliseconds_since_epoch = 1"),
    ("event/9", "path", "UPDATE EventPath SET step_key = 'x'"),
    ("attribution/40", "context_id", "UPDATE Attribution SET context_id = 56"),
    ("type/30", "name", "UPDATE Type SET name = 'x'"),
    ("event/9", None, "DELETE FROM Event"),
    ("artifact/4", None, "DELETE FROM Artifact"),
    ("association/40", None, "DELETE FROM Association"),
    ("parent_context/20/1", None, "DELETE FROM ParentContext"),
]


@pytest.mark.parametrize(("record", "field", "statement"), NEVER)
def test_what_mlmd_never_does_is_evidence(
    path: Path, tmp_path: Path, record: str, field: str | None, statement: str
):
    ledgers = {snapshot: ml.Ledger(tmp_path / f"ledger-{snapshot}") for snapshot in (True, False)}
    for snapshot, ledger in ledgers.items():
        ledger.add(ml.connect(path), snapshot=snapshot)
    name, number = record.split("/")[:2]
    columns = {"event": "id", "parent_context": "context_id"}
    column = "event_id" if field == "path" else columns.get(name, "id")
    found = changed(path, f"{statement} WHERE {column} = {number}")
    kind = "removed" if field is None else "changed"
    assert (kind, record, field) in {row[:3] for row in found}
    assert {row[0] for row in found} == {kind}
    report = ledgers[True].check(ml.connect(path))
    assert report.has_snapshot
    assert not report.ok
    assert {(c.kind, c.record, c.field, c.old, c.new) for c in report.changes} == set(found)
    assert report.to_pandas().equals(record_changes.frame(report.changes))
    # Hashes name the node, or the 64 records of which one is it.
    report = ledgers[False].check(ml.connect(path))
    first = int(number) // 64 * 64
    named = record if name in {"artifact", "execution", "type"} else f"{name}/{first}..{first + 63}"
    assert {change.record for change in report.evidence} == {named}
    assert not report.has_snapshot


@pytest.mark.parametrize("snapshot", [True, False])
def test_an_unfinished_node_is_known_by_its_values(path: Path, tmp_path: Path, snapshot: bool):  # noqa: FBT001
    change(path, "UPDATE Execution SET last_known_state = 2 WHERE id = 57")
    ledger = ml.Ledger(tmp_path / "ledger")
    ledger.add(ml.connect(path), snapshot=snapshot)
    change(path, "UPDATE Execution SET last_known_state = 3, LATER WHERE id = 57")
    report = ledger.check(ml.connect(path))
    assert report.ok
    assert report.counts == {"added": 0, "finished": 1, "changed": 0, "removed": 0}
    assert 'last_known_state: "RUNNING" became "COMPLETE"' in str(
        next(change for change in report.changes if change.field == "last_known_state")
    )


def mutated(tables: Tables, table: str, row: int, column: str) -> Tables | None:
    """Return tables in which one value is another; None where there is no such row."""
    held = list(rows_of(tables[table]))
    if not held:
        return None
    names = SCHEMAS[table].names
    at, number = names.index(column), row % len(held)
    value = held[number][at]
    kind = str(SCHEMAS[table].field(column).type)
    other: Any = (value or 0) + 1_000_000 if kind == "int64" else None
    if kind == "bool":
        other = not value
    elif kind == "double":
        other = 0.25 if value != 0.25 else 0.75
    elif kind == "large_binary":
        other = (value or b"") + b"x"
    elif kind != "int64":
        other = f"{value or ''}x"
    held[number] = (*held[number][:at], other, *held[number][at + 1 :])
    changed_table = table_from_rows(table, sorted(held, key=lambda r: r[:1]))
    return Tables({name: tables[name] for name in tables.names} | {table: changed_table})


CELLS = [(table, column) for table, schema in SCHEMAS.items() for column in schema.names]


@pytest.fixture(scope="module")
def demo() -> Tables:
    return ml.connect(DEMO_STORE).snapshot()


@given(cell=st.sampled_from(CELLS), row=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.slow
def test_any_mutation_of_any_value_is_found(demo: Tables, cell: tuple[str, str], row: int):
    after = mutated(demo, cell[0], row, cell[1])
    if after is None:
        return
    found = list(record_changes.changes(demo, after))
    assert found, cell
    # MLMD may touch a node and change nothing, and a type may gain a property.
    normal = cell[0] == "TypeProperty" or cell[1] == "last_update_time_since_epoch"
    assert normal or {change.kind for change in found} & {"changed", "removed"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store_parts, "_ROWS", 8)
        before = store_state.state_of(demo)
        whole, state = store_state.state_of(after), store_state.state_of(after, before)
    assert max(len(found.parts) for found in state.values()) > 2
    for kind in RECORD_KINDS:
        check_same(whole[kind], state[kind])
    assert store_state.root_of(state) != store_state.root_of(before)


def test_only_rows_that_are_new_are_hashed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store_parts, "_ROWS", 8)
    hashed: list[str] = []

    def records_of(tables: Any, kind: str) -> Records:
        found = record_lines.records_of(tables, kind)
        hashed.extend(found.keys())
        return found

    monkeypatch.setattr(store_state, "records_of", records_of)
    monkeypatch.setattr(state_changes, "records_of", records_of)
    ledger = ml.Ledger(tmp_path / "ledger")
    ledger.add(ml.connect(path))
    everything = set(hashed)
    hashed.clear()
    assert ledger.check(ml.connect(path)).counts["added"] == 0
    assert not hashed
    change(path, "INSERT INTO Artifact(id, type_id, uri) VALUES (1000, 16, 'new')")
    report = ledger.check(ml.connect(path))
    assert report.counts == {"added": 1, "finished": 0, "changed": 0, "removed": 0}
    assert {key.partition("/")[0] for key in hashed} == {"artifact"}
    assert "artifact/1000" in hashed
    assert len(set(hashed) - {"artifact/1000"}) < 20 < len(everything)


def test_what_another_key_signed_is_not_taken_for_hashes(path: Path, tmp_path: Path):
    """Whoever can write to the ledger cannot have the signer sign what the store does not hold."""
    keys = [bundle_keys.key_pair(tmp_path, kind) for kind in ("ed25519", "ecdsa")]
    ledger = ml.Ledger(tmp_path / "ledger")
    ledger.add(ml.connect(path), key=keys[0][0])
    root = ledger.entries()[-1].content["root"]
    change(path, "UPDATE Artifact SET uri = 's3://tampered', LATER WHERE id = 4")
    # The last entry is forged: the digests are those of the rows that were tampered with, and the
    # hashes those of the rows before.
    true_state = store_state.state_of

    def forged(tables: Any, known: Any = None) -> Any:
        old = ledger._state(ledger.entries()[-1])
        state = true_state(tables, known)
        return {kind: dataclasses.replace(old[kind], parts=state[kind].parts) for kind in state}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store_state, "state_of", forged)
        ledger.add(ml.connect(path), key=keys[1][0])
    assert ledger.entries()[-1].content["root"] == root
    report = ledger.add(ml.connect(path), key=keys[0][0])
    assert [str(change.record) for change in report.evidence] == ["artifact/4"]
    assert ledger.entries()[-1].content["root"] != root


def test_an_entry_that_is_added_during_a_check_is_no_evidence(path: Path, tmp_path: Path):
    ledger, store = ml.Ledger(tmp_path / "ledger"), ml.connect(path)
    ledger.add(store)

    class Growing:
        reads = 0

        def snapshot(self) -> Any:
            found = ml.connect(path).snapshot()
            self.reads += 1
            if (
                self.reads == 1
            ):  # while this one is compared, the store grows, and so does the ledger
                change(path, "INSERT INTO Artifact(id, type_id, uri) VALUES (1000, 16, 'new')")
                ml.Ledger(ledger.path).add(ml.connect(path))
            return found

    growing = Growing()
    report = ledger.check(growing)
    assert report.ok
    assert report.counts["added"] == 0
    assert report.entry is not None
    assert (growing.reads, report.entry.number) == (2, 2)


@pytest.mark.parametrize("kind", RECORD_KINDS)
def test_a_state_survives_its_files(demo: Tables, kind: str):
    state = store_state.state_of(demo)
    read = state_files.from_files(state_files.to_files(state))
    check_same(read[kind], state[kind])
    assert read[kind].parts == state[kind].parts
    # It is the root that every release gives these rows, so that old ledgers still check.
    digest = "e48f30eb542f724396e72a60636064a63ed76d4814730fa99939461e2086af53"
    assert store_state.root_of(read) == store_state.root_of(state) == digest


def check_same(one: store_state.KindState, other: store_state.KindState) -> None:
    for name in ("blocks", "last_ids", "counts", "leaves"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.open == other.open


def test_entries_are_signed_and_chained(path: Path, tmp_path: Path):
    private, public = bundle_keys.key_pair(tmp_path)
    ledger = ml.Ledger(tmp_path / "ledger")
    store = ml.connect(path)
    for _ in range(3):
        ledger.add(store, key=private)
    entries = ledger.entries(public)
    assert [entry.number for entry in entries] == [1, 2, 3]
    assert [entry.content["previous"] for entry in entries] == [
        "",
        entries[0].digest,
        entries[1].digest,
    ]
    assert all(entry.signed_by for entry in entries)
    assert len({entry.content["root"] for entry in entries}) == 1
    assert ledger.check(store, key=public).ok

    other = bundle_keys.key_pair(tmp_path, "ecdsa")[1]
    assert not ledger.check(store, key=other).ok
    with pytest.raises(errors.ConfigurationError, match="entry 1 cannot be trusted"):
        ledger.entries(other)


def lines_of(ledger: ml.Ledger) -> list[bytes]:
    return (ledger.path / "entries.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("rewrite", "told"),
    [
        (lambda lines: lines[1:], "entry 1 does not follow"),
        (lambda lines: [lines[0], lines[2]], "entry 2 does not follow"),
        (lambda lines: [lines[1], lines[0], lines[2]], "entry 1 does not follow"),
        (lambda lines: [*lines[:2], lines[2][:-9]], "cut off"),
        (lambda lines: [lines[0], lines[1].replace(b"payload", b"payl0ad"), lines[2]], "entry 2"),
        (lambda lines: [lines[0], b"null\n", lines[2]], "entry 2 cannot be trusted"),
        (lambda lines: lines[:2], "entry 2 cannot be used"),
    ],
)
def test_a_ledger_that_was_changed_is_refused(
    path: Path, tmp_path: Path, rewrite: Callable[[list[bytes]], list[bytes]], told: str
):
    ledger, store = ml.Ledger(tmp_path / "ledger"), ml.connect(path)
    for _ in range(3):
        ledger.add(store)
    (ledger.path / "entries.jsonl").write_bytes(b"".join(rewrite(lines_of(ledger))))
    report = ledger.check(store)
    assert not report.ok
    assert any(told in problem for problem in report.problems), report.problems
    with pytest.raises(errors.ConfigurationError, match="damaged"):
        ledger.add(store)


@pytest.mark.parametrize(
    "name",
    [
        "leaves.parquet",
        "open.jsonl",
        "parts.json",
        "snapshot/manifest.json",
        "snapshot/Event.parquet",
    ],
)
def test_what_a_ledger_keeps_is_compared_before_it_is_used(path: Path, tmp_path: Path, name: str):
    ledger, store = ml.Ledger(tmp_path / "ledger"), ml.connect(path)
    ledger.add(store, snapshot=True)
    kept = ledger.path / "state-000001" / name
    kept.write_bytes(kept.read_bytes() + b" ")
    change(path, "DELETE FROM Event WHERE id = 9")
    report = ledger.check(store)
    assert report.problems, name


def test_an_entry_tells_what_was_evidence(path: Path, tmp_path: Path):
    ledger, store = ml.Ledger(tmp_path / "ledger"), ml.connect(path)
    assert ledger.add(store, snapshot=True).entry is None
    change(path, "UPDATE Artifact SET uri = 's3://evil' WHERE id = 4")
    assert not ledger.add(store, snapshot=True).ok
    [_, entry] = ledger.entries()
    assert entry.content["changes"] == {"added": 0, "finished": 0, "changed": 1, "removed": 0}
    [told] = entry.content["evidence"]
    assert (told["record"], told["field"], told["new"]) == ("artifact/4", "uri", '"s3://evil"')
    assert ledger.check(store).ok  # since the last entry, nothing


def test_a_ledger_that_is_not_there_is_said(path: Path, tmp_path: Path):
    with pytest.raises(errors.NotFoundError, match="ledger add"):
        ml.Ledger(tmp_path / "none").check(ml.connect(path))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.MLMDLineageError):
        ml.Ledger(tmp_path / "file").add(ml.connect(path))


def test_changes_since_a_path_are_those_since_a_snapshot(path: Path, tmp_path: Path):
    store = ml.connect(path)
    archive = store.snapshot().save(tmp_path / "archive")
    change(path, "UPDATE Artifact SET uri = 's3://evil' WHERE id = 4")
    found = store.changes(archive)
    assert found.to_dict("records") == [
        {
            "kind": "changed",
            "record": "artifact/4",
            "field": "uri",
            "old": json.dumps("/srv/tfx/pipelines/penguin-train/Trainer/model/4"),
            "new": '"s3://evil"',
        }
    ]
    assert store.changes(path).empty


@pytest.mark.skipif(os.name == "nt", reason="files as POSIX knows them")
@pytest.mark.parametrize("kind", ["pipe", "holes"])
def test_entries_that_are_no_plain_file_are_refused(path: Path, tmp_path: Path, kind: str):
    ledger = ml.Ledger(tmp_path / "ledger")
    ledger.add(ml.connect(path))
    entries = tmp_path / "ledger" / "entries.jsonl"
    if kind == "pipe":
        entries.unlink()
        os.mkfifo(entries)
    else:
        os.truncate(entries, 1 << 31)
    with pytest.raises(errors.DamagedStoreError, match=r"regular file|holes without content"):
        ledger.entries()
