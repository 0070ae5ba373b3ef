"""What only MySQL and MariaDB have: twice encoded texts, their own protocol, and their TLS."""

from __future__ import annotations

import contextlib
import gc
import random
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
import sqlite_stores
import waiting
from server_stores import Database, assert_same, secrets_in

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.mysql import connection as mysql_connection
from mlmd_lineage.readers.mysql import packets, reader, row_decoder
from mlmd_lineage.readers.mysql.double_encoding import once_encoded, spellings
from mlmd_lineage.readers.mysql.reader import MySQLReader
from mlmd_lineage.stores import MySQLMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import servers

TEXTS = ["plain", "Zürich", "中文", "\U0001f600", "\x81\x8d", "ÿ€", "Größe\t\n\\'", "x" * 255]


@pytest.fixture
def database(mariadb_server: servers.Server) -> Database:
    return Database(mariadb_server, mariadb_server.new_database())


@pytest.fixture
def by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have rows read as if the server, or this PyMySQL, could do no better."""
    monkeypatch.setattr(row_decoder, "can_read", lambda _connection: False)


def artifacts(texts: list[str]) -> list[dict[str, Any]]:
    return [{"id": n, "type_id": 1, "uri": text} for n, text in enumerate(texts, 1)]


@pytest.mark.parametrize(
    "charset", ["utf8mb4", "utf8", "latin1", "latin1 COLLATE latin1_general_cs"]
)
def test_texts_are_what_they_were_in_any_table(database: Database, charset: str):
    database.create(charset=charset).insert("Artifact", artifacts(TEXTS))
    assert database.reader().read()["Artifact"]["uri"].to_pylist() == TEXTS
    for n, text in enumerate(TEXTS, 1):
        found = database.reader().ask(lambda s, text=text: s.fetch("Artifact", {"uri": [text]}))
        assert [(row[0], row[2]) for row in found] == [(n, text)]


def test_texts_that_another_client_wrote_are_what_they_are(database: Database):
    # Encoded once, as by a client that tells the truth about its character set.
    database.create()
    database.server.execute(
        "INSERT INTO Artifact (id, type_id, uri) VALUES (1, 1, 'Zürich'), (2, 1, '中文')",
        database.name,
    )
    ((raw,),) = database.server.execute("SELECT HEX(uri) FROM Artifact WHERE id = 1", database.name)
    assert raw == "Zürich".encode().hex().upper()
    assert database.reader().read()["Artifact"]["uri"].to_pylist() == ["Zürich", "中文"]
    found = database.reader().ask(lambda s: s.fetch("Artifact", {"uri": ["Zürich"]}))
    assert [row[2] for row in found] == ["Zürich"]


def test_any_bytes_are_a_text_that_can_be_sent_to_mysql():
    for text in TEXTS:
        twice = spellings([text])[-1]
        assert isinstance(twice, str)
        assert once_encoded(twice) == text
    assert once_encoded("ZÃ¼rich") == once_encoded("Zürich") == "Zürich"
    assert spellings(["a", 7]) == ["a", 7]


def test_names_that_become_the_same_are_one(database: Database):
    rows = [{"artifact_id": 1, "name": "ü", "is_custom_property": 0, "int_value": 1}]
    database.create().insert("ArtifactProperty", rows)
    database.server.execute(
        "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property) VALUES (2, 'ü', 0)",
        database.name,
    )
    names = database.reader().read()["ArtifactProperty"]["name"].combine_chunks()
    assert names.to_pylist() == ["ü", "ü"]
    assert names.dictionary.to_pylist() == ["ü"]


def test_a_name_that_needs_quoting(mariadb_server: servers.Server):
    database = Database(mariadb_server, mariadb_server.new_database("a-b `c`"))
    database.create().insert("Artifact", artifacts(["x"]))
    assert database.reader().read()["Artifact"].num_rows == 1


def test_localhost_is_the_tcp_port(database: Database):
    database.create()
    assert database.reader(host="localhost").read()["Artifact"].num_rows == 0


def test_spelled_in_lower_case(database: Database):
    database.create().insert("Artifact", artifacts(["x"]))
    for (table,) in database.run("SHOW TABLES"):
        database.run(
            f"RENAME TABLE {table} TO x_{table}", f"RENAME TABLE x_{table} TO {table.lower()}"
        )
    found = database.reader().read()
    assert found["Artifact"]["uri"].to_pylist() == ["x"]
    assert database.reader().ask(lambda s: len(s.fetch("Artifact", {"id": [1]}))) == 1


def test_this_release_of_pymysql_is_as_fast_as_it_can_be(database: Database):
    with contextlib.closing(mysql_connection.opened(database.store())) as connection:
        assert row_decoder.can_read(connection)


def test_a_server_may_take_its_time(database: Database):
    def question(session: Any) -> object:
        return session._execute("SELECT SLEEP(3.5)", ())

    assert database.create().reader(connect_timeout=3).ask(question) == [(0,)]


@pytest.mark.usefixtures("by_rows")
def test_row_by_row_gives_the_same(database: Database, tmp_path: Path):
    path = sqlite_stores.new_store(tmp_path / "store.db")
    database.create().copy(path)
    assert_same(database.reader().read(), sqlite_stores.reader(path).read())


def test_a_server_that_cuts_answers_is_read_whole(database: Database, tmp_path: Path):
    path = sqlite_stores.new_store(tmp_path / "store.db")
    database.create().copy(path)
    limits = "SET GLOBAL sql_select_limit = {0}", "SET GLOBAL max_join_size = {0}"
    for statement in limits:
        database.server.execute(statement.format(1))
    try:
        found = database.reader().read()
    finally:
        for statement in limits:
            database.server.execute(statement.format(2**64 - 1))
    assert_same(found, sqlite_stores.reader(path).read())


def test_a_server_without_prepared_statements_is_read_row_by_row(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = sqlite_stores.new_store(tmp_path / "store.db")
    database.create().copy(path)
    seen = []
    rows = reader._row_blocks
    monkeypatch.setattr(reader, "_row_blocks", lambda *a: seen.append(a) or rows(*a))
    ((limit,),) = database.server.execute("SELECT @@max_prepared_stmt_count")
    database.server.execute("SET GLOBAL max_prepared_stmt_count = 0")
    try:
        found = database.reader().read()
    finally:
        database.server.execute(f"SET GLOBAL max_prepared_stmt_count = {limit}")
    assert_same(found, sqlite_stores.reader(path).read())
    assert len(seen) == len(found.names)


@pytest.mark.parametrize("way", ["", "by_rows"])
def test_an_interrupt_does_not_wait_for_the_rest(
    database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, way: str
):
    if way:
        request.getfixturevalue(way)
    database.create().insert("Artifact", artifacts(["x" * 1000] * 60_000))

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "_finished", interrupted)
    with pytest.raises(KeyboardInterrupt):
        database.reader().read()
    gc.collect()
    query = f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{database.name}'"  # noqa: S608
    waiting.until(lambda: database.server.execute(query) == [(0,)], "the end of the connection")


LENGTHS = [0, 1, 250, 251, 252, 253, 254, 255, 256, 65_500, 65_535, 65_536, 3_000_000, 16_700_000]


@pytest.mark.parametrize("way", ["", "by_rows"])
def test_texts_of_any_length(database: Database, request: pytest.FixtureRequest, way: str):
    if way:
        request.getfixturevalue(way)
    database.create().insert(
        "ArtifactProperty",
        [
            {"artifact_id": n, "name": "n", "is_custom_property": 0, "string_value": ""}
            for n in range(2 * len(LENGTHS))
        ],
    )
    # The last rows are longer than a packet of MySQL may be.
    for n, length in enumerate(LENGTHS):
        long = f"REPEAT('{n % 10}', {length})"
        database.run(
            f"UPDATE ArtifactProperty SET string_value = {long}, proto_value = {long} "  # noqa: S608
            f"WHERE artifact_id IN ({2 * n}, {2 * n + 1})"
        )
    found = database.reader().read(["ArtifactProperty"])["ArtifactProperty"]
    values = found["string_value"].to_pylist()
    assert [len(value) for value in values] == [length for length in LENGTHS for _ in range(2)]
    assert all(set(value) <= {str(n // 2 % 10)} for n, value in enumerate(values))
    assert found["artifact_id"].to_pylist() == list(range(2 * len(LENGTHS)))


def test_many_rows_of_all_shapes_give_the_same_in_blocks_and_row_by_row(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    dice = random.Random(7)  # noqa: S311 - not for secrets
    rows = [
        {
            "artifact_id": n,
            "name": dice.choice(["a", "zürich", "x" * 200]),
            "is_custom_property": n % 2,
            "int_value": dice.choice([None, 0, -1, 255, 65536]),
            "double_value": dice.choice([None, 0.0, dice.random()]),
            "string_value": dice.choice([None, "", "\0" * 9, "ü" * dice.randrange(300)]),
            "byte_value": dice.choice([None, None, bytes(dice.randrange(99))]),
            "bool_value": dice.choice([None, 0, 1]),
        }
        for n in range(6000)
    ]
    for row in rows:
        if isinstance(row["string_value"], str):
            row["string_value"] = row["string_value"].replace("\0", "0")
    database.create().insert("ArtifactProperty", rows)
    monkeypatch.setattr(packets, "_BLOCK", 20_000)
    found = database.reader().read()
    monkeypatch.setattr(row_decoder, "can_read", lambda _connection: False)
    assert_same(found, database.reader().read())
    assert found["ArtifactProperty"]["byte_value"].to_pylist() == [r["byte_value"] for r in rows]


class Stream:
    """A stream of packets that comes in pieces, and must not be waited on for more."""

    def __init__(self, data: bytes, dice: random.Random) -> None:
        self.raw = self
        self._data = data
        self._dice = dice

    def read1(self, size: int) -> bytes:
        piece = self._data[: self._dice.randrange(1, min(size, 4000))]
        self._data = self._data[len(piece) :]
        return piece

    def readinto(self, buffer: memoryview) -> int:
        assert self._data, "it would wait forever"
        piece = self._data[: min(len(buffer), self._dice.randrange(1, 4000))]
        buffer[: len(piece)] = piece
        self._data = self._data[len(piece) :]
        return len(piece)


def packet(number: int, content: bytes) -> bytes:
    return struct.pack("<I", len(content))[:3] + bytes([number % 256]) + content


END = b"\xfe\0\0\2\0"
ERROR = b"\xff\x29\x05#70100Query was interrupted"


@pytest.mark.parametrize("seed", range(60))
def test_packets_are_found_in_any_stream(seed: int, monkeypatch: pytest.MonkeyPatch):
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    monkeypatch.setattr(packets, "_BLOCK", dice.choice([4096, 9000, 1 << 16]))
    # Few distinct bytes, most of them zero, look like headers everywhere.
    letters = dice.choice([b"\0", b"\0\0\0\1", bytes(range(256)), b"\xff\xfe\0\5"])
    longest = dice.choice([1, 12, 40, 300, 70_000])
    even = dice.random() < 0.3
    rows = [
        b"\0" + bytes(dice.choices(letters, k=longest if even else dice.randrange(1, longest + 1)))
        for _ in range(dice.choice([0, 1, 3, 700 if longest < 1000 else 9]))
    ]
    last = dice.choice([END, END, ERROR])
    data = b"".join(packet(n, content) for n, content in enumerate([*rows, last], 5))
    found: list[bytes] = []

    def read() -> None:
        stream: Any = Stream(data, dice)
        for block, starts in packets.row_packets(stream):
            for start in starts:
                length = int.from_bytes(block[start : start + 3].tobytes(), "little")
                found.append(block[start + 4 : start + 4 + length].tobytes())

    if last == ERROR:
        with pytest.raises(pymysql.Error, match="interrupted"):
            read()
    else:
        read()
    assert found == rows


def test_a_stream_that_breaks_off_is_an_error():
    stream: Any = Stream(packet(1, b"\0abc"), random.Random(1))  # noqa: S311 - not for secrets
    stream.readinto = lambda _buffer: 0
    with pytest.raises(pymysql.OperationalError, match="Lost"):
        list(packets.row_packets(stream))


def test_a_connection_killed_in_mid_table_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    texts = ["x" * 30_000] * 600
    database.create().insert("Artifact", artifacts(texts))
    kills: list[bool] = []
    starts = packets._starts

    def killing(data: Any, filled: int) -> Any:
        if filled > 1_000_000 and not kills:
            kills.append(True)
            database.end_connections()
        return starts(data, filled)

    monkeypatch.setattr(packets, "_starts", killing)
    assert database.reader().read()["Artifact"].num_rows == len(texts)
    assert kills


def test_an_interrupted_query_is_an_error(database: Database, monkeypatch: pytest.MonkeyPatch):
    database.create()

    def interrupted(*_arguments: object) -> Iterator[Any]:
        raise pymysql.OperationalError(1317, "Query execution was interrupted")

    monkeypatch.setattr(row_decoder, "blocks", interrupted)
    with pytest.raises(errors.ReadError, match="Query execution was interrupted"):
        database.reader().read()


# TLS


@pytest.fixture
def tls(mariadb_tls_server: servers.Server) -> Database:
    return Database(mariadb_tls_server, mariadb_tls_server.new_database()).create()


def cipher(store: MySQLMetadataStore) -> str:
    def asked(connection: Any) -> str:
        ((_, name),) = reader._rows(connection, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        return str(name)

    return reader.MySQLReader(store).ask(lambda session: asked(session._connection))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_that_is_checked(tls: Database, host: str):
    assert cipher(tls.store(host=host, ssl_ca=tls.server.ca))
    assert tls.reader(host=host, ssl_ca=tls.server.ca).read()["Artifact"].num_rows == 0


def test_tls_that_is_not_checked(tls: Database):
    assert cipher(tls.store(ssl=True, ssl_verify_server_cert=False))


def test_tls_where_it_is_offered_and_not_asked_for(tls: Database):
    assert cipher(tls.store())
    assert not cipher(tls.store(ssl=False))


def test_tables_come_through_tls(tls: Database):
    texts = [f"{n} " + "x" * 3000 for n in range(2000)]
    tls.insert("Artifact", artifacts(texts))
    found = tls.reader(ssl_ca=tls.server.ca).read()
    assert found["Artifact"]["uri"].to_pylist() == texts


@pytest.mark.parametrize(
    "fields",
    [
        {"ssl_ca": "other_ca"},
        {"ssl": True},
        {"ssl_ca": "ca", "host": "localhost.localdomain"},
        {"ssl_verify_server_cert": True},
    ],
)
def test_a_certificate_that_is_not_trusted_is_an_error(
    tls: Database, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *others, **more: resolve("127.0.0.1", *others, **more)
    )
    if "ssl_ca" in fields:
        fields = {**fields, "ssl_ca": getattr(tls.server, fields["ssl_ca"])}
    with pytest.raises(errors.TLSError, match=r"not trusted.*ssl_ca") as caught:
        tls.reader(**fields).read()
    assert secrets_in(caught.value, tls.server.password) == []


def test_a_file_that_is_no_certificate_is_an_error(tls: Database, tmp_path: Path):
    path = tmp_path / "no.pem"
    path.write_text("no certificate")
    with pytest.raises(errors.TLSError, match="PEM"):
        tls.reader(ssl_ca=path).read()
    with pytest.raises(errors.TLSError, match="PEM"):
        tls.reader(ssl_ca=tls.server.ca, ssl_cert=path, ssl_key=path).read()


@pytest.mark.parametrize(
    "fields", [{"ssl": True}, {"ssl_ca": "ca"}, {"ssl": True, "ssl_verify_server_cert": False}]
)
def test_tls_that_is_not_offered_is_an_error(
    database: Database, mariadb_tls_server: servers.Server, fields: dict[str, Any]
):
    if "ssl_ca" in fields:
        fields = {"ssl_ca": mariadb_tls_server.ca}
    with pytest.raises(errors.TLSError, match="offers no TLS") as caught:
        database.reader(**fields).read()
    assert secrets_in(caught.value, database.server.password) == []


# Servers that ask for what they should not have

GREETING = (
    b"\x0a5.7.0\0" + struct.pack("<I", 1) + b"saltsalt\0" + struct.pack("<HBHH", 0xA20D, 45, 2, 8)
    + bytes([21]) + bytes(10) + b"saltsaltsalt\0" + b"mysql_native_password\0"
)  # fmt: skip
"""A server without TLS."""


@contextlib.contextmanager
def impostor(
    *answers: bytes, logins: int = 99, silent: bool = False, address: str = "127.0.0.1"
) -> Iterator[tuple[int, list[bytes]]]:
    """Greet whoever connects, answer what they say, and note it.

    After so many answers the client is logged in, and counts packets anew. Then the
    connection is closed, by a silent server at the end of the body.
    """
    heard: list[bytes] = []
    left = threading.Event()
    with contextlib.closing(socket.create_server((address, 0))) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(60)
                    connection.sendall(packet(0, GREETING))
                    for n, answer in enumerate(answers):
                        heard.append(connection.recv(10_000))
                        connection.sendall(packet(2 + 2 * n if n < logins else 1, answer))
                    heard.append(connection.recv(10_000))
                    if silent:
                        left.wait()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            left.set()
        thread.join(60)


def store_at(port: int, **fields: Any) -> MySQLMetadataStore:
    given: dict[str, Any] = {"host": "127.0.0.1", "username": "u", "password": "pässword", **fields}
    return MySQLMetadataStore(port=port, database="d", **given)


def other_address() -> str:
    """Return an address of this machine that is not its own loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, contextlib.suppress(OSError):
        link.connect(("192.0.2.1", 9))
        found: str = link.getsockname()[0]
        if not found.startswith("127."):
            return found
    pytest.skip("this machine has no address but its loopback")


