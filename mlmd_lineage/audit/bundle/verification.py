"""Verification of bundles: every changed, missing or added file and record is named."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.audit import signing
from mlmd_lineage.audit.bundle import layout, record_comparison, time_stamps, zip_comparison
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.readers.archive_files import files_at
from mlmd_lineage.readers.bundle_manifest import HeldLineage, held_lineage

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Iterable

    from mlmd_lineage.readers.archive_files import FolderFiles, ZipFiles

_MOST_UNLISTED_BYTES = 64 << 20
_MOST_MANIFEST_BYTES = 16 << 20
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, order=True)
class BundleFinding:
    """Something in a bundle that is not as it was when the bundle was made.

    >>> print(finding)
    records.jsonl: line 12 is changed: artifact/7, properties.auc: 0.91 became 0.99 (changed)

    Attributes:
        kind: ``changed``, ``missing``, ``added``, ``unsafe`` (a link, a path that leads out, a
            member that is compressed) or ``untrusted`` (a signature or a time stamp).
        file: The file in the bundle; empty where it is the bundle itself.
        record: The key of the record, such as ``artifact/7``; empty where it is none.
        message: What is wrong, in a sentence.
    """

    kind: str
    file: str
    record: str
    message: str

    def __str__(self) -> str:
        return f"{self.file or 'the bundle'}: {self.message} ({self.kind})"


@dataclasses.dataclass(frozen=True)
class BundleReport:
    """The result of the verification of a bundle.

    >>> report = ml.verify_bundle("model-7.bundle", key="public.pem")
    >>> report.ok, report.findings
    (True, ())

    Attributes:
        path: The bundle.
        findings: What is wrong, in order.
        source: The store that it was made from.
        lineage: The answers that it holds, each with what bounds it: whether it is complete.
        records: How many records it holds.
        merkle_root: The root of the tree over them, as the manifest has it.
        signed_by: The id of the key whose signature was verified; None where it is not signed.
        key_is_trusted: Whether that is the key that was given, not merely the one in the bundle.
        stamped_at: When it was stamped; None where it has no time stamp.
        authority_is_trusted: Whether the time stamp was verified with certificates that were given.
    """

    path: Path
    findings: tuple[BundleFinding, ...]
    source: str = ""
    lineage: tuple[HeldLineage, ...] = ()
    records: int = 0
    merkle_root: str = ""
    signed_by: str | None = None
    key_is_trusted: bool = False
    stamped_at: dt.datetime | None = None
    authority_is_trusted: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


class _Broken(Exception):  # noqa: N818 - it ends the verification, and is none of users'
    """Nothing more of the bundle can be verified."""


def verify_bundle(
    path: str | os.PathLike[str],
    *,
    key: str | os.PathLike[str] | None = None,
    tsa_certificates: str | os.PathLike[str] | None = None,
) -> BundleReport:
    """Return what in a bundle is not as it was when it was made.

    >>> ml.verify_bundle("model-7.bundle", key="public.pem").ok
    True

    Args:
        path: The bundle: a folder or a zip file.
        key: The path of the signer's public key in PEM. Without it, whoever changed the bundle
            may have signed it anew.
        tsa_certificates: The path of the certificates in PEM that are trusted for its time stamp.

    Raises:
        StoreNotFoundError: There is no such bundle.
        ConfigurationError: The key or the certificates cannot be read, or a package is missing.
    """
    target = Path(path).expanduser().absolute()
    made = _Verification(target)
    with contextlib.suppress(_Broken):
        made.run(key, tsa_certificates)
    return dataclasses.replace(made.report, findings=tuple(sorted(set(made.found))))


class _Verification:
    """One verification, which collects what it finds."""

    def __init__(self, path: Path) -> None:
        self.report = BundleReport(path, ())
        self.found: list[BundleFinding] = []
        # Of most files only what is compared is kept: their digests and their sizes.
        self._digests: dict[str, tuple[str, int]] = {}
        self._content: dict[str, bytes] = {}
        self._most: dict[str, int] = {}

    def _add(self, kind: str, file: str, message: str, record: str = "") -> None:
        self.found.append(BundleFinding(kind, file, record, message))

    def _note(self, **facts: Any) -> None:
        self.report = dataclasses.replace(self.report, **facts)

    def run(
        self,
        key: str | os.PathLike[str] | None,
        certificates: str | os.PathLike[str] | None,
    ) -> None:
        """Verify everything, as far as the bundle can be read."""
        files = self._files()
        for name, problem in files.problems():
            self._add("unsafe", name, problem)
        names = files.names()
        self._read(files, names)
        manifest = self._manifest()
        self._compare(manifest, names)
        self._checksums()
        self._records(manifest, files)
        self._signature(manifest, key)
        self._time_stamp(certificates)
        self._zip_bytes(files)

    def _files(self) -> FolderFiles | ZipFiles:
        try:
            return files_at(self.report.path)
        except FileNotFoundError:
            message = f"There is no bundle {self.report.path}."
            raise errors.StoreNotFoundError(message) from None
        except PermissionError:
            message = f"{self.report.path} may not be read by this user."
            raise errors.StorePermissionError(message) from None
        except errors.DamagedStoreError as error:
            self._add("changed", "", _sentence(error, self.report.path))
            raise _Broken from None

    def _read(self, files: FolderFiles | ZipFiles, names: list[str]) -> None:
        sizes: dict[str, int] = {}
        # The manifest first: it says how large the others are.
        for name in sorted(names, key=lambda name: name != layout.MANIFEST):
            most = self._most[name] = max(sizes.get(name, 0), _MOST_UNLISTED_BYTES)
            try:
                if name in layout.OUTSIDE_MANIFEST:
                    raw = self._content[name] = files.read(name, most)
                    self._digests[name] = hashlib.sha256(raw).hexdigest(), len(raw)
                else:
                    self._digests[name] = _digest(files.chunks(name, most))
                if name == layout.MANIFEST:
                    sizes = _sizes(self._content[name])
            except (errors.DamagedStoreError, OSError) as error:
                self._add("changed", name, _sentence(error, self.report.path))

    def _manifest(self) -> dict[str, Any]:
        raw = self._content.get(layout.MANIFEST)
        if raw is None:
            if not any(finding.file == layout.MANIFEST for finding in self.found):
                self._add("missing", layout.MANIFEST, "it is not there: this is no bundle")
            raise _Broken
        try:
            found, facts = _read_manifest(raw)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._add("changed", layout.MANIFEST, "it is not the manifest of a bundle any more")
            raise _Broken from None
        if (found["format"], found["format_version"]) != (layout.FORMAT, layout.FORMAT_VERSION):
            message = "it is of another format, or of a later release of mlmd-lineage"
            self._add("changed", layout.MANIFEST, message)
            raise _Broken
        self._note(**facts)
        return found

    def _compare(self, manifest: dict[str, Any], names: list[str]) -> None:
        """Compare the files with those that the manifest lists."""
        listed = manifest["files"]
        odd = {finding.file for finding in self.found}
        for name, file in sorted(listed.items()):
            if name not in self._digests:
                if name not in odd:
                    self._add("missing", name, "the manifest lists it, and it is not there")
                continue
            if self._digests[name][0] != file["sha256"]:
                self._add("changed", name, self._change(name, listed))
        for name in names:
            if name not in listed and name not in layout.OUTSIDE_MANIFEST:
                self._add("added", name, "the manifest does not list it")

    def _change(self, name: str, listed: dict[str, Any]) -> str:
        """Return how a file is another one than the manifest lists."""
        digest, there = self._digests[name]
        size = int(listed[name]["size"])
        if there != size:
            return f"it has {there:,} bytes, and had {size:,}"
        for other, its in listed.items():
            if other != name and its["sha256"] == digest:
                return f"its content is that of {other}"
        return f"its {size:,} bytes are not those that the manifest describes"

    def _checksums(self) -> None:
        """Compare the checksums, which cover the manifest, the statement and the time stamp."""
        raw = self._content.get(layout.CHECKSUMS)
        if raw is None:
            self._add("missing", layout.CHECKSUMS, "it is not there")
            return
        lines = raw.decode(errors="replace").split("\n")
        pairs = [line.partition("  ") for line in lines[:-1]]
        blamed = {finding.file for finding in self.found}
        for number, (digest, _, name) in enumerate(pairs, 1):
            there = self._digests.get(name)
            if there is not None and there[0] == digest:
                continue
            if there is None and name in layout.OUTSIDE_MANIFEST:
                message = f"line {number} of {layout.CHECKSUMS} names it, and it is not there"
                self._add("missing", name, message)
            elif there is not None and name in layout.OUTSIDE_MANIFEST:
                message = f"it is not the file of line {number} of {layout.CHECKSUMS}"
                self._add("changed", name, message)
            elif name not in blamed:
                self._add("changed", layout.CHECKSUMS, f"line {number}, on {name!r}, was changed")
        expected = sorted(name for name in self._digests if name != layout.CHECKSUMS)
        if lines[-1] or [name for _, _, name in pairs] != expected:
            message = "its lines are not those of the files, in order"
            self._add("changed", layout.CHECKSUMS, message)

    def _records(self, manifest: dict[str, Any], files: FolderFiles | ZipFiles) -> None:
        """Compare the records with their hashes, and with those that the archive holds."""
        content = {
            name: functools.partial(files.chunks, name, self._most[name])
            for name in (layout.RECORDS, layout.HASHES)
            if name in self._digests
        }
        for finding in record_comparison.findings(content, manifest, self.report.path):
            self._add(*finding)

    def _signature(self, manifest: dict[str, Any], key: str | os.PathLike[str] | None) -> None:
        raw = self._content.get(layout.ENVELOPE)
        given = None if key is None else signing.load_public_key(key)
        if raw is None:
            if "public_key" in manifest:
                message = "the bundle was signed, and it is not there"
                self._add("missing", layout.ENVELOPE, message)
            if given is not None:
                self._add("untrusted", "", "it is not signed")
            return
        try:
            used = _key_in(manifest) if given is None else given
            signed = signing.opened(raw, used)
            _check_statement(signed.payload, self._content[layout.MANIFEST])
        except signing.SignatureError as error:
            self._add("untrusted", layout.ENVELOPE, str(error))
            return
        self._note(signed_by=signed.keyids[0], key_is_trusted=given is not None)

    def _time_stamp(self, certificates: str | os.PathLike[str] | None) -> None:
        raw = self._content.get(layout.TIME_STAMP)
        if raw is None:
            if certificates is not None:
                self._add("untrusted", "", "it has no time stamp")
            return
        stamped = self._content.get(layout.ENVELOPE, self._content[layout.MANIFEST])
        try:
            if certificates is None:
                moment = time_stamps.stamped_at(raw, stamped)
            else:
                moment = time_stamps.verify(raw, stamped, certificates)
        except time_stamps.TimeStampError as error:
            self._add("untrusted", layout.TIME_STAMP, str(error))
            return
        self._note(stamped_at=moment, authority_is_trusted=certificates is not None)

    def _zip_bytes(self, files: FolderFiles | ZipFiles) -> None:
        """Compare a zip file with the one that its members make: nothing hides between them."""
        if self.report.path.is_dir() or self.found:
            return
        members = {
            name: (size, files.chunks(name, self._most[name]))
            for name, (_, size) in self._digests.items()
        }
        at = zip_comparison.first_difference(self.report.path, members)
        if at is not None:
            self._add(
                "changed",
                "",
                f"byte {at:,} of the zip file is none of its members', and is not as it was",
            )


def _digest(pieces: Iterable[bytes]) -> tuple[str, int]:
    """Return the SHA-256 of a file in hexadecimal, and its size."""
    hasher, size = hashlib.sha256(), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
    return hasher.hexdigest(), size


def _key_in(manifest: dict[str, Any]) -> Any:
    """Return the public key that a manifest holds.

    Raises:
        SignatureError: It holds none that can be read.
    """
    pem = manifest.get("public_key")
    if not pem:
        message = "the bundle holds no public key of its signer: give one"
        raise signing.SignatureError(message)
    return signing.public_key_from(str(pem).encode(), "The public key in it")


def _check_statement(payload: bytes, manifest: bytes) -> None:
    """Refuse a statement that is not about a manifest.

    Raises:
        SignatureError: It is about something else.
    """
    digest = {"sha256": hashlib.sha256(manifest).hexdigest()}
    try:
        found = json.loads(payload)
        about = found["subject"], found["predicateType"]
    except (ValueError, KeyError, TypeError, RecursionError):
        about = None, None
    if about != ([{"name": layout.MANIFEST, "digest": digest}], layout.PREDICATE_TYPE):
        message = "it is a statement about another manifest"
        raise signing.SignatureError(message)


def _read_manifest(raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a manifest, and what a report says of it.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: It is none.
    """
    found: dict[str, Any] = json.loads(raw) if len(raw) <= _MOST_MANIFEST_BYTES else {}
    complete = {"format", "format_version", "files", "records", "source"} <= found.keys()
    if not complete or (canonical_json.dumps(found) + "\n").encode() != raw:
        message = "it is no manifest, or not in the canonical form"
        raise ValueError(message)
    for name, file in found["files"].items():
        if not _HEX.fullmatch(file["sha256"]) or not isinstance(file["size"], int):
            raise ValueError(name)
    facts = {
        "source": str(found["source"]),
        "lineage": held_lineage(found["lineage"]),
        "records": sum(int(count) for count in found["records"]["counts"].values()),
        "merkle_root": str(found["records"]["merkle_root"]),
    }
    return found, facts


def _sizes(raw: bytes) -> dict[str, int]:
    """Return the sizes of the files that a manifest lists; none where it is no manifest."""
    try:
        files = _read_manifest(raw)[0]["files"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {name: file["size"] for name, file in files.items()}


def _sentence(error: Exception, path: Path) -> str:
    """Return what an error says, without what to do about it."""
    text = str(error).replace(f"{path} ", "it ").replace(f" in {path}", "")
    return text.removesuffix(" Restore the archive from a copy.").rstrip(".")
