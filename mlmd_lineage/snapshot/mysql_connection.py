"""Connections to MySQL and MariaDB, and what their errors mean."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CR, ER

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection

    from mlmd_lineage.stores import MySQLMetadataStore

LOCK_SECONDS = 30
"""How long to wait for a table that someone alters."""

_LOST = {CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR, 0, 1053, 1927, 3169}
_LOCKED = {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}
_NO_DATABASE = {ER.BAD_DB_ERROR}
_AUTHENTICATION = {ER.ACCESS_DENIED_ERROR, 1251, 1275, 1698, 1820, 1862, 2059, 2061, 3118, 4151}
_PERMISSION = {
    ER.DBACCESS_DENIED_ERROR,
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.SPECIFIC_ACCESS_DENIED_ERROR,
    ER.HOST_NOT_PRIVILEGED,
    1370,
}
_FULL = {ER.CON_COUNT_ERROR, ER.HOST_IS_BLOCKED, 1203, 1226}


class LostConnectionError(errors.ReadError):
    """The connection was lost in the midst of a read, which may be tried again."""


@contextlib.contextmanager
def connected(store: MySQLMetadataStore) -> Iterator[Connection[Any]]:
    """Open a connection, and close it whatever happens; PyMySQL's errors become ours."""
    failure: errors.StoreError
    try:
        connection = _opened(store)
        try:
            yield connection
            return
        finally:
            connection.close()
    except (pymysql.Error, OSError) as error:
        failure = explained(error, store)
    # Out here no driver's error hangs on ours, whose frames might show more than they should.
    raise failure


def _opened(store: MySQLMetadataStore) -> Connection[Any]:
    context = _tls(store)
    connection: Any = pymysql.Connection(
        # The certificate is checked against this name; the address is where to connect.
        host=store.host,
        port=store.port,
        user=store.username,
        database=store.database,
        charset="utf8mb4",
        use_unicode=False,
        autocommit=True,
        read_timeout=store.connect_timeout,
        ssl=context,
        ssl_disabled=store.ssl is False,
        auth_plugin_map={"mysql_clear_password": _ClearText, "dialog": _ClearText},
        defer_connect=True,
    )
    failure: errors.StoreError
    try:
        link = socket.create_connection((store.address, store.port), store.connect_timeout)
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # As bytes, which MLMD sends too, and never an argument, which a traceback may show.
            connection.password = (
                b"" if store.password is None else store.password.get_secret_value().encode()
            )
            connection.connect(link)
        except BaseException:
            link.close()
            raise
        finally:
            connection.password = b""
        # From here on a pause means that the server is at work.
        connection._read_timeout = None  # noqa: SLF001 - there is no other way
        return connection  # type: ignore[no-any-return] - mypy sees Any for a deferred connection
    except (pymysql.Error, OSError) as error:
        failure = explained(error, store)
    except errors.StoreError as error:
        failure = error
    except RuntimeError:
        failure = errors.AuthenticationError(
            f"{store.location()} asks for the password in a way that needs either TLS (give the "
            "store ssl=True) or the package 'cryptography' (pip install cryptography)."
        )
    except Exception:  # noqa: BLE001 - whatever PyMySQL makes of bytes that are no MySQL
        failure = errors.UnreachableError(
            f"What answers at {store.location()} is not a MySQL server. Check the port."
        )
    raise failure


class _ClearText:
    """Sends a password as it is, where nobody can listen."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, _packet: Any) -> Any:
        connection = self._connection
        if not connection._secure:  # noqa: SLF001 - there is no other way
            message = (
                f"The server at {connection.host}:{connection.port} asks for the password in "
                "plain text over a connection without TLS. Give the store ssl=True."
            )
            raise errors.TLSError(message)
        connection.write_packet(connection.password + b"\0")
        return connection._read_packet()  # noqa: SLF001


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
        return context
    except (OSError, ValueError) as error:
        failure = errors.TLSError(
            f"The certificates for {store.location()} cannot be used: {_reason(error)}. Check "
            "that ssl_ca, ssl_cert and ssl_key are PEM files, the key without a password."
        )
    raise failure


def explained(error: Exception, store: MySQLMetadataStore) -> errors.StoreError:
    """Return the error of ours that an error of PyMySQL or of the socket means."""
    where = store.location()
    cause = getattr(error, "original_exception", None) or error
    if isinstance(cause, ssl.SSLError):
        return _tls_error(cause, store)
    if isinstance(cause, socket.gaierror):
        return errors.UnreachableError(
            f"{where}: there is no host {store.host!r}. Check its name, and the network."
        )
    if isinstance(cause, TimeoutError):
        return errors.UnreachableError(
            f"{where} did not answer within {store.connect_timeout:g} seconds. Check host and "
            "port, and that no firewall is in between."
        )
    code = error.args[0] if isinstance(error, pymysql.Error) and error.args else None
    if not isinstance(error, pymysql.Error) or code == CR.CR_CONN_HOST_ERROR:
        return errors.UnreachableError(
            f"{where} cannot be reached: {_reason(cause)}. Check host and port, and that the "
            "server runs."
        )
    said = _reason(error)
    if code == CR.CR_SSL_CONNECTION_ERROR:
        return errors.TLSError(
            f"{where} offers no TLS, and the store asks for it. Nothing was sent. Switch it on "
            "in the server, or give the store none of the ssl_ fields."
        )
    if code in _NO_DATABASE:
        return errors.StoreNotFoundError(
            f"{where}: the server has no database {store.database!r}. Check its name."
        )
    if code in _AUTHENTICATION:
        hint = "Check both" if store.password else "No password was given; set one"
        return errors.AuthenticationError(
            f"{where} refuses the user {store.username!r} or the password ({code}: {said}). {hint}."
        )
    if code in _PERMISSION:
        return errors.StorePermissionError(
            f"{where} does not let the user {store.username!r} read ({code}: {said}). Grant it "
            f"SELECT on the database {store.database!r}."
        )
    if code in _LOCKED:
        return errors.LockedStoreError(
            f"{where}: a table stayed locked for {LOCK_SECONDS} seconds; someone alters it. Try "
            "again later."
        )
    if code in _FULL:
        return errors.UnreachableError(
            f"{where} takes no more connections ({code}: {said}). Try again later."
        )
    if code in _LOST:
        return LostConnectionError(f"{where}: the connection was lost while it was read. Try again.")
    return errors.ReadError(f"Reading {where} failed ({code}: {said}).")


def _tls_error(error: ssl.SSLError, store: MySQLMetadataStore) -> errors.TLSError:
    where = store.location()
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "it is not valid"
        return errors.TLSError(
            f"The certificate of {where} is not trusted: {why.rstrip('.')}. Give the authority "
            "that signed it as ssl_ca, and the host by the name that is in it."
        )
    hint = "" if store.tls else " TLS was tried as the server offers it; ssl=False does without."
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
