"""Lost answers and long outages: what may have arrived is sent a few times at most, and what is owed never dropped."""

from __future__ import annotations

import json

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import Ambiguous, BotteError, Unavailable
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from tests.conftest import NewRelay
from tests.doors import (
    Clock,
    Picky,
    RawServer,
    Script,
    Table,
    http_answer,
    item,
    owe,
    queue_record,
    stream_record,
    texts,
)
from tests.outbox.memory_table import MemoryTable
from tools.dev.fake_telegram import FakeTelegram

DAY = 86_400
RUN = 90.0
LOST = Ambiguous("Telegram's answer was lost")

pytestmark = pytest.mark.outbox("memory")


def come_through(door: str, relay: Relay, tasks: Tasks, deadline: float) -> None:
    """A message with the text "lost", through a door."""
    fields = {"text": {"S": "lost"}}
    match door:
        case "http":
            relay.accept(Message(text="lost"), deadline=deadline, spare_id="k1")
        case "http with an id":
            relay.accept(Message(text="lost", id="k1"), deadline=deadline, spare_id="unused")
        case "queue":
            relay.take(read_queue([queue_record('{"text": "lost"}', "m1")]), deadline=deadline)
        case "stream":
            record = stream_record(item(fields, sort_key="s1"))
            relay.take(tasks.read_stream([record]), deadline=deadline)
        case "group":
            record = stream_record(item(fields, sort_key="s1", partition_key="BOTTE_MESSAGE#g"))
            relay.take(tasks.read_stream([record]), deadline=deadline)


