"""Ledgers: signed, chained entries with the Merkle root of all records of a store.

``docs/ledger.md`` is the guide. A ledger is a folder: ``entries.jsonl`` holds an envelope a line,
each entry with the SHA-256 of the line before it, and ``state-N/`` what is kept of the store at the
last entry: a snapshot, or only hashes.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import contextvars
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import deadline, errors, termination
from mlmd_lineage.audit import signing
from mlmd_lineage.audit.ledger import state_changes, state_files, store_state
from mlmd_lineage.audit.ledger.entries import (
    PAYLOAD_TYPE,
    LedgerEntry,
    LedgerReport,
    content_of,
    opened,
)
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.config.atomic_files import locked, write_whole
from mlmd_lineage.readers.archive_files import FolderFiles
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.snapshot import archive
from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from mlmd_lineage.audit.records.changes import RecordChange
    from mlmd_lineage.audit.signing import Key
    from mlmd_lineage.snapshot.tables import Tables

ENTRIES = "entries.jsonl"
_SNAPSHOT = "snapshot"
_MOST_BYTES = 1 << 32
_MOST_CHECKS = 5
"""How often a check begins anew because an entry was added meanwhile."""


class Ledger:
    """A ledger of a store: whether its history was rewritten.

    >>> ledger = ml.Ledger("ledger")
    >>> ledger.add(ml.connect("metadata.db"), key="key.pem", snapshot=True)
    >>> ledger.check(ml.connect("metadata.db"), key="public.pem").ok
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name a ledger; its folder is made by the first ``add()``."""
        self.path = Path(path).expanduser().absolute()

    def add(
        self,
        store: Any,
        *,
        key: Key | None = None,
        public_key: str | os.PathLike[str] | None = None,
        snapshot: bool = False,
        timeout: float | None = None,
    ) -> LedgerReport:
        """Append an entry with the state of a store, and return what changed since the last one.

        Args:
            store: The store, as ``connect()`` returns it.
            key: Signs the entry; see ``save_bundle()``.
            public_key: The path of the public key in PEM that belongs to a URI.
            snapshot: Keep all records, so that ``check()`` knows the old values. Without, only
                hashes are kept, and the lines of executions and artifacts that are unfinished.
            timeout: How many seconds reading the store may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that; nothing is added.
            ConfigurationError: The ledger was damaged, cannot be written, or the key cannot sign.
            StoreError: The store cannot be read.
        """
        signer = None if key is None else signing.signer_for(key, public_key)
        with locked(self.path / ENTRIES), deadline.within(timeout):
            # Read under the lock: rows that were read before another entry would lack its own.
            tables = store.snapshot()
            with (
                self._draft() as draft,
                _saved(tables, draft, wanted=snapshot) as saved,
            ):
                report, state = self._report(tables, None, signer)
                if report.problems:
                    message = (
                        f"Nothing is added to the ledger {self.path}, as it was damaged: "
                        f"{'; '.join(report.problems)}. Restore it from a copy, or begin a new one."
                    )
                    raise errors.ConfigurationError(message)
                number = 1 if report.entry is None else report.entry.number + 1
                kept = state_files.to_files(state)
                if saved is not None:
                    kept |= saved.result()
                files = self._keep(number, draft, kept)
            content = content_of(number, report, tables, state) | {"files": files}
            self._append(canonical_json.dumps(content).encode(), signer)
            self._forget(number)
        return report

    def check(
        self,
        store: Any,
        *,
        key: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
    ) -> LedgerReport:
        """Return what a store became since the last entry, and what is wrong with the ledger.

        Args:
            store: The store, as ``connect()`` returns it.
            key: The path of the signer's public key in PEM. Without it, whoever changed the ledger
                may have made it anew.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: There is no ledger, or no entry in it.
            StoreError: The store cannot be read.
        """
        public = None if key is None else signing.load_public_key(key)
        if not os.path.lexists(self.path / ENTRIES):
            message = f"There is no ledger {self.path}; 'ledger add' begins one."
            raise errors.NotFoundError(message)
        with deadline.within(timeout):
            for _ in range(_MOST_CHECKS):
                entries = self._entries()
                report, _ = self._report(store.snapshot(), public)
                if self._entries() == entries:
                    break
        return report

    def entries(self, key: str | os.PathLike[str] | None = None) -> list[LedgerEntry]:
        """Return the entries, from the first to the last.

        Args:
            key: The path of the signer's public key in PEM, with which they are verified.

        Raises:
            ConfigurationError: The chain is broken; the message names the entry.
        """
        found, problems = self._chain(None if key is None else signing.load_public_key(key))
        if problems:
            message = f"The ledger {self.path} was damaged: {'; '.join(problems)}."
            raise errors.ConfigurationError(message)
        return found

    def _chain(self, key: Any) -> tuple[list[LedgerEntry], list[str]]:
        """Return the entries, and what is wrong with their chain."""
        path = self.path / ENTRIES
        try:
            raw = self._entries()
        except OSError as error:
            message = f"The ledger {path} cannot be read: {error.strerror}."
            raise errors.ConfigurationError(message) from None
        entries: list[LedgerEntry] = []
        problems: list[str] = []
        lines = raw.split(b"\n")
        if lines.pop():
            problems.append("its last line is cut off")
        previous = ""
        for number, line in enumerate(lines, 1):
            try:
                content, keyid = opened(line, key)
            except signing.SignatureError as error:
                problems.append(f"entry {number} cannot be trusted: {error}")
                content, keyid = {}, None
            if content and (content.get("number"), content.get("previous")) != (number, previous):
                problems.append(f"entry {number} does not follow the one before it")
            previous = hashlib.sha256(line).hexdigest()
            entries.append(LedgerEntry(number, previous, content, keyid))
        return entries, problems

    def _report(
        self, tables: Tables, key: Any, signer: signing.Signer | None = None
    ) -> tuple[LedgerReport, dict[str, store_state.KindState]]:
        """Return what the store became since the last entry, and its state.

        Args:
            tables: The store's rows.
            key: The public key with which the entries are verified.
            signer: Signs the next entry: what was kept with the last one then counts only where
                the same key signed that.
        """
        entries, problems = self._chain(key)
        last = entries[-1] if entries else None
        before: dict[str, store_state.KindState] | None = None
        found: list[RecordChange] = []
        has_snapshot = False
        if last is not None and last.content:
            try:
                before = self._state(last)
            except _UNUSABLE as error:
                problems.append(_unusable(last, error))
        known = before if signer is None or self._is_last_by(signer) else None
        state = store_state.state_of(tables, known)
        if last is not None and before is not None:
            try:
                kept = self._snapshot(last)
                has_snapshot = kept is not None
                found = list(state_changes.changes(before, state, tables, kept))
            except _UNUSABLE as error:
                problems.append(_unusable(last, error))
        return LedgerReport(tuple(problems), tuple(found), last, has_snapshot), state

    def _is_last_by(self, signer: signing.Signer) -> bool:
        """Return whether a signer's key signed the last entry."""
        lines = self._entries().splitlines()
        try:
            return bool(lines) and bool(opened(lines[-1], signer.public_key)[1])
        except signing.SignatureError:
            return False

    def _folder(self, number: int) -> Path:
        return self.path / f"state-{number:06}"

    def _snapshot(self, entry: LedgerEntry) -> Callable[[Collection[str]], Tables] | None:
        """Return what reads tables that were kept with an entry, None where only hashes were."""
        folder, manifest = self._folder(entry.number) / _SNAPSHOT, f"{_SNAPSHOT}/{MANIFEST}"
        if manifest not in entry.content["files"]:
            return None
        self._kept(entry, manifest)  # it holds the hashes of the other files, which are compared
        return ArchiveReader(ArchiveMetadataStore(uri=str(folder))).read

    def _state(self, entry: LedgerEntry) -> dict[str, store_state.KindState]:
        """Return the state that was kept with an entry."""
        state = state_files.from_files(
            {
                name: self._kept(entry, name)
                for name in (state_files.LEAVES, state_files.OPEN, state_files.PARTS)
                if name in entry.content["files"]
            }
        )
        if store_state.root_of(state) != entry.content["root"]:
            message = "its hashes are not those of the entry's Merkle root"
            raise ValueError(message)
        return state

    def _kept(self, entry: LedgerEntry, name: str) -> bytes:
        """Return a file that was kept with an entry, if it is as it was."""
        raw = FolderFiles(self._folder(entry.number)).read(name, _MOST_BYTES)
        if hashlib.sha256(raw).hexdigest() != entry.content["files"][name]:
            message = f"{name} was changed"
            raise ValueError(message)
        return raw

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """Have a folder filled that is removed again, unless it was renamed.

        Raises:
            ConfigurationError: It cannot be written.
        """
        try:
            with termination.as_exception():
                draft = Path(tempfile.mkdtemp(prefix=".state.", dir=self.path))
                try:
                    yield draft
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            message = f"The ledger {self.path} cannot be written: {error.strerror or error}."
            raise errors.ConfigurationError(message) from None

    def _keep(self, number: int, draft: Path, content: Mapping[str, bytes]) -> dict[str, str]:
        """Keep a draft with an entry, and return its files with their SHA-256.

        Args:
            number: The number of the entry.
            draft: The folder, in which a snapshot is already.
            content: The files, by their names.
        """
        target = self._folder(number)
        for name, raw in content.items():
            if not name.startswith(_SNAPSHOT):
                (draft / name).write_bytes(raw)
        draft.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)  # of an add that was interrupted
        draft.rename(target)
        return {name: hashlib.sha256(raw).hexdigest() for name, raw in content.items()}

    def _append(self, payload: bytes, signer: signing.Signer | None) -> None:
        if signer is not None:
            line = signing.envelope(payload, signer, PAYLOAD_TYPE)
        else:
            unsigned = {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [],
            }
            line = canonical_json.dumps(unsigned).encode()
        write_whole(self.path / ENTRIES, self._entries() + line + b"\n")

    def _entries(self) -> bytes:
        """Return the file of entries; nothing where there is none yet.

        Raises:
            DamagedStoreError: It is no regular file, or larger than one can be.
        """
        try:
            return FolderFiles(self.path).read(ENTRIES, _MOST_BYTES)
        except FileNotFoundError:
            return b""

    def _forget(self, number: int) -> None:
        """Remove what was kept with earlier entries: their roots stay in the chain."""
        for folder in self.path.glob("state-*"):
            if folder != self._folder(number):
                shutil.rmtree(folder, ignore_errors=True)

    def __repr__(self) -> str:
        return f"<Ledger {self.path}>"


