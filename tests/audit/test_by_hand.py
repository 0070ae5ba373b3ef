"""``docs/verify-by-hand.md``: its commands, and no program of ours, verify a bundle."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import bundle_keys
import pytest

import mlmd_lineage as ml

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
PAGE = (Path(__file__).parents[2] / "docs" / "verify-by-hand.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TOOLS = ("bash", "sha256sum", "jq", "openssl", "basenc", "paste")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.skipif(sys.platform != "linux", reason="its commands are those of GNU"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by-hand")
    private, public = bundle_keys.key_pair(folder)
    public.rename(folder / "public.pem")
    store = ml.connect(DEMO_STORE)
    trace = store.upstream("artifact/33")
    ml.save_bundle(trace, folder / "model-7.bundle", store=store, key=private)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def run(folder: Path, step: int) -> str:
    """Run the commands of a section, and return what they print."""
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", STEPS[step]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_whole_bundle_is_found_whole(folder: Path):
    assert len(STEPS) == 5
    assert [run(folder, step) for step in range(4)] == ["", PRINTED[0], "", PRINTED[1]]
    assert "execution/41 OUTPUT artifact/33\n" in run(folder, 4)


def test_a_tampered_row_is_found(folder: Path):
    records = folder / "model-7.bundle" / "records.jsonl"
    before = records.read_text()
    records.write_text(before.replace('"COMPLETE"', '"CACHED"', 1))
    assert before != records.read_text()
    assert run(folder, 0).startswith("records.jsonl: FAILED\n")
    assert run(folder, 2).endswith("  execution/41\n")


def test_a_manifest_that_was_changed_is_found(folder: Path):
    manifest = folder / "model-7.bundle" / "bundle.json"
    manifest.write_text(manifest.read_text().replace("tfx_local.db", "another.db"))
    assert "bundle.json: FAILED" in run(folder, 0)
    assert "bundle.json: FAILED" in run(folder, 1)


def test_a_statement_that_was_changed_is_found(folder: Path):
    envelope = folder / "model-7.bundle" / "statement.dsse.json"
    text = envelope.read_text()
    envelope.write_text(text.replace('"payload":"eyJ', '"payload":"eyK'))
    assert envelope.read_text() != text
    assert "Verified Successfully" not in run(folder, 1)


def test_files_and_links_that_were_added_are_found(folder: Path):
    (folder / "model-7.bundle" / "exports" / "mine.txt").write_text("hello")
    (folder / "model-7.bundle" / "link").symlink_to("/etc/hostname")
    printed = run(folder, 0)
    assert "> exports/mine.txt\n" in printed
    assert "./link\n" in printed