@pytest.mark.parametrize("plugin", [b"caching_sha2_password", b"sha256_password"])
@pytest.mark.parametrize("switched", [False, True])
def test_a_key_of_a_server_elsewhere_is_not_taken(
    plugin: bytes, monkeypatch: pytest.MonkeyPatch, *, switched: bool
):
    if not switched:
        greeting = GREETING.replace(b"mysql_native_password", plugin)
        monkeypatch.setitem(globals(), "GREETING", greeting)
    answers = [b"\xfe" + plugin + b"\0" + b"saltsaltsaltsaltsalt\0"] if switched else []
    answers += [b"\1\4"] if plugin.startswith(b"caching") else []
    host = other_address()
    with (
        impostor(*answers, b"\1a public key", address=host) as (port, heard),
        pytest.raises(errors.TLSError, match="anyone in between"),
    ):
        MySQLReader(store_at(port, host=host)).read()
    assert not any("pässword".encode() in said for said in heard)
    assert heard[-1] == b""


def test_nothing_is_sent_where_tls_was_asked_for(mariadb_tls_server: servers.Server):
    with impostor() as (port, heard), pytest.raises(errors.TLSError, match="Nothing was sent"):
        MySQLReader(store_at(port, ssl_ca=mariadb_tls_server.ca)).read()
    assert heard == [b""]


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog"])
def test_a_password_is_not_sent_in_plain_text(plugin: bytes):
    with (
        impostor(b"\xfe" + plugin + b"\0\4Password: ") as (port, heard),
        pytest.raises(errors.TLSError, match="plain text") as caught,
    ):
        MySQLReader(store_at(port)).read()
    assert heard[-1] == b""
    assert not any("pässword".encode() in said for said in heard)
    assert secrets_in(caught.value, "pässword") == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    greeting = GREETING.replace(b"mysql_native_password", b"caching_sha2_password")
    monkeypatch.setitem(globals(), "GREETING", greeting)
    with (
        impostor(b"\1\4", b"\1a public key") as (port, _),
        pytest.raises(errors.AuthenticationError, match=r"ssl=True.*'cryptography'") as caught,
    ):
        MySQLReader(store_at(port)).read()
    assert secrets_in(caught.value, "pässword") == []


