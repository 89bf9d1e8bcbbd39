"""Live messages: one key, one message in the chat, whatever comes and whatever fails."""

from __future__ import annotations

from typing import Any

from tests.doors import Doors, texts
from tools.dev.fake_telegram import FakeTelegram


def fire(doors: Doors, text: str, **fields: Any) -> dict[str, Any]:
    answer = doors.post({"text": text, "collapse_key": "disk-db1", **fields})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_the_next_text_with_a_key_edits_the_message(doors: Doors, telegram: FakeTelegram) -> None:
    first = fire(doors, "🔴 disk full")
    second = fire(doors, "🟢 disk fine")
    assert first["message_id"] == second["message_id"]
    (message,) = telegram.messages
    assert message["text"] == "🟢 disk fine"
    assert message["edit_date"]


def test_the_same_text_again_is_counted(doors: Doors, telegram: FakeTelegram) -> None:
    for _ in range(3):
        fire(doors, "🔴 disk full")
    (message,) = telegram.messages
    assert message["text"].startswith("🔴 disk full\n×3, last at ")


def test_renotify_sends_a_new_message_as_a_reply_to_the_old_one(doors: Doors, telegram: FakeTelegram) -> None:
    first = fire(doors, "🔴 disk full")
    second = fire(doors, "🔴 disk fuller", renotify=True)
    third = fire(doors, "🟢 disk fine")
    assert texts(telegram.messages) == ["🔴 disk full", "🟢 disk fine"]
    assert telegram.messages[1]["reply_to_message_id"] == first["message_id"]
    assert third["message_id"] == second["message_id"]


def test_what_is_sent_anew_takes_the_buttons_from_the_one_before(doors: Doors, telegram: FakeTelegram) -> None:
    fire(doors, "🔴 disk full", ack=True)
    fire(doors, "🔴 disk fuller", ack=True, renotify=True)
    assert ["reply_markup" in message for message in telegram.messages] == [False, True]
    fire(doors, "🟢 disk fine", renotify=True)
    assert ["reply_markup" in message for message in telegram.messages] == [False, False, False]
