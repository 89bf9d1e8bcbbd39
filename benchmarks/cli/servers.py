"""Where the messages go: a stand-in for Botte's HTTP door, and the fake Telegram at the address of the real one."""

from __future__ import annotations

import json
import ssl
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

API_TOKEN = "local-token"
HOSTS = ("127.0.0.1", "api.telegram.org")  # for which the certificate has to be


class Servers:
    """Both servers, on free ports; a context manager. tls: has the certificate for ``HOSTS``.

    door_url: answers `POST /message` as Botte does. proxy_url: for HTTPS_PROXY, leads to the fake Telegram.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._telegram = FakeTelegram(pace=None)
        self._door = _Server(tls, self._telegram)
        self._door.socket = tls.wrap_socket(self._door.socket, server_side=True)
        self._proxy = _Server(tls, self._telegram)
        self.door_url = f"https://127.0.0.1:{self._door.server_port}"
        self.proxy_url = f"http://127.0.0.1:{self._proxy.server_port}"

    def count(self, text: str) -> int:
        """How often a text has arrived."""
        return self._door.texts.count(text) + [message["text"] for message in self._telegram.messages].count(text)

    def __enter__(self) -> Servers:
        self._telegram.start()
        for server in (self._door, self._proxy):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._door, self._proxy):
            server.shutdown()
            server.server_close()
        self._telegram.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext, telegram: FakeTelegram) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.telegram = telegram
        self.texts: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_CONNECT(self) -> None:
        """Goes on in TLS, as whoever was asked for: what a proxy's client then sends is for Telegram."""
        self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        self.request = cast(_Server, self.server).tls.wrap_socket(self.request, server_side=True)
        self.setup()
        self.close_connection = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = self._pass_on(body) if self.path.startswith("/bot") else self._take(body)
        head = f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n"
        self.wfile.write(head.encode() + answer)

    do_GET = do_POST

    def _take(self, body: bytes) -> tuple[int, bytes]:
        server = cast(_Server, self.server)
        if self.path != "/message" or self.headers["Authorization"].removeprefix("Bearer ") != API_TOKEN:
            return 403, b'{"Code": "ForbiddenError", "Message": "wrong path or token"}'
        text = json.loads(body)["text"]
        server.texts.append(text)
        chat = {"id": TWIN_CHAT_ID, "type": "private", "first_name": "You"}
        sender = {"id": int(TWIN_BOT_TOKEN.partition(":")[0]), "is_bot": True, "first_name": "Botte"}
        message = {
            "message_id": len(server.texts),
            "from": sender,
            "chat": chat,
            "date": int(time.time()),
            "text": text,
        }
        return 200, json.dumps(message).encode()

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", cast(_Server, self.server).telegram.port)
        connection.request(self.command, self.path, body, {"Content-Type": self.headers.get("Content-Type", "")})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, answer

    def log_message(self, format: str, *args: object) -> None:
        """A Bot API path carries the bot token."""