LOGGED_IN = b"\0\0\0\2\0\0\0"


def test_no_file_of_this_machine_is_sent(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("the content")
    with (
        impostor(LOGGED_IN, LOGGED_IN, b"\xfb" + bytes(secret), logins=1) as (port, heard),
        pytest.raises(errors.ReadError, match="asked for a file of this machine"),
    ):
        MySQLReader(store_at(port)).read()
    assert not any(b"the content" in said for said in heard)


@pytest.mark.parametrize("answer", [b"\x02", b"\xfc\xff\xff", b"\xfe", b"", b"\x01\x03def"])
def test_bytes_that_are_no_answer(answer: bytes):
    with (
        impostor(LOGGED_IN, LOGGED_IN, answer, logins=1) as (port, _),
        pytest.raises(errors.StoreError),
    ):
        MySQLReader(store_at(port, read_timeout=1)).read()


def test_a_server_that_stops_answering():
    with (
        impostor(LOGGED_IN, LOGGED_IN, logins=1, silent=True) as (port, _),
        pytest.raises(errors.ReadError, match=r"sent nothing for 0\.5 seconds"),
    ):
        MySQLReader(store_at(port, read_timeout=0.5)).read()


@pytest.mark.slow
@pytest.mark.parametrize("logins", [0, 1, 2])
def test_a_question_to_a_server_that_sends_a_byte_at_a_time_ends(logins: int):
    """Each byte comes in time, the answer never: in the login, and after it."""
    left = threading.Event()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not left.is_set():
                    connection, _ = listener.accept()
                    threading.Thread(target=drip, args=[connection], daemon=True).start()

        def drip(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.sendall(packet(0, GREETING))
                for number in range(logins):
                    connection.recv(10_000)
                    connection.sendall(packet(1 if number else 2, LOGGED_IN))
                connection.recv(10_000)
                head = (1 << 20).to_bytes(3, "little")
                connection.sendall(head + (b"\1" if logins else b"\2"))
                while not left.wait(0.05):
                    connection.sendall(b"x")

        threading.Thread(target=serve, daemon=True).start()
        store = store_at(
            listener.getsockname()[1], read_timeout=waiting.LONG, connect_timeout=waiting.LONG
        )
        try:
            with (
                waiting.ends_early(),
                pytest.raises(errors.DeadlineExceededError),
                deadline.Deadline(0.5),
            ):
                MySQLReader(store).read()
            if logins < 2:
                hasty = store.model_copy(update={"connect_timeout": 0.5})
                with waiting.ends_early(), pytest.raises(errors.UnreachableError, match="answer"):
                    MySQLReader(hasty).read()
        finally:
            left.set()


def test_a_server_sends_little_before_the_login():
    with (
        impostor(b"x" * (9 << 20), b"x" * (9 << 20)) as (port, _),
        pytest.raises(errors.StoreError),
    ):
        MySQLReader(store_at(port)).read()


class TestKeysThatServersSend:
    """With caching_sha2_password, and without TLS, on another machine than the client's."""

    @pytest.fixture(autouse=True)
    def _far_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        greeting = GREETING.replace(b"mysql_native_password", b"caching_sha2_password")
        monkeypatch.setitem(globals(), "GREETING", greeting)
        monkeypatch.setattr(mysql_connection, "_is_local", lambda _link: False)

    def test_are_not_taken(self):
        with (
            impostor(b"\1\4", b"\1a public key") as (port, heard),
            pytest.raises(errors.TLSError, match="anyone in between") as caught,
        ):
            MySQLReader(store_at(port)).read()
        assert not any(heard[1:])
        assert secrets_in(caught.value, "pässword") == []

    def test_but_one_that_is_pinned_is(self, tmp_path: Path):
        rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = tmp_path / "server.pem"
        pem.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        with (
            impostor(b"\1\4", LOGGED_IN, b"\xff\x10\x04#08004no more") as (port, heard),
            pytest.raises(errors.StoreError),
        ):
            MySQLReader(store_at(port, server_public_key=pem)).read()
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - MySQL's
        salted = key.decrypt(heard[1][4:], oaep)
        salt = b"saltsalt" + b"saltsaltsalt"
        plain = bytes(a ^ salt[n % len(salt)] for n, a in enumerate(salted))
        assert plain == "pässword".encode() + b"\0"