_UNUSABLE = (errors.MLMDLineageError, OSError, ValueError, KeyError, TypeError)
"""The errors of files that were kept with an entry and were changed."""


@contextlib.contextmanager
def _saved(
    tables: Tables, draft: Path, *, wanted: bool
) -> Iterator[concurrent.futures.Future[dict[str, bytes]] | None]:
    """Write a snapshot into a folder, if it is wanted, while the body hashes the rows."""
    if not wanted:
        yield None
        return
    # An interrupt, which only this thread gets, ends what the other does.
    with deadline.Deadline() as limit, concurrent.futures.ThreadPoolExecutor(1) as pool:
        in_context = contextvars.copy_context().run
        try:
            yield pool.submit(in_context, _save_snapshot, tables, draft)
        except BaseException:
            limit.cancel()
            raise


def _save_snapshot(tables: Tables, draft: Path) -> dict[str, bytes]:
    """Write a snapshot into a folder, and return its manifest, which has the others' hashes."""
    folder = draft / _SNAPSHOT
    folder.mkdir()
    archive.write(tables, folder, indexes=False)
    return {f"{_SNAPSHOT}/{MANIFEST}": (folder / MANIFEST).read_bytes()}


def _unusable(entry: LedgerEntry, error: Exception) -> str:
    told = str(error) or type(error).__name__
    return f"what was kept with entry {entry.number} cannot be used: {told}"
