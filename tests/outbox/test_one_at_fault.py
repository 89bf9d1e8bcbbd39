"""One row, one chat or one partition of a table is at fault: nobody else notices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import TableUnavailable, Unavailable, WriteRefused
from chalicelib.outbox import states
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change, Content
from chalicelib.outbox.table import Outbox
from chalicelib.relay import Relay
from chalicelib.relay.lanes import STRAYS_SECONDS
from chalicelib.settings import Parameters
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Clock, TasksInMemory
from tests.outbox.world import World, image

CHATS = {"default": 1, "other": 2}
MINUTE = 60.0
THROTTLED = TableUnavailable("throttled", retry_after=0.0)


class Telegram:
    """Takes everything but what ``errors`` names by its text; ``answer`` is what it adds to its answers."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.errors: dict[str, Exception] = {}
        self.answer: dict[str, Any] = {}
        self.is_away = False
        self.came: list[tuple[str, float]] = []

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.came]

    def call(self, method: str, fields: Mapping[str, Any], file: object = None) -> Any:
        if self.is_away:
            raise Unavailable("away")
        if method == "getMe":
            return {}
        if fields["text"] in self.errors:
            raise self.errors[fields["text"]]
        self.came.append((fields["text"], self.clock()))
        return {"message_id": len(self.came), **self.answer}


