"""The task table is a door: what a sender puts there changes nothing for others, and waits there for the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.contract.message import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES
from chalicelib.doors.stream import SWEEP_SECONDS, Tasks
from chalicelib.errors import TableUnavailable, Unavailable
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from tests.conftest import NewRelay
from tests.doors import Clock, Doors, Script, Sources, Table, item, stream_record, texts
from tools.dev.fake_telegram import FakeTelegram

HOSTILE = {
    "Status": {"S": "SENT"},
    "DueTs": {"N": "0"},
    "Chat": {"S": "ops"},
    "LeaseId": {"S": "x"},
    "UnsentSK": {"S": "!"},
    "Place": {"S": "!"},
    "Sequence": {"S": "!"},
    "OwnerPK": {"S": "BOTTE_MESSAGE#k1"},
    "OwnerSK": {"S": "k1"},
    "Attempts": {"S": "x"},
    "TelegramMessageId": {"N": "1.5"},
    "Answer": {"S": "[" * 1000},
    "BodyHash": {"S": "x"},
    "RawBodyDeflated": {"B": b"x" * 1000},
    "ExpirationTs": {"N": "1"},
}


def each_and_all() -> list[Any]:
    """Each attribute, with the outbox in memory, and all of them, through the app into DynamoDB."""
    each = [pytest.param({name: HOSTILE[name]}, id=name, marks=pytest.mark.outbox("memory")) for name in HOSTILE]
    return [*each, pytest.param(HOSTILE, id="all")]


@pytest.mark.parametrize("foreign", each_and_all())
@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE#s1", "BOTTE_MESSAGE#g"])
def test_a_message_is_delivered_whatever_else_its_item_holds(
    sources: Sources, telegram: FakeTelegram, table: Table, partition_key: str, foreign: dict[str, Any]
) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="s1", partition_key=partition_key)
    seen_by_lambda = {name: {"B": "eHh4"} if "B" in value else value for name, value in foreign.items()}
    sources.stream(stream_record({**image, **seen_by_lambda}))
    assert texts(telegram.messages) == ["Hello"]
    assert table.message("Hello")["Status"] == "SENT"


@pytest.mark.parametrize("sort_key", ["!", "s1", "s0", "k1", " group"])
def test_an_item_of_somebody_else_is_not_looked_at_and_changes_nothing_for_others(
    doors: Doors, relay: Relay, telegram: FakeTelegram, table: Table, tasks_table: Table, clock: Clock, sort_key: str
) -> None:
    foreign = [
        item(
            {"text": {"S": "x"}},
            sort_key=sort_key,
            partition_key=partition_key,
            **{**HOSTILE, "TaskId": {"S": "OTHER"}},
        )
        for partition_key in ("BOTTE_MESSAGE", "BOTTE_MESSAGE#g", f"BOTTE_MESSAGE#{sort_key}", "LANE")
    ]
    for image in foreign:
        tasks_table.put(image)
    records = [
        stream_record(item({"text": {"S": text}}, sort_key=text, partition_key="BOTTE_MESSAGE#g")) for text in "ab"
    ]
    doors.stream(*map(stream_record, map(_as_lambda_has_it, foreign)), *records)
    doors.post({"text": "c", "id": "k1"})
    relay.redeliver(deadline=clock() + 90)
    assert texts(telegram.messages) == ["a", "b", "c"]
    assert table.states() == {"a": "SENT", "b": "SENT", "c": "SENT"}
    assert len(tasks_table.items()) == len(foreign)


def _as_lambda_has_it(image: dict[str, Any]) -> dict[str, Any]:
    return {name: {"B": "eHh4"} if "B" in value else value for name, value in image.items()}


def test_an_item_that_forges_the_state_of_a_message_to_come_does_not_swallow_it(
    doors: Doors, telegram: FakeTelegram, tasks_table: Table
) -> None:
    tasks_table.put(item({}, sort_key="k1", partition_key="BOTTE_MESSAGE#k1", Status={"S": "SENT"}))
    assert doors.post({"text": "Hello", "id": "k1"}).status_code == 200
    assert texts(telegram.messages) == ["Hello"]


LIMIT = 400 * 1024
LARGE: dict[str, dict[str, Any]] = {
    "foreign attribute": {"text": {"S": "big"}, "x": {"S": "x" * (LIMIT - 300)}},
    "no message": {"words": {"S": "x" * (LIMIT - 300)}},
    "no message of quotes": {"words": {"S": '"' * (LIMIT - 300)}},
    "no words": {"text": {"S": " " * (LIMIT - 300)}},
    "raw": {"text": {"B": "YQ=="}, "x": {"S": "x" * (LIMIT - 300)}},
    "raw of two bytes": {"text": {"B": "YQ=="}, "x": {"S": "é" * (LIMIT // 2 - 200)}},
    "raw of escapes": {"text": {"B": "YQ=="}, "x": {"S": "\x01" * (LIMIT - 300)}},
    "raw of quotes": {"text": {"B": "YQ=="}, "x": {"S": '"' * (LIMIT - 300)}},
    "binary": {"text": {"S": "big"}, "x": {"B": "eHh4" * (LIMIT // 4 - 100)}},
    "deep": {"text": {"B": "YQ=="}, "x": {"L": [{"L": [{"S": "x" * 1000}] * 300}]}},
    "chat": {"text": {"S": "big"}, "chat": {"S": "c" * (LIMIT - 300)}},
    "id": {"text": {"S": "big"}, "id": {"S": "k" * (LIMIT - 300)}},
    "photo": {"text": {"S": "big"}, "photo": {"S": "http://h/" + "a" * (LIMIT - 300)}},
    "unreadable buttons": {
        "text": {"S": "big"},
        "reply_markup": {"L": [{"M": {"url": {"S": f"http://{n}/{'&' * 300}"}}} for n in range(1000)]},
    },
    "buttons": {
        "text": {"S": "\U0001f600" * 32_000},
        "reply_markup": {
            "M": {
                "inline_keyboard": {
                    "L": [
                        {"L": [{"M": {"text": {"S": '"' * 256}, "url": {"S": "https://h/" + "a" * 2038}}}]}
                        for _ in range(100)
                    ]
                }
            }
        },
    },
}


# Each costs half a second: those that are like another run with the slow tests.
LIKE_ANOTHER = ("no message of quotes", "no words", "raw of two bytes", "raw of escapes")
IN_GROUP = ("foreign attribute", "raw of quotes", "id", "buttons")


def large(name: str, partition_key: str, *, is_slow: bool) -> Any:
    marks = [pytest.mark.slow] if is_slow else []
    return pytest.param(partition_key, LARGE[name], id=f"{name}, {partition_key}", marks=marks)


@pytest.mark.parametrize(
    ("partition_key", "payload"),
    [large(name, "BOTTE_MESSAGE#big", is_slow=name in LIKE_ANOTHER) for name in LARGE]
    + [large(name, "BOTTE_MESSAGE#g", is_slow=name in ("foreign attribute", "id")) for name in IN_GROUP],
)
def test_an_item_near_the_limit_of_a_row_is_sent_once_or_parked_and_holds_up_nobody(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, partition_key: str, payload: Any
) -> None:
    big = stream_record(item(payload, sort_key="big", partition_key=partition_key))
    good = stream_record(item({"text": {"S": "good"}}, sort_key="good", partition_key=partition_key))
    for _ in range(2):
        assert doors.stream(big, good).function_error is None
    for _ in range(3):
        clock.now += 3600
        relay.redeliver(deadline=clock() + 90)
    arrived = texts(telegram.messages)
    assert len(set(arrived)) == len(arrived)
    assert "good" in arrived
    statuses = list(table.statuses().values())
    assert set(statuses) <= {"SENT", "FAILED"}
    assert len(statuses) == 2


@pytest.mark.parametrize(
    ("character", "count"),
    [
        ("x", MAX_TEXT_BYTES - 2),
        ("é", MAX_TEXT_BYTES // 2 - 1),
        ("\U0001f600", MAX_TEXT_BYTES // 4 - 1),
        ('"', MAX_MESSAGE_BYTES // 2 - 50),
        ("\n", MAX_MESSAGE_BYTES // 2 - 50),
        ("x", 4000),
    ],
)
def test_the_longest_message_is_sent_once_and_noted(
    doors: Doors, telegram: FakeTelegram, table: Table, relay: Relay, clock: Clock, character: str, count: int
) -> None:
    """A text has 256 KiB, and its message as JSON what a row can hold."""
    text = "a" + character * count + "b"
    record = stream_record(item({"text": {"S": text}}, sort_key="s1"))
    for _ in range(2):
        assert doors.stream(record).function_error is None
        clock.now += 3600
        relay.redeliver(deadline=clock() + 90)
    assert table.message(text)["Status"] == "SENT"
    (sent,) = telegram.messages
    assert sent["method"] == ("sendDocument" if count > 4096 else "sendMessage")


def put(tasks_table: Table, *names: str, partition_key: str = "BOTTE_MESSAGE") -> None:
    for name in names:
        tasks_table.put(item({"text": {"S": name}}, sort_key=name, partition_key=partition_key))


def sweep(relay: Relay, tasks: Tasks, clock: Clock) -> None:
    relay.take(tasks.sweep(), deadline=clock() + 90)
    clock.now += SWEEP_SECONDS


@pytest.mark.parametrize("partition_key", ["BOTTE_MESSAGE", "BOTTE_MESSAGE#a", "BOTTE_MESSAGE#g"])
def test_an_item_that_no_stream_brings_is_found_by_the_second_sweep(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, tasks_table: Table, clock: Clock, partition_key: str
) -> None:
    put(tasks_table, "a", partition_key=partition_key)
    sweep(relay, tasks, clock)
    assert telegram.messages == []  # the stream may still bring it
    sweep(relay, tasks, clock)
    assert texts(telegram.messages) == ["a"]
    assert tasks_table.items() == []


def test_between_two_sweeps_the_table_is_left_alone(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "a")
    sweep(relay, tasks, clock)
    clock.now -= 1
    relay.take(tasks.sweep(), deadline=clock() + 90)
    assert telegram.messages == []


def test_an_item_that_was_put_over_another_between_two_sweeps_is_new(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "a")
    sweep(relay, tasks, clock)
    tasks_table.put(item({"text": {"S": "other"}}, sort_key="a"))
    sweep(relay, tasks, clock)
    assert telegram.messages == []
    sweep(relay, tasks, clock)
    assert texts(telegram.messages) == ["other"]


def test_what_a_sweep_found_and_the_stream_brings_all_the_same_is_sent_once(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "a", partition_key="BOTTE_MESSAGE#g")
    (image,) = tasks_table.items()
    for _ in range(2):
        sweep(relay, tasks, clock)
    relay.take(tasks.read_stream([stream_record(image)]), deadline=clock() + 60)
    assert texts(telegram.messages) == ["a"]


def test_what_a_sweep_finds_goes_first_in_its_group_and_in_the_order_of_its_sort_keys(
    new_relay: NewRelay, tasks: Tasks, telegram: FakeTelegram, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "b", "a", "c", partition_key="BOTTE_MESSAGE#g")
    for text in ("d", "e"):
        away = new_relay(sender=Script(clock, Unavailable("down"), is_away=True))
        image = item({"text": {"S": text}}, sort_key=text, partition_key="BOTTE_MESSAGE#g")
        away.take(tasks.read_stream([stream_record(image)]), deadline=clock() + 60)
    for _ in range(2):
        sweep(new_relay(), tasks, clock)
    new_relay().redeliver(deadline=clock() + 90)
    assert texts(telegram.messages) == ["a", "b", "c", "d", "e"]


def test_a_sweep_leaves_items_of_others_alone_and_parks_bad_ones(
    relay: Relay, tasks: Tasks, telegram: FakeTelegram, table: Table, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "good")
    tasks_table.put(item({"text": {"NULL": True}}, sort_key="bad"))
    tasks_table.put(item({"text": {"B": b"x"}}, sort_key="binary"))
    tasks_table.put(item({"text": {"S": "x"}}, sort_key="other", TaskId={"S": "OTHER"}))
    for _ in range(2):
        sweep(relay, tasks, clock)
    assert texts(telegram.messages) == ["good"]
    assert sorted(table.statuses().values()) == ["FAILED", "FAILED", "SENT"]
    assert [each["SK"]["S"] for each in tasks_table.items()] == ["other"]


def test_without_the_outbox_a_task_stays_in_its_table(
    new_relay: NewRelay, unreachable_outbox: Outbox, tasks: Tasks, tasks_table: Table, clock: Clock
) -> None:
    put(tasks_table, "a")
    relay = new_relay(outbox=unreachable_outbox)
    sweep(relay, tasks, clock)
    with pytest.raises(TableUnavailable):
        sweep(relay, tasks, clock)
    assert len(tasks_table.items()) == 1
