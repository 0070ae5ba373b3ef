"""Connections to MySQL and MariaDB, and explanations of their errors."""

# ruff: noqa: SLF001 - PyMySQL has no public way to change a timeout or to ask for TLS

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CR, ER

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.answer_size import ROW, AnswerSize
from mlmd_lineage.readers.database_servers import (
    LOCK_SECONDS,
    NO_CREDENTIALS,
    LostConnectionError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection
    from pymysql.protocol import MysqlPacket

    from mlmd_lineage.stores import MySQLMetadataStore

_STOP_SECONDS = 1.0
_MOST_LOGIN = 16
"""How many MiB a server may send until a user is logged in."""

# What an error's number means: ours, and the rest of the sentence that begins with the store.
# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_MEANINGS: tuple[tuple[set[int], type[errors.StoreError], str], ...] = (
    (
        {CR.CR_SSL_CONNECTION_ERROR},
        errors.TLSError,
        (
            "offers no TLS, and the store asks for it. Nothing was sent. Switch it on in the "
            "server, or give the store none of the ssl_ fields."
        ),
    ),
    (
        {3159},
        errors.TLSError,
        "takes secure connections only. Give the store ssl=True.",
    ),
    (
        {ER.BAD_DB_ERROR},
        errors.StoreNotFoundError,
        "is not there: the server has no database of this name. Check it.",
    ),
    (
        {ER.ACCESS_DENIED_ERROR, 1251, 1275, 1698, 1820, 1862, 2059, 2061, 3118, 4151},
        errors.AuthenticationError,
        "refuses the user {user!r} or the password ({said}). {hint}.",
    ),
    (
        {
            ER.DBACCESS_DENIED_ERROR,
            ER.TABLEACCESS_DENIED_ERROR,
            ER.COLUMNACCESS_DENIED_ERROR,
            ER.SPECIFIC_ACCESS_DENIED_ERROR,
            ER.HOST_NOT_PRIVILEGED,
            1370,
        },
        errors.StorePermissionError,
        "does not let the user {user!r} read ({said}). Grant it SELECT on the database.",
    ),
    (
        {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK},
        errors.LockedStoreError,
        (
            f"has a table that stayed locked for {LOCK_SECONDS} seconds; someone alters it. Try "
            "again later."
        ),
    ),
    (
        {ER.CON_COUNT_ERROR, ER.HOST_IS_BLOCKED, 1203, 1226},
        errors.UnreachableError,
        "takes no more connections ({said}). Try again later.",
    ),
    (
        # 1053 the server shuts down; 1927 and 3169 someone killed the connection
        {CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR, 0, 1053, 1927, 3169},
        LostConnectionError,
        "lost the connection while it was read. Try again.",
    ),
)


def begin_question(connection: Connection[Any], store: MySQLMetadataStore) -> None:
    """Count what a connection receives anew."""
    link: Any = connection
    link.size = AnswerSize(store.location(), store.max_answer)


def stop(store: MySQLMetadataStore, connection: Connection[Any]) -> None:
    """End the statement that runs on a connection: ``KILL QUERY``, which needs no privilege."""
    link: Any = connection  # what is private has no types
    # A server that does not answer, or a byte at a time, is not waited for.
    cut = threading.Timer(_STOP_SECONDS, _cut, [link._sock])
    cut.daemon = True
    cut.start()
    killer: Any = opened(store)
    try:
        with killer.cursor() as cursor:
            cursor.execute(f"KILL QUERY {int(link.thread_id())}")
    finally:
        killer.close()


