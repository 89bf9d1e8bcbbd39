"""A process may die before or after any call it makes: nothing is lost, and only a sent message can come twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from chalicelib.doors.stream import SWEEP_SECONDS
from chalicelib.errors import BotteError
from tests.outbox.steps import Crash, Outcome, Steps, When
from tests.outbox.world import Process, World, doubled, first_arrivals, image, queued, take

PART = "x" * 4000
SPLIT = f"1{PART}\n2{PART}\n3{PART}"
PARTS = [f"1{PART}", f"2{PART}", f"3{PART}"]


@dataclass(frozen=True)
class Scenario:
    """What an event source does with a process, until the process acknowledges it.

    looks_first: whether the relay looks into the table before it sends. It does not for an invocation without an
    ``id``: one that died after it kept the message, and before it answered, is sent by its retry as well.
    """

    texts: Sequence[str]
    deliver: Callable[[Process], bool]
    prepare: Callable[[World], None] = lambda world: None
    looks_first: bool = True


def post(message: dict[str, object], process: Process) -> bool:
    return process.post(message) in (200, 202)


def invoke(message: dict[str, object], process: Process) -> bool:
    try:
        process.invoke(message, "request-1")
    except BotteError:
        return False
    return True


def streamed(texts: Sequence[str], *images: dict[str, Any]) -> Scenario:
    """The items are in the table, and the stream brings them in one batch."""
    deliver = partial(take, lambda process: process.stream(*images))
    return Scenario(texts, deliver, lambda world: world.put(*images))


def park_during_outage(world: World) -> None:
    """Three rows of a group and two single ones, all PENDING and due."""
    batch = [*GROUP, image("a", "1"), image("b", "2")]
    world.put(*batch)
    world.telegram.otherwise = "down"
    world.process().stream(*batch)
    world.telegram.otherwise = "ok"
    world.clock.sleep(1000)


def park_bad_input(world: World) -> None:
    """The count of what is parked is due, before a message."""
    world.process().queue(queued("", 1), queued("", 2))
    park_during_outage(world)


GROUP = [image(f"g{number}", f"{number}", "group") for number in (1, 2, 3)]
IN_GROUP = ["g1", "g2", "g3"]
REDELIVER = partial(take, lambda process: process.redeliver())

SCENARIOS = {
    "http with id": Scenario(["a"], partial(post, {"text": "a", "id": "1"})),
    "http split": Scenario(PARTS, partial(post, {"text": SPLIT, "id": "1"})),
    "lambda": Scenario(["a"], partial(invoke, {"text": "a"}), looks_first=False),
    "lambda with id": Scenario(["a"], partial(invoke, {"text": "a", "id": "1"})),
    "stream solo": streamed(["a"], image("a", "1")),
    "stream with id": streamed(["g1", "g2"], *[image(f"g{n}", f"{n}", "g", id=f"i{n}") for n in (1, 2)]),
    "stream group": streamed(IN_GROUP, *GROUP),
    "stream split": streamed(PARTS, image(SPLIT, "1")),
    "stream repeated id": streamed(
        ["g1", "g2"], image("g1", "1", "g", id="i"), image("g1", "2", "g", id="i"), image("g2", "3", "g")
    ),
    "stream with bad input": streamed(["g1", "g3"], GROUP[0], image("", "2", "group"), GROUP[2]),
    "queue": Scenario(["a", "b"], partial(take, lambda process: process.queue(queued("a", 1), queued("b", 2)))),
    "queue group": Scenario(
        IN_GROUP,
        partial(take, lambda process: process.queue(*[queued(text, n, "g") for n, text in enumerate(IN_GROUP)])),
    ),
    "redeliver": Scenario([*IN_GROUP, "a", "b"], REDELIVER, park_during_outage),
    "redeliver and tell": Scenario([*IN_GROUP, "a", "b"], REDELIVER, park_bad_input),
}
WHENS: Sequence[When] = ("before", "after")
SCRIPTS: dict[str, Sequence[Outcome]] = {
    "": (),
    "down": ("down",),
    "too fast": ("wait",),
    "answer lost": ("lost",),
    "cut": ("cut",),
    "second answer lost": ("ok", "lost"),
}


def run(world: World, scenario: Scenario, script: Sequence[Outcome], steps: Steps) -> None:
    """One process that may die, and then others that do not, until the event is acknowledged and nothing is owed."""
    scenario.prepare(world)
    world.telegram.script.extend(script)
    try:
        acknowledged = scenario.deliver(world.process(steps))
    except Crash:
        acknowledged = False
    while not acknowledged:
        acknowledged = scenario.deliver(world.process())
        world.clock.sleep(10)
    world.settle()
    sweeper = world.process()
    for _ in range(2):
        sweeper.sweep()
        world.clock.sleep(SWEEP_SECONDS)
    world.settle()


def in_window(steps: Sequence[str], number: int, when: When, *, table_fails: bool = False) -> bool:
    """Whether a call is the one by which Telegram takes a message, or the one that notes it."""
    if table_fails and steps[number] == "sendMessage":
        return True  # what follows is the note
    number -= when == "before"
    return number >= 0 and steps[number] == "sendMessage"


def check(world: World, scenario: Scenario, *, most_doubled: int) -> None:
    came = world.telegram.texts
    assert sorted(set(came)) == sorted(scenario.texts), "lost"
    assert doubled(came) <= most_doubled, "doubled"
    groups = [text for text in first_arrivals(came) if text[0] in "g123"]
    assert groups == sorted(groups), "out of order"
    for row in world.rows():
        assert not {"DueTs", "Place", "LeaseId"} & set(row.item), row
        assert "ExpirationTs" in row.item, row
    assert not world.tasks.items


def check_every_call(
    scenario: Scenario, script: Sequence[Outcome], steps: Callable[[int, When], Steps], whens: Sequence[When]
) -> None:
    """Lets something happen at each call that an undisturbed process makes, and after the last one."""
    world, undisturbed = World(), Steps()
    run(world, scenario, script, undisturbed)
    check(world, scenario, most_doubled=world.telegram.ambiguous)
    calls = undisturbed.done
    assert calls
    wrong = []
    for number, when in dict.fromkeys([*itertools.product(range(len(calls)), whens), (len(calls) - 1, "after")]):
        world = World()
        run(world, scenario, script, steps(number, when))
        forgot = not scenario.looks_first and (number, when) == (len(calls) - 1, "after")
        fails = steps(number, when).fail_at is not None
        bound = world.telegram.ambiguous + (in_window(calls, number, when, table_fails=fails) or forgot)
        try:
            check(world, scenario, most_doubled=bound)
        except AssertionError as error:
            came = [text[:4] for text in world.telegram.texts]
            wrong.append(f"{when} {number} of {calls}: {str(error).splitlines()[0]}: {came}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_crash_at_any_call_loses_nothing(scenario: Scenario, script: Sequence[Outcome]) -> None:
    """To die after a call, before its answer is seen, is to die before the next one: nothing is left but the tables."""
    check_every_call(scenario, script, lambda number, when: Steps(crash_at=(number, when)), ["before"])


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_table_that_fails_at_any_call_loses_nothing(scenario: Scenario) -> None:
    check_every_call(scenario, (), lambda number, when: Steps(fail_at=(number, when)), WHENS)


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("number", range(1, 7))
def test_a_split_message_without_id_is_sent_once_though_the_table_fails_on_the_way(number: int, when: When) -> None:
    world = World()
    steps = Steps(fail_at=(number, when))
    assert world.process(steps).post({"text": SPLIT}) in (200, 202)
    world.settle()
    assert sorted(set(world.telegram.texts)) == PARTS
    assert doubled(world.telegram.texts) <= in_window(steps.done, number, when, table_fails=True)
