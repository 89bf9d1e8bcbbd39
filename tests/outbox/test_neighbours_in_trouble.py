"""A neighbour in trouble of every kind: a backlog, failures, a throttled partition, junk. Nobody else waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.doors.queue import read_queue
from chalicelib.doors.stream import SWEEP_SECONDS
from chalicelib.errors import BotTokenRejected, TableUnavailable, Unavailable
from chalicelib.outbox import states
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change, Content
from chalicelib.relay import Delivered
from chalicelib.relay.strays import STRAYS_SECONDS
from tests.doors import queue_record
from tests.outbox.memory_table import MemoryTable
from tests.outbox.place import CHATS, MINUTE, THROTTLED, Place
from tests.outbox.steps import TasksInMemory
from tests.outbox.world import image


class Hot(MemoryTable):
    """A table of which some partitions are throttled. calls: how often one of them was asked for."""

    def __init__(self, *partitions: str) -> None:
        super().__init__()
        self.hot = set(partitions)
        self.calls = 0

    def apply(self, key: Key, change: Change) -> Row:
        self._check(key.partition)
        return super().apply(key, change)

    def head(self, partition: str) -> Row | None:
        self._check(partition)
        return super().head(partition)

    def _check(self, partition: str) -> None:
        if partition in self.hot:
            self.calls += 1
            raise THROTTLED


class PagedTasks(TasksInMemory):
    """A task table that gives fifty items a second, by their keys, to a scan that fails after one if it is told to."""

    fails_after: str | None = None

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        if operation != "Scan":
            return super().call(operation, **arguments)
        self.clock.sleep(1.0)
        start = arguments.get("ExclusiveStartKey", ("", ""))
        if start[1] == self.fails_after:
            raise THROTTLED
        keys = [key for key in sorted(self.items) if key > start]
        more = {"LastEvaluatedKey": keys[49]} if len(keys) > 50 else {}
        return {"Items": [self.items[key] for key in keys[:50]], **more}


def since(place: Place, began: float) -> dict[str, float]:
    """When each text came, in seconds."""
    return {text: at - began for text, at in place.telegram.came}


@pytest.mark.parametrize("error", [None, Unavailable("429", retry_after=10.0)], ids=["backlog", "429 again and again"])
def test_a_message_that_failed_once_does_not_wait_for_the_backlog_of_another_chat(error: Exception | None) -> None:
    place = Place()
    place.telegram.seconds = 0.1
    place.owe("poor")
    place.telegram.errors = {"poor": Unavailable("500")}
    place.run()
    place.telegram.errors = {} if error is None else {"other": error}
    for number in range(300):
        place.owe(f"busy {number}", "other")
    began = place.clock()
    place.run()
    assert since(place, began)["poor"] < MINUTE


def test_a_group_whose_failures_are_over_does_not_wait_for_the_backlog_of_another_chat() -> None:
    place = Place()
    place.telegram.seconds = 0.1
    place.telegram.errors = {"0": Unavailable("500")}
    place.stream(*(image(f"{number}", f"{number:03d}", "g") for number in range(150)))
    place.run()
    place.telegram.errors = {}
    place.run()
    for number in range(300):
        place.owe(f"busy {number}", "other")
    began = place.clock()
    place.run()
    assert sum(at >= began and text.isdigit() for text, at in place.telegram.came) > 20


def test_what_telegram_says_of_one_chat_is_not_taken_for_a_rejected_token() -> None:
    place = Place()
    place.telegram.errors = {"other": BotTokenRejected("404")}
    place.owe("odd", "other")
    for number in range(20):
        place.owe(f"{number:02d}")
    place.run()
    assert place.telegram.texts == [f"{number:02d}" for number in range(20)]


def test_chats_that_hang_for_long_do_not_delay_a_message_of_another() -> None:
    hanging = {f"chat {number}": 10 + number for number in range(8)}
    place = Place(chats={**CHATS, **hanging})
    place.telegram.hanging = set(hanging)
    for chat in hanging:
        place.owe(f"{chat} old", chat)
        place.owe(f"{chat} older", chat)
    for _ in range(60):
        place.run()
    for chat in hanging:
        place.owe(f"{chat} new", chat)
    place.owe("goes")
    began = place.clock()
    place.run()
    assert since(place, began)["goes"] < 14


def test_a_batch_goes_on_past_a_group_that_cannot_be_written_and_comes_again() -> None:
    table = Hot("GROUP#BOTTE_MESSAGE#hot")
    place = Place(table)
    batch = [image("first", "1", "hot"), image("second", "2", "hot"), image("goes", "3", "other", chat="other")]
    with pytest.raises(TableUnavailable):
        place.stream(*batch)
    assert place.telegram.texts == ["goes"]
    table.hot.clear()
    place.stream(*batch)
    assert place.telegram.texts == ["goes", "first", "second"]


def test_a_batch_is_given_back_soon_where_the_table_takes_nothing() -> None:
    place = Place(Hot(*(f"BOTTE_MESSAGE#{number}" for number in range(100))))
    began = place.clock()
    with pytest.raises(TableUnavailable):
        place.stream(*(image(f"{number}", f"{number}") for number in range(100)))
    assert place.clock() - began < 20


def test_a_partition_that_cannot_be_read_costs_a_run_a_few_seconds_once() -> None:
    table = Hot()
    place = Place(table)
    for number in range(30):
        item = image(f"hot {number}", f"{number:02d}", "hot")
        item["Payload"]["M"]["deliver_at"] = {"N": f"{place.clock() + 60:.0f}"}
        place.stream(item)
    place.clock.sleep(61)
    place.owe("goes")
    table.hot.add("GROUP#BOTTE_MESSAGE#hot")
    began = place.clock()
    place.run()
    assert since(place, began)["goes"] < 20


def test_a_note_that_cannot_be_made_delays_nobody_after_the_invocation_that_left_it() -> None:
    class Unnoted(MemoryTable):
        def apply(self, key: Key, change: Change) -> Row:
            if key.sort == "hot" and change.sets.get("Status") == "SENT":
                raise THROTTLED
            return super().apply(key, change)

    place = Place(Unnoted())
    place.stream(image("hot", "hot"))
    began = place.clock()
    place.stream(image("goes", "1", chat="other"))
    assert place.clock() - began < 1
    for _ in range(5):  # the lease is over, but this process knows that the message was sent
        place.run()
    assert place.telegram.texts == ["hot", "goes"]


def test_a_group_whose_next_message_is_for_another_chat_does_not_wait_in_the_middle_of_a_held_lane() -> None:
    class Blind(MemoryTable):
        def head(self, partition: str) -> Row | None:
            if place.telegram.texts == ["first"] and not place.telegram.errors:
                raise THROTTLED
            return super().head(partition)

    place = Place(Blind())
    place.telegram.errors = {"default": Unavailable("429", retry_after=20.0)}
    place.stream(image("first", "1", "g"), image("second", "2", "g", chat="other"))
    before = Content.of(Message(text="before"), place.clock() - 1)
    place.clock.sleep(30)
    place.telegram.errors = {}
    place.run()
    assert place.telegram.texts == ["first"]  # and the group is still in the lane of the first
    place.telegram.errors = {"default": Unavailable("429", retry_after=86_400.0)}
    place.table.apply(Key.of_id("before"), states.wait(before))
    for _ in range(3):
        place.run()
    assert place.telegram.texts == ["first", "second"]


def swept(place: Place, sweeps: int) -> list[str]:
    """What has arrived after so many sweeps, with a run each minute."""
    for _ in range(int(sweeps * (SWEEP_SECONDS / MINUTE + 1))):
        place.sweep()
        place.clock.sleep(MINUTE)
    return place.telegram.texts


def test_a_task_behind_more_junk_than_a_run_can_read_is_found() -> None:
    place = Place(tasks=PagedTasks())
    for number in range(1000):
        place.tasks_table.put({**image("", f"{number:04d}"), "TaskId": {"S": "ANOTHER"}})
    place.tasks_table.put(image("missed", "x"))
    assert swept(place, 2) == ["missed"]


def test_a_sweep_that_fails_on_its_way_forgets_nothing() -> None:
    tasks = PagedTasks()
    place = Place(tasks=tasks)
    for number in range(60):
        tasks.put(image(f"{number}", f"{number:02d}"))
    place.sweep()
    place.clock.sleep(SWEEP_SECONDS)
    tasks.fails_after = "49"
    with pytest.raises(TableUnavailable):
        place.sweep()
    tasks.fails_after = None
    place.clock.sleep(SWEEP_SECONDS)
    place.sweep()
    assert not tasks.items


@pytest.mark.parametrize("groups", [1, 4])
def test_a_sweep_over_several_runs_keeps_the_order_of_groups_that_could_not_be_written(groups: int) -> None:
    table = Hot()
    place = Place(table, tasks=PagedTasks())
    names = [f"g{number}" for number in range(groups)]
    for group in names:
        for number in range(600 // groups):
            place.tasks_table.put(image(f"{group} {number:03d}", f"{number:03d}", group))
    for _ in range(3):
        place.sweep()
        place.clock.sleep(MINUTE)
    place.clock.sleep(SWEEP_SECONDS)
    table.hot = {f"GROUP#BOTTE_MESSAGE#{group}" for group in names}
    with pytest.raises(TableUnavailable):
        place.sweep()
    table.hot.clear()
    for _ in range(40):
        place.run()
        place.sweep()
    for group in names:
        came = [text for text in place.telegram.texts if text.startswith(f"{group} ")]
        assert came == [f"{group} {number:03d}" for number in range(600 // groups)]


def test_a_sweep_takes_what_lay_there_for_a_quarter_of_an_hour_also_after_a_slow_one() -> None:
    place = Place(tasks=PagedTasks())
    for number in range(9000):
        place.tasks_table.put({**image("", f"{number:04d}"), "TaskId": {"S": "ANOTHER"}})
    for minute in range(15):  # the scan takes three minutes, ten seconds in each run
        place.sweep()
        if minute == 12:
            place.tasks_table.put(image("late", "x"))
        place.clock.sleep(MINUTE)
    put = place.clock() - 2 * MINUTE
    while not place.telegram.texts:
        place.sweep()
        place.clock.sleep(MINUTE)
    assert place.clock() - put >= SWEEP_SECONDS


def test_the_id_of_a_message_for_an_unknown_chat_is_delivered_once_however_often_it_came() -> None:
    place = Place(chats={"default": 1})
    body = json.dumps({"text": "once", "id": "x-1", "chat": "later"})
    for number in range(2):
        records = [queue_record(body, f"queued-{number}")]
        place.relay.take(read_queue(records), deadline=place.clock() + MINUTE)
    status = place.relay.status("x-1")
    assert status is not None
    assert status["status"] == "FAILED"
    place.chats["later"] = 3
    place.relay = place.cold_relay()
    for row in place.messages():
        place.table.apply(row.key, states.redrive(row, now=place.clock()))
    place.run()
    assert place.telegram.texts == ["once"]


def test_what_was_parked_without_a_look_at_its_id_is_delivered_once() -> None:
    place = Place()
    for number in range(2):
        place.relay.park(f"request-{number}", '{"text": "once", "id": "x-1"}', ValueError("refused"))
    for number in range(2):
        place.redrive(f"request-{number}")
    place.run()
    assert place.telegram.texts == ["once"]
    message = Message(text="once", id="x-1")
    again = place.relay.accept(message, deadline=place.clock() + MINUTE, spare_id="spare")
    assert isinstance(again, Delivered)
    assert place.telegram.texts == ["once"]


def test_a_copy_of_a_message_that_is_parked_under_its_id_is_not_called_sent() -> None:
    place = Place(chats={"default": 1})
    body = {"text": "once", "id": "x-1", "chat": "later"}
    place.relay.take(read_queue([queue_record(json.dumps(body), "queued-1")]), deadline=place.clock() + MINUTE)
    place.relay.park("request-1", json.dumps(body), ValueError("refused"))
    place.chats["later"] = 3
    place.relay = place.cold_relay()
    place.redrive("request-1")
    place.run()
    assert [row.status for row in place.messages()] == ["FAILED", "FAILED"]
    place.redrive("x-1")
    place.run()
    assert place.telegram.texts == ["once"]


def test_what_was_parked_as_its_id_is_anothers_arrives_when_it_is_redriven() -> None:
    place = Place()
    for number, text in enumerate(("one", "two")):
        records = [queue_record(json.dumps({"text": text, "id": "x"}), f"queued-{number}")]
        place.relay.take(read_queue(records), deadline=place.clock() + MINUTE)
    assert place.telegram.texts == ["one"]
    place.redrive("queued-1")
    place.run()
    assert place.telegram.texts == ["one", "two"]


def test_a_message_of_a_group_for_an_unknown_chat_arrives_once_though_its_record_comes_again() -> None:
    place = Place(chats={"default": 1})
    item = image("once", "1", "g", chat="later")
    item["Payload"]["M"]["id"] = {"S": "x-1"}
    place.stream(item)
    status = place.relay.status("x-1")
    assert status is not None
    assert status["status"] == "FAILED"
    place.chats["later"] = 3
    place.relay = place.cold_relay()
    (row,) = [row for row in place.table.scan() if row.status]
    place.table.apply(row.key, states.redrive(row, now=place.clock()))
    place.run()
    place.stream(item)
    place.run()
    assert place.telegram.texts == ["once"]


@pytest.mark.parametrize(("count", "least"), [(1, 30), (4, 25)])
def test_chats_that_hang_leave_a_busy_one_half_of_each_run(count: int, least: int) -> None:
    hanging = {f"chat {number}": 10 + number for number in range(count)}
    place = Place(chats={**CHATS, **hanging})
    place.telegram.hanging, place.telegram.seconds = set(hanging), 0.1
    for chat in hanging:
        place.owe(f"{chat} old", chat)
        place.owe(f"{chat} older", chat)
    place.run()
    for number in range(500):
        place.owe(f"busy {number}")
    for _ in range(3):
        place.run()
    assert len(place.telegram.came) >= 3 * least


def test_chats_that_are_told_to_wait_for_seconds_leave_a_busy_one_its_pace() -> None:
    waiting = {f"chat {number}": 10 + number for number in range(4)}
    place = Place(chats={**CHATS, **waiting})
    place.telegram.errors = {chat: Unavailable("429", retry_after=3.0) for chat in waiting}
    for chat in waiting:
        place.owe(f"{chat} waits", chat)
    for number in range(100):
        place.owe(f"busy {number}")
    place.run()
    assert len(place.telegram.came) > 50


def test_many_chats_that_are_configured_no_more_take_no_run_for_themselves() -> None:
    class Slow(MemoryTable):
        def due(self, chat: str, by: float) -> Iterator[Row]:
            place.clock.sleep(0.01)
            return super().due(chat, by)

    place = Place(Slow())
    for number in range(1000):
        place.owe(f"left {number}", f"gone {number}")
    place.run()
    place.clock.sleep(STRAYS_SECONDS)
    place.run()
    place.owe("goes")
    began = place.clock()
    place.run()
    assert since(place, began)["goes"] < 2
    for _ in range(40):
        place.run()
    assert not [row for row in place.table.scan() if row.owes]


def test_a_page_that_cannot_be_read_when_a_held_lane_is_left_ends_no_run() -> None:
    class OnePage(MemoryTable):
        def due(self, chat: str, by: float) -> Iterator[Row]:
            for number, row in enumerate(super().due(chat, by)):
                if number == 2:
                    raise THROTTLED
                yield row

    place = Place(OnePage())
    place.telegram.errors = {"default": Unavailable("429", retry_after=600.0)}
    for number in range(3):
        place.owe(f"{number}")
    place.owe("goes", "other")
    place.run()
    assert place.telegram.texts == ["goes"]


def test_a_message_whose_id_was_delivered_from_another_group_is_sent_and_another_one_is_parked() -> None:
    place = Place()
    for number, (group, text) in enumerate((("a", "once"), ("b", "once"), ("c", "other words"))):
        item = image(text, f"{number}", group)
        item["Payload"]["M"]["id"] = {"S": "x-1"}
        place.stream(item)
    assert place.telegram.texts == ["once"]
    assert sorted(str(row.status) for row in place.table.scan() if row.status) == ["FAILED", "SENT", "SENT"]
