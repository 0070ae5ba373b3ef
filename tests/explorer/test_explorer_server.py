"""The explorer's server: who is let in, what a page may load, and questions that end early."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import waiting
from starlette.testclient import TestClient

import mlmd_lineage as ml
from mlmd_lineage import deadline, errors
from mlmd_lineage.explorer import api
from mlmd_lineage.explorer.web import connections
from mlmd_lineage.explorer.web.security import HEADERS, Gate
from mlmd_lineage.explorer.web.server import ExplorerServer, application, bind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PORT = 8123
TOKEN = "a-token-of-the-test"
BASE = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def store(shared_stores: Path) -> ml.Store:
    return ml.connect(shared_stores / "tfx_local.db")


@pytest.fixture
def client(store: ml.Store) -> TestClient:
    return TestClient(application(store, Gate(TOKEN, PORT)), base_url=BASE)


@pytest.fixture
def inside(client: TestClient) -> TestClient:
    """Return a browser that opened the address with the token."""
    assert client.get(f"/?token={TOKEN}").status_code == 200
    return client


def asked(client: TestClient, method: str, **parameters: Any) -> httpx.Response:
    return client.get(f"/api/{method}", params={"q": json.dumps(parameters)})


def test_the_first_address_lets_a_browser_in(client: TestClient):
    assert client.get("/").status_code == 403
    assert asked(client, "overview").status_code == 403
    assert client.get("/static/explorer.js").status_code == 403
    assert client.get("/?token=another").status_code == 403
    page = client.get(f"/?token={TOKEN}")
    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert asked(client, "node", key="artifact/1").json()["key"] == "artifact/1"
    assert client.get("/").status_code == 200


def test_the_token_opens_the_page_only(client: TestClient):
    assert client.get(f"/api/overview?token={TOKEN}").status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": f"evil.example:{PORT}"},
        {"host": "127.0.0.1:1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{PORT + 1}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_are_not_answered(inside: TestClient, headers: dict[str, str]):
    refused = inside.get("/api/overview", headers={"sec-fetch-mode": "cors", **headers})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_names_of_this_machine_are(inside: TestClient, host: str):
    headers = {"host": f"{host}:{PORT}", "origin": f"http://{host}:{PORT}"}
    headers["cookie"] = f"mlmd_lineage_explorer_{PORT}={TOKEN}"
    assert inside.get("/api/node?q={}", headers=headers).status_code == 400


def test_a_link_of_another_site_may_open_the_page(client: TestClient):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get(f"/?token={TOKEN}", headers=headers).status_code == 200
    framed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get(f"/?token={TOKEN}", headers=framed).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_only_reads(inside: TestClient, method: str):
    assert inside.request(method, "/api/overview").status_code == 405
    assert inside.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/api/overview", "/api/nothing", "/static/explorer.js", "/x/y"]
)
def test_every_answer_keeps_the_page_apart_from_others(inside: TestClient, path: str):
    for answer in (inside.get(path), inside.get(path, headers={"host": "evil.example"})):
        assert HEADERS.items() <= {name: answer.headers.get(name) for name in HEADERS}.items()
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in inside.get("/").text
    assert "style=" not in inside.get("/").text


def test_no_file_but_those_of_the_front_end_is_given(inside: TestClient):
    for name in ("../api.py", "..%2fapi.py", "%2e%2e/api.py", "__init__.py", "api.py"):
        assert inside.get(f"/static/{name}").status_code == 404


def test_errors_come_as_their_own_sentences(inside: TestClient):
    cases = (
        (asked(inside, "node", key="artifact/99999"), 404, "There is no artifact/99999"),
        (asked(inside, "nod"), 400, "Did you mean 'node'"),
        (inside.get("/api/node?q=[]"), 400, "no JSON object"),
        (inside.get("/api/node?q=" + "[" * 5_000), 400, "no JSON object"),
    )
    for answer, status, said in cases:
        assert answer.status_code == status
        assert said in answer.json()["error"]


def test_faults_of_ours_tell_no_more_than_their_kind(
    inside: TestClient, monkeypatch: pytest.MonkeyPatch
):
    def fail(_: ml.Store) -> None:
        message = "postgresql://user:secret@host/db"
        raise RuntimeError(message)

    monkeypatch.setitem(api.METHODS, "overview", fail)
    answer = asked(inside, "overview")
    assert answer.status_code == 500
    assert answer.json() == {"error": "This should not have happened: RuntimeError."}


def test_no_password_is_told():
    store = ml.connect("mysql://reader:s3cret@127.0.0.1:1/db?connect_timeout=1")
    client = TestClient(application(store, Gate(TOKEN, PORT)), base_url=BASE)
    page = client.get(f"/?token={TOKEN}")
    answer = asked(client, "overview")
    assert answer.status_code == 503
    assert "127.0.0.1" in answer.json()["error"]
    assert "s3cret" not in page.text + answer.text


def test_an_answer_that_takes_too_long_is_given_up(
    store: ml.Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(api.METHODS, "overview", lambda _: slow())
    made = application(store, Gate(TOKEN, PORT), timeout=0.05)
    with TestClient(made, base_url=BASE) as client:
        client.get(f"/?token={TOKEN}")
        answer = asked(client, "overview")
    assert answer.status_code == 504
    assert "longer than the 0.05 seconds" in answer.json()["error"]


def slow(started: threading.Event | None = None) -> None:
    """Answer never, as a statement does that a deadline stops."""
    stopped = threading.Event()
    if started is not None:
        started.set()
    with deadline.stopping(stopped.set):
        assert stopped.wait(waiting.LONG)
        message = "stopped"
        raise errors.ReadError(message)


@pytest.fixture
def running(store: ml.Store) -> Iterator[Callable[..., ExplorerServer]]:
    """Return a function that runs a server for as long as the test."""
    servers: list[tuple[ExplorerServer, threading.Thread]] = []

    def run(**options: Any) -> ExplorerServer:
        server = ExplorerServer(store, **options)
        thread = threading.Thread(target=server.run)
        thread.start()
        servers.append((server, thread))
        waiting.until(lambda: server.started, "the server")
        return server

    yield run
    for server, thread in servers:
        server.stop()
        thread.join(waiting.LONG)


def test_a_request_that_does_not_come_whole_is_not_waited_for(
    running: Callable[..., ExplorerServer], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "SECONDS", 0.05)
    server = running()
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=waiting.LONG) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert connection.recv(1) == b""


@pytest.mark.parametrize("text", ["[" * 15_000, '{"text": "\\ud800"}', "[]", "{", '"x"'])
def test_parameters_that_no_method_can_take_are_refused(inside: TestClient, text: str):
    answer = inside.get("/api/search", params={"q": text})
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "The parameter q of the request is no JSON object.",
    )


def test_a_question_ends_when_its_page_leaves(
    running: Callable[..., ExplorerServer], monkeypatch: pytest.MonkeyPatch
):
    started, ended = threading.Event(), threading.Event()

    def ask(_: ml.Store) -> None:
        try:
            slow(started)
        finally:
            ended.set()

    monkeypatch.setitem(api.METHODS, "overview", ask)
    server = running()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        client.get(server.url())
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/overview", timeout=httpx.Timeout(waiting.LONG, read=0.05))
    assert started.wait(waiting.LONG)
    with waiting.ends_early():
        assert ended.wait(waiting.LONG)


def test_the_server_ends_at_once_though_a_question_is_answered(
    running: Callable[..., ExplorerServer], monkeypatch: pytest.MonkeyPatch
):
    started = threading.Event()
    monkeypatch.setitem(api.METHODS, "overview", lambda _: slow(started))
    server = running()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        client.get(server.url())

        def ask() -> None:
            with httpx.Client(cookies=client.cookies) as other:
                answer = other.get(f"http://127.0.0.1:{server.port}/api/overview", timeout=None)
                assert answer.status_code == 499

        asking = threading.Thread(target=ask)
        asking.start()
        assert started.wait(waiting.LONG)
        with waiting.ends_early():
            server.stop()
            asking.join(waiting.LONG)


def test_a_port_that_is_taken_is_said(running: Callable[..., ExplorerServer]):
    server = running()
    with pytest.raises(errors.ConfigurationError, match=f"port {server.port}: .*--port"):
        bind("127.0.0.1", server.port)
