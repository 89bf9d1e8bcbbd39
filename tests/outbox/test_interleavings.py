"""Two processes at once, cut into each other at every call: a group stays in order, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.outbox.steps import Crash, Steps
from tests.outbox.world import Process, World, doubled, first_arrivals, image

Act = Callable[[Process], object]
ITEMS = {name: image(name, name, "g") for name in ("g1", "g2", "g3", "g4")}
BAD = image("", "g2", "g")


def stream(*names: str) -> Act:
    return lambda process: process.stream(*[ITEMS[name] for name in names])


def redeliver(process: Process) -> None:
    process.redeliver()


@dataclass(frozen=True)
class Meeting:
    """What is in the table and was delivered already; what one process does, and what another one does meanwhile."""

    first: Act
    second: Act
    put: Sequence[str] = ("g1", "g2")
    before: Sequence[Act] = ()
    down_before: bool = False


MEETINGS = {
    "the same record twice": Meeting(stream("g1"), stream("g1"), ["g1"]),
    "the same batch twice": Meeting(stream("g1", "g2", "g3"), stream("g1", "g2", "g3"), ["g1", "g2", "g3"]),
    "two redelivers": Meeting(redeliver, redeliver, before=[stream("g1", "g2")], down_before=True),
    "redeliver, and a new record": Meeting(
        redeliver, stream("g3"), ["g1", "g2", "g3"], before=[stream("g1", "g2")], down_before=True
    ),
    "a new record, and redeliver": Meeting(
        stream("g3"), redeliver, ["g1", "g2", "g3"], before=[stream("g1", "g2")], down_before=True
    ),
}


def run(meeting: Meeting, pause_at: int, crash_at: int | None) -> tuple[World, list[str], list[str]]:
    world = World()
    world.put(*[ITEMS[name] for name in meeting.put])
    world.telegram.otherwise = "down" if meeting.down_before else "ok"
    for act in meeting.before:
        act(world.process())
    if meeting.down_before:
        world.clock.sleep(1000)
    world.telegram.otherwise = "ok"
    second = Steps(crash_at=None if crash_at is None else (crash_at, "before"))

    def meanwhile() -> None:
        try:
            meeting.second(world.process(second))
        except Crash:
            return

    first = Steps(pause_at=pause_at, meanwhile=meanwhile)
    meeting.first(world.process(first))
    world.process().stream(*[ITEMS[name] for name in meeting.put])
    world.settle()
    return world, first.done, second.done


@pytest.mark.parametrize("meeting", MEETINGS.values(), ids=MEETINGS.keys())
def test_two_processes_that_meet_at_any_call_keep_the_order(meeting: Meeting) -> None:
    failed = []
    _, first, _ = run(meeting, 1000, None)
    for pause_at in range(len(first)):
        _, _, second = run(meeting, pause_at, None)
        for crash_at in (None, *range(len(second))):
            world, _, steps = run(meeting, pause_at, crash_at)
            came = world.telegram.texts
            window = crash_at is not None and crash_at > 0 and steps[crash_at - 1] == "sendMessage"
            if first_arrivals(came) != list(meeting.put) or doubled(came) > window:
                failed.append(f"paused before {pause_at} of {first}; then {steps}: came {came}")
    assert not failed, "\n".join(failed)
