"""Real MariaDB and PostgreSQL servers, in temporary folders, for the length of a test session.

``with mariadb() as server:`` starts one on a free port of 127.0.0.1 and stops it by its process id.
Run by root, who may not run PostgreSQL, the server becomes the user that its package created.
Whatever is missing on the machine is a ``MissingServerError``, whose text is the reason to skip.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

USER = "mlmd"
PASSWORD = "s3cret:/@%?#"
"""Holds what a URL must quote, and is easy to look for where no password may be."""

START_SECONDS = 60
STOP_SECONDS = 20
PORTS = 5
"""How many ports are tried: between its choice and the server's start, anybody may take one."""
_PORT_TAKEN = "address already in use"


class MissingServerError(Exception):
    """A server cannot be had on this machine; the text says why, in one line."""


@dataclass
class Server:
    """A running server, with a user who may do everything over TCP."""

    scheme: str
    port: int
    connect: Callable[[Server, str | None], Any] = field(repr=False)
    quote: str
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD
    ca: Path | None = None
    """The authority that signed the server's certificate, where it has one."""
    other_ca: Path | None = None
    """An authority that signed nothing."""
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def new_database(self, name: str | None = None) -> str:
        """Create an empty database and return its name: ``name``, or one not used before."""
        name = f"db_{next(self._numbers)}" if name is None else name
        quoted = name.replace(self.quote, self.quote * 2)
        self.execute(f"CREATE DATABASE {self.quote}{quoted}{self.quote}")
        return name

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement, committed at once, and return its rows."""
        with (
            contextlib.closing(self.connect(self, database)) as connection,
            contextlib.closing(connection.cursor()) as cursor,
        ):
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def url(self, database: str, **query: str | Path) -> str:
        """Return the URL of a database, password included."""
        text = (
            f"{self.scheme}://{self.user}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(database, safe='')}"
        )
        return f"{text}?{urlencode(query)}" if query else text


@contextlib.contextmanager
def mariadb(*, tls: bool = False) -> Iterator[Server]:
    """Run a MariaDB server, with ``tls`` one that offers TLS and with it the certificates."""
    program = _find("mariadbd", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/opt/mariadb/bin")
    install = _find("mariadb-install-db", str(program.parent), "/usr/bin")
    owner = _owner("mysql", "nobody")
    with _folder(owner) as folder:
        _run(
            [
                install,
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            folder,
            owner,
        )
        grants = folder / "grants.sql"
        grants.write_text(
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        )
        server = Server("mysql", 0, _connect_mariadb, "`")
        options = ["--skip-ssl"]  # MariaDB 11.4 makes itself a certificate where it has none
        if tls:
            certificate, key = _certify(server, folder, owner)
            options = [f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={server.ca}"]

        def command(port: int) -> list[str | Path]:
            return [
                program,
                "--no-defaults",
                f"--datadir={folder / 'data'}",
                f"--port={port}",
                f"--bind-address={server.host}",
                f"--socket={folder / 's'}",
                f"--pid-file={folder / 'pid'}",
                f"--init-file={grants}",
                "--skip-name-resolve",
                # As distributions set it. Compiled in is latin1, up to 11.5.
                "--character-set-server=utf8mb4",
                "--collation-server=utf8mb4_general_ci",
                "--innodb-flush-log-at-trx-commit=0",
                *options,
            ]

        with _process(command, folder, owner, server):
            yield server


@contextlib.contextmanager
def postgresql(*, tls: bool = False) -> Iterator[Server]:
    """Run a PostgreSQL server, with ``tls`` one that offers TLS and with it the certificates."""
    program = _find("postgres", *_postgresql_folders())
    owner = _owner("postgres", "nobody")
    with _folder(owner) as folder:
        password = folder / "password"
        password.write_text(PASSWORD)
        _run(
            [
                program.with_name("initdb"),
                f"--pgdata={folder / 'data'}",
                f"--username={USER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            folder,
            owner,
        )
        server = Server("postgresql", 0, _connect_postgresql, '"')
        settings = {
            "listen_addresses": server.host,
            "unix_socket_directories": folder,
            "fsync": "off",
        }
        if tls:
            certificate, key = _certify(server, folder, owner)
            settings |= {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}

        def command(port: int) -> list[str | Path]:
            given = [f"{key}={value}" for key, value in {"port": port, **settings}.items()]
            return [program, "-D", folder / "data", *(w for text in given for w in ("-c", text))]

        with _process(command, folder, owner, server):
            yield server


def _connect_mariadb(server: Server, database: str | None) -> Any:
    import pymysql

    return pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database=database,
        autocommit=True,
        ssl_disabled=True,
    )


def _connect_postgresql(server: Server, database: str | None) -> Any:
    from adbc_driver_manager import AdbcConnection, dbapi

    url = server.url(database or "postgres", sslmode="disable", gssencmode="disable")
    opened = _postgresql_database(url)
    return dbapi.Connection(opened, AdbcConnection(opened._db), autocommit=True)


@functools.lru_cache(maxsize=8)
def _postgresql_database(url: str) -> Any:
    """Open a database, to make connections to it.

    The driver reads all types of a database when it opens it, which takes 30 ms.
    """
    from adbc_driver_postgresql import dbapi

    with contextlib.closing(dbapi.connect(url, autocommit=True)) as connection:
        return connection._db.clone()


def _postgresql_folders() -> list[str]:
    """Return where distributions keep PostgreSQL's servers, the newest version first."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.is_dir()]
    found.sort(key=lambda path: [int(part) for part in path.parent.name.split(".")], reverse=True)
    return [*map(str, found), "/usr/local/sbin", "/usr/local/bin"]


