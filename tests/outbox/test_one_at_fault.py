"""One row, one chat or one partition of a table is at fault: nobody else notices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.contract.message import Message
from chalicelib.errors import Unavailable, WriteRefused
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change
from chalicelib.relay.strays import STRAYS_SECONDS
from tests.outbox.memory_table import MemoryTable
from tests.outbox.place import MINUTE, THROTTLED, Place
from tests.outbox.steps import TasksInMemory
from tests.outbox.world import World, image


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
    assert (row.status, row.last_error) == ("FAILED", "unknown chat 'gone'; the chats are default, other")


def test_a_row_whose_end_cannot_be_noted_takes_no_time_from_the_others() -> None:
    place = Place(ThrottledRow())
    for text in ("hot", *(f"{number:02d}" for number in range(30))):
        place.owe(text)
        place.clock.sleep(0.001)
    place.run()
    assert place.telegram.texts == ["hot", *(f"{number:02d}" for number in range(30))]


@pytest.mark.parametrize(("held", "arrives"), [("default", ["again"]), ("other", [])])
def test_what_is_redriven_waits_for_its_own_chat_and_for_no_other(held: str, arrives: list[str]) -> None:
    place = Place()
    place.relay.park("request-1", '{"text": "again", "chat": "other"}', ValueError("refused"))
    place.telegram.errors = {"wait": Unavailable("429", retry_after=3600.0)}
    place.owe("wait", held)
    place.run()
    place.redrive("request-1")
    place.run()
    assert place.telegram.texts == arrives
    place.clock.sleep(3600)
    place.telegram.errors = {}
    place.run()
    assert sorted(place.telegram.texts) == ["again", "wait"]


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
    assert place.telegram.texts == ["odd"] * 5


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


def test_a_message_that_always_fails_is_parked_after_three_days_alone_and_several_once_others_went_through() -> None:
    """Where all that is owed to a chat fails, it may be the chat's own fault: it waits, however long, in its order."""
    place = Place()
    place.telegram.errors = {text: Unavailable("500") for text in ("alone", "first", "second")}
    alone, *several = (place.owe("alone", "other"), place.owe("first"), place.owe("second"))

    def wait(days: float) -> list[str | None]:
        for _ in range(round(days * 96)):
            place.run()
            place.clock.sleep(14 * MINUTE)
        return [row and row.status for row in map(place.table.get, (alone, *several))]

    assert wait(5) == ["FAILED", "PENDING", "PENDING"]
    place.owe("goes through")
    assert wait(4) == ["FAILED", "PENDING", "PENDING"]
    place.owe("goes through, too")
    assert wait(0.1) == ["FAILED", "FAILED", "FAILED"]