def _cut(link: socket.socket | None) -> None:
    """End a connection, also where another thread waits for what it sends."""
    if link is not None:
        with contextlib.suppress(OSError):  # it has ended
            link.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def protocol_errors(store: MySQLMetadataStore) -> Iterator[None]:
    """Explain what the driver makes of bytes that no MySQL server sends.

    One of them is the request for a local file, ``LOCAL INFILE``, which is never answered.
    """
    try:
        yield
    except errors.MLMDLineageError:
        raise
    except (
        RuntimeError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        local = "LOAD_LOCAL" in str(error)
    else:
        return
    what = "asked for a file of this machine, which was not sent" if local else "did not answer"
    message = f"{store.location()} {what} as a MySQL server does. Check what it is."
    raise errors.ReadError(message)


def opened(store: MySQLMetadataStore) -> Connection[Any]:
    """Return a new connection, on which each statement is a transaction of its own.

    Raises:
        StoreError: There is none to be had.
    """
    connection = _Connection(
        # The certificate is checked against this name; the address is where to connect.
        host=store.host,
        port=store.port,
        user=store.username,
        database=store.database,
        charset="utf8mb4",
        use_unicode=False,
        autocommit=True,
        read_timeout=store.connect_timeout,
        ssl=_tls(store),
        ssl_disabled=store.ssl is False,
        auth_plugin_map={"mysql_clear_password": _ClearText, "dialog": _ClearText},
        defer_connect=True,
    )
    failure: errors.StoreError
    limit = deadline.Deadline(store.connect_timeout)
    try:
        link = socket.create_connection((store.address, store.port), store.connect_timeout)
        try:
            connection.is_local = _is_local(link)
            if store.server_public_key is not None:
                connection.pin(store.server_public_key.read_bytes())
            with limit, limit.stopping(lambda: _cut(link)):
                _log_in(connection, link, store)
        except BaseException:
            link.close()
            raise
    except errors.StoreError as error:
        failure = error
    except (pymysql.Error, OSError) as error:
        # PyMySQL says no more than that the connection is lost.
        timed_out = "timed out" in str(error) or limit.remaining == 0
        failure = explained(TimeoutError() if timed_out else error, store)
    except RuntimeError:
        failure = errors.AuthenticationError(
            f"{store.location()} asks for the password in a way that needs either TLS (give the "
            "store ssl=True) or the package 'cryptography' (pip install cryptography)."
        )
    except Exception as error:  # noqa: BLE001 - what PyMySQL makes of bytes that are no MySQL
        failure = errors.ReadError(type(error).__name__)
    else:
        return connection
    deadline.check()
    if isinstance(failure, errors.ReadError):
        failure = errors.UnreachableError(
            f"{store.location()} closed the connection before the login. Check that this is the "
            "port of a MySQL server."
        )
    raise failure


def _is_local(link: socket.socket) -> bool:
    """Return whether the other end of a connection is on this machine."""
    return ipaddress.ip_address(link.getpeername()[0]).is_loopback


def _log_in(new: Connection[Any], link: socket.socket, store: MySQLMetadataStore) -> None:
    connection: Any = new  # what is private has no types
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.size = AnswerSize(store.location(), _MOST_LOGIN)
    try:
        # As bytes, which MLMD sends too; and never as an argument, which a traceback may show.
        if store.password is not None:
            connection.password = store.password.get_secret_value().encode()
        connection.connect(link)
    finally:
        connection.password = b""
    connection.size = None
    # From here on a pause means that the server is at work, or stalled.
    connection._read_timeout = store.read_timeout


class _Connection(pymysql.Connection):
    """A connection that encrypts the password for nobody but the server that is meant.

    Without TLS the server may ask for the password encrypted with a key that it sends. Whoever
    stands between sends another, so that only a key that the store has counts, or that of a server
    on this machine, as for MySQL's own client, which asks for ``--get-server-public-key``
    (https://dev.mysql.com/doc/refman/8.0/en/caching-sha2-pluggable-authentication.html).
    """

    is_local = False
    size: AnswerSize | None = None
    """What the question received that is asked now."""
    _key: bytes | None = None
    _is_pinned = False

    @property
    def server_public_key(self) -> bytes | None:
        """The key that encrypts the password."""
        if self._key is None and not self.is_local and self.password:
            raise errors.TLSError(self._refusal())
        return self._key

    @server_public_key.setter
    def server_public_key(self, key: bytes | None) -> None:
        if self._is_pinned or key is None:
            return
        if not self.is_local:
            raise errors.TLSError(self._refusal())
        self._key = key

    def _read_bytes(self, num_bytes: int) -> Any:
        # Of each packet the header is read, and then the row.
        if self.size is not None:
            self.size.add(num_bytes + ROW // 2)
        read: Any = super()._read_bytes  # type: ignore[misc]  # it is private
        return read(num_bytes)

    def _create_ssl_ctx(self, settings: ssl.SSLContext | dict[str, Any]) -> ssl.SSLContext:
        # Where a store says nothing of TLS, PyMySQL uses it if the server offers it and verifies
        # nothing; but it reads all authorities of the system, which takes 40 ms each time.
        if isinstance(settings, ssl.SSLContext) or any(settings.values()):
            made: ssl.SSLContext = super()._create_ssl_ctx(settings)  # type: ignore[misc]  # private
            return made
        return _unverified()

    def pin(self, key: bytes) -> None:
        """Take this key only."""
        self._key, self._is_pinned = key, True

    def _refusal(self) -> str:
        return (
            f"The server at {self.host}:{self.port} asks for the password over a connection "
            "without TLS, encrypted with a key that anyone in between could have sent. Give the "
            "store ssl=True, or the server's own key as server_public_key."
        )


class _ClearText:
    """Sends a password as it is, where nobody can listen."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection: Any = connection

    def authenticate(self, _packet: MysqlPacket) -> MysqlPacket:
        connection = self._connection
        if not connection._secure:
            message = (
                f"The server at {connection.host}:{connection.port} asks for the password in "
                "plain text over a connection without TLS. Give the store ssl=True."
            )
            raise errors.TLSError(message)
        connection.write_packet(connection.password + b"\0")
        packet: MysqlPacket = connection._read_packet()
        return packet


@functools.cache
def _unverified() -> ssl.SSLContext:
    """Return what encrypts a connection, and verifies no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls(store: MySQLMetadataStore) -> ssl.SSLContext | None:
    if not store.tls:
        return None
    failure: errors.TLSError
    try:
        context = ssl.create_default_context(cafile=store.ssl_ca)
        # MySQL makes itself authorities that break the strict rules of Python 3.13.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if store.ssl_verify_server_cert is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if store.ssl_cert is not None and store.ssl_key is not None:
            # A key that has a password is an error; OpenSSL would ask for it on the terminal.
            context.load_cert_chain(store.ssl_cert, store.ssl_key, password=lambda: "")
    except (OSError, ValueError) as error:
        failure = errors.TLSError(
            f"The certificates for {store.location()} cannot be used: {_reason(error)}. Check "
            "that ssl_ca, ssl_cert and ssl_key are PEM files, the key without a password."
        )
    else:
        return context
    raise failure


def explained(error: Exception, store: MySQLMetadataStore) -> errors.StoreError:
    """Return the error of ours that an error of PyMySQL or of the socket means."""
    cause = getattr(error, "original_exception", None) or error
    if isinstance(cause, ssl.SSLError):
        return _tls_error(cause, store)
    if isinstance(cause, OSError):
        return _unreachable(cause, store)
    where, said = store.location(), _reason(error)
    for numbers, ours, sentence in _MEANINGS:
        if error.args and error.args[0] in numbers:
            hint = "Check both" if store.password else NO_CREDENTIALS
            return ours(f"{where} {sentence.format(user=store.username, said=said, hint=hint)}")
    return errors.ReadError(f"Reading {where} failed: {said}.")


def _unreachable(error: OSError, store: MySQLMetadataStore) -> errors.UnreachableError:
    where = store.location()
    if isinstance(error, socket.gaierror):
        return errors.UnreachableError(
            f"{where}: there is no host {store.host!r}. Check its name, and the network."
        )
    if isinstance(error, TimeoutError):
        return errors.UnreachableError(
            f"{where} did not answer within {store.connect_timeout:g} seconds. Check host and "
            "port, and that no firewall is in between."
        )
    return errors.UnreachableError(
        f"{where} cannot be reached: {_reason(error)}. Check host and port, and that the server "
        "runs."
    )


def _tls_error(error: ssl.SSLError, store: MySQLMetadataStore) -> errors.TLSError:
    where = store.location()
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "it is not valid"
        return errors.TLSError(
            f"The certificate of {where} is not trusted: {why.rstrip('.')}. Give the authority "
            "that signed it as ssl_ca, and the host by the name that is in it."
        )
    hint = "" if store.tls else " The server offers TLS, so it was tried; ssl=False turns it off."
    return errors.TLSError(f"{where}: no secure connection ({_reason(error)}).{hint}")


def _reason(error: BaseException) -> str:
    if isinstance(error, pymysql.Error):
        said = str(error.args[1]) if len(error.args) > 1 else str(error)
    elif isinstance(error, ssl.SSLError):
        said = (error.reason or str(error)).replace("_", " ").lower()
    else:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    lines = said.strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
