"""The targets of fuzzing: for each kind of input that others write, a function that reads it.

A target takes bytes, uses them as such an input, and returns the errors with which it was refused.
Those are ``MLMDLineageError`` and, of the gRPC service, ``StatusError``; any other exception is a
defect.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request

from mlmd_lineage.explorer import api
from mlmd_lineage.explorer.web import server
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.readers.kubeflow_archive import archive_file
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.readers.sqlite import files
from mlmd_lineage.server.backend import methods, writes
from mlmd_lineage.server.own_backend import OwnBackend
from mlmd_lineage.snapshot import json_values, values
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.stacks import registration_file
from mlmd_lineage.store import Store
from mlmd_lineage.stores import (
    KubeflowArchiveMetadataStore,
    KubeflowMetadataStore,
    SQLiteMetadataStore,
)

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "readers"))
import archive_targets
import evidence_targets
import grpc_service
from store_questions import CORPUS, SEED_STORE, questions, refusals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from store_questions import Preparation, Target

TIMEOUT, SERVICE_TIMEOUT = 1.0, 20.0
"""Seconds for which stores wait: for a lock, and for an answer of a service."""
files._PAUSE = 0.0  # noqa: SLF001 - it is for writers that work meanwhile, of which there are none


def read_methods() -> list[str]:
    """Return the names of the service's methods that read: an input's first byte chooses one."""
    return sorted(name for name in methods() if not writes(name))


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Target]:
    """Read an SQLite file."""
    path = folder / "metadata.db"
    store = Store(SQLiteMetadataStore(uri=str(path), busy_timeout=TIMEOUT))

    def read(data: bytes) -> list[str]:
        path.write_bytes(data)
        return refusals(*questions(store))

    yield read


@contextlib.contextmanager
def sqlite_journal(folder: Path) -> Iterator[Target]:
    """Read a store beside which there is a write-ahead log or, by the first byte, a journal."""
    path = folder / "metadata.db"
    store = Store(SQLiteMetadataStore(uri=str(path), busy_timeout=TIMEOUT))

    def read(data: bytes) -> list[str]:
        shutil.copyfile(SEED_STORE, path)
        ends = ("-wal", "-journal")
        chosen = ends[data[0] % 2 if data else 0]
        for end in (*ends, "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        path.with_name(path.name + chosen).write_bytes(data[1:])
        return refusals(*questions(store)[:3])

    yield read


@contextlib.contextmanager
def filters(folder: Path) -> Iterator[Target]:
    """Find nodes by a filter; the first byte chooses their kind."""
    path = folder / "metadata.db"
    shutil.copyfile(SEED_STORE, path)
    reader = reader_for(SQLiteMetadataStore(uri=str(path)))
    archive = Store(SQLiteMetadataStore(uri=str(path))).snapshot()
    kinds = list(KINDS)

    def read(data: bytes) -> list[str]:
        kind = kinds[data[0] % len(kinds)] if data else kinds[0]
        where = data[1:].decode("utf-8", errors="replace")
        found: list[list[int]] = []
        refused = refusals(
            lambda: found.append(reader.ask(lambda session: find_ids(session, kind, where))),
            lambda: found.append(find_ids(archive, kind, where)),
        )
        assert all(ids == found[0] for ids in found), "SQLite and an archive answer differently"
        assert len(set(refused)) == len(refused) // 2, "refused by one of two"
        return refused

    yield read


@contextlib.contextmanager
def registrations(folder: Path) -> Iterator[Target]:
    """Parse a file of registrations; what is accepted is the same when it is written again."""
    path = folder / registration_file.FILE

    def read(data: bytes) -> list[str]:
        def parse() -> None:
            found = registration_file.parsed(data, path)
            again = registration_file.parsed(registration_file.written(found), path)
            assert again == found, "what was written is not what was read"

        return refusals(parse)

    yield read


@contextlib.contextmanager
def structs(_: Path) -> Iterator[Target]:
    """Decode the value of a STRUCT, a PROTO or, by the first byte, a text property."""

    def read(data: bytes) -> list[str]:
        chosen, content = data[0] % 3 if data else 0, data[1:]
        text = values.STRUCT_PREFIX + base64.b64encode(content).decode()
        if chosen == 1:
            text = content.decode("utf-8", errors="replace")
        proto = content if chosen == 2 else None
        value = values.value_of(None, None, None if proto else text, None, proto, None)
        json.dumps(json_values.json_value(value))
        return ["undecodable"] if value in (text, content) else []

    yield read


class _OddService(grpc_service.Fake):
    """A service of a small store, one method of which answers with given bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.chain(3)
        self.missing = set()
        self.method, self.response = "", b""

    def answer(self, method: str, request: bytes) -> bytes:
        if method == self.method:
            return self.response
        if method == "GetLineageSubgraph":
            msg = "UNIMPLEMENTED"
            raise grpc_service.Refusal(msg, "unknown method")
        return super().answer(method, request)


