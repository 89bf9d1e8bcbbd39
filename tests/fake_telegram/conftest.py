"""A fake Telegram per test, and a client that keeps its connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

GROUP_ID = -1002137200685


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true within five seconds."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.005) for _ in range(1000))


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
