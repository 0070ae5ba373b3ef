"""Configuration files: whole or not at all, read with care, and gone when they are to be."""

from __future__ import annotations

import copy
import errno
import gc
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.config import atomic_files, json_text, pem
from mlmd_lineage.config.filesystem_schemes import filesystem_scheme
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stacks import stack_export
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.layers import create_project
from mlmd_lineage.stacks.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

METADATA = KINDS["metadata_store"]
SECRET = "pl9-cannot-be-guessed"
MYSQL = {"host": "db.example", "database": "metadb", "username": "reader"}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nQUFB\n-----END PRIVATE KEY-----\n"
DEEP = "[" * 100_000 + "]" * 100_000
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="about permissions of POSIX")


@pytest.fixture(autouse=True)
def folder(config_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLMD_LINEAGE_SECRETS", "file")
    return config_folder


# JSON


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DEEP, "nested more than 64 levels"),
        ("[" * 70 + "]" * 70, "nested more than 64 levels"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('["\\ud800"]', "half of a surrogate pair"),
        ("1" * 5000, "too many digits"),
        ("[NaN]", "NaN is no JSON"),
        ("1e999", "is too large"),
        (b"\xff", "not UTF-8"),
        ("{", "expecting property name"),
    ],
)
def test_json_that_others_wrote(text: str | bytes, told: str):
    with pytest.raises(json_text.JSONTextError, match=told):
        json_text.parse_json(text)


def test_deep_json_is_an_error_wherever_it_stands(folder: Path, monkeypatch: pytest.MonkeyPatch):
    Registry().register(METADATA, "prod", "mysql", {**MYSQL, "password": SECRET})
    for name, ask in {
        "registrations.json": lambda: Registry().view(),
        "secrets.json": secret_store.secrets,
    }.items():
        before = (folder / name).read_bytes()
        (folder / name).write_text(f'{{"version": 1, "secrets": {DEEP}, "stacks": {DEEP}}}')
        with pytest.raises(ml.errors.ConfigurationError, match=f"{name} is damaged"):
            ask()
        (folder / name).write_bytes(before)
    create_project(Path.cwd())
    Path(".mlmd_lineage/registrations.json").write_text(DEEP)
    with pytest.raises(ml.errors.ConfigurationError, match="nested more than"):
        Registry().view()
    with pytest.raises(ml.errors.ConfigurationError, match="no exported stack"):
        stack_export.imported(Registry(user=True), DEEP)
    Path(".mlmd_lineage/registrations.json").unlink()
    monkeypatch.setenv("MLMD_LINEAGE_METADATA_STORE", '{"a":' + DEEP + "}")
    with pytest.raises(ml.errors.ConfigurationError, match="JSON of the metadata store"):
        ml.Stack()


# Secrets


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_key_that_others_can_read_is_refused(folder: Path, mode: int):
    secret_store.register("db", {"password": SECRET})
    (folder / "secrets.key").chmod(mode)
    with pytest.raises(
        ml.errors.ConfigurationError, match=r"can be read by other users.*chmod 600"
    ):
        secret_store.resolved("{{db.password}}")
    (folder / "secrets.key").chmod(0o600)
    assert secret_store.resolved("{{db.password}}") == SECRET


def test_changed_settings_leave_no_secret_behind():
    registry = Registry()
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": SECRET})
    registry.update(METADATA, "prod", {"password": "second", "ssl_ca": CERTIFICATE})
    (only,) = secret_store.secrets()
    assert secret_store.secrets()[only].keys == ("password", "ssl_ca")
    registry.update(METADATA, "prod", {"port": "3307"})
    assert list(secret_store.secrets()) == [only]
    registry.update(METADATA, "prod", {}, remove=["ssl_ca"])
    secret_store.register("db", {"password": SECRET})
    registry.update(METADATA, "prod", {"password": "{{db.password}}"})
    assert list(secret_store.secrets()) == ["db"]
    view = registry.view()
    assert view.make(view.component(METADATA, "prod")).password.get_secret_value() == SECRET


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("name", ["secrets.json", "secrets.enc", "secrets.key"])
def test_secrets_of_another_user_are_not_used(folder: Path, name: str):
    secret_store.register("db", {"password": SECRET})
    os.chown(folder / name, 65534, 65534)
    with pytest.raises(ml.errors.StorePermissionError, match=f"{name} belongs to another user"):
        secret_store.resolved("{{db.password}}")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root")
