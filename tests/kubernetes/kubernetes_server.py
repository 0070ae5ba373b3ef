"""A stand-in for a Kubernetes API server, at the HTTP edge: what the client sends really arrives.

It keeps the objects that it is given, each held to Kubernetes' own OpenAPI schema, and plays the
part of the controllers: a Deployment gets a pod, and is ready after some questions; what is deleted
is there for one more question. A port that is forwarded leads to a real MariaDB server, in which
the Secret that the Deployment names becomes the password of root.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import servers

# Read the schemas, of some megabytes, once.
kubernetes_validate.utils.schema_contents = functools.cache(
    kubernetes_validate.utils.schema_contents
)

TOKEN = "a-token-of-the-tests"
VERSION = "1.29"
_PATH = re.compile(
    r"^(?:/api/v1|/apis/apps/v1)/namespaces"
    r"(?:/(?P<namespace>[^/]+)(?:/(?P<kind>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?)?)?$"
)
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455


class ApiServer(ThreadingHTTPServer):
    """The server and the cluster behind it."""

    daemon_threads = True

    def __init__(self, database: servers.Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.database = database
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.namespaces: set[str] = set()
        self.calls: list[str] = []
        self.invalid: list[str] = []
        self.refuse: dict[str, int] = {}
        """Answers by the kind of object: ``{"secrets": 403}``."""
        self.questions_until_ready = 2
        self.waiting_reason = ""
        self.lock = threading.RLock()

    def kubeconfig(self, folder: Path, token: str = TOKEN) -> Path:
        """Write a kubeconfig with the context ``test``."""
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        }
        path.write_text(json.dumps(config))
        return path

    def kinds(self) -> set[str]:
        """Return the kinds of the objects that are there."""
        return {kind for _, kind, _ in self.objects if kind != "pods"}

    def put(self, namespace: str, kind: str, body: dict[str, Any]) -> None:
        """Keep an object, and do what a controller would."""
        name = body["metadata"]["name"]
        self.objects[namespace, kind, name] = body
        if kind != "deployments":
            return
        spec = body["spec"]["template"]["spec"]
        variable = spec["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
        secret = self.objects[namespace, "secrets", variable["name"]]
        password = base64.b64decode(secret["data"][variable["key"]]).decode()
        self.database.execute(
            f"CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}'"
        )
        self.database.execute("GRANT ALL ON metadb.* TO 'root'@'127.0.0.1'")
        self.database.execute("CREATE DATABASE IF NOT EXISTS metadb")
        status: dict[str, Any] = {"phase": "Running"}
        if self.waiting_reason:
            waiting = {"state": {"waiting": {"reason": self.waiting_reason}}, "name": "mysql"}
            status = {"phase": "Pending", "containerStatuses": [_container_status(waiting)]}
        self.objects[namespace, "pods", f"{name}-1"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-1",
                "labels": body["spec"]["template"]["metadata"]["labels"],
            },
            "spec": spec,
            "status": status,
        }

    def ask(self, key: tuple[str, str, str]) -> dict[str, Any] | None:
        """Return an object as one more question finds it."""
        found = self.objects.get(key)
        if found is None:
            return None
        if "deletionTimestamp" in found["metadata"]:
            del self.objects[key]
            if key[1] == "deployments":
                self.objects.pop((key[0], "pods", f"{key[2]}-1"), None)
        elif key[1] == "deployments" and not self.waiting_reason:
            asked = found.setdefault("status", {}).get("observedGeneration", 0) + 1
            found["status"]["observedGeneration"] = asked
            if asked >= self.questions_until_ready:
                found["status"]["availableReplicas"] = 1
        return found


def _container_status(more: dict[str, Any]) -> dict[str, Any]:
    return {"image": "", "imageID": "", "ready": False, "restartCount": 0, **more}


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_DELETE(self) -> None:
        self._handle("DELETE")

    def _handle(self, verb: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        url = urlsplit(self.path)
        match = _PATH.match(url.path)
        assert match is not None, self.path
        namespace, kind, name, sub = match.group("namespace", "kind", "name", "sub")
        with self.server.lock:
            self.server.calls.append(f"{verb} {kind or 'namespaces'}{f'/{sub}' if sub else ''}")
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"reason": "Unauthorized"})
        elif (kind or "namespaces") in self.server.refuse:
            self._answer(self.server.refuse[kind or "namespaces"], {})
        elif sub == "portforward":
            self._forward()
        elif sub == "log":
            self._write(200, b"ready for connections\nline two\n", "text/plain")
        elif verb == "POST":
            self._create(namespace, kind, body)
        elif name is None and kind is not None:
            self._list(namespace, kind, parse_qs(url.query))
        elif kind is None:
            there = namespace in self.server.namespaces
            self._answer(200 if there else 404, {"metadata": {"name": namespace}})
        else:
            self._one(verb, (namespace, kind, name))

    def _create(self, namespace: str | None, kind: str | None, body: dict[str, Any]) -> None:
        try:
            kubernetes_validate.validate(body, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            self.server.invalid.append(f"{body.get('kind')}: {error.message}")
            self._answer(422, {"message": error.message})
            return
        name = body["metadata"]["name"]
        with self.server.lock:
            if kind is None:
                there = name in self.server.namespaces
                self.server.namespaces.add(name)
            else:
                assert namespace is not None
                there = (namespace, kind, name) in self.server.objects
                if not there:
                    self.server.put(namespace, kind, body)
        self._answer(409 if there else 201, body)

    def _list(self, namespace: str, kind: str, query: dict[str, list[str]]) -> None:
        wanted = dict(part.split("=") for part in query["labelSelector"][0].split(","))
        items = [
            found
            for (space, its, _), found in self.server.objects.items()
            if (space, its) == (namespace, kind)
            and wanted.items() <= found["metadata"]["labels"].items()
        ]
        self._answer(200, {"kind": "PodList", "apiVersion": "v1", "items": items})

    def _one(self, verb: str, key: tuple[str, str, str]) -> None:
        with self.server.lock:
            if verb == "DELETE" and key in self.server.objects:
                found: dict[str, Any] | None = self.server.objects[key]
                assert found is not None
                found["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
                answer: dict[str, Any] | None = {"kind": "Status", "apiVersion": "v1"}
            else:
                answer = self.server.ask(key)
        self._answer(200 if answer else 404, answer or {"reason": "NotFound"})

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        self._write(code, json.dumps(body).encode(), "application/json")

    def _write(self, code: int, data: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    # Forwarding: the "v4.channel.k8s.io" protocol in a websocket

    def _forward(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        port = struct.pack("<H", 3306)
        self._send(b"\0" + port)
        self._send(b"\1" + port)
        database = self.server.database
        with socket.create_connection((database.host, database.port)) as server:
            back = threading.Thread(target=self._back, args=(server,), daemon=True)
            back.start()
            with contextlib.suppress(OSError, EOFError):
                while (data := self._receive()) is not None:
                    if data[:1] == b"\0":
                        server.sendall(data[1:])
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _back(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                self._send(b"\0" + data)
            self._send(b"", opcode=8)

    def _send(self, data: bytes, opcode: int = 2) -> None:
        if len(data) < 126:
            head = struct.pack("!BB", 0x80 | opcode, len(data))
        elif len(data) < 65_536:
            head = struct.pack("!BBH", 0x80 | opcode, 126, len(data))
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, len(data))
        self.connection.sendall(head + data)

    def _receive(self) -> bytes | None:
        opcode, length = self._exactly(2)
        opcode, length = opcode & 0x0F, length & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._exactly(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._exactly(8))[0]
        mask = self._exactly(4)
        data = self._exactly(length)
        if opcode == 8:
            return None
        return bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))

    def _exactly(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise EOFError
        return data


@contextlib.contextmanager
def running(database: servers.Server) -> Iterator[ApiServer]:
    """Run the stand-in until the end of the block."""
    with ApiServer(database) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
