"""What each door is invoked with, and which answers are right."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID
from tools.ops.stage import ROOT

# What the Parameter Store has below the stage's path; the event of API Gateway has the token.
PARAMETERS = {
    "telegram-bot-token": TWIN_BOT_TOKEN,
    "telegram-chats": json.dumps({"default": TWIN_CHAT_ID}),
    "http-api-token": "local-token",
}
EVENTS = ROOT / "tests" / "events"
_sequence = itertools.count(4421584500000000017450439091)


class Door(NamedTuple):
    """A way into Botte.

    function: its name in ``.chalice/config.json``. shape: of its event; None if no usual handler has one like it.
    event: of messages with these texts. is_answer: whether Lambda or API Gateway would call it a success.
    """

    name: str
    function: str
    handler: str
    shape: str | None
    event: Callable[[Sequence[str]], object]
    is_answer: Callable[[Any], bool]
    sends: bool = True


def _event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def _direct(texts: Sequence[str]) -> object:
    return {"text": texts[0]}


def _direct_with_id(texts: Sequence[str]) -> object:
    return {"text": texts[0], "id": texts[0]}


def _http(texts: Sequence[str]) -> object:
    return {**_event("apigateway_post"), "body": json.dumps(_direct(texts))}


def _http_with_id(texts: Sequence[str]) -> object:
    return {**_event("apigateway_post"), "body": json.dumps(_direct_with_id(texts))}


def _stream(texts: Sequence[str]) -> object:
    return {"Records": [_stream_record(text) for text in texts]}


def _stream_record(text: str) -> dict[str, Any]:
    record: dict[str, Any] = _event("dynamodb_insert")["Records"][0]
    keys = {"PK": {"S": f"BOTTE_MESSAGE#{text}"}, "SK": {"S": text}}
    image = {**record["dynamodb"]["NewImage"], **keys, "Payload": {"M": {"text": {"S": text}}}}
    record["dynamodb"] |= {"Keys": keys, "NewImage": image, "SequenceNumber": str(next(_sequence))}
    return record


def _queue(texts: Sequence[str]) -> object:
    record = _event("sqs")["Records"][0]
    return {"Records": [{**record, "messageId": text, "body": json.dumps({"text": text})} for text in texts]}


def _schedule(_: Sequence[str]) -> object:
    return _event("schedule")


def _is_message(answer: Any) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get("message_id"), int)


def _is_ok(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("statusCode") == 200


def _is_nothing(answer: Any) -> bool:
    return answer is None


DOORS = [
    Door("lambda", "message", "app.message", "direct", _direct, _is_message),
    Door("lambda with id", "message", "app.message", "direct", _direct_with_id, _is_message),
    Door("http", "api_handler", "app.app", "http_event", _http, _is_ok),
    Door("http with id", "api_handler", "app.app", "http_event", _http_with_id, _is_ok),
    Door("stream", "dynamodb_message", "app.dynamodb_message", "stream", _stream, _is_nothing),
    Door("queue", "sqs_message", "app.sqs_message", "queue", _queue, _is_nothing),
    Door("redeliver", "redeliver", "app.redeliver", None, _schedule, _is_nothing, sends=False),
]