def test_schemes_of_another_user_are_not_used(folder: Path):
    folder.mkdir()
    file = folder / "filesystem_schemes.json"
    file.write_text('{"minio": {"protocol": "s3"}}')
    assert filesystem_scheme("minio") is not None
    os.chown(file, 65534, 65534)
    with pytest.raises(ml.errors.StorePermissionError, match="belongs to another user"):
        filesystem_scheme("minio")


# Faults while something is written


def failing(nth: int, error: Exception) -> tuple[Callable[[str, Any], Any], list[int]]:
    """Return what makes the nth of all calls fail."""
    calls = [0]

    def wrapped(_name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == nth:
                raise error
            return function(*arguments, **options)

        return call

    return wrapped, calls


def state_of(registry: Registry) -> dict[str, tuple[str, int, str | None]]:
    view = registry.view()
    found = view.components(METADATA)
    made = {name: view.make(each) for name, each in found.items() if name != "default"}
    return {
        name: (each.host, each.port, each.password.get_secret_value() if each.password else None)
        for name, each in made.items()
    }


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "no space"), OSError(errno.EIO, "input/output"), MemoryError()],
    ids=["ENOSPC", "EIO", "memory"],
)
@pytest.mark.parametrize("where", ["user", "project"])
@pytest.mark.slow
def test_a_fault_leaves_the_old_or_the_new_and_never_half(
    where: str, error: Exception, monkeypatch: pytest.MonkeyPatch
):
    """Each call that writes fails in turn, until nothing fails any more."""
    if where == "project":
        create_project(Path.cwd())
    registry = Registry()
    registry.register(METADATA, "prod", "mysql", {**MYSQL, "password": "old"})
    changes: list[tuple[Callable[[], object], dict[str, Any], dict[str, Any]]] = [
        (
            lambda: registry.update(METADATA, "prod", {"port": "3307", "password": "new"}),
            {"prod": ("db.example", 3306, "old")},
            {"prod": ("db.example", 3307, "new")},
        ),
        (
            lambda: registry.register(METADATA, "more", "mysql", {**MYSQL, "password": SECRET}),
            {"prod": ("db.example", 3307, "new")},
            {"prod": ("db.example", 3307, "new"), "more": ("db.example", 3306, SECRET)},
        ),
    ]
    for change, old, new in changes:
        failed = 0
        for nth in range(1, 60):
            assert state_of(registry) == old
            wrap, calls = failing(nth, error)
            with monkeypatch.context() as patched:
                for name in ("fsync", "replace", "chmod"):
                    patched.setattr(f"os.{name}", wrap(name, getattr(os, name)))
                patched.setattr("tempfile.mkstemp", wrap("mkstemp", atomic_files.tempfile.mkstemp))
                try:
                    change()
                except (ml.errors.StorePermissionError, MemoryError):
                    failed += 1
            if state_of(registry) == new:
                break
            assert calls[0] >= nth
        assert failed >= 8
        assert state_of(registry) == new
        # A secret that could not be deleted goes with the next change.
        registry.update(METADATA, "prod", {"port": "3307"})
        used = {name for _, name, _ in secret_store.all_secrets()}
        assert len(used) == len(new)
    assert not list(registry.target.folder.glob(".*.json.??*[!k]"))


