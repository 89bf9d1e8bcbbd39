"""Telegram is down for a day: every door goes on accepting, and the backlog drains in order when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.outbox.steps import Outcome, Steps
from tests.outbox.world import Process, World, image, queued

HOUR = 60  # minutes
EVERY = 15  # minutes, at each door
ANSWERED_WITHIN_SECONDS = 10.0
SENT_A_MINUTE = 40  # at one a second, less what a run needs to begin and to end
LONGEST_BACKOFF = 15  # minutes
CALLS_A_RUN = 40  # of a schedule that can send nothing, on average: it must not move the whole backlog each minute


class Doors:
    """Sends through every door, each time from a warm process, and sees to it that each is acknowledged at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = world.process()
        self.sent: list[str] = []

    def use_all(self, number: int) -> None:
        turn, sk = number // EVERY, f"{number:05d}"
        if turn % 3 < 2:
            group = "ab"[turn % 3]
            item = image(f"group {group} {sk}", sk, group)
        else:
            item = image(f"stream {sk}", f"single-{sk}")
        self._world.put(item)
        self._acknowledged(self._process.stream, item, text=item["Payload"]["M"]["text"]["S"])
        queue = "fifo" if turn % 2 else "queue"
        record = queued(f"{queue} {sk}", number, "f" if queue == "fifo" else None)
        self._acknowledged(self._process.queue, record, text=f"{queue} {sk}")
        with_id = {"id": sk} if turn % 2 else {}
        self._acknowledged(self._post, {"text": f"http {sk}", **with_id}, text=f"http {sk}")
        self._acknowledged(self._invoke, {"text": f"lambda {sk}"}, text=f"lambda {sk}")

    def _post(self, message: dict[str, object]) -> None:
        assert self._process.post(message) == 202

    def _invoke(self, message: dict[str, object]) -> None:
        assert self._process.invoke(message, f"request {message['text']}")["status"] == "accepted"

    def _acknowledged(self, deliver: object, event: object, *, text: str) -> None:
        assert callable(deliver)
        began = self._world.clock.now
        deliver(event)
        assert self._world.clock.now - began <= ANSWERED_WITHIN_SECONDS
        self.sent.append(text)


def every_minute(world: World, scheduled: Process) -> Iterator[int]:
    """The schedule of a warm process; gives the number of each minute before its run."""
    began = world.clock.now
    minute = 0
    while True:
        world.clock.now = max(world.clock.now, began + 60.0 * minute)
        yield minute
        scheduled.redeliver()
        minute += 1


@pytest.mark.parametrize(("outage", "hours"), [("down", 24), ("wait", 6)])
def test_a_day_without_telegram_loses_nothing(outage: Outcome, hours: int) -> None:
    world = World()
    doors = Doors(world)
    world.telegram.otherwise = outage
    steps = Steps()
    minutes = every_minute(world, world.process(steps))
    for minute in minutes:
        assert len(steps.done) <= CALLS_A_RUN * (minute + 1)
        if minute == hours * HOUR:
            break
        if minute % EVERY == 0:
            doors.use_all(minute)
    assert not world.telegram.arrivals

    world.telegram.otherwise = "ok"
    drained_by = hours * HOUR + LONGEST_BACKOFF + 2 * len(doors.sent) // SENT_A_MINUTE
    for minute in minutes:
        if not world.owed():
            break
        assert minute <= drained_by

    assert sorted(world.telegram.texts) == sorted(doors.sent), "each once"
    for group in ("group a", "group b", "fifo"):
        came = [text for text in world.telegram.texts if text.startswith(group)]
        assert came == sorted(came)
    times = [time for time, _ in world.telegram.arrivals]
    assert min(after - before for before, after in pairwise(times)) >= 1.0
