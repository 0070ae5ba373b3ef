"""Bundles: the same bytes each time, opened as stores, and every change found and named."""

from __future__ import annotations

import gc
import io
import json
import os
import random
import shutil
import subprocess
import tracemalloc
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bundle_keys
import pytest
import sqlite_stores

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.audit import signing
from mlmd_lineage.audit.bundle import layout, saving
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.audit.bundle.verification import BundleReport

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
MODEL = "artifact/43"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return bundle_keys.key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, keys: tuple[Path, Path]) -> dict[str, Path]:
    """Make a folder and a zip file, signed."""
    folder = tmp_path_factory.mktemp("bundles")
    store = ml.connect(DEMO_STORE)
    trace = store.upstream(MODEL)
    return {
        name: ml.save_bundle(trace, folder / f"model.{name}", store=store, key=keys[0])
        for name in ("bundle", "zip")
    }


@pytest.fixture
def bundle(made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made["bundle"], tmp_path / "model.bundle"))


@pytest.fixture
def zipped(made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copyfile(made["zip"], tmp_path / "model.zip"))


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def found(report: BundleReport) -> list[tuple[str, str]]:
    return [(finding.kind, finding.file) for finding in report.findings]


def test_a_whole_bundle_is_whole(made: dict[str, Path], keys: tuple[Path, Path]):
    for path in made.values():
        report = ml.verify_bundle(path, key=keys[1])
        assert report.ok, report.findings
        assert report.key_is_trusted
        assert report.source == "tfx_local.db"
        assert report.signed_by == signing.load_public_key(keys[1]).keyid
        assert report.records == len((made["bundle"] / "records.jsonl").read_bytes().splitlines())
        assert not ml.verify_bundle(path).key_is_trusted


def test_the_same_records_give_the_same_bytes(
    made: dict[str, Path], keys: tuple[Path, Path], tmp_path: Path
):
    elsewhere = tmp_path / "another folder" / "tfx_local.db"
    elsewhere.parent.mkdir()
    shutil.copyfile(DEMO_STORE, elsewhere)
    store = ml.connect(elsewhere)
    again = {
        name: ml.save_bundle(
            store.upstream(MODEL), tmp_path / f"x.{name}", store=store, key=keys[0]
        )
        for name in ("bundle", "zip")
    }
    assert gc.isenabled()  # which it is not while exports are made
    assert content(again["bundle"]) == content(made["bundle"])
    assert again["zip"].read_bytes() == made["zip"].read_bytes()
    from_graph = store.lineage(properties=True).upstream(MODEL)
    ml.save_bundle(from_graph, tmp_path / "y.bundle", store=store, key=keys[0])
    assert content(tmp_path / "y.bundle") == content(made["bundle"])
    # The folder's files are those of the zip file.
    ml.save_bundle(store.upstream(MODEL), tmp_path / "z", store=store, key=keys[0], format="zip")
    with zipfile.ZipFile(tmp_path / "z") as file:
        assert {name: file.read(name) for name in file.namelist()} == content(made["bundle"])


def test_it_opens_as_a_store(made: dict[str, Path]):
    store = ml.connect(DEMO_STORE)
    expected = store.upstream(MODEL)
    for path in made.values():
        opened = ml.connect(path)
        assert opened.upstream(MODEL).nodes.equals(expected.nodes)
        assert opened.lineage(properties=True).upstream(MODEL).to_json().count("\n") > 20
        assert opened.frames.artifacts(type="Model", properties=True).shape[0] == 2
    renamed = ml.connect(str(made["zip"]))
    assert renamed.snapshot().findings == ()


