"""Groups: items with one partition key, and messages of one FIFO group, go out in their order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.outbox import Outbox
from chalicelib.records import from_queue
from chalicelib.relay import Relay
from chalicelib.row import Key, Lease
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Table, event, item, stream_record, texts
from tools.dev.fake_telegram import FakeTelegram


def grouped(table: Table, name: str, payload: dict[str, Any] | None = None, group: str = "#g") -> dict[str, Any]:
    """Puts an item of a group, whose text is its sort key, and gives the stream's record of it."""
    payload = payload if payload is not None else {"text": {"S": name}}
    image = item(payload, sort_key=name, partition_key=f"BOTTE_MESSAGE{group}")
    table.put(image)
    return stream_record(image)


def fifo_record(body: str, number: int, group: str = "g") -> dict[str, Any]:
    record = event("sqs_fifo")["Records"][0]
    record["attributes"] |= {"MessageGroupId": group, "SequenceNumber": str(18870000000000000000 + number)}
    return {**record, "body": body, "messageId": f"m{number}"}


@pytest.mark.parametrize("group", ["", "#g"])
def test_a_group_goes_out_in_the_order_of_its_sort_keys(
    doors: Doors, telegram: FakeTelegram, table: Table, group: str
) -> None:
    doors.stream(*[grouped(table, name, group=group) for name in ("a", "b", "c")])
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert set(table.statuses().values()) == {"SENT"}


