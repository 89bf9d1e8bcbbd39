"""Forums: topics are made, written to, and deleted with what is in them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.fake_telegram.conftest import GROUP_ID
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

Post = Callable[..., requests.Response]
NO_FORUM = "Bad Request: the chat is not a forum"
NO_THREAD = "Bad Request: message thread not found"


def refusal(answer: requests.Response) -> str:
    """Telegram's words of a 400."""
    assert answer.status_code == 400
    return str(answer.json()["description"])


@pytest.mark.parametrize("chat_id", [TWIN_CHAT_ID, GROUP_ID])
def test_a_message_goes_to_a_topic_and_is_listed_with_its_name(
    fake: FakeTelegram, call: Post, send: Post, chat_id: int
) -> None:
    fake.make_forum(chat_id)
    topic = call("createForumTopic", chat_id=chat_id, name=" nightly\nbackup ").json()["result"]
    thread_id = topic["message_thread_id"]
    assert topic == {"message_thread_id": thread_id, "name": "nightly backup", "icon_color": 0x6FB9F0}
    message = send("a", chat_id=chat_id, message_thread_id=thread_id).json()["result"]
    assert (message["message_thread_id"], message["is_topic_message"]) == (thread_id, True)
    send("b", chat_id=chat_id)
    named = [(entry.get("message_thread_id"), entry.get("topic")) for entry in fake.messages]
    assert named == [(thread_id, "nightly backup"), (None, None)]


def test_a_chat_is_no_forum_unless_it_is_made_one(
    fake: FakeTelegram, call: Post, send: Post, http: requests.Session
) -> None:
    assert refusal(call("createForumTopic", chat_id=GROUP_ID, name="a")) == NO_FORUM
    assert refusal(call("deleteForumTopic", chat_id=GROUP_ID, message_thread_id=1)) == NO_FORUM
    assert send("a", message_thread_id=7).status_code == 200
    assert http.put(f"{fake.url}/inbox/forum", json={"chat_id": GROUP_ID}, timeout=5).status_code == 204
    assert call("createForumTopic", chat_id=GROUP_ID, name="a").status_code == 200
    assert call("getChat", chat_id=GROUP_ID).json()["result"]["is_forum"] is True
    assert call("getMe").json()["result"]["has_topics_enabled"] is False
    assert http.put(f"{fake.url}/inbox/forum", json={}, timeout=5).status_code == 204
    assert call("getMe").json()["result"]["has_topics_enabled"] is True
    assert call("createForumTopic", chat_id=TWIN_CHAT_ID, name="a").status_code == 200


@pytest.mark.parametrize("chat_id", [9, "ops"])
def test_a_chat_that_is_not_there_is_made_no_forum(fake: FakeTelegram, http: requests.Session, chat_id: object) -> None:
    answer = http.put(f"{fake.url}/inbox/forum", json={"chat_id": chat_id}, timeout=5)
    assert (answer.status_code, answer.json()["field"]) == (400, "chat_id")


def test_a_deleted_topic_takes_its_messages_with_it(fake: FakeTelegram, call: Post, send: Post) -> None:
    fake.make_forum(GROUP_ID)
    first, second = (
        call("createForumTopic", chat_id=GROUP_ID, name=name).json()["result"]["message_thread_id"] for name in "ab"
    )
    for thread_id in (first, second):
        send("a", chat_id=GROUP_ID, message_thread_id=thread_id)
    deleted = call("deleteForumTopic", chat_id=GROUP_ID, message_thread_id=first)
    assert deleted.json() == {"ok": True, "result": True}
    assert [message["message_thread_id"] for message in fake.messages] == [second]
    assert refusal(send("a", chat_id=GROUP_ID, message_thread_id=first)) == NO_THREAD
    again = call("deleteForumTopic", chat_id=GROUP_ID, message_thread_id=first)
    assert refusal(again) == "Bad Request: TOPIC_ID_INVALID"
    assert send("a", chat_id=GROUP_ID, message_thread_id=second).status_code == 200


@pytest.mark.parametrize("thread_id", [1, 7])
def test_a_thread_that_is_no_topic_is_not_found(fake: FakeTelegram, send: Post, thread_id: int) -> None:
    fake.make_forum(GROUP_ID)
    assert refusal(send("a", chat_id=GROUP_ID, message_thread_id=thread_id)) == NO_THREAD


def test_a_name_is_cut_at_its_limit_and_must_not_be_empty(fake: FakeTelegram, call: Post) -> None:
    fake.make_forum()
    name = call("createForumTopic", chat_id=TWIN_CHAT_ID, name="x" * 129).json()["result"]["name"]
    assert name == "x" * 128
    for empty in ("", " \n"):
        refused = call("createForumTopic", chat_id=TWIN_CHAT_ID, name=empty)
        assert refusal(refused) == "Bad Request: name must be non-empty"


def test_a_fault_keeps_topics_from_being_made(fake: FakeTelegram, call: Post) -> None:
    fake.make_forum()
    fake.set_fault({"kind": "refuse", "description": "Bad Request: not enough rights to create a topic"})
    refused = call("createForumTopic", chat_id=TWIN_CHAT_ID, name="a")
    assert refusal(refused) == "Bad Request: not enough rights to create a topic"
