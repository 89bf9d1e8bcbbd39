"""HTTPS with deadlines: it tells a request that was never sent from one whose answer was lost."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# A connection that lay idle for longer, perhaps in a frozen Lambda, may be dead without our knowing. By the wall clock:
# the monotonic one may stand still while the Lambda is frozen.
_MAX_IDLE_SECONDS = 60.0


class NotSent(Exception):
    """There was no connection: the server knows nothing of the request. The text is the kind of the error alone."""


class AnswerLost(Exception):
    """The request may have been sent, and its answer did not come. The text is the kind of the error alone."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections to a server, such as ``https://localhost:8443``, that are kept alive between requests.

    connect_timeout: seconds for each of connect, TLS handshake and sending. max_answer_bytes: a longer answer is cut to
    nothing, and its connection closed. clock: epoch seconds.
    """

    def __init__(
        self,
        server: str,
        *,
        connect_timeout: float,
        max_answer_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._connect_timeout = connect_timeout
        self._max_answer_bytes = max_answer_bytes
        self._clock = clock
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._last_used = 0.0

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, read_timeout: float) -> Answer:
        """Posts a body, which is not empty, once. read_timeout: seconds for the whole answer, however slowly it drips.

        Both timeouts together are the most that it takes, unless the host has several addresses that are all silent.
        Raises NotSent or AnswerLost.
        """
        timeout = urllib3.Timeout(
            total=self._connect_timeout + read_timeout, connect=self._connect_timeout, read=read_timeout
        )
        try:
            answer = self._fresh_pool().urlopen(
                "POST", path, body, headers, retries=False, redirect=False, timeout=timeout, preload_content=False
            )
            content = answer.read(self._max_answer_bytes + 1)
        except urllib3.exceptions.LocationValueError as error:
            raise NotSent(type(error).__name__) from None
        except (urllib3.exceptions.HTTPError, ValueError) as error:  # the latter of what no header can hold
            raise AnswerLost(type(error).__name__) from None
        if len(content) > self._max_answer_bytes:
            answer.close()
            content = b""
        return Answer(answer.status, answer.headers, content)

    def _fresh_pool(self) -> urllib3.HTTPConnectionPool:
        now = self._clock()
        if self._pool is None or now - self._last_used > _MAX_IDLE_SECONDS:
            manager = urllib3.PoolManager(maxsize=4, ssl_context=tls_context())
            manager.pool_classes_by_scheme = {"http": _HttpConnectionPool, "https": _HttpsConnectionPool}
            self._pool = manager.connection_from_url(self._server)
        self._last_used = now
        return self._pool


def split_url(url: str) -> tuple[str, str]:
    """The server and the path of a URL, without a look at whether it is one."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host, slash + path


@cache
def tls_context() -> ssl.SSLContext:
    """The certificates that are trusted; to read them takes longer than a request."""
    return ssl.create_default_context()


class _TimedStream(io.RawIOBase):
    """What a socket brings until a time of the monotonic clock: each read gets no more than what is left of it."""

    def __init__(self, connection: socket.socket, ends: float) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb", buffering=0)
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._connection.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    """An answer that comes within the socket's timeout as a whole: status, headers and body.

    Python gives that time to each read of a few bytes.
    """

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        timeout = sock.gettimeout()
        super().__init__(sock, *arguments, **options)
        if timeout is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_TimedStream(sock, time.monotonic() + timeout))


class _HttpConnection(urllib3.connection.HTTPConnection):
    response_class = _TimedResponse
    _head: bytes | None = None

    def endheaders(self, *arguments: Any, **options: Any) -> None:
        self._head = b""
        super().endheaders(*arguments, **options)

    def send(self, data: Any) -> None:
        """Sends the head together with the body: a write takes longer than all that comes before it."""
        if self._head == b"":
            self._head = data
        else:
            super().send((self._head or b"") + data)
            self._head = None

    def connect(self) -> None:
        # urllib3 takes a TLS handshake that fails, or takes too long, for a lost answer; but nothing was asked by then.
        try:
            super().connect()
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise NotSent(type(error).__name__) from None


class _HttpsConnection(_HttpConnection, urllib3.connection.HTTPSConnection):
    pass


class _HttpConnectionPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsConnectionPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
