"""Redelivery: what is owed goes out when it is due, once, at Telegram's pace.

One test of each kind of change that a row goes through is on DynamoDB, and what is of two processes at once.
"""

from __future__ import annotations

import itertools
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import Ambiguous, IdReused, Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from tests.conftest import OPS_CHAT_ID, NewRelay
from tests.doors import Clock, Picky, Script, Table, item, owe, queue_record, stream_record, texts
from tools.dev.fake_telegram import TWIN_BOT_TOKEN, FakeTelegram

DAY = 86_400
PLENTY = 3600.0
RUN = 90.0
ON_DYNAMODB = pytest.mark.outbox("dynamodb")

pytestmark = pytest.mark.outbox("memory")


@ON_DYNAMODB
def test_what_is_due_goes_out_the_longest_overdue_first(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock)
    for text, late in (("second", 20), ("third", 10), ("first", 30), ("not yet", -3600)):
        owe(outbox, text, due=clock() - late)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sender.texts == ["first", "second", "third"]
    assert table.statuses() == {"first": "SENT", "second": "SENT", "third": "SENT", "not yet": "PENDING"}


def test_a_backlog_goes_out_in_the_order_it_became_due(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock)
    texts = [f"{number:02d}" for number in range(12)]
    for number, text in enumerate(texts):
        owe(outbox, text, due=clock() - 100 + number)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sender.texts == texts


@pytest.mark.parametrize(
    "fault", [pytest.param({"kind": "down"}, marks=ON_DYNAMODB), {"kind": "rate_limit", "retry_after": 100}]
)
def test_when_telegram_is_back_all_that_waited_for_it_goes_out_in_the_order_of_acceptance(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock, fault: dict[str, object]
) -> None:
    telegram.set_fault({**fault, "method": "sendMessage"})
    names = [f"{number:02d}" for number in range(5)]
    for name in names:
        accepted = clock()
        new_relay().accept(Message(text=name), deadline=clock() + 27, spare_id=name)
        clock.now += 3
        new_relay().redeliver(deadline=clock() + RUN)
        assert float(table.row(name)["DueTs"]) == accepted
    telegram.set_fault({"kind": "none"})
    clock.now += 600
    new_relay().redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == names


def test_while_telegram_is_away_nothing_is_sent_and_no_row_is_touched(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock, is_away=True)
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    before = table.items()
    relay = new_relay(sender=sender)
    for _ in range(3):
        relay.redeliver(deadline=clock() + RUN)
        clock.now += 60
    assert sender.calls == []
    assert table.items() == before
    sender.is_away = False
    relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == ["0", "1", "2"]


