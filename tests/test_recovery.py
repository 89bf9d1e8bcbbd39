"""Crashes and lost answers: a message goes on where it stopped, and nothing is lost or sent twice for no reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import (
    ChatMigrated,
    MarkupRefused,
    ParametersUnavailable,
    TableAnswerLost,
    TableUnavailable,
    ThreadNotFound,
    Unavailable,
)
from chalicelib.outbox import states
from chalicelib.outbox.states import Lease
from chalicelib.outbox.table import NotApplied, Outbox
from chalicelib.relay import Accepted, Delivered
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.settings import Parameters
from chalicelib.telegram.bot_api import Telegram
from chalicelib.telegram.delivery import NO_PROGRESS
from tests.conftest import NewOutbox, NewRelay
from tests.doors import (
    GONE,
    LOST,
    THROTTLED,
    Clock,
    Killed,
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
from tools.dev.fake_telegram import TWIN_CHAT_ID, FakeTelegram

PLENTY = 3600.0
ON_DYNAMODB = pytest.mark.outbox("dynamodb")

pytestmark = pytest.mark.outbox("memory")


@ON_DYNAMODB
def test_after_a_crash_a_message_is_sent_when_its_lease_is_over(
    new_relay: NewRelay, outbox: Outbox, table: Table, telegram: FakeTelegram, clock: Clock
) -> None:
    owe(outbox, "Hello", due=clock())
    with pytest.raises(Killed):
        new_relay(sender=Script(clock, Killed())).redeliver(deadline=clock() + PLENTY)
    clock.now += LEASE_SECONDS - 1
    new_relay().redeliver(deadline=clock() + PLENTY)
    assert telegram.messages == []
    assert table.statuses() == {"Hello": "SENDING"}
    clock.now += 1
    new_relay().redeliver(deadline=clock() + PLENTY)
    assert texts(telegram.messages) == ["Hello"]
    assert table.row("Hello")["Attempts"] == "2"


@ON_DYNAMODB
def test_a_process_that_lost_its_lease_changes_nothing(outbox: Outbox, table: Table, clock: Clock) -> None:
    key = owe(outbox, "Hello", due=clock())
    slow, quick = Lease("slow", clock() + 60), Lease("quick", clock() + 200)
    outbox.apply(key, states.reclaim(slow, now=clock(), place=None))
    clock.now += 61
    outbox.apply(key, states.reclaim(quick, now=clock(), place=None))
    for late in (
        states.progress(slow, NO_PROGRESS),
        states.later(slow, NO_PROGRESS, chat="default", due=clock()),
        states.sent(slow, NO_PROGRESS, now=clock()),
        states.fail(slow, NO_PROGRESS, now=clock(), error="too late"),
    ):
        with pytest.raises(NotApplied):
            outbox.apply(key, late)
    assert table.statuses() == {"Hello": "SENDING"}
    outbox.apply(key, states.sent(quick, NO_PROGRESS, now=clock()))
    assert table.statuses() == {"Hello": "SENT"}


@ON_DYNAMODB
def test_a_split_message_goes_on_at_the_part_that_failed(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    sender = Script(clock, None, Unavailable("down"))
    relay = new_relay(sender=sender)
    text = "a" * 4096 + "b" * 4096 + "c" * 10
    owe(outbox, text, due=clock(), id="k1")
    relay.redeliver(deadline=clock() + PLENTY)
    assert table.row("k1")["TelegramMessageId"] == "1"
    clock.now += 3600
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "b", "c"]
    assert table.row("k1")["TelegramMessageId"] == [{"N": "1"}, {"N": "3"}, {"N": "4"}]


def test_a_split_message_that_was_killed_between_two_parts_goes_on_there(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    sender = Script(clock, None, Killed())
    text = "a" * 4096 + "b" * 4096 + "c" * 10
    with pytest.raises(Killed):
        new_relay(sender=sender).accept(Message(text=text), deadline=clock() + PLENTY, spare_id="k1")
    assert table.statuses() == {"k1": "SENDING"}
    clock.now += LEASE_SECONDS
    new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "b", "c"]
    assert table.statuses() == {"k1": "SENT"}


def test_a_split_message_stops_in_time_and_goes_on_later(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    class Slow(Script):
        def call(self, method: str, *arguments: Any) -> dict[str, Any]:
            answer = super().call(method, *arguments)
            clock.now += 10 * (method != "getMe")
            return answer

    sender = Slow(clock)
    owe(outbox, "a" * 4096 + "b" * 4096 + "c" * 10, due=clock(), id="k1")
    relay = new_relay(sender=sender)
    relay.redeliver(deadline=clock() + 30)
    assert [text[0] for text in sender.texts] == ["a", "b"]
    relay.redeliver(deadline=clock() + PLENTY)
    assert [text[0] for text in sender.texts] == ["a", "b", "c"]
    assert table.statuses() == {"k1": "SENT"}


@ON_DYNAMODB
def test_a_message_that_takes_too_long_to_mend_is_kept_as_far_as_it_is_mended(
    new_relay: NewRelay, table: Table, clock: Clock
) -> None:
    class Slow(Script):
        def call(self, *arguments: Any, **more: Any) -> dict[str, Any]:
            clock.now += 9
            return super().call(*arguments, **more)

    sender = Slow(clock, MarkupRefused("can't parse"), ThreadNotFound("not found"))
    message = Message(text="<b>x", parse_mode="HTML", message_thread_id=5)
    relay, deadline = new_relay(sender=sender), clock() + 27
    outcome = relay.accept(message, deadline=deadline, spare_id="k1")
    assert isinstance(outcome, Accepted)
    assert clock() <= deadline
    assert table.row("k1")["Mended"] == [{"S": "parse_mode"}, {"S": "message_thread_id"}]
    relay.redeliver(deadline=clock() + PLENTY)
    assert len(sender.calls) == 3
    assert table.statuses() == {"k1": "SENT"}


def test_markup_that_is_refused_in_a_later_part_neither_loses_nor_doubles_words(
    new_relay: NewRelay, clock: Clock
) -> None:
    sender = Script(clock, None, MarkupRefused("400 Bad Request: can't parse entities"))
    lines = [" ".join(f"{line:02d}{word:02d}" for word in range(50)) for line in range(24)]
    text = "\n".join(f"<i>{line}</i>" for line in lines)
    message = Message(text=text, parse_mode="HTML")
    new_relay(sender=sender).accept(message, deadline=clock() + PLENTY, spare_id="k1")
    arrived = [sender.texts[0], *sender.texts[2:]]  # the second call was refused
    assert re.findall(r"\d{4}", " ".join(arrived)) == re.findall(r"\d{4}", text)


@ON_DYNAMODB
def test_a_row_that_is_being_sent_does_not_expire_whatever_its_writer_set(
    new_relay: NewRelay, tasks: Tasks, table: Table, clock: Clock
) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1", ExpirationTs={"N": "1"})
    relay = new_relay(sender=Script(clock, Killed()))
    with pytest.raises(Killed):
        relay.take(tasks.read_stream([stream_record(image)]), deadline=clock() + PLENTY)
    row = table.message("Hello")
    assert row["Status"] == "SENDING"
    assert "ExpirationTs" not in row


# What a table can do at a call, and then what AWS does on DynamoDB that means it.
AWAY, ANSWER_LOST = TableUnavailable("away", retry_after=0.0), TableAnswerLost("lost", retry_after=0.0)
FAULTS = [
    pytest.param(AWAY, id="away"),
    pytest.param(ANSWER_LOST, id="answer lost"),
]
DYNAMODBS = [
    pytest.param(GONE, id="GONE", marks=ON_DYNAMODB),
    pytest.param(THROTTLED, id="THROTTLED", marks=ON_DYNAMODB),
    pytest.param(LOST, id="LOST", marks=ON_DYNAMODB),
]


def at_each_call(count: int) -> pytest.MarkDecorator:
    """Each fault at each of the first calls, in memory; and each that DynamoDB has at the second one, on DynamoDB."""
    cases = [(calls, fault) for calls in range(count) for fault in FAULTS] + [(1, fault) for fault in DYNAMODBS]
    return pytest.mark.parametrize(
        ("calls", "fault"),
        [pytest.param(calls, *fault.values, id=f"{calls}-{fault.id}", marks=fault.marks) for calls, fault in cases],
    )


@at_each_call(3)
@pytest.mark.parametrize("lasts", [2, 1000])
@pytest.mark.parametrize("id", [None, "k1"])
def test_whatever_the_table_does_a_split_message_is_not_sent_twice(
    new_relay: NewRelay,
    new_outbox: NewOutbox,
    outbox: Outbox,
    table: Table,
    clock: Clock,
    id: str | None,
    calls: int,
    lasts: int,
    fault: Exception,
) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender, outbox=new_outbox(script=[*[None] * calls, *[fault] * lasts]))
    with suppress(Unavailable):
        relay.accept(Message(text="a" * 4096 + "b" * 10, id=id), deadline=clock() + 27, spare_id="spare")
    assert len(sender.texts) == len(set(sender.texts))
    if lasts == 2:  # then all is noted, and nothing left to be done
        assert set(table.statuses().values()) <= {"SENT"}
        clock.now += LEASE_SECONDS
        new_relay(sender=sender, outbox=outbox).redeliver(deadline=clock() + PLENTY)
        assert [text[0] for text in sender.texts] == ["a", "b"]


@at_each_call(6)
@pytest.mark.parametrize("group", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#g"])
def test_whatever_the_table_does_for_a_moment_a_batch_is_delivered_once(
    new_relay: NewRelay,
    new_outbox: NewOutbox,
    outbox: Outbox,
    tasks: Tasks,
    clock: Clock,
    group: str,
    calls: int,
    fault: Exception,
) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender, outbox=new_outbox(script=[*[None] * calls, *[fault] * 3]))
    images = [item({"text": {"S": name}}, sort_key=name, partition_key=group) for name in "abc"]
    relay.take(tasks.read_stream([stream_record(image) for image in images]), deadline=clock() + 60)
    clock.now += LEASE_SECONDS
    new_relay(sender=sender, outbox=outbox).redeliver(deadline=clock() + PLENTY)
    assert sender.texts == ["a", "b", "c"]


@at_each_call(4)
def test_whatever_the_table_does_for_a_moment_what_is_owed_goes_out_once(
    new_relay: NewRelay, new_outbox: NewOutbox, outbox: Outbox, table: Table, clock: Clock, calls: int, fault: Exception
) -> None:
    sender = Script(clock)
    for name in ("a", "b"):
        owe(outbox, name, due=clock())
    flaky = new_outbox(script=[*[None] * calls, *[fault] * 3])
    new_relay(sender=sender, outbox=flaky).redeliver(deadline=clock() + 90)
    assert sorted(sender.texts) == ["a", "b"]
    assert table.statuses() == {"a": "SENT", "b": "SENT"}


@ON_DYNAMODB
def test_a_delivery_is_noted_as_long_as_there_is_time(
    new_relay: NewRelay, new_outbox: NewOutbox, table: Table, clock: Clock
) -> None:
    relay = new_relay(sender=Script(clock), outbox=new_outbox(script=[None, *[THROTTLED] * 25]))
    relay.take(read_queue([queue_record('{"text": "Hello"}', "m1")]), deadline=clock() + 55)
    assert sum(clock.slept) > 30
    assert table.statuses() == {"m1": "SENT"}


def test_a_queue_that_brings_a_message_again_while_it_is_owed_does_not_send_it(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    record = queue_record(json.dumps({"text": "Hello"}), "m1")
    for _ in range(2):
        new_relay().take(read_queue([record]), deadline=clock() + PLENTY)
    assert telegram.messages == []
    assert table.statuses() == {"m1": "PENDING"}


def test_parameters_that_cannot_be_read_keep_the_message(
    new_relay: NewRelay, telegram: FakeTelegram, table: Table, clock: Clock
) -> None:
    def unreadable(names: object) -> Mapping[str, str]:
        del names
        raise ParametersUnavailable("the Parameter Store cannot be read")

    parameters = Parameters("/botte/local", unreadable)
    relay = new_relay(parameters=parameters, sender=Telegram(telegram.url, parameters.bot_token))
    outcome = relay.accept(Message(text="Hello"), deadline=clock() + PLENTY, spare_id="k1")
    assert isinstance(outcome, Accepted)
    assert table.statuses() == {"k1": "PENDING"}


def test_a_group_that_became_a_supergroup_is_followed_by_a_later_process_too(
    new_relay: NewRelay, outbox: Outbox, table: Table, clock: Clock
) -> None:
    moved = ChatMigrated("400 Bad Request: group chat was upgraded to a supergroup chat", -1009)
    sender = Script(clock, moved, Unavailable("down"), moved, None)
    owe(outbox, "Hello", due=clock())
    for _ in range(2):
        new_relay(sender=sender).redeliver(deadline=clock() + PLENTY)
        clock.now += 60
    assert table.statuses() == {"Hello": "SENT"}
    assert [chat_id for _, chat_id, _ in sender.calls] == [TWIN_CHAT_ID, -1009, TWIN_CHAT_ID, -1009]


@pytest.mark.parametrize("result", [True, [], {}, {"message_id": "x"}])
def test_an_answer_without_a_message_may_be_a_delivery_and_is_tried_again(
    new_relay: NewRelay, parameters: Parameters, table: Table, clock: Clock, result: object
) -> None:
    with RawServer(http_answer(200, {"ok": True, "result": result})) as server:
        relay = new_relay(sender=Telegram(server.url, parameters.bot_token))
        relay.take(read_queue([queue_record(json.dumps({"text": "Hello"}), "m1")]), deadline=clock() + PLENTY)
    row = table.row("m1")
    assert (row["Status"], row["Ambiguous"]) == ("PENDING", "1")


@ON_DYNAMODB
def test_a_message_that_telegram_took_is_told_as_delivered_where_the_table_cannot_note_it(
    new_relay: NewRelay, new_outbox: NewOutbox, clock: Clock
) -> None:
    sender = Script(clock)
    relay = new_relay(sender=sender, outbox=new_outbox(script=[None, *[GONE] * 1000]))
    outcome = relay.accept(Message(text="Hello", id="k1"), deadline=clock() + PLENTY, spare_id="unused")
    assert isinstance(outcome, Delivered)
    assert sender.texts == ["Hello"]
