"""The local HTTP door takes what API Gateway takes, and tells nobody what stands in a query."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

import pytest
from chalice.app import Chalice
from chalice.config import Config

from tools.dev.http_door import BODY_LIMIT, HttpDoor

CHUNKED = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
EVERY_BYTE = bytes(range(256))
TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"]


def echo_app() -> Chalice:
    """An app that answers what it was given."""
    app = Chalice(app_name="echo", configure_logs=False)
    app.api.binary_types += ["text/plain"]

    @app.route("/echo", methods=["POST"], content_types=TYPES)
    def echo() -> dict[str, Any]:
        request: Any = app.current_request
        query = request.query_params
        return {
            "body": request.raw_body.hex(),
            "query": {name: query.getlist(name) for name in query} if query else None,
            "x-name": request.headers.get("X-Name"),
        }

    @app.route("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


@pytest.fixture(scope="module")
def door() -> Iterator[HttpDoor]:
    running = HttpDoor(echo_app(), Config(chalice_stage="local"), 0)
    running.start()
    yield running
    running.stop()


class Client:
    """One connection: sends bytes as they are, and reads one answer after the other."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def answer(self, method: str = "POST") -> tuple[int, Any]:
        """The status, and the body as JSON."""
        answer = HTTPResponse(self.socket, method=method)
        answer.begin()
        return answer.status, json.loads(answer.read() or b"null")

    def ask(self, request: bytes) -> tuple[int, Any]:
        self.send(request)
        return self.answer()

    def body(self, request: bytes) -> bytes:
        """The body that the app was given with a request."""
        status, answer = self.ask(request)
        assert status == 200, answer
        return bytes.fromhex(answer["body"])

    @property
    def is_closed(self) -> bool:
        """Whether the other side ends the connection; waits until it says something."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def client(door: HttpDoor) -> Iterator[Client]:
    made = Client(door.url)
    yield made
    made.socket.close()


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        pytest.param(b"5\r\nHello\r\n0\r\n\r\n", b"Hello", id="one"),
        pytest.param(b"5\r\nHello\r\n006\r\n World\r\n0\r\n\r\n", b"Hello World", id="several"),
        pytest.param(b"A \r\n0123456789\r\na;name=x\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2, id="extension"),
        pytest.param(b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", id="line_break"),
        pytest.param(b"2\nHi\n0\n\n", b"Hi", id="bare_line_breaks"),
        pytest.param(b"2\r\nHi\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", b"Hi", id="trailers"),
        pytest.param(b"100\r\n" + EVERY_BYTE + b"\r\n0\r\n\r\n", EVERY_BYTE, id="every_byte"),
        pytest.param(b"0\r\n\r\n", b"", id="empty"),
    ],
)
def test_a_body_in_chunks_is_read_and_the_connection_goes_on(client: Client, chunks: bytes, body: bytes) -> None:
    assert client.body(CHUNKED + chunks) == body
    assert client.body(CHUNKED + b"4\r\nnext\r\n0\r\n\r\n") == b"next"


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"x\r\nHello\r\n0\r\n\r\n", id="no_number"),
        pytest.param(b"-5\r\nHello\r\n", id="negative"),
        pytest.param(b"0x5\r\nHello\r\n", id="prefix"),
        pytest.param(b"\r\nHello\r\n", id="no_size"),
        pytest.param(b"123456789\r\n", id="more_than_32_bits"),
        pytest.param(b"1;" + b"x" * 2000 + b"\r\n", id="long_line"),
        pytest.param(b"4\r\nHello\r\n0\r\n\r\n", id="too_short_for_its_chunk"),
        pytest.param(b"0\r\n" + b"X-Sum: 1\r\n" * 200 + b"\r\n", id="many_trailers"),
    ],
)
def test_chunks_that_cannot_be_read_are_a_bad_request(client: Client, chunks: bytes) -> None:
    assert client.ask(CHUNKED + chunks) == (400, {"message": "Bad Request"})
    assert client.is_closed


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Transfer-Encoding: gzip, chunked", 400),
        (b"Content-Length: many", 400),
        (b"Content-Length: -5", 400),
        (b"Content-Length: %d" % (BODY_LIMIT + 1), 413),
    ],
)
def test_a_body_whose_length_cannot_be_known_or_taken_is_refused(client: Client, head: bytes, status: int) -> None:
    assert client.ask(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")[0] == status
    assert client.is_closed


@pytest.mark.parametrize(
    ("header", "content"), [(b"Transfer-Encoding: chunked", b"5\r\nHel"), (b"Content-Length: 5", b"Hel")]
)
def test_a_body_that_ends_early_does_not_reach_the_app(client: Client, header: bytes, content: bytes) -> None:
    client.send(CHUNKED.replace(b"Transfer-Encoding: chunked", header) + content)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer() == (400, {"message": "Bad Request"})


def test_chunks_of_more_than_ten_megabytes_in_all_are_too_long(client: Client) -> None:
    client.send(CHUNKED + b"%x\r\n" % BODY_LIMIT + bytes(BODY_LIMIT) + b"\r\n1\r\n")
    assert client.answer() == (413, {"message": "Request Too Long"})
    assert client.is_closed


def test_a_client_that_waits_before_it_sends_the_body_is_told_to_go_on(client: Client) -> None:
    client.send(CHUNKED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert client.socket.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.body(b"5\r\nHello\r\n0\r\n\r\n") == b"Hello"


@pytest.mark.parametrize("name", [b"Content-Type", b"content-type"])
@pytest.mark.parametrize("kind", [*TYPES, "text/plain; charset=latin-1", "multipart/form-data; boundary=x"])
def test_the_app_gets_the_very_bytes_of_a_body(client: Client, name: bytes, kind: str) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 256\r\n%s: %s\r\n\r\n" % (name, kind.encode())
    assert client.body(head + EVERY_BYTE) == EVERY_BYTE


def test_a_query_is_decoded_and_names_of_headers_know_no_case(client: Client) -> None:
    query = b"chat=ops&text=a+b%26c%2B%C3%A9&empty=&bare&same=1&same=2"
    head = b"POST /echo?" + query + b" HTTP/1.1\r\nHost: x\r\ncontent-type: text/plain\r\nx-nAmE: n\r\n\r\n"
    status, answer = client.ask(head)
    assert (status, answer["x-name"]) == (200, "n")
    assert answer["query"] == {"chat": ["ops"], "text": ["a b&c+é"], "empty": [""], "bare": [""], "same": ["1", "2"]}


def test_after_an_answer_to_head_comes_the_next_one(client: Client) -> None:
    client.send(b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.answer("HEAD")[0] == 403
    assert client.body(CHUNKED + b"4\r\nnext\r\n0\r\n\r\n") == b"next"


@pytest.mark.parametrize(
    ("request_line", "header", "logged"),
    [
        pytest.param("POST /echo?token=secret HTTP/1.1", "Content-Type: text/plain", '"POST /echo" 200', id="known"),
        pytest.param("POST /nowhere?token=secret HTTP/1.1", "A: b", '"POST /nowhere" 403', id="unknown_route"),
        pytest.param("POST /echo%3ftoken=secret HTTP/1.1", "A: b", '"POST /echo" 403', id="encoded"),
        pytest.param("POST /echo?token=secret two HTTP/1.1", "A: b", '"POST /echo" 400', id="no_request_line"),
        pytest.param("POST /nowhere?token=secret HTTP/1.1", "Authorization: é", "UnicodeEncodeError", id="traceback"),
    ],
)
def test_nothing_tells_the_query_of_a_request(
    client: Client, capfd: pytest.CaptureFixture[str], request_line: str, header: str, logged: str
) -> None:
    client.send(f"{request_line}\r\nConnection: close\r\n{header}\r\n\r\n".encode("latin-1"))
    while client.socket.recv(65536):
        pass
    told = capfd.readouterr().err
    assert logged in told
    assert "secret" not in told


def test_questions_after_the_health_of_the_door_are_not_logged(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    assert client.ask(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") == (200, {"status": "ok"})
    assert capfd.readouterr().err == ""