def test_when_telegram_goes_away_in_the_middle_of_a_run_the_rest_waits_in_its_order(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    class Going(Script):
        def call(self, method: str, *arguments: object) -> dict[str, object]:
            self.is_away = len(self.calls) >= 2
            if self.is_away:
                raise Unavailable("down")
            return super().call(method, *arguments)  # type: ignore[arg-type]

    for number in range(5):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    sender = Going(clock)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert table.statuses() == {"0": "SENT", "1": "SENT", "2": "PENDING", "3": "PENDING", "4": "PENDING"}
    back = Script(clock)
    new_relay(sender=back).redeliver(deadline=clock() + RUN)
    assert back.texts == ["2", "3", "4"]


def test_a_message_that_always_fails_holds_up_none_behind_it(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 30 + number)
    sender = Script(clock, Unavailable("500"))
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sender.texts == ["0", "1", "2"]


def test_the_log_tells_for_how_long_a_pending_message_has_waited(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    owe(outbox, "one", due=clock() - 90)
    new_relay(sender=Script(clock, is_away=True)).redeliver(deadline=clock() + RUN)
    (pending,) = [each for each in caplog.records if each.message == "pending"]
    assert vars(pending)["waited_seconds"] == 90


def test_a_message_that_was_to_go_out_later_has_waited_only_since_then(
    relay: Relay, new_relay: NewRelay, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    later = Message(text="later", deliver_at=int(clock()) + DAY)
    relay.accept(later, deadline=clock() + PLENTY, spare_id="later")
    clock.now += DAY + 60
    new_relay(sender=Script(clock, Unavailable("down"))).redeliver(deadline=clock() + RUN)
    (pending,) = [each for each in caplog.records if each.message == "pending"]
    assert vars(pending)["waited_seconds"] == 60


@pytest.mark.parametrize(("chat", "interval"), [("default", 1.0), ("ops", 3.0)])
def test_a_chat_is_written_to_no_faster_than_telegram_wants(
    new_relay: NewRelay, outbox: Outbox, clock: Clock, chat: str, interval: float
) -> None:
    sender = Script(clock)
    for number in range(4):
        owe(outbox, f"{number}", due=clock() - 10 + number, chat=chat)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    times = [time for time, _, _ in sender.calls]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [interval] * 3


def test_while_a_chat_waits_for_its_pace_the_others_go(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock)
    for number in range(6):
        owe(outbox, f"a{number}", due=clock() - 20 + number)
    for number in range(3):
        owe(outbox, f"b{number}", due=clock() - 10 + number, chat="ops")
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sum(clock.slept) == 6.0
    assert [text for _, chat_id, text in sender.calls if chat_id == OPS_CHAT_ID] == ["b0", "b1", "b2"]


def test_a_run_uses_the_whole_minute_until_the_next_one(
    new_relay: NewRelay, memory_outbox: Outbox, clock: Clock
) -> None:
    sender = Script(clock)
    for number in range(100):
        owe(memory_outbox, f"{number:02d}", due=clock() - 200 + number)
    began, relay = clock(), new_relay(sender=sender, outbox=memory_outbox)
    for _ in range(2):
        relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == [f"{number:02d}" for number in range(100)]
    assert clock() - began == pytest.approx(100, abs=5)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Unavailable("down"), id="Unavailable"),
        pytest.param(Ambiguous("lost"), id="Ambiguous", marks=ON_DYNAMODB),
    ],
)
def test_what_fails_while_another_message_goes_through_is_tried_again_later(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, error: Exception
) -> None:
    sender = Script(clock, error)
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    relay = new_relay(sender=sender)
    relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == ["0", "1", "2"]
    assert table.statuses() == {"0": "PENDING", "1": "SENT", "2": "SENT"}
    clock.now += 15
    relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == ["0", "1", "2", "0"]


def test_where_telegram_is_away_a_run_sends_nothing_and_moves_no_row(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock, is_away=True)
    for number in range(3):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    due = {row["SK"]["S"]: row["DueTs"] for row in table.items()}
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sender.texts == []
    assert {row["SK"]["S"]: row["DueTs"] for row in table.items()} == due


@ON_DYNAMODB
def test_a_refused_message_is_failed_and_the_next_ones_go_out(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    for number in range(2):
        owe(outbox, f"{number}", due=clock() - 10 + number)
    relay.redeliver(deadline=clock() + RUN)
    assert table.statuses() == {"0": "FAILED", "1": "SENT"}
    row = table.row("0")
    assert row["LastError"] == "403 Forbidden: bot was blocked by the user"
    assert float(row["ExpirationTs"]) == pytest.approx(clock() + 30 * DAY, abs=60)


def test_a_failed_message_is_not_tried_again(
    relay: Relay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden"})
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + RUN)
    telegram.set_fault({"kind": "none"})
    clock.now += 29 * DAY
    relay.redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == []
    assert table.statuses() == {"Hello": "FAILED"}


@ON_DYNAMODB
def test_a_failed_message_goes_out_when_an_operator_wants_it(
    relay: Relay, outbox: Outbox, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    key = owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + RUN)
    (failed,) = outbox.scan("FAILED")
    outbox.apply(key, states.redrive(failed, now=clock()))
    assert "ExpirationTs" not in table.row("Hello")
    clock.now += 1
    relay.redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == ["Hello"]


def test_a_short_wait_that_telegram_asks_for_is_slept(
    relay: Relay, outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 5, "count": 1, "method": "sendMessage"})
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + RUN)
    assert [seconds for seconds in clock.slept if seconds] == [5.0]
    assert texts(telegram.messages) == ["Hello"]


