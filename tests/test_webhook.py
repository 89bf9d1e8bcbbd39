"""What a person writes to the bot comes back, once, and nobody else gets in."""

from __future__ import annotations

import json

import pytest

from tests.conftest import OPS_CHAT_ID
from tests.conftest import WEBHOOK_SECRET as SECRET
from tests.doors import Doors, Table, event, texts
from tests.updates import post_update, update
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("/echo hello", "hello"),
        ("/echo@botte_bot  two  words ", "two  words"),
        ("/echo\ntwo\nlines", "two\nlines"),
        ("/start", "Botte brings you messages from your own AWS account."),
        ("/help", "/echo <text> says it back"),
        ("/echo", "I know /failed, /pending, "),
        ("what?", "/status, /echo <text> and /help."),
    ],
)
def test_a_command_typed_to_the_bot_is_answered(webhook: str, telegram: FakeTelegram, written: str, said: str) -> None:
    telegram.receive(written)
    assert telegram.wait_for(lambda messages: len(messages) == 1)
    assert said in telegram.messages[0]["text"]


def test_status_counts_what_is_in_the_table(webhook: str, doors: Doors, telegram: FakeTelegram) -> None:
    doors.post({"text": "kept", "id": "one"})
    telegram.set_fault({"kind": "server_error"})
    doors.post({"text": "later"})
    telegram.set_fault({"kind": "chat_not_found"})
    doors.post({"text": "refused", "id": "two"})
    telegram.set_fault({"kind": "none"})
    post_update(webhook, update("/status"))
    lines = telegram.messages[-1]["text"].splitlines()
    assert lines[0].startswith("Botte ")
    assert lines[1:4] == ["accepted: 3 in the table", "pending: 1", "failed: 1"]
    assert lines[4].startswith("oldest pending: accepted 0 minutes ago")


def test_an_update_that_is_repeated_is_answered_once(webhook: str, telegram: FakeTelegram) -> None:
    assert [post_update(webhook, update("/echo once", update_id=7)).status_code for _ in range(3)] == [200, 200, 200]
    assert texts(telegram.messages) == ["once"]


def test_a_topic_is_answered_in_the_topic(webhook: str, telegram: FakeTelegram) -> None:
    post_update(webhook, update("/echo here", chat_id=OPS_CHAT_ID, is_topic_message=True, message_thread_id=5))
    assert [(m["chat_id"], m["message_thread_id"]) for m in telegram.messages] == [(OPS_CHAT_ID, 5)]


def test_while_telegram_is_down_the_answer_is_kept(
    webhook: str, doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    telegram.set_fault({"kind": "server_error"})
    assert post_update(webhook, update("/echo later", update_id=9)).status_code == 200
    assert table.row("telegram-update-9")["Status"] == "PENDING"


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param(update("/echo hi", chat_id=666), id="chat that is not configured"),
        pytest.param({"update_id": 1, "edited_message": {}}, id="edited message"),
        pytest.param({"update_id": 1, "message": {"chat": {"id": TWIN_CHAT_ID}, "photo": []}}, id="photo"),
        pytest.param([], id="list"),
        pytest.param({"update_id": 1, "message": "x"}, id="text for a message"),
        pytest.param({"update_id": 1, "message": {"chat": "x", "text": "/help"}}, id="text for a chat"),
        pytest.param(None, id="null"),
        pytest.param(update("/echo \u200b"), id="nothing to show"),
        pytest.param(update("/echo hi", update_id=10**300), id="number that makes no id"),
        pytest.param({"update_id": "x" * 5000, "message": {"chat": {"id": "y"}, "text": 1}}, id="nonsense"),
    ],
)
def test_what_is_not_for_botte_is_answered_200_and_ignored(
    webhook: str, telegram: FakeTelegram, table: Table, ignored: object
) -> None:
    assert post_update(webhook, ignored).status_code == 200
    assert telegram.messages == []
    assert table.items() == []


@pytest.mark.parametrize(
    ("secret", "status"),
    [(None, 401), ("", 401), ("wrong", 403), (SECRET[:10], 403), ("local-token", 403)],
)
def test_without_the_webhook_secret_nothing_is_taken(
    webhook: str, telegram: FakeTelegram, secret: str | None, status: int
) -> None:
    answer = post_update(webhook, update("/echo hi"), secret=secret)
    assert (answer.status_code, set(answer.json())) == (status, {"Code", "Message"})
    assert telegram.messages == []


def test_the_webhook_secret_is_no_api_token(doors: Doors) -> None:
    assert doors.post({"text": "x"}, token=SECRET).status_code == 403


def test_the_deployed_handler_takes_an_update(doors: Doors, telegram: FakeTelegram) -> None:
    request = event("apigateway_post")
    request |= {"resource": "/telegram-webhook", "path": "/telegram-webhook"}
    request["requestContext"] |= {"resourcePath": "/telegram-webhook", "path": "/api/telegram-webhook"}
    request["headers"] = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": SECRET}
    request["multiValueHeaders"] = {name: [value] for name, value in request["headers"].items()}
    request["body"] = json.dumps(update("/echo deployed", update_id=11))
    answer = doors.functions.invoke("botte-local", json.dumps(request).encode())
    assert json.loads(answer.body)["statusCode"] == 200
    assert texts(telegram.messages) == ["deployed"]
