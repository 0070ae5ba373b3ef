"""A MariaDB server of the benchmarks' own: in a folder, on a free port, gone when the run ends.

The server's programs come from the system (Debian: ``mariadb-server``).
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOST = "127.0.0.1"
USER = "bench"


class MariaDBError(Exception):
    """The server could not be started; the message says why."""


@dataclass
class Server:
    """A running server, and how to reach it."""

    process: subprocess.Popen[bytes]
    port: int
    password: str

    def url(self, database: str) -> str:
        """Return the URL of a database, as ``mlmd_lineage.connect`` takes it."""
        return f"mysql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server and wait until it is gone."""
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(folder: Path, databases: Sequence[str]) -> Server:
    """Start a server on a folder of its own, with these databases and a user who owns them.

    The folder may hold the data of an earlier server: the databases are kept.
    """
    data, socket_file, setup = folder / "data", folder / "server.sock", folder / "setup.sql"
    folder.mkdir(parents=True, exist_ok=True)
    as_root = ["--user=mysql"] if os.geteuid() == 0 else []
    if as_root:
        shutil.chown(folder, "mysql")
    if not data.exists():
        _install(data, as_root)
    password, port = secrets.token_urlsafe(12), _free_port()
    setup.touch(mode=0o600)
    setup.write_text(_setup(databases, password), encoding="utf-8")
    if as_root:
        shutil.chown(setup, "mysql")
    log = folder / "server.log"
    command = [
        _program("mariadbd", "mysqld"),
        "--no-defaults",
        *as_root,
        f"--datadir={data}",
        f"--socket={socket_file}",
        f"--pid-file={folder / 'server.pid'}",
        f"--bind-address={HOST}",
        f"--port={port}",
        f"--init-file={setup}",
        "--local-infile=1",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_general_ci",
        "--innodb-buffer-pool-size=1G",
        "--innodb-log-file-size=512M",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    _wait(process, port, log)
    return Server(process, port, password)


def available() -> bool:
    """Return whether this machine has the server's programs."""
    return (
        _found("mariadbd", "mysqld") is not None
        and _found("mariadb-install-db", "mysql_install_db") is not None
    )


def _found(*names: str) -> str | None:
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return next(filter(None, (shutil.which(name, path=places) for name in names)), None)


def _program(*names: str) -> str:
    found = _found(*names)
    if found is None:
        message = f"{names[0]} is not installed (Debian: apt-get install mariadb-server)"
        raise MariaDBError(message)
    return found


def _install(data: Path, as_root: list[str]) -> None:
    command = [
        _program("mariadb-install-db", "mysql_install_db"),
        "--no-defaults",
        *as_root,
        f"--datadir={data}",
    ]
    done = subprocess.run([*command, "--skip-test-db"], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"the server's data folder could not be made:\n{done.stdout}{done.stderr}"
        raise MariaDBError(message)


def _setup(databases: Sequence[str], password: str) -> str:
    lines = [f"CREATE OR REPLACE USER '{USER}'@'{HOST}' IDENTIFIED BY '{password}';"]
    for database in databases:
        lines.append(f"CREATE DATABASE IF NOT EXISTS `{database}`;")
        lines.append(f"GRANT ALL ON `{database}`.* TO '{USER}'@'{HOST}';")
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    process.kill()
    message = (
        f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
    )
    raise MariaDBError(message)