DOORS = ["http", "http with an id", "queue", "stream", "group"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("with_others", [False, True])
def test_a_message_whose_answer_is_always_lost_arrives_five_times_at_most_and_is_failed(
    new_relay: NewRelay, tasks: Tasks, outbox: Outbox, clock: Clock, door: str, with_others: bool
) -> None:
    sender = Picky(clock, lost=LOST)
    relay = new_relay(sender=sender)
    come_through(door, relay, tasks, clock() + 27)
    for number in range(30):
        if with_others:
            owe(outbox, f"other {number}", due=clock())
        clock.now += 60
        relay.redeliver(deadline=clock() + RUN)
    clock.now += DAY
    relay.redeliver(deadline=clock() + RUN)
    assert sender.texts.count("lost") == 5
    (row,) = outbox.scan("FAILED", "PENDING", "SENDING")
    assert row.status == "FAILED"
    assert row.last_error is not None
    assert row.last_error.startswith("may have arrived")


def test_a_caller_that_asks_again_and_again_does_not_multiply_what_may_have_arrived(
    new_relay: NewRelay, tasks: Tasks, clock: Clock
) -> None:
    sender = Picky(clock, lost=LOST)
    relay = new_relay(sender=sender)
    for _ in range(20):
        try:
            come_through("http with an id", relay, tasks, clock() + 27)
        except BotteError:
            break
        clock.now += 60
        relay.redeliver(deadline=clock() + RUN)
    assert sender.texts.count("lost") <= 5


@pytest.mark.parametrize("door", DOORS)
def test_an_answer_that_is_lost_once_doubles_a_message_at_most(
    new_relay: NewRelay, tasks: Tasks, clock: Clock, door: str
) -> None:
    sender = Script(clock, LOST)
    relay = new_relay(sender=sender)
    come_through(door, relay, tasks, clock() + 27)
    for _ in range(5):
        clock.now += LEASE_SECONDS
        relay.redeliver(deadline=clock() + RUN)
    assert sender.texts == ["lost", "lost"]


@pytest.mark.parametrize("kind", ["photo", "document"])
@pytest.mark.parametrize("text", [None, "Look"])
def test_media_whose_answer_is_lost_twice_go_as_a_link(
    new_relay: NewRelay, outbox: Outbox, telegram: FakeTelegram, clock: Clock, kind: str, text: str | None
) -> None:
    telegram.set_fault({"kind": "cut_before_accept", "method": f"send{kind.title()}"})
    fields = {kind: "https://example.com/a.png"} | ({"text": text} if text else {})
    message = Message.from_fields(fields, now=clock())
    relay = new_relay()
    relay.accept(message, deadline=clock() + 27, spare_id="k1")
    for _ in range(4):
        clock.now += 900
        relay.redeliver(deadline=clock() + RUN)
    (sent,) = telegram.messages
    assert sent["method"] == "sendMessage"
    assert "https://example.com/a.png" in sent["text"]
    assert (text or "") in sent["text"]
    assert [row.progress.mended for row in outbox.scan("SENT")] == [(kind,)]


@pytest.mark.parametrize("digits", [6, 15, 400])
def test_a_wait_of_many_years_is_over_after_a_day(
    new_relay: NewRelay, parameters: Parameters, outbox: Outbox, clock: Clock, digits: int
) -> None:
    said = {"ok": False, "error_code": 429, "description": "x", "parameters": {"retry_after": int("9" * digits)}}
    sent = {"ok": True, "result": {"message_id": 1}}
    answers = [http_answer(429, said), http_answer(200, {"ok": True, "result": {"id": 42}}), http_answer(200, sent)]
    with RawServer(*answers) as server:
        relay = new_relay(sender=Telegram(server.url, parameters.bot_token))
        relay.accept(Message(text="Hello"), deadline=clock() + 27, spare_id="k1")
        assert len(list(outbox.scan("PENDING"))) == 1
        clock.now += DAY
        relay.redeliver(deadline=clock() + RUN)
    assert len(list(outbox.scan("SENT"))) == 1


def test_what_is_owed_through_61_days_of_outage_does_not_expire_and_is_delivered(
    new_relay: NewRelay, tasks: Tasks, memory: MemoryTable, clock: Clock
) -> None:
    away = new_relay(sender=Script(clock, *[Unavailable("down")] * 99, is_away=True))
    came = [queue_record(json.dumps({"text": "queued"}), "m1")]
    came += [queue_record(json.dumps({"text": "fifo"}), "m2", MessageGroupId="g", SequenceNumber="1")]
    records = [
        stream_record(item({"text": {"S": text}, "id": {"S": text}}, sort_key=text, partition_key=partition))
        for text, partition in (("alone", "BOTTE_MESSAGE"), ("one", "BOTTE_MESSAGE#g"), ("two", "BOTTE_MESSAGE#g"))
    ]
    away.accept(Message(text="posted"), deadline=clock() + 27, spare_id="k1")
    away.accept(Message(text="later", deliver_at=int(clock()) + DAY), deadline=clock() + 27, spare_id="k2")
    away.take(read_queue(came), deadline=clock() + 3600)
    away.take(tasks.read_stream(records), deadline=clock() + 3600)
    for _ in range(7):
        clock.now += 9 * DAY
        away.redeliver(deadline=clock() + RUN)
        away.take(read_queue(came), deadline=clock() + 3600)
        away.take(tasks.read_stream(records), deadline=clock() + 3600)
    rows = [row for row in memory.scan() if row.status is not None]
    assert [row.status for row in rows] == ["PENDING"] * 7
    assert not any("ExpirationTs" in row.item for row in rows)
    reserved = [float(row.item["ExpirationTs"]["N"]) for row in memory.scan() if row.owner]
    assert len(reserved) == 2
    assert min(reserved) > clock() + 300 * DAY
    sender = Script(clock)
    new_relay(sender=sender).redeliver(deadline=clock() + RUN)
    assert sorted(sender.texts) == ["alone", "fifo", "later", "one", "posted", "queued", "two"]
    assert sender.texts.index("one") < sender.texts.index("two")
    assert sender.texts[-1] == "later"


def test_lost_answers_of_the_real_kind_are_counted(
    new_relay: NewRelay, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "cut_after_accept", "method": "sendMessage"})
    relay = new_relay()
    relay.take(read_queue([queue_record('{"text": "Hello"}', "m1")]), deadline=clock() + 60)
    for _ in range(12):
        clock.now += 900
        relay.redeliver(deadline=clock() + RUN)
    assert texts(telegram.messages) == ["Hello"] * 5
    assert table.statuses() == {"m1": "FAILED"}
