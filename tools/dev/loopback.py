"""What the servers of the twin have in common: connections that can be closed, and the bodies of requests."""

from __future__ import annotations

import http.client
import re
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from email.message import Message
from io import BufferedIOBase
from typing import Any

from tools.dev.settings import LOOPBACK

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;.*)?\r?\n", re.DOTALL)


class LoopbackServer(socketserver.ThreadingTCPServer):
    """A server on 127.0.0.1 with a thread for each connection. Raises OSError where the port is taken."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__((LOOPBACK, port), handler)
        self.port: int = self.server_address[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away in the middle of an answer is its own business.
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class BodyError(Exception):
    """A body that cannot be read. Where the next request begins is not known: the connection has to end."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def shut(connection: socket.socket) -> None:
    """Ends a connection, also under a thread that reads from it."""
    with suppress(OSError):  # where the client was faster
        connection.shutdown(socket.SHUT_RDWR)


def read_body(headers: Message, content: BufferedIOBase, limit: int) -> bytes:
    """The body of a request, of so many bytes at most. Raises BodyError: 400, or 413 where there are more."""
    encoding = headers.get("Transfer-Encoding")
    if encoding is None:
        length = headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]+", length):
            raise BodyError(400)
        return _read(content, int(length), limit)
    if encoding.lower() != "chunked":
        raise BodyError(400)
    return _read_chunks(content, limit)


def _read_chunks(content: BufferedIOBase, limit: int) -> bytes:
    """A body of unknown length: https://www.rfc-editor.org/rfc/rfc9112#section-7.1"""
    body = bytearray()
    while size := _chunk_size(content):
        body += _read(content, size, limit - len(body))
        if content.readline(2) not in (b"\r\n", b"\n"):
            raise BodyError(400)
    try:
        http.client.parse_headers(content)  # the trailers, up to the empty line
    except http.client.HTTPException:
        raise BodyError(400) from None
    return bytes(body)


def _chunk_size(content: BufferedIOBase) -> int:
    found = _CHUNK_SIZE.fullmatch(content.readline(1024))
    if found is None:
        raise BodyError(400)
    return int(found[1], 16)


def _read(content: BufferedIOBase, size: int, limit: int) -> bytes:
    if size > limit:
        raise BodyError(413)
    body = content.read(size)
    if len(body) < size:
        raise BodyError(400)
    return body
