"""Table calls per message: a small constant at each door, whatever has been delivered before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.dynamodb.models import dynamodb_backends

from chalicelib.contract.message import Message
from chalicelib.contract.task import to_attribute
from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from chalicelib.outbox.states import Content, Lease
from chalicelib.telegram.delivery import Progress
from tests.doors import Doors, Table, event, item, queue_record, stream_record
from tools.dev.aws import EmbeddedAws
from tools.dev.fake_telegram import FakeTelegram

GROUP = "BOTTE_MESSAGE#g"


def solo(name: str, **more: Any) -> dict[str, Any]:
    payload = {"text": {"S": name}, **more}
    return stream_record(item(payload, sort_key=name, partition_key=f"BOTTE_MESSAGE#{name}"))


def plain(name: str) -> dict[str, Any]:
    return stream_record(item({"text": {"S": name}}, sort_key=name))


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
    "stream": (lambda doors, name: doors.stream(solo(name)), 3),
    "stream, as documented": (lambda doors, name: doors.stream(plain(name)), 3),
    "stream with an id": (lambda doors, name: doors.stream(solo(name, id={"S": f"id-{name}"})), 3),
    "stream, in a group": (lambda doors, name: doors.stream(grouped(name)), 4),
    "stream, in a group with an id": (lambda doors, name: doors.stream(grouped(name, id={"S": f"id-{name}"})), 5),
    "queue": (lambda doors, name: doors.queue(queue_record(json.dumps({"text": name}), name)), 2),
    "queue with an id": (
        lambda doors, name: doors.queue(queue_record(json.dumps({"text": name, "id": f"id-{name}"}), name)),
        2,
    ),
    "fifo queue": (lambda doors, name: doors.queue(fifo(name)), 3),
    # Claim, join, note that it did; claim the live message, note that it is shown. The next with the key: one more.
    "http with a key": (lambda doors, name: doors.post({"text": name, "collapse_key": name}), 5),
    "lambda with a key": (lambda doors, name: doors.invoke({"text": name, "collapse_key": name}), 5),
    "stream with a key": (lambda doors, name: doors.stream(solo(name, collapse_key={"S": name})), 6),
    "queue with a key": (
        lambda doors, name: doors.queue(queue_record(json.dumps({"text": name, "collapse_key": name}), name)),
        5,
    ),
}


@pytest.fixture
def history(table: Table) -> Iterator[Callable[[int], None]]:
    """Makes so many delivered rows, half of them in one group, half in another.

    It writes them into moto itself: over its API, thousands of rows take ten times as long.
    """
    rows = dynamodb_backends["123456789012"]["us-east-1"].get_table(table.name)

    def write(count: int) -> None:
        for number in range(count):
            rows.put_item(_delivered(number))

    yield write
    rows.items.clear()


def _delivered(number: int) -> dict[str, Any]:
    group = GROUP if number % 2 else "queue botte-local-messages.fifo g"
    key = Key.of_record("of the history", f"{number}", group=group)
    lease = Lease("of long ago", 0.0)
    claimed = states.claim(Content.of(Message(text=f"{number}"), 0.0, sequence=f"{number:040d}"), lease)
    sent = states.sent(lease, Progress(message_ids=(number,)), now=4102444800.0)
    values = {"PK": key.partition, "SK": key.sort, **claimed.sets, **sent.sets}
    return {name: to_attribute(value) for name, value in values.items() if name not in sent.removes}


@pytest.mark.parametrize("behind", [10, pytest.param(2_000, marks=pytest.mark.slow)])
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


def test_a_schedule_with_nothing_to_do_costs_one_read_for_each_chat(doors: Doors, aws: EmbeddedAws) -> None:
    doors.redeliver()  # now and then it looks farther; the first run of a process does
    aws.calls.reset()
    doors.redeliver()
    assert aws.calls.by_operation() == {"DynamoDB.Query": 2}


def test_a_message_that_is_parked_costs_one_write_more_and_the_schedule_nothing_once_its_owner_is_told(
    doors: Doors, telegram: FakeTelegram, aws: EmbeddedAws
) -> None:
    doors.redeliver()
    aws.calls.reset()
    doors.queue(queue_record('{"chat_id": 5}', "bad"))
    assert aws.calls.by_operation() == {"DynamoDB.UpdateItem": 2}
    aws.calls.reset()
    doors.redeliver()
    # Both chats, how long they have to wait; the count is taken, the message claimed, the count told, the message sent.
    assert aws.calls.by_operation() == {"DynamoDB.Query": 3, "DynamoDB.UpdateItem": 4}
    aws.calls.reset()
    doors.redeliver()
    assert aws.calls.by_operation() == {"DynamoDB.Query": 2}


@pytest.mark.parametrize("behind", [10, pytest.param(1_000, marks=pytest.mark.slow)])
def test_a_message_that_is_owed_costs_the_schedule_the_same_whatever_was_delivered(
    doors: Doors, telegram: FakeTelegram, aws: EmbeddedAws, history: Callable[[int], None], behind: int
) -> None:
    history(behind)
    doors.redeliver()
    telegram.set_fault({"kind": "down", "count": 1})
    doors.post({"text": "owed"})
    aws.calls.reset()
    doors.redeliver()
    # Both chats, how long they have to wait; claim and mark.
    assert aws.calls.by_operation() == {"DynamoDB.Query": 3, "DynamoDB.UpdateItem": 2}


@pytest.mark.parametrize("repeats", ["stream", "stream, as documented", "queue", "http with an id"])
def test_a_message_that_comes_again_costs_one_call_and_a_delete(doors: Doors, aws: EmbeddedAws, repeats: str) -> None:
    send, _ = MESSAGES[repeats]
    send(doors, "again")
    aws.calls.reset()
    send(doors, "again")
    delete = {"DynamoDB.DeleteItem": 1} if repeats.startswith("stream") else {}
    assert aws.calls.by_operation() == {"DynamoDB.UpdateItem": 1, **delete}