@POSIX
def test_a_full_disk_leaves_what_was_there(tmp_path: Path):
    """A real one: a file system of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        file = disk / "registrations.json"
        atomic_files.write_whole(file, b"old")
        with pytest.raises(ml.errors.StorePermissionError, match="no space left"):
            atomic_files.write_whole(file, b"x" * 100_000)
        assert file.read_bytes() == b"old"
        assert [path.name for path in disk.iterdir()] == ["registrations.json"]
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


@POSIX
def test_only_a_file_is_replaced(tmp_path: Path):
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path, kind in ((pipe, "no regular file"), (folder, "a folder")):
        with pytest.raises(ml.errors.StorePermissionError, match=f"is {kind}") as refused:
            atomic_files.write_whole(path, b"new")
        assert "MLMD_LINEAGE_CONFIG" not in str(refused.value), "it is no configuration"
    assert pipe.is_fifo()
    assert not list(folder.iterdir())


# TLS material


def mysql(**fields: Any) -> ml.MySQLMetadataStore:
    return ml.MySQLMetadataStore(**{**MYSQL, **fields})


@POSIX
def test_a_key_goes_with_its_store(folder: Path):
    store = mysql(ssl_ca=CERTIFICATE, ssl_cert=CERTIFICATE, ssl_key=KEY)
    path = Path(str(store.ssl_key))
    assert path.read_text() == KEY
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    if sys.platform == "linux" and Path("/dev/shm").is_dir():  # noqa: S108
        kind = subprocess.run(
            [shutil.which("stat") or "stat", "--file-system", "--format=%T", path],
            capture_output=True,
            text=True,
            check=True,
        )
        assert kind.stdout.strip() == "tmpfs"
        assert not (folder / "tls").exists()
    other = copy.deepcopy(store)
    del store
    gc.collect()
    assert path.read_text() == KEY
    assert mysql(ssl_cert=CERTIFICATE, ssl_key=KEY).ssl_key == other.ssl_key
    del other
    gc.collect()
    assert not path.exists()


def test_a_key_is_never_pickled_and_certificates_are():
    secret_store.register("tls", {"key": KEY})
    store = mysql(ssl_ca=CERTIFICATE, ssl_cert=CERTIFICATE, ssl_key="{{tls.key}}")
    data = pickle.dumps(store)
    assert KEY.split("\n")[1].encode() not in data
    del store
    gc.collect()
    loaded = pickle.loads(data)  # noqa: S301 - our own bytes
    assert loaded.ssl_ca.read_text() == CERTIFICATE
    assert loaded.ssl_key.read_text() == KEY
    with pytest.raises(ml.errors.ConfigurationError, match="private key is not pickled"):
        pickle.dumps(loaded.ssl_key)


@POSIX
def test_keys_go_with_the_process_and_those_of_killed_ones_with_the_next(tmp_path: Path):
    code = (
        "import sys, os, signal, mlmd_lineage as ml\n"
        f"store = ml.MySQLMetadataStore(ssl_cert={CERTIFICATE!r}, ssl_key={KEY!r}, **{MYSQL!r})\n"
        "store.connection_config() if sys.argv[1] == 'pinned' else None\n"
        "print(store.ssl_key, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1] == 'killed' else None\n"
    )

    def run(how: str) -> Path:
        done = subprocess.run(
            [sys.executable, "-c", code, how], capture_output=True, text=True, check=False
        )
        return Path(done.stdout.strip())

    killed = run("killed")
    assert killed.exists()
    assert not run("pinned").exists()
    assert not killed.parent.exists()
    assert tmp_path.exists()


def test_a_library_that_outlives_the_store_still_finds_the_file():
    config = mysql(ssl_ca=CERTIFICATE).connection_config()
    gc.collect()
    assert Path(config.mysql.ssl_options.ca).read_text() == CERTIFICATE  # type: ignore[attr-defined]
    assert pem._kept


# Mistyped URLs


@pytest.mark.parametrize(
    "target",
    [
        f"u:{SECRET}@h/d",
        f"reader:{SECRET}@h:3306/d",
        f"mysql//u:{SECRET}@h/d",
        f"mysql:/u:{SECRET}@h/d",
        f"mysql:u:{SECRET}@h/d",
        f"mysq://u:{SECRET}@h/d",
        f"mysql+pymysql://u:{SECRET}@h/d",
        f"host=h password={SECRET} dbname=d",
        f"jdbc:mysql://h/d?user=u&password={SECRET}",
        f"PASSWORD={SECRET}",
        f"kubeflow://u:{SECRET}@h/ns",
        f"file:u:{SECRET}@h/d",
        f"sqlite://u:{SECRET}@h/d",
        f"grpc://u:{SECRET}@h",
        f"mysql://u {SECRET}@h/d",
    ],
)
def test_a_mistyped_url_is_not_repeated(target: str):
    for ask in (ml.connect, lambda text: ml.SQLiteMetadataStore(uri=text)):
        with pytest.raises(ml.MLMDLineageError) as caught:
            ask(target).snapshot()
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["a:b@c.db", "token=x.db", "Kopie: Stand 5.db"])
def test_a_file_of_such_a_name_is_a_file(name: str):
    Path(name).touch()
    with pytest.raises(ml.errors.NotAMetadataStoreError):
        ml.connect(name).snapshot()


def test_json_files_hold_no_secret(folder: Path):
    Registry().register(METADATA, "prod", "mysql", {**MYSQL, "password": SECRET})
    create_project(Path.cwd())
    Registry().register(METADATA, "here", "mysql", {**MYSQL, "password": SECRET})
    for path in (*folder.iterdir(), *Path(".mlmd_lineage").iterdir()):
        assert SECRET.encode() not in path.read_bytes()
    hosts = json.loads((folder / "secrets.json").read_text())["projects"]
    assert list(hosts) == [str(Path.cwd())]
