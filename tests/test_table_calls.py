"""Table calls per message: a small constant at each door, whatever has been delivered before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends

from tests.doors import Doors, Table, event, item, queue_record, stream_record
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram

GROUP = "BOTTE_MESSAGE#g"


def solo(name: str, **more: Any) -> dict[str, Any]:
    payload = {"text": {"S": name}, **more}
    return stream_record(item(payload, sort_key=name, partition_key=f"BOTTE_MESSAGE#{name}"))


def grouped(name: str, **more: Any) -> dict[str, Any]:
    return stream_record(item({"text": {"S": name}, **more}, sort_key=name, partition_key=GROUP))


def fifo(name: str) -> dict[str, Any]:
    record = event("sqs_fifo")["Records"][0]
    record["attributes"] |= {"SequenceNumber": str(int.from_bytes(name.encode(), "big"))}
    return {**record, "body": json.dumps({"text": name}), "messageId": name}


MESSAGES: dict[str, tuple[Callable[[Doors, str], Any], int]] = {
    "http": (lambda doors, name: doors.post({"text": name}), 0),
    "http with an id": (lambda doors, name: doors.post({"text": name, "id": name}), 2),
    "lambda": (lambda doors, name: doors.invoke({"text": name}), 0),
    "lambda with an id": (lambda doors, name: doors.invoke({"text": name, "id": name}), 2),
    "stream": (lambda doors, name: doors.stream(solo(name)), 2),
    "stream with an id": (lambda doors, name: doors.stream(solo(name, id={"S": f"id-{name}"})), 3),
    "stream, in a group": (lambda doors, name: doors.stream(grouped(name)), 4),
    "stream, in a group with an id": (lambda doors, name: doors.stream(grouped(name, id={"S": f"id-{name}"})), 5),
    "queue": (lambda doors, name: doors.queue(queue_record(json.dumps({"text": name}), name)), 2),
    "queue with an id": (
        lambda doors, name: doors.queue(queue_record(json.dumps({"text": name, "id": f"id-{name}"}), name)),
        2,
    ),
    "fifo queue": (lambda doors, name: doors.queue(fifo(name)), 4),
}


@pytest.fixture
def history(table: Table) -> Iterator[Callable[[int], None]]:
    """Makes so many delivered rows, half of them in one group, half in another.

    It writes them into moto itself: over its API, ten thousand rows take ten times as long.
    """
    rows = dynamodb_backends["123456789012"]["us-east-1"].get_table(table.name)

    def write(count: int) -> None:
        for number in range(count):
            rows.put_item(_delivered(number))

    yield write
    rows.items.clear()


def _delivered(number: int) -> dict[str, Any]:
    group = GROUP if number % 2 else "BOTTE_MESSAGE#sqs:botte-local-messages.fifo:g"
    more = {"Status": {"S": "SENT"}, "TelegramMessageId": {"N": str(number)}, "ExpirationTs": {"N": "4102444800"}}
    return item({"text": {"S": f"{number}"}}, sort_key=f"{number:039d}"[-39:], partition_key=group, **more)


@pytest.mark.parametrize("behind", [10, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_message_costs_the_same_table_calls_whatever_is_behind_it(
    app_doors: Doors, telegram: FakeTelegram, aws: EmbeddedAws, history: Callable[[int], None], behind: int
) -> None:
    history(behind)
    app_doors.post({"text": "the parameters are read with the first message"})
    telegram.clear()
    measured = {}
    for door, (send, _) in MESSAGES.items():
        aws.calls.reset()
        send(app_doors, f"z{behind}-{door}".replace(" ", "-").replace(",", ""))
        measured[door] = aws.calls.of("DynamoDB")
    assert measured == {door: calls for door, (_, calls) in MESSAGES.items()}
    assert len(telegram.messages) == len(MESSAGES)


def test_no_door_scans(doors: Doors, aws: EmbeddedAws) -> None:
    for door, (send, _) in MESSAGES.items():
        send(doors, door.replace(" ", "-").replace(",", ""))
    assert not {"DynamoDB.Scan", "DynamoDB.BatchGetItem"} & set(aws.calls.by_operation())


def test_a_message_that_is_asked_for_costs_one_read(doors: Doors, aws: EmbeddedAws) -> None:
    doors.post({"text": "Hello", "id": "k1"})
    aws.calls.reset()
    doors.get("/message/k1")
    assert aws.calls.by_operation() == {"DynamoDB.GetItem": 1}


def test_a_schedule_with_nothing_to_do_costs_one_read(doors: Doors, aws: EmbeddedAws) -> None:
    doors.redeliver()
    assert aws.calls.by_operation() == {"DynamoDB.Query": 1}


@pytest.mark.parametrize("repeats", ["stream", "queue", "http with an id"])
def test_a_message_that_comes_again_costs_one_call(doors: Doors, aws: EmbeddedAws, repeats: str) -> None:
    send, _ = MESSAGES[repeats]
    send(doors, "again")
    aws.calls.reset()
    send(doors, "again")
    assert aws.calls.by_operation() == {"DynamoDB.UpdateItem": 1}
