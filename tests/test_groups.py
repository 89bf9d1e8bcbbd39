"""Groups: items with one partition key, and messages of one FIFO group, go out in their order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import Tasks
from chalicelib.errors import Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.relay.attempt import LEASE_SECONDS
from tests.conftest import NewRelay
from tests.doors import Clock, Killed, Script, Sources, Table, event, item, stream_record, texts
from tools.dev.fake_telegram import FakeTelegram

ON_DYNAMODB = pytest.mark.outbox("dynamodb")

pytestmark = pytest.mark.outbox("memory")


def grouped(name: str, payload: dict[str, Any] | None = None, group: str = "#g") -> dict[str, Any]:
    """The stream's record of an item of a group, whose text is its sort key: it was put after all that were made."""
    payload = payload if payload is not None else {"text": {"S": name}}
    return stream_record(item(payload, sort_key=name, partition_key=f"BOTTE_MESSAGE{group}"))


def fifo_record(body: str, number: int, group: str = "g") -> dict[str, Any]:
    record = event("sqs_fifo")["Records"][0]
    record["attributes"] |= {"MessageGroupId": group, "SequenceNumber": str(18870000000000000000 + number)}
    return {**record, "body": body, "messageId": f"m{number}"}


@ON_DYNAMODB
def test_a_group_goes_out_in_the_order_in_which_it_was_written_whatever_its_sort_keys(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    sources.stream(*[grouped(name) for name in ("c", "a", "b")])
    assert texts(telegram.messages) == ["c", "a", "b"]
    assert table.states() == {"a": "SENT", "b": "SENT", "c": "SENT"}


def test_while_the_head_of_a_group_waits_all_others_wait_behind_it(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(*[grouped(name) for name in ("a", "b", "c")])
    assert table.states() == {"a": "PENDING", "b": "PENDING", "c": "PENDING"}
    assert telegram.messages == []


def test_what_has_the_bare_partition_key_stands_for_itself(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(*[grouped(name, group="") for name in ("a", "b", "c")])
    assert table.states() == {"a": "PENDING", "b": "SENT", "c": "SENT"}


def test_another_group_does_not_wait(sources: Sources, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(grouped("a", group="#g"), grouped("b", group="#h"), grouped("c", group=""))
    assert texts(telegram.messages) == ["b", "c"]


@ON_DYNAMODB
def test_a_group_that_waited_is_redelivered_in_order(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(*[grouped(name) for name in ("a", "b", "c")])
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert set(table.states().values()) == {"SENT"}


@pytest.mark.parametrize("reason", [pytest.param("bad input", marks=ON_DYNAMODB), "refused"])
def test_a_head_that_failed_lets_its_group_go_on(
    sources: Sources, telegram: FakeTelegram, table: Table, reason: str
) -> None:
    bad = grouped("a", {"text": {"S": "a"}, "chat_id": {"N": "5"}} if reason == "bad input" else None)
    if reason == "refused":
        telegram.set_fault({"kind": "forbidden", "count": 1})
    sources.stream(bad, grouped("b"), grouped("c"))
    assert sorted(table.states().values()) == ["FAILED", "SENT", "SENT"]
    assert texts(telegram.messages) == ["b", "c"]


def test_a_head_that_fails_when_it_is_redelivered_lets_its_group_go_on(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(*[grouped(name) for name in ("a", "b", "c")])
    telegram.set_fault({"kind": "forbidden", "count": 1})
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert table.states() == {"a": "FAILED", "b": "SENT", "c": "SENT"}


@pytest.mark.parametrize("group_comes_first", [False, True])
def test_a_message_whose_id_is_the_name_of_a_group_does_not_stand_in_its_way(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, group_comes_first: bool
) -> None:
    telegram.set_fault({"kind": "down"})
    later = Message(text="later", id="g", deliver_at=int(clock()) + 7200)
    arrivals: list[Callable[[], object]] = [
        lambda: relay.accept(later, deadline=clock() + 27, spare_id="unused"),
        lambda: sources.stream(*[grouped(name) for name in ("f", "h", "i")]),
    ]
    for arrive in reversed(arrivals) if group_comes_first else arrivals:
        arrive()
    telegram.set_fault({"kind": "none"})
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["f", "h", "i"]
    assert table.states()["later"] == "PENDING"


@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
def test_records_that_come_again_do_not_change_the_order(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, order: tuple[str, ...]
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    records = {name: grouped(name) for name in "abc"}
    sources.stream(*records.values())
    for name in order:
        sources.stream(records[name])
    assert telegram.messages == []
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert table.states() == {"a": "SENT", "b": "SENT", "c": "SENT"}


def test_while_the_head_is_being_sent_the_next_one_waits(
    sources: Sources, telegram: FakeTelegram, table: Table, new_relay: NewRelay, tasks: Tasks, clock: Clock
) -> None:
    dying = new_relay(sender=Script(clock, Killed()))
    with pytest.raises(Killed):
        dying.take(tasks.read_stream([grouped("a")]), deadline=clock() + 60)
    sources.stream(grouped("b"))
    assert table.states() == {"a": "SENDING", "b": "PENDING"}
    new_relay().redeliver(deadline=clock() + 60)
    assert telegram.messages == []
    clock.now += LEASE_SECONDS
    new_relay().redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


@ON_DYNAMODB
def test_a_message_for_later_takes_its_place_when_its_time_has_come_and_holds_up_nobody(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    due = str(int(clock()) + 3600)
    sources.stream(grouped("a", {"text": {"S": "a"}, "deliver_at": {"N": due}}), grouped("b"))
    assert texts(telegram.messages) == ["b"]
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["b", "a"]


def test_a_message_whose_time_has_come_goes_before_what_came_later(
    sources: Sources,
    telegram: FakeTelegram,
    table: Table,
    relay: Relay,
    new_relay: NewRelay,
    tasks: Tasks,
    clock: Clock,
) -> None:
    due = str(int(clock()) + 3600)
    sources.stream(grouped("a", {"text": {"S": "a"}, "deliver_at": {"N": due}}))
    clock.now += 3601
    away = new_relay(sender=Script(clock, Unavailable("down"), is_away=True))
    away.take(tasks.read_stream([grouped("b")]), deadline=clock() + 60)
    assert table.states() == {"a": "PENDING", "b": "PENDING"}
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_an_item_of_somebody_else_in_the_partition_holds_up_nobody(sources: Sources, telegram: FakeTelegram) -> None:
    foreign = item({"text": {"S": "x"}}, sort_key="a", partition_key="BOTTE_MESSAGE#g", TaskId={"S": "OTHER"})
    sources.stream(stream_record(foreign), grouped("b"))
    assert texts(telegram.messages) == ["b"]


@ON_DYNAMODB
def test_a_repeated_message_in_a_group_is_done_and_holds_up_nobody(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    same = {"text": {"S": "Hello"}, "id": {"S": "k1"}}
    sources.stream(grouped("a", same), grouped("b", same), grouped("c"))
    assert texts(telegram.messages) == ["Hello", "c"]
    assert table.states() == {"Hello": "SENT", "c": "SENT"}


@ON_DYNAMODB
def test_the_messages_of_a_fifo_group_go_out_in_order(sources: Sources, telegram: FakeTelegram, table: Table) -> None:
    records = [fifo_record(json.dumps({"text": name}), number) for number, name in enumerate("abc")]
    sources.queue(*records)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert {row["PK"]["S"] for row in table.items()} == {"GROUP#queue botte-local-messages.fifo g"}


def test_a_bad_message_at_the_head_of_a_fifo_group_is_parked(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    sources.queue(fifo_record('{"text":""}', 1), fifo_record('{"text":"a2"}', 2), fifo_record('{"text":"a3"}', 3))
    assert texts(telegram.messages) == ["a2", "a3"]
    assert table.states() == {'{"text":""}': "FAILED", "a2": "SENT", "a3": "SENT"}


def test_what_was_mended_in_a_group_is_noted_and_its_place_stays(
    sources: Sources, telegram: FakeTelegram, table: Table
) -> None:
    """An option that cannot be read delays nobody, and moves nobody up."""
    odd = grouped("a", {"text": {"S": "a"}, "photo": {"S": "http://h/"}, "id": {"S": ""}})
    sources.stream(odd, grouped("b"))
    sources.queue(fifo_record('{"text":"c","protect_content":1}', 1), fifo_record("plain text", 2))
    assert texts(telegram.messages) == ["a\n\nhttp://h/", "b", "c", "plain text"]
    noted = {row["Message"]["S"]: row["Mended"]["L"] for row in table.items() if "Mended" in row}
    assert list(noted.values()) == [[{"S": "photo"}, {"S": "id"}], [{"S": "protect_content"}]]


def test_a_fifo_group_waits_behind_its_head_and_others_do_not(
    sources: Sources, telegram: FakeTelegram, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.queue(
        fifo_record('{"text":"a1"}', 1, "a"),
        fifo_record('{"text":"b1"}', 2, "b"),
        fifo_record('{"text":"a2"}', 3, "a"),
    )
    assert texts(telegram.messages) == ["b1"]
    sources.queue(fifo_record('{"text":"a3"}', 4, "a"))
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["b1", "a1", "a2", "a3"]


def test_sequence_numbers_of_different_lengths_keep_their_order(
    new_relay: NewRelay, telegram: FakeTelegram, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    records = []
    for number in ("9", "10", "100"):
        record = fifo_record(json.dumps({"text": number}), 0)
        record["attributes"]["SequenceNumber"] = number
        records.append({**record, "messageId": number})
    relay = new_relay()
    relay.take(read_queue(records), deadline=clock() + 60)
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["9", "10", "100"]


def test_a_fifo_message_that_comes_again_is_delivered_once(sources: Sources, telegram: FakeTelegram) -> None:
    for _ in range(2):
        sources.queue(fifo_record('{"text":"a"}', 1), fifo_record('{"text":"b"}', 2))
    assert texts(telegram.messages) == ["a", "b"]


@ON_DYNAMODB
def test_a_redriven_head_goes_out_before_those_of_its_group_that_still_wait(
    sources: Sources, telegram: FakeTelegram, table: Table, outbox: Outbox, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    sources.stream(grouped("a"), grouped("b"))
    telegram.set_fault({"kind": "down", "method": "sendMessage", "count": 1})
    sources.stream(grouped("c"), grouped("d"))
    (failed,) = outbox.scan("FAILED")
    outbox.apply(failed.key, states.redrive(failed, now=clock()))
    clock.now += 60
    relay.redeliver(deadline=clock() + 60)
    assert sorted(texts(telegram.messages)) == ["a", "b", "c", "d"]
    assert set(table.states().values()) == {"SENT"}


@pytest.mark.parametrize("order", ["abba", "abab", "abbaab"])
def test_records_that_come_again_after_the_group_has_moved_on_change_nothing(
    sources: Sources, telegram: FakeTelegram, order: str
) -> None:
    records = {name: grouped(name) for name in "ab"}
    sources.stream(*[records[name] for name in order])
    assert texts(telegram.messages) == ["a", "b"]


@ON_DYNAMODB
@pytest.mark.parametrize("name", ["g" * 1500, "é" * 1000, " group", "LANE", "a\nb", "\U0001f600"])
def test_a_group_may_have_any_name(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, name: str
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    sources.stream(*[grouped(each, group="#" + name) for each in ("a", "b")])
    clock.now += 60
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_a_group_with_two_chats_goes_out_in_order(
    sources: Sources, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    for name in "abcdef":
        chat = "ops" if name in "bde" else "default"
        sources.stream(grouped(name, {"text": {"S": name}, "chat": {"S": chat}}))
    for _ in range(6):
        clock.now += 60
        relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == list("abcdef")