def _find(program: str, *folders: str) -> Path:
    """Find a program on PATH or in folders that distributions keep off it."""
    found = shutil.which(program, path=os.pathsep.join([*os.get_exec_path(), *folders]))
    if found is None:
        msg = f"no {program} found"
        raise MissingServerError(msg)
    return Path(found).resolve() if program == "postgres" else Path(found)


def _owner(*names: str) -> pwd.struct_passwd | None:
    """Return the first of these users, for root to run a server as; nobody else needs one."""
    if os.geteuid() != 0:
        return None
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    msg = f"root needs one of the users {', '.join(names)} to run the server as"
    raise MissingServerError(msg)


@contextlib.contextmanager
def _folder(owner: pwd.struct_passwd | None) -> Iterator[Path]:
    """Make a folder that belongs to the server: pytest's own are closed to other users.

    Its path is short, as a socket in it may have no more than 107 characters.
    """
    with tempfile.TemporaryDirectory(prefix="mlmd-", dir=_short_folder()) as name:
        folder = Path(name)
        _give(folder, owner)
        yield folder


def _short_folder() -> str:
    """Return the folder for temporary files, unless its path leaves too little for a socket's."""
    folder = tempfile.gettempdir()
    return folder if len(folder) < 60 else "/tmp"  # noqa: S108


def _give(path: Path, owner: pwd.struct_passwd | None) -> None:
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _identity(owner: pwd.struct_passwd | None, folder: Path) -> dict[str, Any]:
    """Return the arguments with which ``subprocess`` becomes the owner, with its own folder."""
    environment = {"env": os.environ | {"TMPDIR": str(folder)}}
    if owner is None:
        return environment
    return environment | {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _certify(server: Server, folder: Path, owner: pwd.struct_passwd | None) -> tuple[Path, Path]:
    """Sign a certificate for the server; return it and its key, both readable by the server."""
    import trustme

    authority = trustme.CA()
    server.ca, server.other_ca = folder / "ca.pem", folder / "other-ca.pem"
    authority.cert_pem.write_to_path(str(server.ca))
    trustme.CA().cert_pem.write_to_path(str(server.other_ca))
    issued = authority.issue_cert(server.host, "localhost")
    certificate, key = folder / "server.pem", folder / "server.key"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(certificate), append=True)
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(key), append=True)
    for path in (server.ca, certificate, key):
        _give(path, owner)
    return certificate, key


def _run(command: Sequence[str | Path], folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Run a program that prepares the server's data."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, **_identity(owner, folder)
    )
    if done.returncode:
        msg = f"{Path(command[0]).name} failed: {_last_line(done.stderr or done.stdout)}"
        raise MissingServerError(msg)


@contextlib.contextmanager
def _process(
    command: Callable[[int], Sequence[str | Path]],
    folder: Path,
    owner: pwd.struct_passwd | None,
    server: Server,
) -> Iterator[None]:
    """Run the server until the end of the block, however that ends."""
    process = _started(command, folder, owner, server)
    try:
        yield
    finally:
        _stop(process, server)


def _started(
    command: Callable[[int], Sequence[str | Path]],
    folder: Path,
    owner: pwd.struct_passwd | None,
    server: Server,
) -> subprocess.Popen[bytes]:
    """Start the server on a free port; on another, where somebody else takes it meanwhile."""
    log = folder / "log"
    for tries_left in reversed(range(PORTS)):
        server.port = free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(server.port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is pytest's; the server is stopped after the tests
                **_identity(owner, folder),
            )
        try:
            _wait(process, server, folder)
        except BaseException as error:
            _stop(process, server)
            text = log.read_text(errors="replace").lower()
            if not (isinstance(error, MissingServerError) and tries_left and _PORT_TAKEN in text):
                raise
        else:
            return process
    raise AssertionError  # the last try raises or returns


def _stop(process: subprocess.Popen[bytes], server: Server) -> None:
    # PostgreSQL waits on SIGTERM for clients to leave, and on SIGINT sends them away.
    process.send_signal(2 if server.scheme == "postgresql" else 15)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], server: Server, folder: Path) -> None:
    """Wait until the server lets its user in.

    Another server that has taken the port lets the same user in, so each is asked for its data.
    """
    name = Path(str(process.args[0])).name  # type: ignore[index]
    is_mysql = server.scheme == "mysql"
    asked = "SELECT @@datadir" if is_mysql else "SELECT current_setting('data_directory')"
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        try:
            [(data,)] = server.execute(asked)
        except Exception as error:
            # Each driver has errors of its own; here all of them mean: not yet.
            if time.monotonic() > deadline:
                msg = f"{name} did not answer within {START_SECONDS} seconds: {error}"
                raise MissingServerError(msg) from error
        else:
            if Path(data).resolve() == (folder / "data").resolve():
                return
        time.sleep(0.1)
    msg = f"{name} did not start: {_last_line((folder / 'log').read_text(errors='replace'))}"
    raise MissingServerError(msg)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
