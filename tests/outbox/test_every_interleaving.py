"""A small world, exhaustively: two workers, two rows, one crash, one lost answer, in every interleaving of their calls.

Two interleavings that come to the same tables, the same chat and the same memories have the same future, so each such
state is followed once. Nothing is a sample.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from greenlet import greenlet

from chalicelib.errors import Ambiguous, BotteError, TableAnswerLost
from tests.outbox.steps import Crash, Steps
from tests.outbox.world import Process, World, doubled, first_arrivals, image, queued

Act = Callable[[Process], object]
G1, G2 = image("g1", "1", "g"), image("g2", "2", "g")
FIFO_WITH_ID = {**queued("g1", 1, "g"), "body": json.dumps({"text": "g1", "id": "k"})}


class Fault(NamedTuple):
    """What happens at which call of which worker."""

    worker: int
    call: int
    kind: str  # "dies before", "dies after" or "answer lost"


@dataclass(frozen=True)
class Meeting:
    """What two workers do at once. before: what was done a while ago, with Telegram away. in_order: is it a group."""

    workers: tuple[Act, Act]
    texts: Sequence[str]
    before: Act = lambda process: None
    in_order: bool = True


def stream(*images: dict[str, Any]) -> Act:
    return lambda process: process.stream(*images)


def queue(*records: dict[str, Any]) -> Act:
    return lambda process: process.queue(*records)


def post(**message: object) -> Act:
    return lambda process: process.post(message)


MEETINGS = {
    "the same batch twice": Meeting((stream(G1, G2), stream(G1, G2)), ["g1", "g2"]),
    "two runs of the schedule, and a group": Meeting(
        (Process.redeliver, Process.redeliver), ["g1", "g2"], stream(G1, G2)
    ),
    "a record behind a waiting one, and the schedule": Meeting(
        (stream(G2), Process.redeliver), ["g1", "g2"], stream(G1)
    ),
    "two runs of the schedule, and two messages": Meeting(
        (Process.redeliver, Process.redeliver), ["a", "b"], queue(queued("a", 1), queued("b", 2)), in_order=False
    ),
    "the same id at two doors": Meeting((post(text="g1", id="k"), queue(FIFO_WITH_ID)), ["g1"]),
    "the same id twice": Meeting((post(text="a", id="k"), post(text="a", id="k")), ["a"]),
}


# What nobody else can change: others need no turn before it.
ALONE = ("chats", "lanes", "getMe")


class Worker(Steps):
    """A process whose every call waits until it is its turn."""

    def __init__(self, number: int, act: Act, world: World, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.memory: list[str] = []
        self.acknowledged = False
        self._act, self._process = act, world.process(self, random.Random(number))
        self._faults = {fault.call: fault.kind for fault in faults}
        self.green = greenlet(self._run)
        self.green.switch()

    def take(self, name: str, call: Callable[[], Any]) -> Any:
        number = len(self.done)
        self.done.append(name)
        if name not in ALONE and self.green.parent is not None:
            self.green.parent.switch()
        kind = self._faults.get(number)
        if kind == "dies before":
            raise Crash
        try:
            answer = call()
        except Exception as error:
            self.memory.append(f"{name} {error!r}")
            raise
        self.memory.append(f"{name} {answer!r}")
        if kind == "dies after":
            raise Crash
        if kind == "answer lost" and name == "sendMessage":
            raise Ambiguous("lost")
        if kind == "answer lost":
            raise TableAnswerLost("lost", retry_after=0.0)
        return answer

    def _run(self) -> None:
        try:
            self._act(self._process)
            self.acknowledged = True
        except Crash:
            return
        except BotteError as error:
            self.memory.append(repr(error))


def start(meeting: Meeting, faults: Sequence[Fault]) -> tuple[World, list[Worker]]:
    world = World()
    world.clock.now = 1_800_000_000.0
    world.telegram.otherwise = "down"
    meeting.before(world.process())
    world.telegram.otherwise = "ok"
    world.clock.sleep(1000)
    world.clock.stands_still = True  # else each order of their waits would be a state of its own
    acts = enumerate(meeting.workers)
    return world, [
        Worker(index, act, world, [fault for fault in faults if fault.worker == index]) for index, act in acts
    ]


def follow(meeting: Meeting, faults: Sequence[Fault]) -> Iterator[tuple[World, list[Worker], list[int]]]:
    """Every state in which both workers have ended, each with a schedule that leads to it."""
    schedules: list[list[int]] = [[]]
    known = set()
    while schedules:
        schedule = schedules.pop()
        world, workers = start(meeting, faults)
        for index in schedule:
            workers[index].green.switch()
        state = repr((world.table.items, world.telegram.arrivals, [worker.memory for worker in workers]))
        if state in known:
            continue
        known.add(state)
        running = [index for index, worker in enumerate(workers) if not worker.green.dead]
        if not running:
            yield world, workers, schedule
        schedules += [[*schedule, index] for index in running]


def check(meeting: Meeting, world: World, workers: Sequence[Worker], faults: Sequence[Fault]) -> None:
    """The event sources bring again what was not acknowledged, the schedule goes on; then the promise holds."""
    world.clock.stands_still = False
    for worker, act in zip(workers, meeting.workers, strict=True):
        world.clock.sleep(200)
        if not worker.acknowledged:
            act(world.process())
    world.settle()
    came = world.telegram.texts
    assert sorted(set(came)) == sorted(meeting.texts), "lost"
    assert not meeting.in_order or first_arrivals(came) == list(meeting.texts), "out of order"
    assert doubled(came) <= len(faults), "doubled"


def faults_of(meeting: Meeting) -> list[Fault]:
    """Each fault that can happen: at any call of either worker, as far as one makes it in any order of turns."""
    longest = [0, 0]
    for _, workers, _ in follow(meeting, []):
        longest = [max(length, len(worker.done)) for length, worker in zip(longest, workers, strict=True)]
    return [
        Fault(worker, call, kind)
        for worker in range(2)
        for call in range(longest[worker])
        for kind in ("dies before", "dies after", "answer lost")
    ]


def verify(meeting: Meeting, combinations: Sequence[Sequence[Fault]]) -> int:
    """How many ends there are; in each the promise holds."""
    ends = 0
    for faults in combinations:
        for world, workers, schedule in follow(meeting, faults):
            ends += 1
            try:
                check(meeting, world, workers, faults)
            except AssertionError as error:
                steps = [worker.done for worker in workers]
                raise AssertionError(
                    f"{error}\n{faults}, turns {schedule} of {steps}: {world.telegram.texts}"
                ) from None
    return ends


SMALL = ["the same id twice", "the same id at two doors"]
MEDIUM = ["the same batch twice", "two runs of the schedule, and two messages"]
LARGE = ["two runs of the schedule, and a group", "a record behind a waiting one, and the schedule"]


@pytest.mark.parametrize("name", [*SMALL, *[pytest.param(name, marks=pytest.mark.slow) for name in MEDIUM + LARGE]])
@pytest.mark.timeout(600)
def test_two_workers_in_every_interleaving(name: str) -> None:
    assert verify(MEETINGS[name], [[]]) > 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*SMALL, MEDIUM[0]])
def test_two_workers_and_one_fault_in_every_interleaving(name: str) -> None:
    assert verify(MEETINGS[name], [[fault] for fault in faults_of(MEETINGS[name])]) > 20


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SMALL)
def test_two_workers_a_crash_and_a_lost_answer_in_every_interleaving(name: str) -> None:
    faults = faults_of(MEETINGS[name])
    crashes = [fault for fault in faults if fault.kind != "answer lost"]
    lost = [fault for fault in faults if fault.kind == "answer lost"]
    assert verify(MEETINGS[name], list(itertools.product(crashes, lost))) > 100
