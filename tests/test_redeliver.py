"""Redelivery: what is owed goes out when it is due, once, at Telegram's pace."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.errors import Ambiguous, BotTokenRejected, IdReused, Unavailable
from chalicelib.message import Message
from chalicelib.outbox import Outbox
from chalicelib.records import from_queue, from_stream
from chalicelib.relay import Relay
from tests.conftest import NewRelay
from tests.doors import Clock, Script, Table, item, owe, queue_record, stream_record, texts
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram

DAY = 86_400
PLENTY = 3600.0


def test_what_is_due_goes_out_the_longest_overdue_first(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock)
    for text, late in (("second", 20), ("third", 10), ("first", 30), ("not yet", -10)):
        owe(outbox, text, due=clock() - late)
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert sender.texts == ["first", "second", "third"]
    assert table.statuses() == {"first": "SENT", "second": "SENT", "third": "SENT", "not yet": "PENDING"}


def test_a_backlog_goes_out_in_the_order_it_became_due(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock)
    texts = [f"{number:02d}" for number in range(12)]
    for number, text in enumerate(texts):
        owe(outbox, text, due=clock() - 100 + number)
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert sender.texts == texts


def test_when_telegram_is_back_all_that_waited_for_it_goes_out_in_the_order_of_acceptance(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down"})
    names = [f"{number:02d}" for number in range(12)]
    for name in names:
        new_relay().send(Message(text=name), deadline=clock() + 27, spare_id=name)
        clock.now += 3
        new_relay().redeliver(deadline=clock() + 60)  # moves what it tries, each a little farther
    telegram.set_fault({"kind": "none"})
    clock.now += 3
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == names


def test_a_message_that_always_fails_holds_up_none_behind_it(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 30 + number)
    first = Script(clock, Unavailable("500"))
    new_relay(sender=first).redeliver(deadline=clock() + PLENTY)
    second = Script(clock, Unavailable("500"))
    new_relay(sender=second).redeliver(deadline=clock() + PLENTY)
    assert (first.texts, second.texts) == (["0"], ["0", "1", "2"])


def test_what_may_have_arrived_waits_its_time(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 30 + number)
    sender = Script(clock, Ambiguous("lost"))
    for _ in range(2):
        new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert sender.texts == ["0", "1", "2"]


def test_the_log_tells_for_how_long_a_pending_message_has_waited(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    owe(outbox, "one", due=clock() - 90)
    new_relay(sender=Script(clock, Unavailable("down"))).redeliver(deadline=clock() + PLENTY)
    (pending,) = [each for each in caplog.records if each.message == "pending"]
    assert vars(pending)["waited_seconds"] == 90


def test_a_message_that_was_to_go_out_later_has_waited_only_since_then(
    relay: Relay, new_relay: NewRelay, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    later = Message(text="later", deliver_at=int(clock()) + DAY)
    relay.send(later, deadline=clock() + PLENTY, spare_id="later")
    clock.sleep(DAY + 60)
    new_relay(sender=Script(clock, Unavailable("down"))).redeliver(deadline=clock() + PLENTY)
    (pending,) = [each for each in caplog.records if each.message == "pending"]
    assert 58 <= vars(pending)["waited_seconds"] <= 60


@pytest.mark.parametrize(("chat", "interval"), [("default", 1.0), ("ops", 3.0)])
def test_a_chat_is_written_to_no_faster_than_telegram_wants(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, chat: str, interval: float
) -> None:
    sender = Script(clock)
    for number in range(4):
        owe(outbox, f"{number}", due=clock() - 10 + number, chat=chat)
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    times = [time for time, _, _ in sender.calls]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [interval] * 3


def test_chats_do_not_wait_for_each_other(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock)
    owe(outbox, "a", due=clock() - 2)
    owe(outbox, "b", due=clock() - 1, chat="ops")
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert clock.slept == []


@pytest.mark.parametrize(
    "error", [Unavailable("down"), Ambiguous("lost"), BotTokenRejected("401")], ids=lambda error: type(error).__name__
)
def test_when_telegram_cannot_be_reached_it_stops_until_the_next_run(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, error: Exception
) -> None:
    sender = Script(clock, error)
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    relay = new_relay(sender=sender)
    relay.redeliver(deadline=clock() + PLENTY)
    assert sender.texts == ["0"]
    assert set(table.statuses().values()) == {"PENDING"}
    clock.now += 3600
    relay.redeliver(deadline=clock() + PLENTY)
    assert sorted(sender.texts) == ["0", "0", "1", "2"]


def test_a_refused_message_is_failed_and_the_next_ones_go_out(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    for number in range(2):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    relay.redeliver(deadline=clock() + PLENTY)
    assert table.statuses() == {"0": "FAILED", "1": "SENT"}
    row = table.row("0")
    assert row["LastError"] == "403 Forbidden: bot was blocked by the user"
    assert float(row["ExpirationTs"]) == pytest.approx(clock() + 30 * DAY, abs=60)


def test_a_failed_message_is_not_tried_again(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden"})
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + PLENTY)
    telegram.set_fault({"kind": "none"})
    clock.now += 29 * DAY
    relay.redeliver(deadline=clock() + PLENTY)
    assert telegram.messages == []
    assert table.statuses() == {"Hello": "FAILED"}


def test_a_failed_message_goes_out_when_an_operator_wants_it(
    relay: Relay, outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    key = owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + PLENTY)
    outbox.redrive(key, now=clock())
    clock.now += 1
    relay.redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]


def test_a_short_wait_that_telegram_asks_for_is_slept(
    relay: Relay, outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 5, "count": 1})
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + PLENTY)
    assert clock.slept == [5.0]
    assert texts(telegram.messages) == ["Hello"]


def test_a_long_wait_is_left_to_a_later_run(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 600, "count": 1})
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + PLENTY)
    assert clock.slept == []
    assert float(table.row("Hello")["DueTs"]) == clock() + 600
    clock.now += 599
    relay.redeliver(deadline=clock() + PLENTY)
    assert telegram.messages == []
    clock.now += 1
    relay.redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]


def test_while_telegram_asks_to_wait_the_chat_is_left_in_peace_and_others_are_not(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 600, "count": 1})
    for number, (text, chat) in enumerate([("a", "default"), ("b", "default"), ("c", "ops")]):
        owe(outbox, text, due=clock() - 10 + number, chat=chat)
    start, before = clock(), telegram.requests
    relay.redeliver(deadline=clock() + PLENTY)
    assert telegram.requests - before == 2
    assert texts(telegram.messages) == ["c"]
    assert float(table.row("b")["DueTs"]) == start + 600


def test_it_sleeps_at_most_five_seconds_for_one_message(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock, *[Unavailable("429", retry_after=2.0)] * 9)
    owe(outbox, "Hello", due=clock())
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert clock.slept == [2.0, 2.0]


@pytest.mark.parametrize("left", [0.0, 5.0, 14.9])
def test_nothing_is_begun_that_could_not_be_finished_in_time(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, left: float
) -> None:
    sender = Script(clock)
    owe(outbox, "Hello", due=clock())
    new_relay(sender=sender).redeliver(deadline=clock() + left)
    assert sender.calls == []
    assert table.row("Hello")["Attempts"] == "0"


def test_the_longest_call_to_telegram_fits_into_what_counts_as_time_enough(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock)
    owe(outbox, "Hello", due=clock())
    new_relay(sender=sender).redeliver(deadline=clock() + 15)
    assert sender.texts == ["Hello"]
    assert table.statuses() == {"Hello": "SENT"}


def test_it_does_not_sleep_into_its_deadline(new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock) -> None:
    sender = Script(clock, Unavailable("429", retry_after=4.0))
    owe(outbox, "Hello", due=clock())
    new_relay(sender=sender).redeliver(deadline=clock() + 18)
    assert (clock.slept, sender.texts) == ([], ["Hello"])
    assert table.statuses() == {"Hello": "PENDING"}


def test_a_run_ends_in_time_and_the_next_one_goes_on(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock)
    for number in range(8):
        owe(outbox, f"{number}", due=clock() - 100 + number)
    relay = new_relay(sender=sender)
    start = clock()
    relay.redeliver(deadline=start + 18)
    assert clock() <= start + 18 - 13
    assert 0 < len(sender.calls) < 8
    while "PENDING" in table.statuses().values():
        clock.now += 60
        relay.redeliver(deadline=clock() + 18)
    assert sender.texts == [f"{number}" for number in range(8)]


def test_two_runs_at_once_send_each_message_once(
    new_relay: NewRelay, outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    for number in range(6):
        owe(outbox, f"{number}", due=clock() - 100 + number)
    start = threading.Barrier(3)

    def run() -> None:
        relay = new_relay(clock=lambda: clock.now, sleep=lambda _: None)
        start.wait()
        relay.redeliver(deadline=clock() + PLENTY)

    with ThreadPoolExecutor() as threads:
        for each in [threads.submit(run) for _ in range(3)]:
            each.result()
    assert sorted(texts(telegram.messages)) == [f"{number}" for number in range(6)]


@pytest.mark.parametrize(("random", "share"), [(b"\x00", 0.5), (b"\xff", 1.0)])
def test_the_wait_between_attempts_doubles_from_5_seconds_to_15_minutes(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, random: bytes, share: float
) -> None:
    waits = []
    relay = new_relay(sender=Script(clock, *[Unavailable("down")] * 9), random=lambda count: random * count)
    owe(outbox, "Hello", due=clock())
    for _ in range(9):
        relay.redeliver(deadline=clock() + PLENTY)
        waits.append(float(table.row("Hello")["DueTs"]) - clock())
        clock.now += waits[-1]
    assert 5 <= waits[0] <= 15
    assert [later / earlier for earlier, later in itertools.pairwise(waits[:6])] == [2.0] * 5
    assert waits[-2:] == [900 * share] * 2


def test_a_rejected_bot_token_keeps_the_messages_and_raises_one_alarm(
    relay: Relay,
    outbox: Outbox,
    table: Table,
    telegram: FakeTelegram,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    telegram.set_fault({"kind": "unauthorized"})
    owe(outbox, "Hello", due=clock())
    for _ in range(3):
        relay.redeliver(deadline=clock() + PLENTY)
        clock.now += 3600
    assert table.statuses() == {"Hello": "PENDING"}
    alarms = [record for record in caplog.records if getattr(record, "alarm", None) == "bot_token_rejected"]
    assert [record.levelname for record in alarms] == ["ERROR"]
    assert TWIN_BOT_TOKEN not in caplog.text
    telegram.set_fault({"kind": "none"})
    relay.redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]


def test_a_row_that_owes_a_delivery_does_not_expire(outbox: Outbox, table: Table, clock: Clock) -> None:
    due = clock() + 29 * DAY
    owe(outbox, "Hello", due=due)
    assert float(table.row("Hello")["ExpirationTs"]) > due + 30 * DAY


def test_a_sent_row_is_kept_14_days(relay: Relay, outbox: Outbox, table: Table, clock: Clock) -> None:
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + PLENTY)
    assert float(table.row("Hello")["ExpirationTs"]) == int(clock()) + 14 * DAY


def test_an_id_is_free_again_when_its_row_has_expired(relay: Relay, telegram: FakeTelegram, clock: Clock) -> None:
    for text, days in (("Hello", 13), ("Hello", 1), ("Another one", 14), ("Again", 0)):
        relay.send(Message(text=text, id="k1"), deadline=clock() + PLENTY, spare_id="unused")
        clock.now += days * DAY
    assert texts(telegram.messages) == ["Hello", "Another one", "Again"]


@pytest.mark.parametrize("has_been_deleted", [False, True])
def test_an_id_that_names_an_item_is_free_again_when_the_item_has_expired(
    relay: Relay, telegram: FakeTelegram, table: Table, clock: Clock, has_been_deleted: bool
) -> None:
    image = item({"text": {"S": "Hello"}, "id": {"S": "k1"}}, sort_key="s1", partition_key="BOTTE_MESSAGE#s1")
    image.pop("SenderApp")
    relay.take(from_stream([stream_record(image)], lambda _: None), deadline=clock() + PLENTY)
    clock.now += 13 * DAY
    relay.send(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert texts(telegram.messages) == ["Hello"]
    clock.now += 1 * DAY
    if has_been_deleted:
        table.client.delete_item(TableName=table.name, Key={name: image[name] for name in ("PK", "SK")})
    relay.send(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert texts(telegram.messages) == ["Hello", "Hello"]


def test_an_id_stays_taken_as_long_as_its_message_is_owed(relay: Relay, telegram: FakeTelegram, clock: Clock) -> None:
    later = {"text": {"S": "Hello"}, "id": {"S": "k1"}, "deliver_at": {"N": str(int(clock()) + 29 * DAY)}}
    image = item(later, sort_key="s1", partition_key="BOTTE_MESSAGE#s1")
    relay.take(from_stream([stream_record(image)], lambda _: None), deadline=clock() + PLENTY)
    clock.now += 28 * DAY
    with pytest.raises(IdReused):
        relay.send(Message(text="Other", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    clock.now += 2 * DAY
    relay.redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize("door", ["caller", "queue"])
def test_a_door_that_has_no_time_left_keeps_the_message_instead(
    new_relay: NewRelay, table: Table, clock: Clock, door: str
) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender)
    if door == "caller":
        relay.send(Message(text="Hello"), deadline=clock() + 14, spare_id="m1")
    else:
        relay.take(from_queue([queue_record(json.dumps({"text": "Hello"}), "m1")]), deadline=clock() + 14)
    assert sender.calls == []
    assert table.statuses() == {"m1": "PENDING"}
    relay.redeliver(deadline=clock() + PLENTY)
    assert sender.texts == ["Hello"]