@ON_DYNAMODB
def test_a_long_wait_is_left_to_a_later_run_whichever_process_it_is(
    new_relay: NewRelay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "rate_limit", "retry_after": 600, "count": 1, "method": "sendMessage"})
    due, _ = clock(), owe(outbox, "Hello", due=clock())
    new_relay().redeliver(deadline=clock() + RUN)
    assert sum(clock.slept) == 0
    assert float(table.row("Hello")["DueTs"]) == due
    clock.now += 590
    new_relay().redeliver(deadline=clock() + 20)
    assert telegram.messages == []
    clock.now += 10
    new_relay().redeliver(deadline=clock() + 20)
    assert texts(telegram.messages) == ["Hello"]


def test_while_telegram_asks_to_wait_the_chat_is_left_in_peace_and_others_are_not(
    new_relay: NewRelay, outbox: Outbox, clock: Clock
) -> None:
    sender = Picky(clock, a=Unavailable("429", retry_after=600.0))
    relay = new_relay(sender=sender)
    for number, (text, chat) in enumerate([("a", "default"), ("b", "default"), ("c", "ops")]):
        owe(outbox, text, due=clock() - 10 + number, chat=chat)
    relay.redeliver(deadline=clock() + RUN)
    assert sorted(sender.texts) == ["a", "c"]
    sender.errors = {}
    clock.now += 600
    relay.redeliver(deadline=clock() + RUN)
    assert sender.delivered == ["c", "a", "b"]


def test_it_sleeps_at_most_five_seconds_for_one_message(new_relay: NewRelay, outbox: Outbox, clock: Clock) -> None:
    sender = Script(clock, *[Unavailable("429", retry_after=2.0)] * 3)
    owe(outbox, "Hello", due=clock())
    new_relay(sender=sender).accept(Message(text="Other"), deadline=clock() + RUN, spare_id="other")
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
    assert (sum(clock.slept), sender.texts) == (0, ["Hello"])
    assert table.statuses() == {"Hello": "PENDING"}


@ON_DYNAMODB
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


@ON_DYNAMODB
def test_two_runs_at_once_send_each_message_once(
    new_relay: NewRelay, outbox: Outbox, telegram: FakeTelegram, clock: Clock
) -> None:
    for number in range(6):
        owe(outbox, f"{number}", due=clock() - 100 + number)
    start = threading.Barrier(3)

    def run() -> None:
        times = itertools.count(clock())  # a time of its own, in which a pace is slept through
        relay = new_relay(clock=lambda: float(next(times)), sleep=lambda _: None)
        start.wait()
        relay.redeliver(deadline=clock() + PLENTY)

    with ThreadPoolExecutor() as threads:
        for each in [threads.submit(run) for _ in range(3)]:
            each.result()
    assert sorted(texts(telegram.messages)) == [f"{number}" for number in range(6)]


@pytest.mark.parametrize(("random", "share"), [(b"\x00", 0.5), (b"\xff", 1.0)])
def test_the_wait_for_a_message_that_fails_doubles_from_5_seconds_to_15_minutes(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock, random: bytes, share: float
) -> None:
    waits = []
    owe(outbox, "ill", due=clock())
    for number in range(11):
        owe(outbox, f"well {number}", due=clock())
        sender = Picky(clock, ill=Unavailable("500"))
        new_relay(sender=sender, random=lambda count: random * count).redeliver(deadline=clock() + RUN)
        waits.append(float(table.row("ill")["DueTs"]) - clock())
        clock.now += waits[-1]
    assert waits[0] == pytest.approx(5, abs=2)
    assert [round(later / earlier) for earlier, later in itertools.pairwise(waits[2:7])] == [2] * 4
    assert waits[-1] == pytest.approx(900 * share, abs=2)


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
        relay.redeliver(deadline=clock() + RUN)
        clock.now += 3600
    assert table.statuses() == {"Hello": "PENDING"}
    alarms = [record for record in caplog.records if getattr(record, "alarm", None) == "bot_token_rejected"]
    assert [record.levelname for record in alarms] == ["ERROR"]
    assert TWIN_BOT_TOKEN not in caplog.text
    telegram.set_fault({"kind": "none"})
    relay.redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == ["Hello"]


