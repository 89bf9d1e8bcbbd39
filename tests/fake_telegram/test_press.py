"""Buttons that are pressed, and what the bot answers to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID, Bot
from tests.fake_telegram.test_inbox import server_sent_events
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]
KEYBOARD = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:1"}]]}
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


def test_a_press_is_an_update_of_the_owner(fake: FakeTelegram, send: Post, call: Post) -> None:
    message = send("🔴 disk full", reply_markup=KEYBOARD).json()["result"]
    update = fake.press(message["message_id"], "ack:1")
    query = update["callback_query"]
    assert query["from"] == {"id": TWIN_CHAT_ID, "is_bot": False, "first_name": "Ada"}
    assert (query["message"], query["data"]) == (message, "ack:1")
    assert query["id"].isdecimal()
    assert query["chat_instance"].isdecimal()
    assert call("getUpdates").json()["result"] == [update]
    assert fake.press(1, "ack:1")["callback_query"]["id"] != query["id"]


def test_somebody_else_presses_in_a_group(fake: FakeTelegram, send: Post) -> None:
    send("🔴 disk full", chat_id=GROUP_ID, reply_markup=KEYBOARD)
    query = fake.press(1, "ack:1", user={"id": 7, "first_name": "Anna"})["callback_query"]
    assert query["from"] == {"id": 7, "is_bot": False, "first_name": "Anna"}
    assert query["message"]["chat"]["id"] == GROUP_ID


def test_a_forged_press_carries_what_it_likes(fake: FakeTelegram, send: Post) -> None:
    send("a")
    message = fake.press(1, "x" * 1000, chat_id=GROUP_ID)["callback_query"]["message"]
    assert message == {
        "message_id": 1,
        "chat": {"id": GROUP_ID, "title": "Family", "type": "supergroup"},
        "date": 0,
    }


def test_a_webhook_that_fails_gets_the_press_again(fake: FakeTelegram, send: Post, call: Post, bot: Bot) -> None:
    send("a", reply_markup=KEYBOARD)
    bot.replies.put((500, b""))
    call("setWebhook", url=bot.url)
    update = fake.press(1, "ack:1")
    assert [bot.received.get(timeout=5)[1] for _ in range(2)] == [update, update]


@pytest.mark.parametrize(
    ("allowed", "kinds"),
    [
        (["message"], ["message"]),
        (["Callback_Query"], ["callback_query"]),
        (["message", "callback_query"], ["message", "callback_query"]),
        ([], ["message", "callback_query"]),
        ("nonsense", ["message", "callback_query"]),
        ([1], ["message", "callback_query"]),
    ],
)
def test_only_the_updates_that_the_bot_asked_for_are_made(
    fake: FakeTelegram, call: Post, allowed: object, kinds: list[str]
) -> None:
    call("getUpdates", allowed_updates=allowed)
    fake.receive("a")
    fake.press(1, "x")
    updates = call("getUpdates").json()["result"]  # without the parameter it stays as it is
    assert [kind for update in updates for kind in update if kind != "update_id"] == kinds


def test_a_webhook_asks_for_kinds_of_updates_too(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    call("setWebhook", url=bot.url, allowed_updates=["callback_query"])
    assert call("getWebhookInfo").json()["result"]["allowed_updates"] == ["callback_query"]
    fake.receive("a")
    fake.press(1, "x")
    assert "callback_query" in bot.received.get(timeout=5)[1]
    answer = call("setWebhook", url=bot.url, allowed_updates=["callback_query"])
    assert answer.json()["description"] == "Webhook is already set"
    assert call("setWebhook", url=bot.url, allowed_updates=[]).json()["description"] == "Webhook was set"
    assert "allowed_updates" not in call("getWebhookInfo").json()["result"]


def test_an_answer_is_kept_and_told(fake: FakeTelegram, http: requests.Session, send: Post, call: Post) -> None:
    send("a", chat_id=GROUP_ID, reply_markup=KEYBOARD)
    query_id = fake.press(1, "ack:1")["callback_query"]["id"]
    said = {
        "callback_query_id": query_id,
        "chat_id": GROUP_ID,
        "message_id": 1,
        "data": "ack:1",
        "text": "x" * 200,
        "show_alert": True,
    }
    with requests.get(f"{fake.url}/inbox/events", stream=True, timeout=5) as answer:
        answered = call("answerCallbackQuery", callback_query_id=query_id, text="x" * 200, show_alert=True)
        assert answered.json() == {"ok": True, "result": True}
        assert next(server_sent_events(answer))[1:] == ("callback_answer", said)
    assert fake.callback_answers == [said]
    assert http.get(f"{fake.url}/inbox/answers", timeout=5).json() == [said]
    assert fake.wait_for(lambda messages: len(fake.callback_answers) == 1)
    fake.clear()
    assert fake.callback_answers == []


def test_a_press_is_answered_once(fake: FakeTelegram, call: Post) -> None:
    query_id = fake.press(1, "x")["callback_query"]["id"]
    too_long = call("answerCallbackQuery", callback_query_id=query_id, text="x" * 201)
    assert (too_long.status_code, too_long.json()["description"]) == (400, "Bad Request: MESSAGE_TOO_LONG")
    assert call("answerCallbackQuery", callback_query_id=query_id).status_code == 200
    for unanswerable in (query_id, "1", "", "x"):
        answer = call("answerCallbackQuery", callback_query_id=unanswerable)
        assert (answer.status_code, answer.json()["description"]) == (400, TOO_OLD)


def test_a_press_can_be_answered_for_fifteen_seconds(http: requests.Session) -> None:
    now = [1_700_000_000.0]
    with FakeTelegram(clock=lambda: now[0]) as fake:
        first, second = (fake.press(1, "x")["callback_query"]["id"] for _ in range(2))
        url = f"{fake.url}/bot{TWIN_BOT_TOKEN}/answerCallbackQuery"
        now[0] += 15
        assert http.post(url, json={"callback_query_id": first}, timeout=5).status_code == 200
        now[0] += 1
        assert http.post(url, json={"callback_query_id": second}, timeout=5).json()["description"] == TOO_OLD


def test_a_button_is_pressed_over_http_too(fake: FakeTelegram, http: requests.Session, send: Post, call: Post) -> None:
    send("a", chat_id=GROUP_ID, reply_markup=KEYBOARD)
    url = f"{fake.url}/inbox/press"
    answers = [
        http.post(url, json={"message_id": 1, "data": "ack:1"}, timeout=5),
        http.post(url, json={"message_id": 1, "data": "ack:1", "chat_id": TWIN_CHAT_ID}, timeout=5),
    ]
    assert call("getUpdates").json()["result"] == [answer.json() for answer in answers]
    chats = [answer.json()["callback_query"]["message"]["chat"]["id"] for answer in answers]
    assert chats == [GROUP_ID, TWIN_CHAT_ID]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "message_id"),
        ({"data": "x"}, "message_id"),
        ({"message_id": True, "data": "x"}, "message_id"),
        ({"message_id": 1}, "data"),
        ({"message_id": 1, "data": 5}, "data"),
        ({"message_id": 1, "data": "x", "chat_id": 9}, "chat_id"),
        ({"message_id": 1, "data": "x", "chat_id": "ops"}, "chat_id"),
    ],
)
def test_a_press_that_cannot_be_names_the_field(
    fake: FakeTelegram, http: requests.Session, body: Any, field: str
) -> None:
    answer = http.post(f"{fake.url}/inbox/press", json=body, timeout=5)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