@contextlib.contextmanager
def grpc_answers(_: Path) -> Iterator[Target]:
    """Read a gRPC service one method of which, chosen by the first byte, answers with this."""
    service = _OddService()
    names = read_methods()
    with grpc_service.running(service) as port:
        store = Store(KubeflowMetadataStore(host="127.0.0.1", port=port, timeout=SERVICE_TIMEOUT))

        def read(data: bytes) -> list[str]:
            service.method = names[data[0] % len(names)] if data else ""
            service.response = data[1:]
            return refusals(*questions(store)[:3])

        yield read


@contextlib.contextmanager
def grpc_requests(folder: Path) -> Iterator[Target]:
    """Answer a request to the method that the first byte chooses."""
    path = folder / "metadata.db"
    shutil.copyfile(SEED_STORE, path)
    backend = OwnBackend(Store(SQLiteMetadataStore(uri=str(path))), read_only=True)
    names = read_methods()

    def read(data: bytes) -> list[str]:
        method = names[data[0] % len(names)] if data else names[0]
        return refusals(lambda: backend.call(method, data[1:]))

    yield read


@contextlib.contextmanager
def explorer_requests(folder: Path) -> Iterator[Target]:
    """Answer a request to the explorer's server; the first line names the method."""
    path = folder / "metadata.db"
    shutil.copyfile(SEED_STORE, path)
    store = Store(SQLiteMetadataStore(uri=str(path)))

    def read(data: bytes) -> list[str]:
        method, _, parameters = data.partition(b"\n")
        name = method.decode("utf-8", errors="replace")
        query = urlencode({"q": parameters}).encode()
        request = Request({"type": "http", "query_string": query, "headers": []})
        return refusals(lambda: server._encoded(api.ask(store, name, server._parameters(request))))  # noqa: SLF001 - what it does with a request that it lets in

    yield read


@contextlib.contextmanager
def transfer_archives(folder: Path) -> Iterator[Target]:
    """Read a transfer archive of Kubeflow, whatever its digest, and check it for the upgrade."""
    path = folder / "history.json"
    kept = archive_file.check_digest
    archive_file.check_digest = lambda *_, **__: None

    def read(data: bytes) -> list[str]:
        path.write_bytes(data)
        store = Store(KubeflowArchiveMetadataStore(uri=str(path)))
        return refusals(*questions(store)[:3], store.kubeflow_check)

    try:
        yield read
    finally:
        archive_file.check_digest = kept


TARGETS: Mapping[str, Preparation] = {
    "sqlite": sqlite,
    "sqlite-journal": sqlite_journal,
    "filters": filters,
    "archive-manifest": archive_targets.archive_manifest,
    "archive-table": archive_targets.archive_table,
    "archive-index": archive_targets.archive_index,
    "archive-generations": archive_targets.archive_generations,
    "registrations": registrations,
    "structs": structs,
    "grpc-answers": grpc_answers,
    "grpc-requests": grpc_requests,
    "explorer-requests": explorer_requests,
    "transfer-archives": transfer_archives,
    "spool": evidence_targets.spool,
    "ledger": evidence_targets.ledger,
    "bundle": evidence_targets.bundle,
}
"""How each target is prepared in a folder of its own."""


def warm_up(target: Target, name: str) -> None:
    """Read the input that is most in order: what is only imported now is no cost of another."""
    kinds = ("valid", "odd", "bad")
    target(min(corpus(name), key=lambda path: kinds.index(path.name.split("-")[0])).read_bytes())


def corpus(target: str) -> Iterable[Path]:
    """Return the kept inputs of a target.

    The name of one that has to be accepted begins with ``valid``, of one that has to be refused
    with ``bad``; of any other it only counts that it is read within the budget.
    """
    return sorted((CORPUS / target).iterdir())


def data_of(method: str, message: Any) -> bytes:
    """Return the input that means a message of a method of the service."""
    return bytes([read_methods().index(method)]) + bytes(message.SerializeToString())