def test_what_was_cut_is_told_by_the_bundle_and_by_answers_from_it(tmp_path: Path):
    store = ml.connect(DEMO_STORE)
    cut = store.upstream(MODEL, max_hops=2)
    assert not cut.complete
    for name in ("cut.bundle", "cut.zip"):
        path = ml.save_bundle(cut, tmp_path / name, store=store)
        [held] = ml.verify_bundle(path).lineage
        assert (held.question, held.start, held.complete) == ("upstream", (MODEL,), False)
        assert str(held) == (
            f"what {MODEL} came from, cut by max_hops at {', '.join(cut.boundary)}: not complete"
        )
        opened = ml.connect(path)
        for trace in (opened.upstream(MODEL), opened.lineage().upstream(MODEL)):
            assert (trace.complete, trace.truncated_by) == (False, ("max_hops",))
            assert trace.boundary == cut.boundary
            assert "Cut by max_hops at" in str(trace)
        # Nothing of it was cut on this way.
        assert opened.downstream(cut.boundary[0]).complete
    [whole] = ml.verify_bundle(ml.save_bundle(store.upstream(MODEL), tmp_path / "w")).lineage
    assert str(whole) == f"what {MODEL} came from, complete"


def test_a_manifest_that_says_nothing_of_its_lineage_is_no_manifest(bundle: Path):
    path = bundle / "bundle.json"
    path.write_text(path.read_text().replace('"lineage":[{', '"lineage":["cut",{'))
    with pytest.raises(errors.DamagedStoreError, match="is no manifest of a bundle any more"):
        ml.connect(bundle).upstream(MODEL)
    assert ("changed", "bundle.json") in found(ml.verify_bundle(bundle))


def test_without_the_store_the_records_are_those_of_the_trace(tmp_path: Path):
    store = ml.connect(DEMO_STORE)
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    ml.save_bundle(store.upstream(MODEL), whole, store=store)
    ml.save_bundle(store.upstream(MODEL), alone)
    assert content(alone) == content(whole)


def test_a_dossier_is_part_of_its_bundle(tmp_path: Path, keys: tuple[Path, Path]):
    dossier = ml.connect(DEMO_STORE).dossier("artifact/15")
    bundle = ml.save_bundle(dossier, tmp_path / "model-15.bundle", key=keys[0])
    assert ml.verify_bundle(bundle, key=keys[1]).ok
    files = content(bundle)
    assert files["dossier/dossier.html"].decode() == dossier.to_html()
    assert files["dossier/dossier.md"].decode() == dossier.to_markdown()
    assert files["dossier/dossier.json"].decode() == dossier.to_json()
    opened = ml.connect(bundle)
    for trace in (dossier.trace, dossier.downstream_trace):
        assert set(trace) <= set(opened.lineage())
    again = ml.connect(DEMO_STORE).dossier("artifact/15")
    ml.save_bundle(again, tmp_path / "again.bundle", key=keys[0])
    assert content(tmp_path / "again.bundle") == files


@pytest.mark.slow
def test_a_bundle_says_what_it_is_to_whoever_opens_it(tmp_path: Path, keys: tuple[Path, Path]):
    dossier = ml.connect(DEMO_STORE).dossier(MODEL)
    path = dossier.save(f"{tmp_path}/model-43.1/", key=keys[0])
    assert path.is_dir()
    text = (path / "README.txt").read_text(encoding="ascii")
    for entry in path.iterdir():
        name = f"{entry.name}/" if entry.is_dir() else entry.name
        assert f"\n{name} " in text or name == "README.txt"
    [command] = [line.split("  ")[2] for line in text.splitlines() if "sha256sum" in line]
    subprocess.run(command.split(), cwd=path, check=True, capture_output=True)
    assert len(ml.connect(path).upstream(MODEL)) == len(dossier.trace)


def test_every_flipped_bit_is_found(bundle: Path):
    # The seed is fixed: which bits are flipped is chosen once, and not anew in each run.
    chosen = random.Random(14)  # noqa: S311 - nothing is kept secret
    names = sorted(content(bundle))
    for name in [*names, "records.jsonl", "bundle.json"]:
        path = bundle / name
        raw = path.read_bytes()
        at = chosen.randrange(len(raw))
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << chosen.randrange(8)]) + raw[at + 1 :])
        report = ml.verify_bundle(bundle)
        assert name in {finding.file for finding in report.findings}, (name, at)
        path.write_bytes(raw)
    assert ml.verify_bundle(bundle).ok


