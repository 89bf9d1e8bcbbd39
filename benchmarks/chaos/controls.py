"""Two consumers that break the promise on purpose: the run has to notice."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.chaos.consumers import TIMEOUT_SECONDS, Handlers
from benchmarks.chaos.plan import CHATS
from tools.dev.fake_telegram import TWIN_BOT_TOKEN

_LINES_OF_A_PART = 30


class _Words(NamedTuple):
    chat: str
    text: str


def acknowledge_first() -> Handlers:
    """Answers at once, and sends afterwards: what a killed process had still to send is lost."""
    send = _sender()
    waiting: queue.SimpleQueue[_Words] = queue.SimpleQueue()

    def send_forever() -> None:
        while True:
            with contextlib.suppress(Exception):
                send(waiting.get())

    def take(messages: Iterable[_Words]) -> None:
        for message in messages:
            waiting.put(message)

    threading.Thread(target=send_forever, daemon=True).start()
    return _handlers(take)


def whole_batch() -> Handlers:
    """Sends one after the other and notes nothing: whatever fails brings the whole batch again."""
    send = _sender()

    def take(messages: Iterable[_Words]) -> None:
        for message in messages:
            send(message)

    return _handlers(take)


def _sender() -> Callable[[_Words], None]:
    from chalicelib.telegram.bot_api import Telegram

    telegram = Telegram(
        os.environ["TELEGRAM_API_URL"],
        lambda **_: TWIN_BOT_TOKEN,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
    )

    def send(message: _Words) -> None:
        chat_id, lines = CHATS[message.chat], message.text.splitlines()
        for first in range(0, len(lines), _LINES_OF_A_PART):
            part = "\n".join(lines[first : first + _LINES_OF_A_PART])
            telegram.call("sendMessage", {"chat_id": chat_id, "text": part})

    return send


def _handlers(take: Callable[[Iterable[_Words]], None]) -> Handlers:
    def message(event: Any, context: Any) -> dict[str, object]:
        del context
        take(_words([event]))
        return {"message_id": 1}

    def http(event: Any, context: Any) -> dict[str, object]:
        message(json.loads(event["body"]), context)
        return {"statusCode": 200, "headers": {}, "body": "{}"}

    def stream(event: Any, context: Any) -> None:
        del context
        payloads = (record["dynamodb"]["NewImage"]["Payload"].get("M", {}) for record in event["Records"])
        take(_words({name: value.get("S") for name, value in payload.items()} for payload in payloads))

    def from_queue(event: Any, context: Any) -> None:
        del context
        take(_words(json.loads(record["body"]) for record in event["Records"]))

    def redeliver(event: Any, context: Any) -> None:
        del event, context

    return {
        "http": http,
        "message": message,
        "dynamodb_message": stream,
        "sqs_message": from_queue,
        "redeliver": redeliver,
    }


def _words(messages: Iterable[Mapping[str, Any]]) -> Iterator[_Words]:
    """Those of tidy messages, which name their chat."""
    return (
        _Words(message["chat"], message["text"]) for message in messages if message.get("text") and message.get("chat")
    )
