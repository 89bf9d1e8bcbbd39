"""Heartbeats: when the next one does not come in time, one message says so, which turns into its return."""

from __future__ import annotations

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from chalicelib.outbox.table import NotApplied, Outbox
from chalicelib.relay import Delivered, Relay
from chalicelib.relay.heartbeats import list_heartbeats, shown_duration
from tests.doors import Clock, Table, queue_record, texts
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram

HOUR = 3600.0
IN_MEMORY = pytest.mark.outbox("memory")
RUN = 90.0


def beat(relay: Relay, clock: Clock, **fields: object) -> int:
    """When the next one is due."""
    message = Message.from_fields({"heartbeat": "nightly", "every": "26h", **fields}, now=clock())
    outcome = relay.accept(message, deadline=clock() + RUN, spare_id="spare")
    assert isinstance(outcome, Delivered)
    assert outcome.result["heartbeat"] == message.heartbeat
    due: int = outcome.result["due_at"]
    return due


def redeliver(relay: Relay, clock: Clock, *, later: float) -> None:
    clock.now += later
    relay.redeliver(deadline=clock() + RUN)


@IN_MEMORY
def test_as_long_as_the_next_one_comes_in_time_nothing_is_said(
    relay: Relay, clock: Clock, telegram: FakeTelegram
) -> None:
    for _ in range(3):
        assert beat(relay, clock) == clock() + 26 * HOUR
        redeliver(relay, clock, later=25 * HOUR)
    assert telegram.messages == []


@IN_MEMORY
def test_one_that_does_not_come_is_told_once_and_its_return_where_it_stands(
    relay: Relay, clock: Clock, telegram: FakeTelegram, outbox: Outbox
) -> None:
    beat(relay, clock)
    for _ in range(3):
        redeliver(relay, clock, later=26 * HOUR + 60)
    (missed,) = telegram.messages
    assert missed["text"].startswith("🔴 nightly has been silent for 1 d 2 h\nThe last heartbeat came on ")
    assert missed["text"].endswith("; one is due every 1 d 2 h")
    beat(relay, clock)
    (back,) = telegram.messages
    assert back["message_id"] == missed["message_id"]
    assert back["text"] == "🟢 nightly is back, 2 d 4 h late"
    assert [each.missed_ts for each in list_heartbeats(outbox)] == [None]


@IN_MEMORY
def test_each_time_it_is_missed_is_told(relay: Relay, clock: Clock, telegram: FakeTelegram) -> None:
    for _ in range(2):
        beat(relay, clock)
        redeliver(relay, clock, later=27 * HOUR)
    back, missed = telegram.messages
    assert back["text"] == "🟢 nightly is back, 1 h late"
    assert missed["text"].split("\n")[0] == "🔴 nightly has been silent for 1 d 3 h"
    assert (missed["reply_to_message_id"], missed["disable_notification"]) == (back["message_id"], False)
    beat(relay, clock)
    assert texts(telegram.messages) == ["🟢 nightly is back, 1 h late"] * 2


@IN_MEMORY
def test_one_that_comes_while_its_silence_is_told_does_not_rest(outbox: Outbox, clock: Clock) -> None:
    key, every, until = Key.of_heartbeat("nightly"), 60, clock() + 120
    outbox.apply(key, states.beat("default", now=clock() - 61, every=every, sender_app=None))
    outbox.apply(key, states.miss_heartbeat(clock() - 1, now=clock(), until=until))
    outbox.apply(key, states.beat("default", now=clock(), every=every, sender_app=None))
    with pytest.raises(NotApplied) as known:
        outbox.apply(key, states.rest_heartbeat(taken_until=until, now=clock()))
    assert known.value.row.due_ts == clock() + every


def test_a_beat_takes_one_call_of_the_table_and_one_row(
    relay: Relay, clock: Clock, table: Table, aws: EmbeddedAws
) -> None:
    aws.calls.reset()
    for _ in range(5):
        beat(relay, clock)
    assert aws.calls.by_operation() == {"DynamoDB.UpdateItem": 5}
    (row,) = table.items()
    assert (row["PK"]["S"], row["SK"]["S"]) == Key.of_heartbeat("nightly")


@IN_MEMORY
def test_a_beat_through_a_queue_counts_as_any_other(relay: Relay, clock: Clock, telegram: FakeTelegram) -> None:
    body = '{"heartbeat": "nightly", "every": 60, "chat": "ops", "sender_app": "cron"}'
    relay.take(read_queue([queue_record(body, "m1")]), deadline=clock() + RUN)
    redeliver(relay, clock, later=61)
    relay.take(read_queue([queue_record(body, "m2")]), deadline=clock() + RUN)
    (message,) = telegram.messages
    assert message["text"] == "🟢 nightly is back, 1 s late"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (61, "1 min 1 s"), (26 * HOUR, "1 d 2 h"), (90_061, "1 d 1 h"), (7201, "2 h")]
)
def test_a_duration_is_shown_in_two_units_at_most(seconds: float, shown: str) -> None:
    assert shown_duration(seconds) == shown