@pytest.mark.slow
def test_every_flipped_bit_of_a_zip_file_is_found(zipped: Path):
    chosen = random.Random(15)  # noqa: S311 - nothing is kept secret
    raw = zipped.read_bytes()
    places = [chosen.randrange(len(raw)) for _ in range(12)]
    with zipfile.ZipFile(zipped) as file:
        places += [chosen.randrange(file.start_dir, len(raw)) for _ in range(25)]
    for at in places:
        zipped.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << chosen.randrange(8)]) + raw[at + 1 :])
        assert not ml.verify_bundle(zipped).ok, at


def test_a_value_that_was_changed_is_named_with_what_it_was(bundle: Path):
    path = bundle / "records.jsonl"
    before = path.read_text()
    assert before.count('"state":"LIVE"') == 6
    path.write_text(before.replace('"state":"LIVE"', '"state":"DELETED"', 1))
    report = ml.verify_bundle(bundle)
    [finding] = [each for each in report.findings if each.record]
    first = next(line for line in before.splitlines() if '"state":"LIVE"' in line)
    assert finding.record == f"artifact/{json.loads(first)['id']}"
    assert 'state: "LIVE" became "DELETED"' in finding.message
    assert str(finding).endswith("(changed)")


def sealed(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change a bundle, and make all of its sums right but the Merkle root and the signature."""
    files = content(bundle)
    change(files)
    manifest = json.loads(files["bundle.json"])
    for name in list(manifest["files"]):
        manifest["files"][name] = {
            "sha256": saving._digest(files[name]),
            "size": len(files[name]),
        }
    from mlmd_lineage.audit.records import canonical_json

    files["bundle.json"] = (canonical_json.dumps(manifest) + "\n").encode()
    rest = {name: raw for name, raw in files.items() if name != "SHA256SUMS"}
    sums = [f"{saving._digest(raw)}  {name}\n" for name, raw in sorted(rest.items())]
    files["SHA256SUMS"] = "".join(sums).encode()
    for name, raw in files.items():
        (bundle / name).write_bytes(raw)


def changed_line(files: dict[str, bytes]) -> None:
    files["records.jsonl"] = (
        files["records.jsonl"]
        .replace(b'"CACHED"', b'"FAILED"', 1)
        .replace(b'"COMPLETE"', b'"FAILED"', 1)
    )


def removed_line(files: dict[str, bytes]) -> None:
    lines = files["records.jsonl"].splitlines(keepends=True)
    files["records.jsonl"] = b"".join(lines[:30] + lines[31:])


def reordered_lines(files: dict[str, bytes]) -> None:
    lines = files["records.jsonl"].splitlines(keepends=True)
    files["records.jsonl"] = b"".join([*lines[:30], lines[31], lines[30], *lines[32:]])


def added_line(files: dict[str, bytes]) -> None:
    files["records.jsonl"] += b'{"id":999,"kind":"event"}\n'


def repeated_line(files: dict[str, bytes]) -> None:
    files["records.jsonl"] += files["records.jsonl"].splitlines(keepends=True)[-1]


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        (changed_line, "changed", 'last_known_state: "COMPLETE" became "FAILED"'),
        (removed_line, "missing", "was removed"),
        (reordered_lines, "changed", "reordered, from line 31"),
        (added_line, "added", "event/999, which was not there"),
        (repeated_line, "added", "repeats"),
    ],
)
def test_records_are_named_though_all_sums_are_right(
    bundle: Path,
    keys: tuple[Path, Path],
    change: Callable[[dict[str, bytes]], None],
    kind: str,
    told: str,
):
    sealed(bundle, change)
    report = ml.verify_bundle(bundle, key=keys[1])
    named = [each for each in report.findings if each.file == "records.jsonl"]
    assert [(each.kind, told in each.message, bool(each.record)) for each in named] == [
        (kind, True, True)
    ]
    # And the signature is that of another manifest.
    assert ("untrusted", "statement.dsse.json") in found(report)


def test_files_that_are_missing_added_or_swapped_are_named(bundle: Path):
    (bundle / "exports" / "prov.json").unlink()
    (bundle / "exports" / "mine.txt").write_text("hello")
    one, other = bundle / "archive" / "Event.parquet", bundle / "archive" / "Artifact.parquet"
    raw = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(raw)
    report = ml.verify_bundle(bundle)
    assert {
        ("missing", "exports/prov.json"),
        ("added", "exports/mine.txt"),
        ("changed", "archive/Event.parquet"),
        ("changed", "archive/Artifact.parquet"),
    } <= set(found(report))


def test_a_swapped_file_of_the_same_size_is_named_as_such(bundle: Path):
    files = {name: raw for name, raw in content(bundle).items() if name.startswith("archive/")}
    one, other = "archive/ParentType.parquet", "archive/ParentContext.parquet"
    sealed(
        bundle,
        lambda every: every.update(
            {other: every[other].ljust(len(files[one]), b"x")[: len(files[one])]}
        ),
    )
    before = content(bundle)
    (bundle / one).write_bytes(before[other])
    (bundle / other).write_bytes(before[one])
    messages = {each.file: each.message for each in ml.verify_bundle(bundle).findings}
    assert messages[one] == f"its content is that of {other}"


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_and_empty_folders_are_named(bundle: Path, tmp_path: Path):
    outside = tmp_path / "outside.json"
    shutil.copyfile(bundle / "exports" / "prov.json", outside)
    (bundle / "exports" / "prov.json").unlink()
    (bundle / "exports" / "prov.json").symlink_to(outside)
    (bundle / "empty").mkdir()
    report = ml.verify_bundle(bundle)
    assert ("unsafe", "exports/prov.json") in found(report)
    assert ("unsafe", "empty") in found(report)


def test_a_file_of_line_ends_is_no_file_of_records(bundle: Path):
    size = (bundle / "records.jsonl").stat().st_size
    (bundle / "records.jsonl").write_bytes(b"\n" * size)
    (bundle / "records.sha256").write_bytes(b"\n" * (bundle / "records.sha256").stat().st_size)
    messages = [each.message for each in ml.verify_bundle(bundle).findings]
    assert "its lines are too short to be records" in messages


def rewritten(path: Path, change: Callable[[zipfile.ZipFile], None]) -> None:
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as file:
        files = {name: file.read(name) for name in file.namelist()}
    path.write_bytes(layout.zipped(files))
    with zipfile.ZipFile(path, "a") as file:
        change(file)


def link(file: zipfile.ZipFile) -> None:
    member = zipfile.ZipInfo("exports/link")
    member.external_attr = 0o120777 << 16
    file.writestr(member, "/etc/passwd")


def bomb(file: zipfile.ZipFile) -> None:
    member = zipfile.ZipInfo("exports/bomb")
    member.compress_type = zipfile.ZIP_DEFLATED
    file.writestr(member, bytes(50_000_000))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file: file.writestr("../climbing", "x"), "leads out"),
        (lambda file: file.writestr("exports/../../x", "x"), "leads out"),
        (lambda file: file.writestr("/absolute", "x"), "leads out"),
        (lambda file: file.writestr("C:\\windows", "x"), "leads out"),
        (lambda file: file.writestr("records.jsonl", "x"), "twice"),
        (link, "link"),
        (bomb, "compressed, 50,000,000 bytes"),
    ],
)
def test_members_that_are_unsafe_are_named_and_not_read(
    zipped: Path, change: Callable[[zipfile.ZipFile], None], told: str
):
    rewritten(zipped, change)
    report = ml.verify_bundle(zipped)
    assert any(told in each.message and each.kind == "unsafe" for each in report.findings)


def test_a_truncated_zip_file_is_named(zipped: Path):
    raw = zipped.read_bytes()
    for length in (0, 1, 100, len(raw) // 2, len(raw) - 1):
        zipped.write_bytes(raw[:length])
        assert found(ml.verify_bundle(zipped)) == [("changed", "")]
        with pytest.raises(errors.StoreError):
            ml.connect(zipped).snapshot()


def test_overlapping_members_are_refused(zipped: Path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("bundle.json", "{}" * 500)
        for number in range(40):
            again = zipfile.ZipInfo(f"m{number}")
            again.file_size = again.compress_size = 1000
            again.CRC, again.header_offset = file.filelist[0].CRC, 0
            file.filelist.append(again)
    zipped.write_bytes(made.getvalue())
    [finding] = ml.verify_bundle(zipped).findings
    assert "overlap" in finding.message


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_bytes_that_belong_to_no_member_are_found(zipped: Path, place: str):
    raw = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as file:
        second = sorted(member.header_offset for member in file.infolist())[1]
    at = {"before": 0, "between": second, "behind": len(raw)}[place]
    zipped.write_bytes(raw[:at] + b"hidden" + raw[at:])
    report = ml.verify_bundle(zipped)
    assert not report.ok
    if place == "behind":
        assert f"byte {at:,} of the zip file" in report.findings[0].message


@pytest.mark.slow
def test_a_zip_file_is_verified_without_being_held_in_memory(tmp_path: Path):
    path = tmp_path / "metadata.db"
    shutil.copyfile(DEMO_STORE, path)
    sqlite_stores.change(path, "UPDATE Artifact SET uri = hex(zeroblob(1000000)) WHERE id = 43")
    store = ml.connect(path)
    bundle = ml.save_bundle(store.upstream("artifact/43"), tmp_path / "large.zip", store=store)
    tracemalloc.start()
    try:
        assert ml.verify_bundle(bundle).ok
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < bundle.stat().st_size * 3 / 4


def test_what_is_no_bundle_is_said(tmp_path: Path):
    with pytest.raises(errors.StoreNotFoundError):
        ml.verify_bundle(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert found(ml.verify_bundle(tmp_path / "empty")) == [("missing", "bundle.json")]
    for text in ("{", "[]", "null", '{"files":{}}', '{"a":1}\n', "[" * 100_000):
        (tmp_path / "empty" / "bundle.json").write_text(text)
        assert found(ml.verify_bundle(tmp_path / "empty")) == [("changed", "bundle.json")]
    with pytest.raises(errors.StoreNotFoundError):
        ml.connect(tmp_path / "no.zip").snapshot()


@pytest.mark.parametrize("kind", bundle_keys.MAKERS)
def test_keys_of_every_kind_sign(tmp_path: Path, kind: str):
    private, public = bundle_keys.key_pair(tmp_path, kind)
    store = InMemoryStore()
    model = store.put_artifact("Model", uri="s3://b/model")
    ml.save_bundle(store.upstream(model), tmp_path / "b.zip", store=store, key=private)
    assert ml.verify_bundle(tmp_path / "b.zip", key=public).ok
    ml.save_bundle(
        store.upstream(model),
        tmp_path / "c.zip",
        store=store,
        key=f"file2:{private}",
        public_key=public,
    )
    assert ml.verify_bundle(tmp_path / "c.zip", key=public).key_is_trusted
    other = bundle_keys.key_pair(tmp_path / "..", "ed25519")[1]
    assert found(ml.verify_bundle(tmp_path / "b.zip", key=other)) == [
        ("untrusted", "statement.dsse.json")
    ]


def test_an_encrypted_key_takes_its_password_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    private, public = bundle_keys.key_pair(tmp_path, password=b"pl9-secret")
    store = InMemoryStore()
    trace = store.upstream(store.put_artifact("Model", uri="s3://b/model"))
    for password, told in ((None, "is encrypted"), ("wrong", "no private key")):
        if password:
            monkeypatch.setenv("MLMD_LINEAGE_KEY_PASSWORD", password)
        with pytest.raises(errors.ConfigurationError, match=told) as caught:
            ml.save_bundle(trace, tmp_path / "b.zip", key=private)
        assert "pl9" not in str(caught.value)
    monkeypatch.setenv("MLMD_LINEAGE_KEY_PASSWORD", "pl9-secret")
    ml.save_bundle(trace, tmp_path / "b.zip", key=private)
    assert ml.verify_bundle(tmp_path / "b.zip", key=public).ok


def test_a_key_in_hardware_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """SoftHSM stands for the hardware: the same interface, PKCS#11."""
    pytest.importorskip("pkcs11")
    tool = shutil.which("softhsm2-util")
    libraries = sorted(Path("/usr/lib").glob("**/softhsm/libsofthsm2.so"))
    if tool is None or not libraries:
        pytest.skip("SoftHSM is not installed")
    private, public = bundle_keys.key_pair(tmp_path, "ecdsa")
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    monkeypatch.setenv("PYKCS11LIB", str(libraries[0]))
    pin = ["--pin", "270593"]
    for arguments in (
        ["--init-token", "--free", "--label", "evidence", "--so-pin", "1234", *pin],
        ["--import", str(private), "--token", "evidence", "--label", "key", "--id", "02", *pin],
    ):
        subprocess.run([tool, *arguments], check=True, capture_output=True)
    private.unlink()
    trace = ml.connect(DEMO_STORE).upstream(MODEL)
    options: dict[str, Any] = {"key": "hsm:2?label=evidence", "public_key": public}
    with pytest.raises(errors.ConfigurationError, match="MLMD_LINEAGE_KEY_PASSWORD"):
        ml.save_bundle(trace, tmp_path / "none.zip", **options)
    monkeypatch.setenv("MLMD_LINEAGE_KEY_PASSWORD", "270593")
    bundle = ml.save_bundle(trace, tmp_path / "signed.zip", **options)
    report = ml.verify_bundle(bundle, key=public)
    assert report.ok
    assert report.key_is_trusted
    monkeypatch.setenv("MLMD_LINEAGE_KEY_PASSWORD", "000000")
    with pytest.raises(errors.ConfigurationError, match="does not sign") as raised:
        ml.save_bundle(trace, tmp_path / "wrong.zip", **options)
    assert "000000" not in str(raised.value)


def test_keys_that_are_none_are_refused_before_anything_is_written(tmp_path: Path):
    trace = ml.connect(DEMO_STORE).upstream(MODEL, max_hops=1)
    (tmp_path / "text.pem").write_text("no key")
    for key, told in (
        (tmp_path / "none.pem", "cannot be read"),
        (tmp_path / "text.pem", "no private key"),
        ("hsm:2", "needs its public key"),
    ):
        with pytest.raises(errors.ConfigurationError, match=told):
            ml.save_bundle(trace, tmp_path / "b", key=key)
    assert not (tmp_path / "b").exists()
    with pytest.raises(errors.ConfigurationError, match="no public key"):
        signing.load_public_key(tmp_path / "text.pem")


def test_a_bundle_without_a_signature_is_not_taken_for_a_signed_one(
    bundle: Path, keys: tuple[Path, Path], tmp_path: Path
):
    trace = ml.connect(DEMO_STORE).upstream(MODEL, max_hops=1)
    plain = ml.save_bundle(trace, tmp_path / "plain.zip")
    report = ml.verify_bundle(plain)
    assert report.ok
    assert report.signed_by is None
    assert found(ml.verify_bundle(plain, key=keys[1])) == [("untrusted", "")]

    def without(files: dict[str, bytes]) -> None:
        del files["statement.dsse.json"]

    (bundle / "statement.dsse.json").rename(tmp_path / "statement")
    sealed(bundle, lambda _: None)
    assert ("missing", "statement.dsse.json") in found(ml.verify_bundle(bundle))
    assert ("untrusted", "") in found(ml.verify_bundle(bundle, key=keys[1]))


def test_nothing_is_written_over_and_no_draft_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trace = ml.connect(DEMO_STORE).upstream(MODEL, max_hops=1)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(errors.ConfigurationError, match="exists already"):
        ml.save_bundle(trace, tmp_path / "there")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlmd_lineage.audit.bundle.saving.os.fsync", full)
    with pytest.raises(errors.ConfigurationError, match="No space left"):
        ml.save_bundle(trace, tmp_path / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


class Authority:
    """A time-stamp authority that is ``openssl ts`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.run("genpkey", *curve, "-out", "ca.key")
        root = ("-x509", "-new", "-subj", "/CN=root", "-days", "9")
        self.run("req", *root, "-key", "ca.key", "-out", "ca.pem")
        self.run("genpkey", *curve, "-out", "tsa.key")
        self.run("req", "-new", "-key", "tsa.key", "-subj", "/CN=tsa", "-out", "tsa.csr")
        (folder / "ext").write_text(
            "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
            "basicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
        )
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-extfile", "ext")
        self.run("x509", "-req", "-in", "tsa.csr", *signed, "-days", "9", "-out", "tsa.pem")
        (folder / "serial").write_text("01\n")
        (folder / "ts.cnf").write_text(
            "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ncrypto_device = builtin\n"
            "signer_cert = tsa.pem\nsigner_key = tsa.key\nsigner_digest = sha256\n"
            "default_policy = 1.2.3.4.1\ndigests = sha256, sha512\naccuracy = secs:1\n"
            "ess_cert_id_alg = sha256\n"
        )

    def run(self, *arguments: str) -> None:
        program = shutil.which("openssl") or "openssl"
        subprocess.run([program, *arguments], cwd=self.folder, check=True, capture_output=True)

    def __call__(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        self.run("ts", "-reply", "-config", "ts.cnf", "-queryfile", "request", "-out", "answer")
        return (self.folder / "answer").read_bytes()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_time_stamp_is_verified(tmp_path: Path, keys: tuple[Path, Path]):
    authority = Authority(tmp_path)
    trace = ml.connect(DEMO_STORE).upstream(MODEL, max_hops=1)
    bundle = ml.save_bundle(trace, tmp_path / "b", key=keys[0], timestamp=authority)
    report = ml.verify_bundle(bundle, key=keys[1], tsa_certificates=tmp_path / "ca.pem")
    assert report.ok, report.findings
    assert report.authority_is_trusted
    assert report.stamped_at is not None
    assert not ml.verify_bundle(bundle).authority_is_trusted
    data = ("-data", "b/statement.dsse.json", "-in", "b/timestamp.tsr")
    authority.run("ts", "-verify", *data, "-CAfile", "ca.pem")
    # One of another bundle, and one of an authority that is not trusted.
    stamp = bundle / "timestamp.tsr"
    (tmp_path / "other").mkdir()
    Authority(tmp_path / "other")
    for raw, certificates in (
        (authority(other_request()), "ca.pem"),
        (stamp.read_bytes(), "other/ca.pem"),
    ):
        stamp.write_bytes(raw)
        sealed(bundle, lambda _: None)
        report = ml.verify_bundle(bundle, key=keys[1], tsa_certificates=tmp_path / certificates)
        assert ("untrusted", "timestamp.tsr") in found(report)


def other_request() -> bytes:
    from rfc3161_client import TimestampRequestBuilder

    made: Any = TimestampRequestBuilder().data(b"other").build()
    raw: bytes = made.as_bytes()
    return raw


def test_an_authority_that_answers_nonsense_is_refused(tmp_path: Path):
    trace = ml.connect(DEMO_STORE).upstream(MODEL, max_hops=1)
    for authority in (lambda _: b"nonsense", "ftp://tsa.example", "http://127.0.0.1:9/"):
        with pytest.raises(errors.ConfigurationError, match="time-stamp authority"):
            ml.save_bundle(trace, tmp_path / "b", timestamp=authority)
    assert not (tmp_path / "b").exists()


@pytest.mark.skipif(os.name == "nt", reason="files with holes as POSIX knows them")
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_file_that_grew_beyond_reason_is_named_and_not_read(bundle: Path, is_listed: bool):  # noqa: FBT001 - a parameter
    """A file with holes takes no space on the disk, and would take all memory."""
    size = 1 << 42
    with (bundle / layout.RECORDS).open("r+b") as file:
        file.truncate(size)
    if is_listed:
        manifest = json.loads((bundle / layout.MANIFEST).read_text())
        manifest["files"][layout.RECORDS]["size"] = size
        (bundle / layout.MANIFEST).write_text(canonical_json.dumps(manifest) + "\n")
    findings = ml.verify_bundle(bundle).findings
    [told] = [found.message for found in findings if found.file == layout.RECORDS]
    assert ("holes without content" if is_listed else "more than the 67,108,864") in told
