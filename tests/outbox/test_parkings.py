"""The owner is told of what was parked: of each, by one message an hour at most, and while nothing is, by none."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

import pytest

from chalicelib.contract.message import InvalidMessage, Message
from chalicelib.doors.invoke import send_invoked
from chalicelib.doors.queue import read_queue
from chalicelib.errors import Ambiguous, Refused
from chalicelib.outbox.row import Key, Row
from chalicelib.outbox.states import Change
from chalicelib.relay.attempt import LEASE_SECONDS
from chalicelib.relay.parkings import MAX_REASON_CHARACTERS, PAUSE_SECONDS, words
from tests.doors import queue_record
from tests.outbox.memory_table import MemoryTable
from tests.outbox.place import MINUTE, THROTTLED, Place
from tests.outbox.steps import Crash, Steps
from tests.outbox.world import Process, World

BAD = '{"chat_id": 5}'
WHY_BAD = "chat_id: raw chat ids are not taken; name a configured chat in 'chat'"
STRAY = '{"text": "Hello", "chat": "opps"}'
WHY_STRAY = "unknown chat 'opps'; the chats are default, other"
NO = Refused("400 Bad Request: no")
HOUR = int(PAUSE_SECONDS / MINUTE)


class UncountingTable(MemoryTable):
    """It does not take so many counts."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def apply(self, key: Key, change: Change) -> Row:
        if key == Key.of_parkings() and change.adds and self.count > 0:
            self.count -= 1
            raise THROTTLED
        return super().apply(key, change)


def queue(place: Place, *bodies: str, name: str = "queued") -> None:
    records = [queue_record(body, f"{name}-{number}") for number, body in enumerate(bodies)]
    place.relay.take(read_queue(records), deadline=place.clock() + MINUTE)


def post(place: Place, fields: dict[str, str]) -> None:
    """At the HTTP door, a message that is refused."""
    with pytest.raises(Refused):
        place.relay.accept(Message(**fields), deadline=place.clock() + MINUTE, spare_id="spare")  # type: ignore[arg-type]


def invoke(place: Place, event: object) -> None:
    """At the Lambda door, a message that is refused."""
    with pytest.raises((InvalidMessage, Refused)):
        send_invoked(place.relay, event, "request-1", place.clock() + MINUTE)


def counted(notices: list[str]) -> list[int]:
    """Of how many each notice tells."""
    return [int(text.split()[0]) for text in notices]


def owe(place: Place, *, message: str | None = None) -> None:
    """Has the outbox owe a message that will be refused, or one that its row holds and nobody can read."""
    if Key.of_id("owed") not in place.table.items:
        key = place.owe("owed", "other")
        if message is not None:
            place.table.replace(key, {**place.table.items[key], "Message": {"S": message}})


HELLO = {"text": "Hello", "chat": "other"}
# Each way of parking a message, and the reason; what the chat gets is refused.
WAYS: dict[str, tuple[Callable[[Place], None], str]] = {
    "bad input of the queue": (lambda place: queue(place, BAD), WHY_BAD),
    "an unknown chat": (lambda place: queue(place, STRAY), WHY_STRAY),
    "refused at the queue": (lambda place: queue(place, json.dumps(HELLO)), NO.reason),
    "refused at its turn": (owe, NO.reason),
    "a row that cannot be read": (lambda place: owe(place, message="{"), "body: is not JSON"),
    "refused at the HTTP door, with an id": (lambda place: post(place, {**HELLO, "id": "1"}), NO.reason),
    "bad input of Lambda": (lambda place: invoke(place, {"txet": "x", "text": 5}), "txet: unknown field"),
    "refused at the Lambda door": (lambda place: invoke(place, HELLO), NO.reason),
    "refused at the Lambda door, with an id": (lambda place: invoke(place, {**HELLO, "id": "1"}), NO.reason),
    "refused at the Lambda door, in parts": (lambda place: invoke(place, {**HELLO, "text": "x " * 3000}), NO.reason),
}


