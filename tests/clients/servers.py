"""A proxy that misbehaves as it is told, over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Request:
    """What came, and the connection it came on."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    handler: _Handler

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def target(self) -> str:
        """The AWS operation."""
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    def pass_on(self, body: bytes | None = None) -> tuple[int, bytes]:
        """What the server behind answers, to this body or another."""
        upstream = self.handler.server.upstream
        connection = http.client.HTTPConnection(upstream.netloc, timeout=30)
        sent = self.body if body is None else body
        headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Content-Length")}
        connection.request(self.method, self.path, sent, headers)
        response = connection.getresponse()
        answer = response.read()
        self.upstream_headers = dict(response.getheaders())
        connection.close()
        return response.status, answer

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, share: float = 1) -> None:
        """Sends an answer, or the beginning of one."""
        lines = {"Content-Length": str(len(body)), "Content-Type": "application/json", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sent = body[: int(len(body) * share)]
        self.handler.wfile.write(f"HTTP/1.1 {status} Answer\r\n{head}\r\n".encode() + sent)

    def cut(self) -> None:
        """Closes the connection."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)


Step = Callable[[Request], None]


def forward(request: Request) -> None:
    status, body = request.pass_on()
    kept = {
        name: value for name, value in request.upstream_headers.items() if name.lower().startswith(("x-amz", "loc"))
    }
    request.answer(status, body, kept)


def answer(status: int, body: object, **headers: str) -> Step:
    """An answer of our own: JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: request.answer(status, content, named)


def cut(request: Request) -> None:
    """Nothing reaches the server behind."""
    request.cut()


def swallow(request: Request) -> None:
    """The server behind accepts, and its answer is lost."""
    request.pass_on()
    request.cut()


def half(request: Request) -> None:
    """The server behind accepts, and half its answer is lost."""
    status, body = request.pass_on()
    request.answer(status, body, share=0.5)
    request.cut()


def hang(seconds: float) -> Step:
    """The server behind accepts, and its answer does not come."""

    def step(request: Request) -> None:
        request.pass_on()
        time.sleep(seconds)
        request.cut()

    return step


class Proxy:
    """Takes a step of the ``script`` for each request, and passes on what comes after. Keeps the requests."""

    def __init__(self, upstream: str) -> None:
        self.script: deque[Step] = deque()
        self.requests: list[Request] = []
        self._server = _Server(upstream, self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def follow(self, *steps: Step) -> None:
        self.script.extend(steps)

    def reset(self) -> None:
        self.script.clear()
        self.requests.clear()

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str, proxy: Proxy) -> None:
        self.upstream = urlsplit(upstream)
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, dict(self.headers.items()), body, self)
        proxy = self.server.proxy
        proxy.requests.append(request)
        step = proxy.script.popleft() if proxy.script else forward
        step(request)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""
