"""Live messages at all doors: one key, one message in the chat, whatever comes again and whatever fails."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.http import ANSWER_SECONDS
from chalicelib.doors.stream import Tasks
from chalicelib.dynamodb import DynamoTable
from chalicelib.errors import TableUnavailable, Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.row import KEPT_SENT, Key, Row
from chalicelib.outbox.states import Content, Lease
from chalicelib.outbox.table import Outbox, OutboxTable
from chalicelib.relay import Relay
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.relay.live import ACKNOWLEDGE, SNOOZE
from chalicelib.relay.presses import Press
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from chalicelib.telegram.buttons import sign
from tests.conftest import OPS_CHAT_ID, WEBHOOK_SECRET, NewOutbox, NewRelay
from tests.doors import Clock, RelayDoors, Script, unreachable_aws
from tests.live import DOORS, Watched, bring, fifo, streamed
from tests.outbox.memory_table import MemoryTable
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

pytestmark = pytest.mark.outbox("memory")

KEY = "disk-db1"
LIVE = Key.of_live("default", KEY)
ACK = {"ack": True, "escalate_after": 300}


@pytest.fixture(autouse=True)
def _at_the_full_minute(clock: Clock) -> None:
    """So that a test that waits a few seconds is over in the same minute."""
    clock.now -= clock.now % 60


def keyed(text: str, **fields: Any) -> dict[str, Any]:
    return {"text": text, "collapse_key": KEY, **fields}


def post(doors: RelayDoors, text: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    """The answer of HTTP to a message with the key."""
    answer = doors.post(json.dumps(keyed(text, **fields)))
    assert isinstance(answer.body, dict)
    return answer.status_code, answer.body


def shown(telegram: FakeTelegram) -> list[str]:
    return [message["text"] for message in telegram.messages]


def live(memory: MemoryTable) -> Row:
    return Row(memory.items[LIVE])


def minute(ts: float) -> str:
    return f"{datetime.fromtimestamp(ts, timezone.utc):%H:%M} UTC"


@pytest.mark.parametrize("door", DOORS)
def test_through_any_door_one_key_is_one_message(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, door: str
) -> None:
    for number, text in enumerate(["🔴 full", "🔴 full", "🟢 fine"]):
        bring(relay_doors, door, number, keyed(text))
        if number == 1:
            assert shown(telegram) == [f"🔴 full\n×2, last at {minute(clock())}"]
    assert shown(telegram) == ["🟢 fine"]


def test_all_doors_share_a_key(relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock) -> None:
    for number, door in enumerate(DOORS):
        bring(relay_doors, door, number, keyed("🔴 full"))
    assert shown(telegram) == [f"🔴 full\n×5, last at {minute(clock())}"]


def test_a_key_is_one_of_its_chat_and_another_key_another_message(
    relay_doors: RelayDoors, telegram: FakeTelegram
) -> None:
    post(relay_doors, "here")
    post(relay_doors, "there", chat="ops")
    post(relay_doors, "another", collapse_key="disk-db2")
    post(relay_doors, "here again")
    found = [(message["chat_id"], message["text"]) for message in telegram.messages]
    assert found == [(TWIN_CHAT_ID, "here again"), (OPS_CHAT_ID, "there"), (TWIN_CHAT_ID, "another")]


@pytest.mark.parametrize("source", ["DynamoDB", "FIFO"])
def test_a_batch_is_shown_by_two_calls_however_many_have_the_key(
    new_relay: NewRelay, tasks: Tasks, parameters: Parameters, telegram: FakeTelegram, clock: Clock, source: str
) -> None:
    watched = Watched(Telegram(telegram.url, parameters.bot_token))
    doors = RelayDoors(new_relay(sender=watched), tasks, parameters, clock)
    batch = [keyed("🔴 full") for _ in range(40)]
    if source == "DynamoDB":
        doors.stream(*[streamed(fields, number) for number, fields in enumerate(batch)])
    else:
        doors.queue(*[fifo(fields, number) for number, fields in enumerate(batch)])
    assert shown(telegram) == [f"🔴 full\n×40, last at {minute(clock())}"]
    assert watched.take() == ["sendMessage", "editMessageText"]


def test_edits_of_a_message_are_two_seconds_apart(relay_doors: RelayDoors, clock: Clock) -> None:
    began = clock()
    for number in range(4):
        assert post(relay_doors, f"{number}")[0] == 200
    assert clock() - began == 6.0


def test_while_telegram_is_down_the_last_takes_the_place_of_the_others(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay
) -> None:
    telegram.set_fault({"kind": "down"})
    for number, text in enumerate(["🔴 full", "🔴 fuller", "🟢 fine"]):
        assert post(relay_doors, text, id=f"i{number}")[0] == 202
        clock.now += 10
    for number, status in enumerate(["SENT", "SENT", "PENDING"]):
        told = relay.status(f"i{number}") or {}
        assert told["status"] == status
        superseded = "superseded by a later message with its collapse_key"
        assert (told["last_error"] == superseded) == (status == "SENT")
    telegram.set_fault({"kind": "none"})
    clock.now += 60
    relay_doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]
    told = relay.status("i2") or {}
    assert (told["status"], told["last_error"]) == ("SENT", None)
    assert told["message_ids"] == [telegram.messages[0]["message_id"]]


def test_one_that_comes_late_is_superseded_by_what_is_there_and_told_so(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay, new_outbox: NewOutbox
) -> None:
    """The row of the first was claimed, and its process died."""
    _claim_and_die(new_outbox(), clock, "i0", "🔴 full")
    clock.now += 10
    post(relay_doors, "🟢 fine", id="i1")
    clock.now += LEASE_SECONDS
    relay_doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]
    told = relay.status("i0") or {}
    assert (told["status"], told["last_error"]) == ("SENT", "superseded by a later message with its collapse_key")


def _claim_and_die(outbox: Outbox, clock: Clock, id: str, text: str) -> None:
    message = Message(text=text, collapse_key=KEY, id=id)
    outbox.apply(Key.of_id(id), states.claim(Content.of(message, clock()), Lease("dead", clock() + LEASE_SECONDS)))


def test_the_same_id_again_is_the_same_message_and_not_counted(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    first = post(relay_doors, "🔴 full", id="i1")
    clock.now += 10
    assert post(relay_doors, "🔴 full", id="i1") == first
    assert post(relay_doors, "🔴 fuller", id="i1")[0] == 422
    assert shown(telegram) == ["🔴 full"]
    clock.now += KEPT_SENT
    post(relay_doors, "🔴 full", id="i1")  # its time is over
    assert len(telegram.messages) == 2


@pytest.mark.parametrize("door", ["DynamoDB", "SQS", "FIFO", "Lambda"])
def test_a_record_that_comes_twice_counts_once(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, door: str
) -> None:
    for number in (1, 1, 2, 1):
        bring(relay_doors, door, number, keyed("🔴 full", id=f"i{number}") if door == "Lambda" else keyed("🔴 full"))
        clock.now += 10
    assert shown(telegram)[0].startswith("🔴 full\n×2,")


def test_an_edit_whose_answer_is_lost_doubles_nothing(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    post(relay_doors, "🔴 full")
    telegram.set_fault({"kind": "cut_after_accept", "count": 1, "method": "editMessageText"})
    assert post(relay_doors, "🟢 fine", id="i1")[0] == 202
    assert shown(telegram) == ["🟢 fine"]
    clock.now += 60
    relay_doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]
    assert post(relay_doors, "🟢 fine", id="i1")[0] == 200


def test_an_edit_that_telegram_slows_down_comes_when_it_says(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    post(relay_doors, "🔴 full")
    telegram.set_fault({"kind": "rate_limit", "retry_after": 40, "count": 1})
    assert post(relay_doors, "🟢 fine")[0] == 202
    assert shown(telegram) == ["🔴 full"]
    clock.now += 60
    relay_doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]


def test_a_chat_that_refuses_parks_it_and_a_later_message_or_a_redrive_goes_on(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay, memory: MemoryTable, outbox: Outbox
) -> None:
    post(relay_doors, "🔴 full")
    telegram.set_fault({"kind": "forbidden"})
    assert post(relay_doors, "🔴 fuller", id="i1")[0] == 502
    told = relay.status("i1") or {}
    assert (told["status"], told["last_error"]) == ("FAILED", "403 Forbidden: bot was blocked by the user")
    assert [row.key for row in outbox.scan("FAILED")] == [LIVE]
    assert post(relay_doors, "🔴 fuller", id="i1")[0] == 502
    telegram.set_fault({"kind": "none"})
    outbox.apply(LIVE, states.redrive(live(memory), now=clock()))
    clock.now += 60
    relay_doors.redeliver()
    assert shown(telegram)[0] == "🔴 fuller"
    telegram.set_fault({"kind": "forbidden"})
    post(relay_doors, "🔴 fullest", id="i2")
    telegram.set_fault({"kind": "none"})
    assert post(relay_doors, "🟢 fine")[0] == 200
    assert shown(telegram)[0] == "🟢 fine"
    assert (relay.status("i2") or {})["status"] == "SENT"
    assert list(outbox.scan("FAILED")) == []


def test_a_parked_one_that_is_discarded_is_forgotten(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, outbox: Outbox
) -> None:
    post(relay_doors, "🔴 full")
    telegram.set_fault({"kind": "forbidden"})
    post(relay_doors, "🔴 fuller", id="i1")
    telegram.set_fault({"kind": "none"})
    outbox.apply(LIVE, states.discard(now=clock()))
    clock.now += 10
    assert post(relay_doors, "🟢 fine", id="i1")[0] == 200
    assert shown(telegram) == ["🔴 full", "🟢 fine"]


def test_a_message_for_later_joins_when_its_time_has_come(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay
) -> None:
    at = int(clock()) + 600
    assert post(relay_doors, "later", deliver_at=at, id="i1")[0] == 202
    post(relay_doors, "now")
    assert shown(telegram) == ["now"]
    told = relay.status("i1") or {}
    assert (told["status"], told["due_at"]) == ("PENDING", at)
    clock.now = at + 30.0
    relay_doors.redeliver()
    assert shown(telegram) == ["later"]
    assert (relay.status("i1") or {})["status"] == "SENT"


def test_a_later_message_costs_its_sender_no_attempts_of_the_earlier(relay_doors: RelayDoors, relay: Relay) -> None:
    for number in range(3):
        post(relay_doors, f"{number}", id=f"i{number}")
    assert (relay.status("i2") or {})["attempts"] == 1


def test_with_the_table_away_it_goes_without_its_key(
    new_relay: NewRelay, tasks: Tasks, parameters: Parameters, clock: Clock, telegram: FakeTelegram
) -> None:
    away = Outbox(OutboxTable(DynamoTable(unreachable_aws(), "away")), clock=clock, sleep=clock.sleep)
    doors = RelayDoors(new_relay(outbox=away), tasks, parameters, clock)
    status, told = post(doors, "🔴 full", **ACK)
    assert (status, told["botte"]) == (200, {"mended": ["collapse_key"]})
    assert post(doors, "🔴 full", id="i1")[0] == 503
    assert shown(telegram) == ["🔴 full"]


def test_renotify_counts_from_the_start_and_the_key_names_the_new_one(
    relay_doors: RelayDoors, telegram: FakeTelegram
) -> None:
    old = post(relay_doors, "🔴 full")[1]
    new = post(relay_doors, "🔴 full", renotify=True)[1]
    assert shown(telegram) == ["🔴 full", "🔴 full"]
    assert new["reply_to_message"]["message_id"] == old["message_id"]
    post(relay_doors, "🔴 full")
    first, second = shown(telegram)
    assert first == "🔴 full"
    assert second.startswith("🔴 full\n×2,")


def test_renotify_whose_old_one_was_deleted_is_no_reply(relay_doors: RelayDoors, telegram: FakeTelegram) -> None:
    post(relay_doors, "🔴 full")
    telegram.clear()
    answer = post(relay_doors, "🔴 fuller", renotify=True)[1]
    assert "reply_to_message" not in answer
    assert shown(telegram) == ["🔴 fuller"]


def test_two_weeks_after_the_last_one_a_key_names_nothing(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    post(relay_doors, "🔴 full")
    clock.now += KEPT_SENT + 1
    post(relay_doors, "🔴 full")
    assert shown(telegram) == ["🔴 full", "🔴 full"]


def buttons(telegram: FakeTelegram) -> list[list[str]]:
    found = [message.get("reply_markup", {}).get("inline_keyboard", []) for message in telegram.messages]
    return [[button["text"] for row in keyboard for button in row] for keyboard in found]


def press(relay: Relay, telegram: FakeTelegram, clock: Clock, action: str, update: int = 1) -> None:
    """Anna presses a button of the message that came last."""
    message = telegram.messages[-1]
    data = sign(WEBHOOK_SECRET, action, LIVE.sort)
    pressed = Press(update, "1", message["chat_id"], message["message_id"], message["text"], data, "Anna")
    relay.press(pressed, deadline=clock() + ANSWER_SECONDS)


def test_one_to_be_acknowledged_has_buttons_until_it_is(
    relay_doors: RelayDoors, telegram: FakeTelegram, relay: Relay, clock: Clock
) -> None:
    post(relay_doors, "🔴 full", ack=True)
    assert buttons(telegram) == [["Acknowledge", "Snooze 1 h"]]
    press(relay, telegram, clock, ACKNOWLEDGE)
    at = minute(clock())
    assert shown(telegram) == [f"🔴 full\n✅ Anna, {at}"]
    assert buttons(telegram) == [[]]
    clock.now += 3600
    press(relay, telegram, clock, ACKNOWLEDGE, 2)
    post(relay_doors, "🔴 full", ack=True)
    assert shown(telegram) == [f"🔴 full\n×2, last at {minute(clock())}\n✅ Anna, {at}"]
    post(relay_doors, "🟢 fine")
    assert shown(telegram) == ["🟢 fine"]
    post(relay_doors, "🔴 full", ack=True)
    assert buttons(telegram) == [["Acknowledge", "Snooze 1 h"]]


def test_without_a_webhook_secret_there_are_no_buttons(
    new_relay: NewRelay, tasks: Tasks, clock: Clock, telegram: FakeTelegram, parameters: Parameters
) -> None:
    def fetch(names: Any) -> dict[str, str]:
        found = parameters._fetch(names)
        return {name: value for name, value in found.items() if not name.endswith("webhook-secret")}

    bare = Parameters("/botte/local", fetch, lambda name, value: None)
    post(RelayDoors(new_relay(parameters=bare), tasks, bare, clock), "🔴 full", ack=True)
    assert buttons(telegram) == [[]]


def test_one_that_nobody_acknowledges_is_sent_again_three_times_with_a_sound(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    post(relay_doors, "🔴 full", disable_notification=True, **ACK)
    for _ in range(40):
        clock.now += 60
        relay_doors.redeliver()
    lines = [f"🔔 not acknowledged, {number} of 3" for number in (1, 2, 3)]
    assert shown(telegram) == ["🔴 full", *[f"🔴 full\n{line}" for line in lines]]
    assert [message["disable_notification"] for message in telegram.messages] == [True, False, False, False]
    times = [message["date"] for message in telegram.messages]
    assert times == sorted(times)


@pytest.mark.parametrize("escalations", [0, 1])
def test_acknowledged_it_is_not_sent_again(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay, memory: MemoryTable, escalations: int
) -> None:
    post(relay_doors, "🔴 full", **ACK)
    for _ in range(escalations):
        clock.now += 301
        relay_doors.redeliver()
    press(relay, telegram, clock, ACKNOWLEDGE)
    assert live(memory).status == "SENT"
    clock.now += 3600
    relay_doors.redeliver()
    assert len(telegram.messages) == 1 + escalations
    assert shown(telegram)[-1].startswith("🔴 full\n✅ Anna,")


def test_resolved_it_is_not_sent_again(relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock) -> None:
    post(relay_doors, "🔴 full", **ACK)
    post(relay_doors, "🟢 fine")
    clock.now += 3600
    relay_doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]


def test_snoozed_it_makes_no_sound_for_an_hour_and_then_is_sent_again(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, relay: Relay
) -> None:
    post(relay_doors, "🔴 full", **ACK)
    press(relay, telegram, clock, SNOOZE)
    until = clock() + 3600
    assert shown(telegram) == [f"🔴 full\n💤 Anna, until {minute(until)}"]
    post(relay_doors, "🔴 fuller", renotify=True, **ACK)
    assert telegram.messages[-1]["disable_notification"]
    while clock() + 61 < until:
        clock.now += 60
        relay_doors.redeliver()
    assert len(telegram.messages) == 2
    clock.now = until + 1
    relay_doors.redeliver()
    assert shown(telegram)[-1] == "🔴 fuller\n🔔 not acknowledged, 1 of 3"
    assert not telegram.messages[-1]["disable_notification"]


def test_one_that_comes_while_it_is_sent_again_does_not_have_it_sent_twice(
    new_relay: NewRelay, tasks: Tasks, parameters: Parameters, telegram: FakeTelegram, clock: Clock
) -> None:
    watched = Watched(Telegram(telegram.url, parameters.bot_token))
    doors = RelayDoors(new_relay(sender=watched), tasks, parameters, clock)
    other = RelayDoors(new_relay(), tasks, parameters, clock)
    post(doors, "🔴 full", **ACK)
    clock.now += 301
    watched.meanwhile = lambda: post(other, "🔴 fuller", **ACK)
    doors.redeliver()
    clock.now += 60
    doors.redeliver()
    assert shown(telegram) == ["🔴 full", "🔴 fuller\n🔔 not acknowledged, 1 of 3"]


def test_one_that_goes_without_its_key_goes_on_where_it_broke_off(
    new_relay: NewRelay, new_outbox: NewOutbox, tasks: Tasks, parameters: Parameters, clock: Clock
) -> None:
    sender = Script(clock, None, Unavailable("down"))
    relay = new_relay(sender=sender, outbox=new_outbox(script=[TableUnavailable("away")]))
    doors = RelayDoors(relay, tasks, parameters, clock)
    one, two = "a" * 4000, "b" * 4000
    assert post(doors, f"{one}\n{two}")[0] == 202
    clock.now += 60
    doors.redeliver()
    assert sender.texts == [one, two, two]


def test_two_batches_at_once_may_change_one_message(
    new_relay: NewRelay, tasks: Tasks, parameters: Parameters, telegram: FakeTelegram, clock: Clock
) -> None:
    watched = Watched(Telegram(telegram.url, parameters.bot_token))
    doors = RelayDoors(new_relay(sender=watched), tasks, parameters, clock)
    watched.meanwhile = lambda: bring(doors, "SQS", 2, keyed("🟢 fine"))
    bring(doors, "SQS", 1, keyed("🔴 full"))
    clock.now += 60
    doors.redeliver()
    assert shown(telegram) == ["🟢 fine"]


def test_one_whose_escalation_broke_off_is_sent_again_no_more_often_than_any_other(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock
) -> None:
    post(relay_doors, "🔴 full", **ACK)
    telegram.set_fault({"kind": "server_error", "method": "editMessageReplyMarkup"})
    clock.now += 301
    for _ in range(4):
        relay_doors.redeliver()
        clock.now += 60
    assert shown(telegram) == ["🔴 full", "🔴 full\n🔔 not acknowledged, 1 of 3"]


@pytest.mark.parametrize("action", [ACKNOWLEDGE, SNOOZE])
def test_an_update_that_comes_again_does_nothing_to_what_happened_since(
    relay_doors: RelayDoors, telegram: FakeTelegram, relay: Relay, clock: Clock, action: str
) -> None:
    post(relay_doors, "🔴 full", ack=True)
    press(relay, telegram, clock, action, 5)
    post(relay_doors, "🟢 fine")
    post(relay_doors, "🔴 full", ack=True)
    press(relay, telegram, clock, action, 5)
    assert shown(telegram) == ["🔴 full"]


def test_an_update_with_a_lower_number_is_another_one(
    relay_doors: RelayDoors, telegram: FakeTelegram, relay: Relay, clock: Clock
) -> None:
    """After a week without updates Telegram begins anew, with any number."""
    post(relay_doors, "🔴 full", ack=True)
    press(relay, telegram, clock, SNOOZE, 500)
    clock.now += 8 * 86_400 + 1800
    press(relay, telegram, clock, SNOOZE, 3)
    assert shown(telegram) == [f"🔴 full\n💤 Anna, until {minute(clock() + 3600)}"]


@pytest.mark.parametrize("fault", ["down", "rate_limit"])
def test_one_that_is_to_be_sent_again_waits_only_since_then(
    relay_doors: RelayDoors, telegram: FakeTelegram, clock: Clock, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """An alarm looks at how long messages wait."""
    post(relay_doors, "🔴 full", ack=True, escalate_after=7200)
    telegram.set_fault({"kind": fault, "retry_after": 90})
    clock.now += 7201
    for _ in range(2):
        relay_doors.redeliver()
        clock.now += 60
    waited = [vars(record)["waited_seconds"] for record in caplog.records if record.getMessage() == "pending"]
    assert waited
    assert max(waited) <= 120


def test_what_is_sent_anew_is_to_be_acknowledged_anew(
    relay_doors: RelayDoors, telegram: FakeTelegram, relay: Relay, clock: Clock
) -> None:
    post(relay_doors, "🔴 full", ack=True)
    press(relay, telegram, clock, ACKNOWLEDGE)
    post(relay_doors, "🔴 fuller", ack=True)
    assert buttons(telegram) == [[]]
    post(relay_doors, "🔴 full again", ack=True, renotify=True)
    assert buttons(telegram) == [[], ["Acknowledge", "Snooze 1 h"]]