@pytest.mark.parametrize(("park", "reason"), WAYS.values(), ids=WAYS.keys())
def test_whatever_is_parked_is_counted_and_logged_once_however_often_it_comes(
    park: Callable[[Place], None], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place()
    place.telegram.errors = {"other": NO}
    for _ in range(2):
        park(place)
        place.run()
    for _ in range(HOUR + 1):
        place.run()
    lines = [(each.name, each.msg) for each in caplog.records if each.msg in ("parked", "failed")]
    assert lines in ([("botte.relay", "parked")], [("botte.relay", "failed")])  # as the metric of the alarm reads them
    (notice,) = place.telegram.notices
    first, second = notice.split("\n")
    assert first.startswith(f"1 message was parked, because: {reason}")
    assert second == "make failed STAGE=local lists it, make redrive STAGE=local sends it again."


def test_what_is_refused_at_the_http_door_and_not_kept_does_not_count() -> None:
    place = Place()
    place.telegram.errors = {"other": NO}
    post(place, HELLO)
    place.run()
    assert place.telegram.notices == []


def test_a_burst_is_told_in_one_message_with_the_first_reason_whatever_process_had_it() -> None:
    place = Place()
    queue(place, STRAY, *[BAD] * 50)
    place.relay = place.cold_relay()
    queue(place, *[BAD] * 49, name="more")
    place.run()
    assert place.telegram.notices == [
        f"100 messages were parked, the first because: {WHY_STRAY}\n"
        "make failed STAGE=local lists them, make redrive STAGE=local sends them again."
    ]


def test_the_owner_is_told_once_an_hour_and_of_each() -> None:
    place = Place()
    for number in range(2 * HOUR + 30):
        queue(place, BAD, name=f"queued-{number}")
        place.run()
    assert counted(place.telegram.notices) == [1, HOUR, HOUR]
    for _ in range(HOUR):
        place.run()
    assert counted(place.telegram.notices) == [1, HOUR, HOUR, 29]
    times = [at for text, at in place.telegram.came if text in place.telegram.notices]
    assert min(after - before for before, after in pairwise(times)) >= PAUSE_SECONDS


def test_the_count_leaves_the_index_an_hour_after_the_last_notice() -> None:
    place = Place()
    queue(place, BAD)
    for minute in range(HOUR + 2):
        is_there = any(row.key == Key.of_parkings() for row in place.table.due("default", place.clock() + 9e9))
        assert is_there == (minute <= HOUR)
        place.run()
    queue(place, BAD, name="later")
    place.run()
    assert counted(place.telegram.notices) == [1, 1]


def test_what_is_parked_while_the_owner_is_told_is_told_later() -> None:
    class Busy(MemoryTable):
        """While the message for the owner is claimed, another one is parked."""

        def apply(self, key: Key, change: Change) -> Row:
            if key == Key.of_notice(1, 1):
                queue(place, BAD, name="meanwhile")
            return super().apply(key, change)

    place = Place(Busy())
    queue(place, BAD)
    for _ in range(HOUR + 1):
        place.run()
    assert counted(place.telegram.notices) == [1, 1]


@pytest.mark.parametrize("error", [NO, Ambiguous("lost")])
def test_a_notice_that_is_parked_itself_is_not_counted(error: Exception) -> None:
    place = Place()
    queue(place, BAD)
    place.telegram.errors = {"default": error}
    for _ in range(5 * HOUR):
        place.run()
    rows = [row for row in place.table.scan() if row.status == "FAILED"]
    assert sorted(row.key.sort for row in rows) == ["notice 1-1", "queued-0"]
    assert Row(place.table.items[Key.of_parkings()]).parked == 1


def test_without_a_default_chat_the_notice_is_parked_and_can_be_sent_again() -> None:
    place = Place(chats={"other": 2})
    queue(place, BAD)
    for _ in range(5 * HOUR):
        place.run()
    key = Key.of_notice(1, 1)
    assert Row(place.table.items[key]).last_error == "unknown chat 'default'; the chats are other"
    assert place.telegram.came == []


def test_a_count_that_the_table_does_not_take_delays_nothing_and_counts_with_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Place(UncountingTable(2))
    began = place.clock()
    with caplog.at_level(logging.WARNING):
        queue(place, BAD, BAD)
    assert place.clock() == began
    assert [row.status for row in place.messages()] == ["FAILED"] * 2
    assert "what was parked cannot be counted" in caplog.messages
    queue(place, '{"text": "good"}', name="good")
    place.run()
    assert counted(place.telegram.notices) == [2]


@pytest.mark.parametrize("parked_later", [False, True])
def test_a_run_that_dies_while_it_tells_the_owner_has_him_told_all_the_same(parked_later: bool) -> None:
    def park(process: Process, count: int, name: str) -> None:
        process.queue(*[queue_record(BAD, f"{name}-{number}") for number in range(count)])

    def run(crash_at: int | None) -> tuple[World, Steps]:
        world, steps = World(), Steps(crash_at=None if crash_at is None else (crash_at, "before"))
        park(world.process(), 2, "queued")
        with suppress(Crash):
            world.process(steps).redeliver()
        if parked_later:
            park(world.process(), 1, "later")
        for _ in range(HOUR):
            world.clock.sleep(LEASE_SECONDS)
            world.process().redeliver()
        return world, steps

    undisturbed, steps = run(None)
    assert counted(undisturbed.telegram.notices) == ([2, 1] if parked_later else [2])
    assert steps.done.count("apply") == 4  # taken, claimed, told, sent
    for number in range(len(steps.done)):
        world, _ = run(number)
        told = counted(world.telegram.notices)
        assert 2 + parked_later <= sum(told) <= 2 * (2 + parked_later), (number, told)
        assert not world.owed()
        assert "DueTs" not in world.table.items[Key.of_parkings()]


def test_a_long_reason_is_cut_and_holds_no_token() -> None:
    place = Place()
    place.telegram.errors = {"other": Refused("refused 123456789:" + "a" * 35 + " " + "x" * 2000)}
    queue(place, json.dumps(HELLO))
    place.run()
    (notice,) = place.telegram.notices
    assert re.fullmatch(r".*because: refused \[bot token\] x+…", notice.split("\n")[0])
    assert len(notice.split("because: ")[1].split("\n")[0]) == MAX_REASON_CHARACTERS


def test_without_a_reason_the_owner_is_told_how_many() -> None:
    assert words(2, None, "prod").startswith("2 messages were parked\nmake failed STAGE=prod ")


def test_a_message_that_is_parked_again_counts_again() -> None:
    place = Place()
    place.telegram.errors = {"other": NO}
    queue(place, json.dumps(HELLO))
    for _ in range(HOUR + 2):
        place.run()
    place.redrive("queued-0")
    for _ in range(2):
        place.run()
    assert counted(place.telegram.notices) == [1, 1]
