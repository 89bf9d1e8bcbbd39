"""An id names one message, whatever door it comes through.

Through each two doors in memory; and through the app, where each door comes first once, and second once.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import pytest

from chalicelib.contract.message import InvalidMessage
from tests.doors import Doors, Table, item, queue_record, stream_record, texts
from tests.outbox.world import World
from tools.dev.fake_telegram import FakeTelegram

APP = "cron"


class AnyDoors(Protocol):
    def post(self, message: Mapping[str, object], /) -> object: ...
    def invoke(self, message: object, /) -> object: ...
    def stream(self, *records: Mapping[str, Any]) -> object: ...
    def queue(self, *records: Mapping[str, Any]) -> object: ...


class DoorsInMemory:
    """The four doors of one process in a world of its own."""

    def __init__(self) -> None:
        self.world = World()
        self._process = self.world.process()

    def post(self, message: Mapping[str, object]) -> int:
        return self._process.post(message)

    def invoke(self, message: object) -> dict[str, Any]:
        return self._process.invoke(message, "request-1")

    def stream(self, *records: Mapping[str, Any]) -> None:
        self._process.relay.take(self._process.tasks.read_stream(records), deadline=self._process.deadline)

    def queue(self, *records: Mapping[str, Any]) -> None:
        self._process.queue(*records)


def acknowledge(answer: object) -> None:
    assert getattr(answer, "function_error", None) is None


def through_http(doors: AnyDoors, text: str) -> None:
    doors.post({"text": text, "id": "k1", "sender_app": APP})


def through_lambda(doors: AnyDoors, text: str) -> None:
    doors.invoke({"text": text, "id": "k1", "sender_app": APP})


def through_stream(doors: AnyDoors, text: str) -> None:
    payload = {"text": {"S": text}, "id": {"S": "k1"}}
    image = item(payload, sort_key="s1", partition_key="BOTTE_MESSAGE#s1", SenderApp={"S": APP})
    acknowledge(doors.stream(stream_record(image)))


def through_group(doors: AnyDoors, text: str) -> None:
    payload = {"text": {"S": text}, "id": {"S": "k1"}, "sender_app": {"S": APP}}
    image = item(payload, sort_key="g1", partition_key="BOTTE_MESSAGE#g")
    acknowledge(doors.stream(stream_record(image)))


def through_queue(doors: AnyDoors, text: str) -> None:
    body = json.dumps({"text": text, "id": "k1", "sender_app": APP})
    acknowledge(doors.queue(queue_record(body, "m1")))


DOORS = {
    "http": through_http,
    "lambda": through_lambda,
    "stream": through_stream,
    "group": through_group,
    "queue": through_queue,
}
PAIRS = [pytest.param(*pair, id="_then_".join(pair)) for pair in itertools.permutations(DOORS, 2)]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("text", ["Hello", "Other"])
def test_what_comes_again_with_the_id_through_another_door_is_not_sent(text: str, first: str, second: str) -> None:
    doors = DoorsInMemory()
    DOORS[first](doors, "Hello")
    with suppress(InvalidMessage):
        DOORS[second](doors, text)
    assert doors.world.telegram.texts == ["Hello"]


@pytest.mark.parametrize(("first", "second"), [*itertools.pairwise(DOORS), ("queue", "http")])
def test_through_the_app_a_message_is_delivered_once_and_another_one_with_its_id_never(
    doors: Doors, telegram: FakeTelegram, first: str, second: str
) -> None:
    DOORS[first](doors, "Hello")
    DOORS[second](doors, "Hello")
    DOORS[second](doors, "Other")
    assert texts(telegram.messages) == ["Hello"]
    assert doors.get("/message/k1").json()["status"] == "SENT"


@pytest.mark.parametrize("first", DOORS)
@pytest.mark.parametrize("second", [through_http, through_lambda])
def test_a_message_that_is_owed_is_sent_when_a_caller_asks_for_it_again_unless_its_group_has_to_send_it(
    doors: Doors, telegram: FakeTelegram, first: str, second: Callable[[Doors, str], None]
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    DOORS[first](doors, "Hello")
    second(doors, "Hello")
    is_sent = first != "group"
    assert texts(telegram.messages) == ["Hello"] * is_sent
    assert doors.get("/message/k1").json()["status"] == ("SENT" if is_sent else "PENDING")


@pytest.mark.slow
@pytest.mark.parametrize("first", DOORS)
@pytest.mark.parametrize("second", ["stream", "group", "queue"])
def test_a_message_that_is_owed_is_left_to_the_schedule_when_a_queue_brings_it_again(
    doors: Doors, telegram: FakeTelegram, first: str, second: str
) -> None:
    telegram.set_fault({"kind": "down", "count": 1})
    DOORS[first](doors, "Hello")
    DOORS[second](doors, "Hello")
    assert telegram.messages == []
    doors.redeliver()
    assert texts(telegram.messages) == ["Hello"]


@pytest.mark.parametrize("door", ["stream", "group"])
def test_the_state_of_an_item_is_found_under_its_id(doors: Doors, telegram: FakeTelegram, door: str) -> None:
    DOORS[door](doors, "Hello")
    assert doors.get("/message/k1").json() == {
        "id": "k1",
        "status": "SENT",
        "attempts": 1,
        "message_ids": [telegram.messages[0]["message_id"]],
        "last_error": None,
        "due_at": None,
    }


@pytest.mark.parametrize("second", ["http", "lambda", "queue", "stream"])
@pytest.mark.parametrize("text", ["Hello", "Other"])
def test_an_id_that_was_reserved_by_a_door_that_died_does_not_lose_the_message(
    doors: Doors, telegram: FakeTelegram, table: Table, second: str, text: str
) -> None:
    through_group(doors, "Hello")
    (reserved,) = [row for row in table.items() if row["SK"] == {"S": "k1"}]
    table.clear()
    telegram.clear()
    table.put(reserved)
    DOORS[second](doors, text)
    assert texts(telegram.messages) == [text]


def test_a_message_whose_id_is_taken_is_refused_or_parked(doors: Doors, table: Table) -> None:
    image = item({"text": {"S": "Hello"}}, sort_key="k1", partition_key="BOTTE_MESSAGE#k1")
    doors.stream(stream_record(image))
    assert doors.post({"text": "Other", "id": "k1"}).status_code == 422
    assert doors.post({"text": "Other", "id": "k1", "deliver_at": int(time.time()) + 60}).status_code == 422
    through_queue(doors, "Other")
    assert table.row("m1")["LastError"] == "id: names another message already"
    through_group(doors, "And another")
    assert table.message("And another")["LastError"] == "id: names another message already"


def test_an_item_whose_id_is_taken_is_parked_beside_the_message(doors: Doors, table: Table) -> None:
    through_http(doors, "Hello")
    for number in range(2):  # the second one is parked as well, not taken for the first
        image = item({"text": {"S": f"{number}"}}, sort_key="k1", partition_key="BOTTE_MESSAGE#k1")
        doors.stream(stream_record(image))
    assert table.states() == {"Hello": "SENT", "0": "FAILED", "1": "FAILED"}
