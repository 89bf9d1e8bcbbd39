"""People writing to the bot: getUpdates and webhooks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID, Bot, eventually
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]


def test_what_a_person_writes_is_fetched_as_an_update(fake: FakeTelegram, call: Post) -> None:
    update = fake.receive("/echo@botte_bot hi")
    assert call("getUpdates").json() == {"ok": True, "result": [update]}
    assert update["message"]["chat"] == {"id": TWIN_CHAT_ID, "first_name": "Ada", "type": "private"}
    assert update["message"]["from"] == {"id": TWIN_CHAT_ID, "is_bot": False, "first_name": "Ada"}
    assert update["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 15}]


def test_an_offset_confirms_the_updates_before_it(fake: FakeTelegram, call: Post) -> None:
    first, second, third = (fake.receive(text) for text in ("a", "b", "c"))
    assert call("getUpdates", limit=2).json()["result"] == [first, second]
    assert call("getUpdates", offset=second["update_id"]).json()["result"] == [second, third]
    assert call("getUpdates").json()["result"] == [second, third]
    assert call("getUpdates", offset=-1).json()["result"] == [third]


def test_the_place_of_a_command_is_counted_in_utf16_units(fake: FakeTelegram) -> None:
    entities = fake.receive("😀 /start")["message"]["entities"]
    assert entities == [{"type": "bot_command", "offset": 3, "length": 6}]


def test_update_ids_increase_by_one(fake: FakeTelegram) -> None:
    first, second = fake.receive("a"), fake.receive("b")
    assert second["update_id"] == first["update_id"] + 1


def test_a_long_poll_ends_when_someone_writes(fake: FakeTelegram, call: Post) -> None:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call("getUpdates", timeout=30).json()), daemon=True)
    thread.start()
    assert eventually(lambda: fake.requests == 1)
    update = fake.receive("hello")
    thread.join(5)
    assert answers[0]["result"] == [update]


def test_a_second_long_poll_ends_the_first(fake: FakeTelegram, call: Post) -> None:
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(call("getUpdates", timeout=30)), daemon=True)
    thread.start()
    assert eventually(lambda: fake.requests == 1)
    with requests.Session() as other:
        assert eventually(lambda: _poll(fake, other) == [] and not thread.is_alive())
    assert answers[0].status_code == 409
    assert answers[0].json()["description"] == (
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    )


def _poll(fake: FakeTelegram, session: requests.Session) -> object:
    return session.get(f"{fake.url}/bot{TWIN_BOT_TOKEN}/getUpdates", timeout=5).json()["result"]


def test_a_webhook_gets_the_update_and_its_secret(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    answer = call("setWebhook", url=bot.url, secret_token="s3cret-Token_1")
    assert answer.json() == {"ok": True, "result": True, "description": "Webhook was set"}
    update = fake.receive("hello")
    headers, body = bot.received.get(timeout=5)
    assert body == update
    assert headers["X-Telegram-Bot-Api-Secret-Token"] == "s3cret-Token_1"
    assert headers["Content-Type"] == "application/json"


def test_a_webhook_without_secret_gets_no_header(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    call("setWebhook", url=bot.url)
    fake.receive("hello")
    assert "X-Telegram-Bot-Api-Secret-Token" not in bot.received.get(timeout=5)[0]


def test_a_webhook_that_fails_is_tried_again_in_order(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    for status in (500, 404):
        bot.replies.put((status, b""))
    fake.receive("a")
    fake.receive("b")
    call("setWebhook", url=bot.url)
    assert bot.texts(4) == ["a", "a", "a", "b"]
    assert eventually(lambda: call("getWebhookInfo").json()["result"]["pending_update_count"] == 0)
    info = call("getWebhookInfo").json()["result"]
    assert info["last_error_message"] == "Wrong response from the webhook: 404 Not Found"
    assert info["last_error_date"] == 1_700_000_000


def test_a_webhook_out_of_reach_keeps_the_update(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    bot.server.shutdown()
    bot.server.server_close()
    fake.receive("hello")
    call("setWebhook", url=bot.url)
    assert eventually(lambda: "last_error_message" in call("getWebhookInfo").json()["result"])
    info = call("getWebhookInfo").json()["result"]
    assert info["pending_update_count"] == 1
    assert info["last_error_message"].startswith("Connection failed")


def test_a_webhook_may_answer_with_a_message(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    reply = {"method": "sendMessage", "chat_id": TWIN_CHAT_ID, "text": "hi there"}
    bot.replies.put((200, json.dumps(reply).encode()))
    call("setWebhook", url=bot.url)
    fake.receive("/echo hi there")
    assert fake.wait_for(lambda messages: [message["text"] for message in messages] == ["hi there"])


def test_a_webhook_may_not_answer_with_a_change_of_itself(fake: FakeTelegram, call: Post, bot: Bot) -> None:
    bot.replies.put((200, b'{"method": "deleteWebhook"}'))
    call("setWebhook", url=bot.url)
    fake.receive("a")
    fake.receive("b")
    assert bot.texts(2) == ["a", "b"]
    assert call("getWebhookInfo").json()["result"]["url"] == bot.url


def test_the_wait_before_another_try_ends_when_the_webhook_changes(http: requests.Session, bot: Bot) -> None:
    bot.replies.put((500, b""))
    with FakeTelegram(webhook_retry_seconds=60) as fake:
        set_webhook = f"{fake.url}/bot{TWIN_BOT_TOKEN}/setWebhook"
        http.post(set_webhook, json={"url": bot.url}, timeout=5)
        fake.receive("hello")
        assert bot.texts(1) == ["hello"]
        info = f"{fake.url}/bot{TWIN_BOT_TOKEN}/getWebhookInfo"
        assert eventually(lambda: "last_error_date" in http.get(info, timeout=5).json()["result"])
        assert bot.received.empty()
        http.post(set_webhook, json={"url": bot.url, "secret_token": "new"}, timeout=5)
        assert bot.texts(1) == ["hello"]


def test_a_webhook_and_get_updates_exclude_each_other(call: Post, bot: Bot) -> None:
    call("setWebhook", url=bot.url)
    answer = call("getUpdates")
    assert answer.status_code == 409
    assert answer.json()["description"].startswith("Conflict: can't use getUpdates method while webhook is active")
    assert call("deleteWebhook").json()["description"] == "Webhook was deleted"
    assert call("getUpdates").status_code == 200


def test_a_webhook_tells_about_itself(call: Post, bot: Bot) -> None:
    empty = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
    assert call("getWebhookInfo").json()["result"] == empty
    call("setWebhook", url=bot.url)
    assert call("getWebhookInfo").json()["result"] == {**empty, "url": bot.url, "max_connections": 40}
    assert call("setWebhook", url=bot.url).json()["description"] == "Webhook is already set"
    assert call("setWebhook", url="").json()["description"] == "Webhook was deleted"
    assert call("deleteWebhook").json()["description"] == "Webhook is already deleted"


def test_pending_updates_can_be_dropped(fake: FakeTelegram, call: Post) -> None:
    fake.receive("old")
    call("deleteWebhook", drop_pending_updates=True)
    assert call("getUpdates").json()["result"] == []


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"url": "nonsense"}, "Bad Request: invalid webhook URL specified"),
        ({"url": "https://example.com:x/"}, "Bad Request: invalid webhook URL specified"),
        ({"url": "http://example.com/"}, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://example.com:444/"},
            "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
        ),
        (
            {"url": "https://example.com/", "secret_token": "with space"},
            "Bad Request: secret token contains unallowed characters",
        ),
        ({"url": "https://example.com/", "secret_token": "x" * 257}, "Bad Request: secret token is too long"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused(call: Post, parameters: dict[str, str], description: str) -> None:
    answer = call("setWebhook", **parameters)
    assert (answer.status_code, answer.json()["description"]) == (400, description)


def test_a_person_writes_over_http_too(fake: FakeTelegram, http: requests.Session, call: Post) -> None:
    url = f"{fake.url}/inbox/updates"
    answer = http.post(url, json={"text": "hi all", "chat_id": GROUP_ID}, timeout=5)
    assert answer.json()["message"]["chat"]["title"] == "Family"
    assert answer.json()["message"]["from"]["first_name"] == "Ada"
    assert call("getUpdates").json()["result"] == [answer.json()]
    assert http.get(url, timeout=5).json() == [answer.json()]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": " "}, "text"),
        ([], "text"),
        ({"text": "a", "chat_id": "x"}, "chat_id"),
        ({"text": "a", "chat_id": 9}, "chat_id"),
    ],
)
def test_what_a_person_cannot_write_names_the_field(
    fake: FakeTelegram, http: requests.Session, body: object, field: str
) -> None:
    answer = http.post(f"{fake.url}/inbox/updates", json=body, timeout=5)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