def test_while_the_head_of_a_group_waits_all_others_wait_behind_it(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    doors.stream(*[grouped(table, name) for name in ("a", "b", "c")])
    assert table.statuses() == {"a": "PENDING", "b": "PENDING", "c": "PENDING"}
    assert telegram.messages == []
    assert float(table.row("b")["DueTs"]) >= float(table.row("a")["DueTs"])


def test_another_group_does_not_wait(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    doors.stream(grouped(table, "a", group="#g"), grouped(table, "b", group="#h"), grouped(table, "c", group=""))
    assert texts(telegram.messages) == ["b", "c"]


def test_a_group_that_waited_is_redelivered_in_order(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    doors.stream(*[grouped(table, name) for name in ("a", "b", "c")])
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert set(table.statuses().values()) == {"SENT"}


@pytest.mark.parametrize("reason", ["bad input", "refused"])
def test_a_head_that_failed_lets_its_group_go_on(
    doors: Doors, telegram: FakeTelegram, table: Table, reason: str
) -> None:
    bad = grouped(table, "a", {"text": {"N": "5"}} if reason == "bad input" else None)
    if reason == "refused":
        telegram.set_fault({"kind": "forbidden", "count": 1})
    doors.stream(bad, grouped(table, "b"), grouped(table, "c"))
    assert table.statuses() == {"a": "FAILED", "b": "SENT", "c": "SENT"}
    assert texts(telegram.messages) == ["b", "c"]


def test_a_head_that_fails_when_it_is_redelivered_lets_its_group_go_on(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    doors.stream(*[grouped(table, name) for name in ("a", "b", "c")])
    telegram.set_fault({"kind": "forbidden", "count": 1})
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert table.statuses() == {"a": "FAILED", "b": "SENT", "c": "SENT"}


@pytest.mark.parametrize("group_comes_first", [False, True])
def test_a_message_whose_id_is_the_name_of_a_group_does_not_stand_in_its_way(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, group_comes_first: bool
) -> None:
    telegram.set_fault({"kind": "down"})
    arrivals: list[Callable[[], object]] = [
        lambda: doors.post({"text": "later", "id": "g", "deliver_at": int(clock()) + 7200}),
        lambda: doors.stream(*[grouped(table, name) for name in ("f", "h", "i")]),
    ]
    for arrive in reversed(arrivals) if group_comes_first else arrivals:
        arrive()
    telegram.set_fault({"kind": "none"})
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["f", "h", "i"]
    assert table.statuses()["g"] == "PENDING"


def test_a_message_whose_id_is_the_name_of_a_group_hides_no_item_before_it(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    assert doors.post({"text": "other", "id": "g"}).status_code == 200
    grouped(table, "f")  # no event has come for it yet
    doors.stream(grouped(table, "h"))
    assert table.statuses() == {"f": None, "g": "SENT", "h": "PENDING"}


@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
def test_events_that_come_in_another_order_do_not_change_the_order(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, order: tuple[str, ...]
) -> None:
    records = {name: grouped(table, name) for name in "abc"}
    for name in order:
        doors.stream(records[name])
    doors.stream(*records.values())  # and all of them once more, as at a checkpoint
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert set(table.statuses().values()) == {"SENT"}


def test_an_event_of_a_later_item_parks_it_until_the_earlier_one_is_sent(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    a, b = grouped(table, "a"), grouped(table, "b")
    doors.stream(b)
    assert (table.statuses(), telegram.messages) == ({"a": None, "b": "PENDING"}, [])
    doors.stream(a)
    assert (table.statuses(), texts(telegram.messages)) == ({"a": "SENT", "b": "PENDING"}, ["a"])
    clock.now += 60
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_an_earlier_item_whose_event_never_came_is_sent_by_redeliver(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    grouped(table, "a")
    doors.stream(grouped(table, "b"))
    clock.now += 60
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_an_item_that_comes_late_goes_out_late(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    doors.stream(grouped(table, "b"))
    doors.stream(grouped(table, "a"))
    assert texts(telegram.messages) == ["b", "a"]


def test_while_the_head_is_being_sent_the_next_one_waits(
    doors: Doors, telegram: FakeTelegram, table: Table, outbox: Outbox, relay: Relay, clock: Clock
) -> None:
    grouped(table, "a")
    head = Key("BOTTE_MESSAGE#g", "a")
    fields = {"text": "a"}
    outbox.claim(head, Lease("another worker", clock() + 60), now=clock(), fields=fields, body_hash="h", is_put=True)
    doors.stream(grouped(table, "b"))
    assert table.statuses() == {"a": "SENDING", "b": "PENDING"}
    relay.redeliver(deadline=clock() + 60)
    assert telegram.messages == []
    clock.now += 61
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_a_message_for_later_holds_up_those_behind_it(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock
) -> None:
    due = str(int(clock()) + 3600)
    doors.stream(grouped(table, "a", {"text": {"S": "a"}, "deliver_at": {"N": due}}), grouped(table, "b"))
    relay.redeliver(deadline=clock() + 60)
    assert telegram.messages == []
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["a", "b"]


def test_a_row_of_somebody_else_in_the_partition_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    table.put(item({"text": {"S": "x"}}, sort_key="a", partition_key="BOTTE_MESSAGE#g", TaskId={"S": "OTHER"}))
    doors.stream(grouped(table, "b"))
    assert texts(telegram.messages) == ["b"]


def test_a_repeated_message_in_a_group_is_done_and_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    same = {"text": {"S": "Hello"}, "id": {"S": "k1"}}
    doors.stream(grouped(table, "a", same), grouped(table, "b", same), grouped(table, "c"))
    assert texts(telegram.messages) == ["Hello", "c"]
    assert table.statuses() == {"a": "SENT", "b": "SENT", "c": "SENT", "k1": None}
    assert table.row("b")["DuplicateOf"] == "a"


def test_the_messages_of_a_fifo_group_go_out_in_order(doors: Doors, telegram: FakeTelegram, table: Table) -> None:
    records = [fifo_record(json.dumps({"text": name}), number) for number, name in enumerate("abc")]
    assert doors.queue(*records).function_error is None
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert {row["PK"]["S"] for row in table.items()} == {"BOTTE_MESSAGE#sqs:botte-local-messages.fifo:g"}


def test_a_bad_message_at_the_head_of_a_fifo_group_is_parked(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    doors.queue(fifo_record('{"text":5}', 1), fifo_record('{"text":"a2"}', 2), fifo_record('{"text":"a3"}', 3))
    assert texts(telegram.messages) == ["a2", "a3"]
    assert sorted(str(status) for status in table.statuses().values()) == ["FAILED", "SENT", "SENT"]
    (parked,) = [row for row in table.items() if row["Status"] == {"S": "FAILED"}]
    assert parked["RawBody"] == {"S": '{"text":5}'}


def test_a_fifo_group_waits_behind_its_head_and_others_do_not(
    doors: Doors, telegram: FakeTelegram, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    doors.queue(
        fifo_record('{"text":"a1"}', 1, "a"),
        fifo_record('{"text":"b1"}', 2, "b"),
        fifo_record('{"text":"a2"}', 3, "a"),
    )
    assert texts(telegram.messages) == ["b1"]
    doors.queue(fifo_record('{"text":"a3"}', 4, "a"))
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
    relay.take(from_queue(records), deadline=clock() + 60)
    clock.now += 3600
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["9", "10", "100"]


def test_a_fifo_message_that_comes_again_is_delivered_once(doors: Doors, telegram: FakeTelegram) -> None:
    for _ in range(2):
        doors.queue(fifo_record('{"text":"a"}', 1), fifo_record('{"text":"b"}', 2))
    assert texts(telegram.messages) == ["a", "b"]


def test_a_redriven_head_goes_out_after_its_group(
    doors: Doors, telegram: FakeTelegram, table: Table, outbox: Outbox, relay: Relay, clock: Clock
) -> None:
    telegram.set_fault({"kind": "forbidden", "count": 1})
    doors.stream(grouped(table, "a"), grouped(table, "b"))
    outbox.redrive(Key("BOTTE_MESSAGE#g", "a"), now=clock())
    clock.now += 1
    relay.redeliver(deadline=clock() + 60)
    assert texts(telegram.messages) == ["b", "a"]
    assert table.statuses() == {"a": "SENT", "b": "SENT"}


def test_events_that_repeat_after_the_group_has_moved_on_change_nothing(
    doors: Doors, telegram: FakeTelegram, table: Table
) -> None:
    a, b = grouped(table, "a"), grouped(table, "b")
    doors.stream(a, b, a, b, b, a)
    assert texts(telegram.messages) == ["a", "b"]
