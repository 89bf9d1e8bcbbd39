"""A process that shows a live message may die at any call, and the table fail: it is counted once, and shown last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from chalicelib.errors import Ambiguous, MessageGone, NotModified, Refused
from chalicelib.outbox import states
from chalicelib.outbox.row import Key
from tests.doors import queue_record
from tests.outbox.steps import TELEGRAMS, Clock, Crash, ScriptedTelegram, Steps, When
from tests.outbox.world import Process, World, image, take

LONG = ("a" * 4000, "b" * 4000, "c" * 4000)


class EditedChat(ScriptedTelegram):
    """A chat in which messages are edited and deleted. loses: how many answers of edits are still to be lost."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.shown: dict[int, str] = {}
        self.loses = 0
        self.refuses = False

    def answer(self, method: str, fields: Mapping[str, object]) -> dict[str, Any]:
        if self.refuses and method != "getMe":
            raise Refused("403")
        if method in ("getMe", "sendMessage"):
            answer = super().answer(method, fields)
            if method == "sendMessage":
                self.shown[len(self.arrivals)] = str(fields["text"])
            return answer
        number = fields["message_id"]
        assert isinstance(number, int)
        if number not in self.shown:
            raise MessageGone("message to edit not found")
        if method == "deleteMessage":
            del self.shown[number]
            return {}
        if self.shown[number] == fields["text"]:
            raise NotModified("message is not modified")
        self.shown[number] = str(fields["text"])
        if self.loses:
            self.loses -= 1
            raise Ambiguous("lost")
        return {"message_id": number, **fields}


@dataclass(frozen=True)
class Scenario:
    """What comes, until it is acknowledged, after other words were shown or not, and what the chat shows then."""

    deliver: Callable[[Process], bool]
    shows: tuple[str, ...]
    before: tuple[dict[str, object], ...] = ()
    loses: int = 0


def post(message: Mapping[str, object], process: Process) -> bool:
    return process.post({"collapse_key": "k", **message}) in (200, 202)


def queued(text: str, number: int) -> dict[str, Any]:
    return queue_record(json.dumps({"text": text, "collapse_key": "k"}), f"queued-{number}")


def queue(process: Process) -> None:
    process.queue(*[queued("a", number) for number in range(3)])


def stream(process: Process) -> None:
    process.stream(*[image("a", f"{number}", "g", collapse_key="k") for number in range(3)])


FIRST: tuple[dict[str, object], ...] = ({"text": "a", "id": "0"},)
SPLIT: tuple[dict[str, object], ...] = ({"text": "\n".join(LONG[:2]), "id": "0"},)
SCENARIOS = {
    "the first": Scenario(partial(post, {"text": "a", "id": "1"}), ("a",)),
    "other words": Scenario(partial(post, {"text": "b", "id": "1"}), ("b",), FIRST),
    "the same words": Scenario(partial(post, {"text": "a", "id": "1"}), ("a ×2",), FIRST),
    "an answer that is lost": Scenario(partial(post, {"text": "b", "id": "1"}), ("b",), FIRST, loses=1),
    "a new one": Scenario(partial(post, {"text": "b", "id": "1", "renotify": True}), ("a", "b"), FIRST),
    "parts": Scenario(partial(post, {"text": "\n".join(LONG[::2]), "id": "1"}), LONG[::2], SPLIT),
    "fewer parts": Scenario(partial(post, {"text": LONG[2], "id": "1"}), LONG[2:], SPLIT),
    "of the queue": Scenario(partial(take, queue), ("a ×4",), FIRST),
    "of a group": Scenario(partial(take, stream), ("a ×4",), FIRST),
}


def run(scenario: Scenario, steps: Steps) -> EditedChat:
    """One process that may die, others that do not until all is acknowledged, and the schedule until all is shown."""
    world = World()
    chat = world.telegram = EditedChat(world.clock)
    for message in scenario.before:
        assert post(message, world.process())
        world.clock.sleep(10)
    chat.loses = scenario.loses
    try:
        acknowledged = scenario.deliver(world.process(steps))
    except Crash:
        acknowledged = False
    for _ in range(30):
        if acknowledged:
            break
        world.clock.sleep(10)
        acknowledged = scenario.deliver(world.process())
    assert acknowledged
    world.settle()
    return chat


def words(chat: EditedChat) -> list[str]:
    """What the chat shows, its counts without their times."""
    return [text.split(", last at")[0].replace("\n", " ") for text in chat.shown.values()]


def check(scenario: Scenario, steps: Callable[[int], Steps]) -> None:
    undisturbed = Steps()
    shows, wrong = list(scenario.shows), []
    assert words(run(scenario, undisturbed)) == shows
    for number, name in enumerate(undisturbed.done):
        found = words(run(scenario, steps(number)))
        # A message that Telegram took, and nobody noted, is sent once more; nothing can find the first of the two.
        may_double = "sendMessage" in undisturbed.done[max(0, number - 1) : number + 1]
        without_one = [found[:each] + found[each + 1 :] for each in range(len(found))]
        if found != shows and not (may_double and shows in without_one):
            wrong.append(f"{number}, {name}: {[text[:9] for text in found]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_crash_at_any_call_counts_nothing_twice_and_loses_nothing(scenario: Scenario) -> None:
    check(scenario, lambda number: Steps(crash_at=(number, "before")))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_a_table_that_fails_at_any_call_has_nothing_counted_twice_or_lost(scenario: Scenario, when: When) -> None:
    check(scenario, lambda number: Steps(fail_at=(number, when)))


def test_a_row_that_is_discarded_while_a_message_joins_it_is_named_anew_by_one_of_two() -> None:
    world = World()
    chat = world.telegram = EditedChat(world.clock)
    chat.refuses = True
    assert not post({"text": "a"}, world.process())
    chat.refuses = False
    key = Key.of_live("default", "k")
    steps = Steps(pause_at=2)

    def join_meanwhile() -> None:
        steps.pause_at = None
        assert post({"text": "a"}, world.process())

    def discard_meanwhile() -> None:
        world.process().outbox.apply(key, states.discard(now=world.clock()))
        steps.pause_at, steps.meanwhile = 3, join_meanwhile

    steps.meanwhile = discard_meanwhile
    assert post({"text": "a"}, world.process(steps))
    world.settle()
    assert words(chat) == ["a ×2"]


@pytest.mark.parametrize(
    ("scenario", "calls"),
    [
        pytest.param("the first", 5, id="the first"),
        pytest.param("other words", 6, id="an edit"),
        pytest.param("parts", 6, id="parts of which only the last changes"),
        pytest.param("of the queue", 16, id="three of a batch, shown by two edits"),
    ],
)
def test_a_live_message_costs_few_table_calls(scenario: str, calls: int) -> None:
    steps = Steps()
    run(SCENARIOS[scenario], steps)
    assert len([name for name in steps.done if name not in TELEGRAMS]) == calls
