"""Two processes at once, cut into each other at every call: a group stays in order, and nothing is sent twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.outbox.memory_table import MemoryTable
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
    "two records of a group": Meeting(stream("g2"), stream("g1")),
    "two records, the head first": Meeting(stream("g1"), stream("g2")),
    "a batch, and its last record": Meeting(stream("g1", "g2", "g3"), stream("g3"), ["g1", "g2", "g3"]),
    "the last record, and the batch": Meeting(stream("g3"), stream("g1", "g2"), ["g1", "g2", "g3"]),
    "two redelivers": Meeting(redeliver, redeliver, before=[stream("g1", "g2")], down_before=True),
    "redeliver, and a new record": Meeting(
        redeliver, stream("g3"), ["g1", "g2", "g3"], before=[stream("g1", "g2")], down_before=True
    ),
    "a new record, and redeliver": Meeting(
        stream("g3"), redeliver, ["g1", "g2", "g3"], before=[stream("g1", "g2")], down_before=True
    ),
    "redeliver, and the record of an untouched head": Meeting(redeliver, stream("g1"), before=[stream("g2")]),
    "the record of an untouched head, and redeliver": Meeting(stream("g1"), redeliver, before=[stream("g2")]),
}


def run(meeting: Meeting, pause_at: int, crash_at: int | None) -> tuple[World, list[str], list[str]]:
    world = World(MemoryTable())
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


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
@pytest.mark.parametrize("bad", [None, 0, 1, 2, 3])
def test_records_that_come_in_any_order_go_out_in_the_order_of_their_keys(
    order: Sequence[int], bad: int | None
) -> None:
    world = World(MemoryTable())
    items = [image("" if number == bad else f"g{number}", f"{number}", "g") for number in range(4)]
    world.put(*items)
    for number in order:
        world.process().stream(items[number])
    world.settle()
    assert world.telegram.texts == [f"g{number}" for number in range(4) if number != bad]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
def test_a_repeated_id_does_not_let_its_group_pass(order: Sequence[int]) -> None:
    world = World(MemoryTable())
    world.process().post({"text": "other", "id": "known"})
    items = [image(f"g{number}", f"{number}", "g") for number in range(4)]
    items[1] = image("other", "1", "g", id="known")
    world.put(*items)
    for number in order:
        world.process().stream(items[number])
    world.settle()
    assert world.telegram.texts == ["other", "g0", "g2", "g3"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda order: "".join(map(str, order)))
def test_another_message_with_a_known_id_is_parked_whenever_it_comes(order: Sequence[int]) -> None:
    world = World(MemoryTable())
    world.process().post({"text": "other", "id": "known"})
    items = [image(f"g{number}", f"{number}", "g") for number in range(4)]
    items[1] = image("g1", "1", "g", id="known")
    world.put(*items)
    for number in order:
        world.process().stream(items[number])
    world.settle()
    assert world.telegram.texts == ["other", "g0", "g2", "g3"]
    (parked,) = [row for row in world.rows() if row["Status"]["S"] == "FAILED"]
    assert parked["SK"]["S"] == "1"
