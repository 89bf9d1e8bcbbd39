"""HTTP/1.1 with keep-alive on one loopback port: the Bot API under /bot, the inbox and its page beside it."""

from __future__ import annotations

import json
import select
import socket
import threading
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any, cast

from tools.dev.fake_telegram.answers import Answer, ApiError
from tools.dev.fake_telegram.bot_door import BotDoor, Delivery
from tools.dev.fake_telegram.files import DOCUMENT_LIMIT
from tools.dev.fake_telegram.inbox import Event, Inbox
from tools.dev.fake_telegram.inbox_door import InboxDoor
from tools.dev.loopback import BodyError, LoopbackServer, read_body, shut

BODY_LIMIT = DOCUMENT_LIMIT + 1024 * 1024  # bytes
HEARTBEAT_SECONDS = 15.0
_UNREAD = {400: "Bad Request", 413: "Request Entity Too Large"}


class Server(LoopbackServer):
    """Raises OSError where the port is taken."""

    def __init__(self, port: int, bot_door: BotDoor, inbox_door: InboxDoor, inbox: Inbox) -> None:
        super().__init__(port, _Handler)
        self.bot_door = bot_door
        self.inbox_door = inbox_door
        self.inbox = inbox
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="fake-telegram", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and every connection."""
        self.stopping.set()
        # One last connection wakes the thread that waits for connections.
        socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        self._thread.join()
        self.server_close()
        self.close_connections()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not self.stopping.is_set():
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    carried_bot_api = False

    @property
    def fake(self) -> Server:
        return cast(Server, self.server)

    def do_GET(self) -> None:
        if self.path.startswith("/bot"):
            self._serve_bot_api()
        else:
            self._serve_inbox()

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """No request log: a Bot API path carries the bot token."""

    def _serve_bot_api(self) -> None:
        if not self.carried_bot_api:
            self.carried_bot_api = True
            self.fake.inbox.count("connections")
        self.fake.inbox.count("requests")
        try:
            body = self._read_body()
        except ApiError as error:
            self._send(error.answer())
            return
        path, _, query = self.path.partition("?")
        content_type = self.headers.get("Content-Type", "")
        delivery = self.fake.bot_door.deliver(path, query, content_type, body)
        self._carry_out(delivery)

    def _carry_out(self, delivery: Delivery) -> None:
        if delivery.wait:
            delivery.released.wait(delivery.wait)
            if self.fake.stopping.is_set() or self._client_is_gone():
                self.fake.inbox.count("ambiguous")
                self._cut()
                return
        if delivery.share_sent == 1:
            self._send(delivery.answer)
            return
        self.fake.inbox.count("ambiguous")
        if delivery.share_sent > 0:
            kept = int(len(delivery.answer.body) * delivery.share_sent)
            self.wfile.write(self._head_of(delivery.answer) + delivery.answer.body[:kept])
        self._cut()

    def _serve_inbox(self) -> None:
        try:
            body = self._read_body()
        except ApiError as error:
            self._send(error.answer())
            return
        path = self.path.partition("?")[0]
        answer = self.fake.inbox_door.answer(
            self.command, path, body, host=self.headers.get("Host", ""), origin=self.headers.get("Origin")
        )
        if path == "/inbox/events" and answer.status == 200:
            self._stream_events()
        else:
            self._send(answer)

    def _stream_events(self) -> None:
        """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
        self.close_connection = True
        last = self.headers.get("Last-Event-ID", "")
        seen = int(last) if last.isdecimal() else self.fake.inbox.last_event_id
        self.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            b"Connection: close\r\n\r\n: connected\n\n"
        )
        while not self.fake.stopping.is_set():
            events = self.fake.inbox.events_after(seen, HEARTBEAT_SECONDS)
            self.wfile.write(b"".join(map(_event_bytes, events)) or b": heartbeat\n\n")
            seen = events[-1].id if events else seen

    def _read_body(self) -> bytes:
        try:
            return read_body(self.headers, self.rfile, BODY_LIMIT)
        except BodyError as error:
            self.close_connection = True
            raise ApiError(error.status, _UNREAD[error.status]) from None

    def _send(self, answer: Answer) -> None:
        # In one piece: head and body then leave in one segment.
        self.wfile.write(self._head_of(answer) + answer.body)

    def _head_of(self, answer: Answer) -> bytes:
        headers = {
            "Server": "nginx",
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            "Connection": "close" if self.close_connection else "keep-alive",
            **(answer.headers or {}),
        }
        first = f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Error')}"
        lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    def _client_is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _cut(self) -> None:
        self.close_connection = True
        shut(self.connection)


def _event_bytes(event: Event) -> bytes:
    body = json.dumps(event.body, ensure_ascii=False)
    return f"id: {event.id}\nevent: {event.name}\ndata: {body}\n\n".encode()
