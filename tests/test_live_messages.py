"""Live messages: one key, one message in the chat, whatever comes and whatever fails."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.relay import Relay
from tests.doors import Clock, Doors, texts
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


def tell(relay: Relay, clock: Clock, text: str, *, later: float = 0.0, **fields: Any) -> None:
    """A message with the key comes, and the schedule runs."""
    clock.now += later
    message = Message(text=text, collapse_key="disk-db1", **fields)
    relay.accept(message, deadline=clock() + 60, spare_id=f"{text} at {clock()}")
    relay.redeliver(deadline=clock() + 60)


@pytest.mark.outbox("memory")
def test_the_same_text_again_is_counted(relay: Relay, clock: Clock, telegram: FakeTelegram) -> None:
    for _ in range(3):
        tell(relay, clock, "🔴 disk full", later=10)
    (message,) = telegram.messages
    assert message["text"].startswith("🔴 disk full\n×3, last at ")


@pytest.mark.outbox("memory")
def test_renotify_sends_a_new_message_as_a_reply_to_the_old_one(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    tell(relay, clock, "🔴 disk full")
    tell(relay, clock, "🔴 disk fuller", renotify=True)
    tell(relay, clock, "🟢 disk fine", later=10)
    first, second = telegram.messages
    assert texts([first, second]) == ["🔴 disk full", "🟢 disk fine"]
    assert second["reply_to_message_id"] == first["message_id"]


@pytest.mark.outbox("memory")
def test_what_is_sent_anew_takes_the_buttons_from_the_one_before(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    tell(relay, clock, "🔴 disk full", ack=True)
    tell(relay, clock, "🔴 disk fuller", ack=True, renotify=True)
    assert ["reply_markup" in message for message in telegram.messages] == [False, True]
    tell(relay, clock, "🟢 disk fine", renotify=True)
    assert ["reply_markup" in message for message in telegram.messages] == [False, False, False]


@pytest.mark.outbox("memory")
def test_an_alarm_that_is_back_after_its_end_is_a_new_message_with_a_sound(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    """Nobody would see an old message change."""
    for number in (1, 2):
        tell(relay, clock, f"🔴 disk full {number}", later=3600)
        tell(relay, clock, f"🔴 disk fuller {number}", later=60)
        tell(relay, clock, f"🟢 disk fine {number}", later=60, disable_notification=True)
    first, second = telegram.messages
    assert texts([first, second]) == ["🟢 disk fine 1", "🟢 disk fine 2"]
    assert (second["reply_to_message_id"], second["disable_notification"]) == (first["message_id"], False)


@pytest.mark.outbox("memory")
def test_what_begins_without_a_sound_has_one_when_it_fails(relay: Relay, clock: Clock, telegram: FakeTelegram) -> None:
    tell(relay, clock, "build 42 runs", disable_notification=True)
    tell(relay, clock, "🔴 build 42 failed", later=10)
    (message,) = telegram.messages  # the one without a sound has gone
    assert (message["text"], message["disable_notification"]) == ("🔴 build 42 failed", False)


@pytest.mark.outbox("memory")
def test_an_alarm_that_flaps_stays_one_message_and_rings_every_five_minutes(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    for _ in range(20):
        tell(relay, clock, "🔴 disk full", later=15)
        tell(relay, clock, "🟢 disk fine", later=15, disable_notification=True)
    assert [message["disable_notification"] for message in telegram.messages] == [False, False]


@pytest.mark.outbox("memory")
def test_an_end_does_not_say_that_its_alarm_was_not_acknowledged(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    tell(relay, clock, "🔴 disk full", ack=True, escalate_after=60)
    clock.now += 60
    relay.redeliver(deadline=clock() + 60)
    assert telegram.messages[-1]["text"] == "🔴 disk full\n🔔 not acknowledged, 1 of 3"
    tell(relay, clock, "🟢 disk fine", later=10, disable_notification=True)
    assert telegram.messages[-1]["text"] == "🟢 disk fine"
