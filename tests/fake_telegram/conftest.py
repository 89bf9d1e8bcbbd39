"""A fake Telegram per test, a client that keeps its connection, and a webhook."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

GROUP_ID = -1002137200685


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within five seconds."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.005) for _ in range(1000))


class Clock:
    """A clock that a test sets, in epoch seconds."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Bot:
    """A webhook: answers as told, 200 by default, and keeps what came."""

    def __init__(self) -> None:
        self.replies: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self.received: queue.SimpleQueue[tuple[dict[str, str], dict[str, Any]]] = queue.SimpleQueue()
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                bot.received.put((dict(self.headers), body))
                status, reply = (200, b"") if bot.replies.empty() else bot.replies.get()
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def texts(self, count: int) -> list[str]:
        return [self.received.get(timeout=5)[1]["message"]["text"] for _ in range(count)]


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram(
        chats={TWIN_CHAT_ID: "Ada", GROUP_ID: "Family"}, clock=lambda: 1_700_000_000.5, webhook_retry_seconds=0.001
    ) as running:
        yield running


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def call(fake: FakeTelegram, http: requests.Session) -> Callable[..., requests.Response]:
    """Calls a method with JSON parameters."""

    def post(method: str, **parameters: Any) -> requests.Response:
        return http.post(f"{fake.url}/bot{TWIN_BOT_TOKEN}/{method}", json=parameters, timeout=5)

    return post


@pytest.fixture
def send(call: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    """Sends a message to the owner's chat unless another is named."""

    def post(text: str = "hello", **parameters: Any) -> requests.Response:
        return call("sendMessage", **{"chat_id": TWIN_CHAT_ID, "text": text, **parameters})

    return post


@pytest.fixture
def bot() -> Iterator[Bot]:
    webhook = Bot()
    yield webhook
    webhook.server.shutdown()
    webhook.server.server_close()