@ON_DYNAMODB
def test_a_sent_row_is_kept_14_days(relay: Relay, outbox: Outbox, table: Table, clock: Clock) -> None:
    owe(outbox, "Hello", due=clock())
    relay.redeliver(deadline=clock() + RUN)
    assert float(table.row("Hello")["ExpirationTs"]) == int(clock()) + 14 * DAY


@ON_DYNAMODB
def test_an_id_is_free_again_when_its_row_has_expired(relay: Relay, telegram: FakeTelegram, clock: Clock) -> None:
    for text, days in (("Hello", 13), ("Hello", 1), ("Another one", 14), ("Again", 0)):
        relay.accept(Message(text=text, id="k1"), deadline=clock() + PLENTY, spare_id="unused")
        clock.now += days * DAY
    assert texts(telegram.messages) == ["Hello", "Another one", "Again"]


@pytest.mark.parametrize("has_been_deleted", [pytest.param(False, marks=ON_DYNAMODB), True])
@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE#s1", "BOTTE_MESSAGE#g"])
def test_an_id_that_names_an_item_is_free_again_when_the_items_row_has_expired(
    relay: Relay,
    tasks: Tasks,
    telegram: FakeTelegram,
    table: Table,
    clock: Clock,
    partition_key: str,
    has_been_deleted: bool,
) -> None:
    image = item({"text": {"S": "Hello"}, "id": {"S": "k1"}}, sort_key="s1", partition_key=partition_key)
    image.pop("SenderApp")
    relay.take(tasks.read_stream([stream_record(image)]), deadline=clock() + PLENTY)
    clock.now += 13 * DAY
    relay.accept(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert texts(telegram.messages) == ["Hello"]
    clock.now += 1 * DAY
    if has_been_deleted:
        for row in table.items():
            if float(row["ExpirationTs"]["N"]) <= clock():
                table.delete(row)
    relay.accept(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert texts(telegram.messages) == ["Hello", "Hello"]


@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE#s1", "BOTTE_MESSAGE#g"])
def test_an_id_stays_taken_as_long_as_its_message_is_owed(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, clock: Clock, partition_key: str
) -> None:
    later = {"text": {"S": "Hello"}, "id": {"S": "k1"}, "deliver_at": {"N": str(int(clock()) + 29 * DAY)}}
    image = item(later, sort_key="s1", partition_key=partition_key)
    relay.take(tasks.read_stream([stream_record(image)]), deadline=clock() + PLENTY)
    clock.now += 28 * DAY
    with pytest.raises(IdReused):
        relay.accept(Message(text="Other", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    clock.now += 2 * DAY
    relay.redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize("door", ["caller", pytest.param("queue", marks=ON_DYNAMODB)])
def test_a_door_that_has_no_time_left_keeps_the_message_instead(
    new_relay: NewRelay, table: Table, clock: Clock, door: str
) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender)
    if door == "caller":
        relay.accept(Message(text="Hello"), deadline=clock() + 14, spare_id="m1")
    else:
        relay.take(read_queue([queue_record(json.dumps({"text": "Hello"}), "m1")]), deadline=clock() + 14)
    assert sender.calls == []
    assert table.statuses() == {"m1": "PENDING"}
    relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == ["Hello"]