class Place:
    """A relay, warm or not, over a table in memory."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.clock = Clock()
        self.table = table or MemoryTable()
        self.telegram = Telegram(self.clock)
        self.relay = self.cold_relay()

    def cold_relay(self) -> Relay:
        values = {"telegram-bot-token": "1:a", "telegram-chats": json.dumps(CHATS)}
        parameters = Parameters("/p", lambda names: {name: values[name[3:]] for name in names}, clock=self.clock)
        outbox = Outbox(self.table, clock=self.clock, sleep=self.clock.sleep)
        return Relay(self.telegram, outbox, parameters, clock=self.clock, sleep=self.clock.sleep)

    def owe(self, text: str, chat: str = "default") -> Key:
        key = Key.of_id(text)
        self.table.apply(key, states.wait(Content.of(Message(text=text, chat=chat), self.clock())))
        return key

    def run(self) -> None:
        """A run of the schedule, and the rest of its minute."""
        began = self.clock()
        self.relay.redeliver(deadline=began + 90)
        self.clock.now = max(self.clock.now, began + MINUTE)


class ThrottledLane(MemoryTable):
    def due(self, chat: str, by: float) -> Iterator[Row]:
        if chat == "default":
            raise THROTTLED
        return super().due(chat, by)


class ThrottledSearch(MemoryTable):
    def chats(self) -> Iterator[str]:
        yield from ()
        raise THROTTLED


class ThrottledRow(MemoryTable):
    """A row that can be claimed, and not written to afterwards."""

    def apply(self, key: Key, change: Change) -> Row:
        if key.sort == "hot" and change.sets.get("Status") not in ("SENDING", None) and key in self.items:
            raise THROTTLED
        return super().apply(key, change)


class FullGroups(MemoryTable):
    def apply(self, key: Key, change: Change) -> Row:
        if key.partition.startswith("GROUP#"):
            raise WriteRefused("ItemCollectionSizeLimitExceededException")
        return super().apply(key, change)


def test_a_lane_that_cannot_be_read_stops_no_other() -> None:
    place = Place(ThrottledLane())
    place.owe("stays")
    place.owe("goes", "other")
    place.run()
    assert place.telegram.texts == ["goes"]


def test_a_search_for_old_chats_that_fails_stops_nothing() -> None:
    place = Place(ThrottledSearch())
    place.owe("goes")
    place.run()
    assert place.telegram.texts == ["goes"]


def test_a_search_for_old_chats_takes_no_run_for_itself() -> None:
    class Endless(MemoryTable):
        def chats(self) -> Iterator[str]:
            while True:
                place.clock.sleep(0.5)
                yield "default"

    place = Place(Endless())
    began = place.clock()
    place.relay.redeliver(deadline=began + 90)
    assert place.clock() - began < 5


def test_a_chat_that_is_configured_no_more_is_found_and_its_messages_are_parked() -> None:
    place = Place()
    key = place.owe("left", "gone")
    for _ in range(int(STRAYS_SECONDS / MINUTE) + 2):
        place.run()
    row = place.table.get(key)
    assert row is not None
    assert (row.status, row.last_error) == ("FAILED", "unknown chat; the chats are default, other")


def test_a_row_whose_end_cannot_be_noted_takes_no_time_from_the_others() -> None:
    place = Place(ThrottledRow())
    for text in ("hot", *(f"{number:02d}" for number in range(30))):
        place.owe(text)
        place.clock.sleep(0.001)
    place.run()
    assert place.telegram.texts == ["hot", *(f"{number:02d}" for number in range(30))]


def test_a_message_that_is_sent_again_goes_to_its_chat_though_its_row_is_in_another_lane() -> None:
    place = Place()
    place.relay.park("request-1", '{"text": "again", "chat": "other"}', ValueError("refused"))
    key = Key.of_id("request-1")
    place.table.apply(key, states.redrive(Row(place.table.items[key]), now=place.clock()))
    place.telegram.errors = {"wait": Unavailable("429", retry_after=3600.0)}
    place.owe("wait", "other")
    place.owe("goes")
    for _ in range(3):
        place.run()
    assert place.telegram.texts == ["goes"]
    place.clock.sleep(3600)
    place.telegram.errors = {}
    place.run()
    assert sorted(place.telegram.texts) == ["again", "goes", "wait"]


def test_a_run_that_finds_telegram_away_knows_all_the_same_which_chats_have_to_wait() -> None:
    place = Place()
    place.telegram.errors = {"wait": Unavailable("429", retry_after=3600.0)}
    place.owe("wait", "other")
    place.run()
    place.relay, place.telegram.errors, place.telegram.is_away = place.cold_relay(), {}, True
    place.owe("goes")
    place.run()
    place.telegram.is_away = False
    for text, chat in (("too early", "other"), ("now", "default")):
        place.relay.accept(Message(text=text, chat=chat), deadline=place.clock() + MINUTE, spare_id=text)
    assert place.telegram.texts == ["now"]


@pytest.mark.parametrize("message_id", [0, -1, 10**39, float("inf"), "7", None, 1.5, [1]], ids=str)
def test_an_answer_without_a_message_id_is_a_lost_answer(message_id: object) -> None:
    place = Place()
    place.telegram.answer = {"message_id": message_id}
    key = place.owe("odd")
    for _ in range(60):
        place.run()
    row = place.table.get(key)
    assert row is not None
    assert row.status == "FAILED"
    assert len(place.telegram.came) <= 5


def test_bad_input_for_a_group_that_has_no_room_is_parked_outside_it() -> None:
    world = World(FullGroups())
    items = [image("", "1", "full"), image("no room", "2", "full"), image("goes", "3")]
    world.put(*items)
    world.process().stream(*items)
    assert world.telegram.texts == ["goes"]
    assert sorted(row.status or "" for row in world.rows()) == ["FAILED", "FAILED", "SENT"]
    assert isinstance(world.tasks, TasksInMemory)
    assert not world.tasks.items


def test_a_few_failures_around_a_long_outage_are_not_three_days_of_failures() -> None:
    place = Place()
    place.owe("poor")
    place.clock.sleep(1)
    place.owe("good")
    place.telegram.errors = {"poor": Unavailable("500")}
    place.run()
    place.clock.sleep(4 * 86_400)
    place.owe("good again")
    place.run()
    place.telegram.errors = {}
    place.clock.sleep(900)
    place.run()
    assert sorted(place.telegram.texts) == ["good", "good again", "poor"]
