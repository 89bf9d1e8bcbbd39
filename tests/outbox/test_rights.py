"""The role of each function allows the calls that it makes to the table: one that is missing would stop it for good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Steps
from tests.outbox.test_crash_points import SCENARIOS, SCRIPTS, Scenario
from tests.outbox.world import World, image

POLICIES = Path(__file__).resolve().parents[2] / ".chalice" / "policies"
FUNCTIONS = {
    "http": "api_handler",
    "lambda": "message",
    "stream": "dynamodb_message",
    "queue": "sqs_message",
    "redeliver": "redeliver",
}
DAY = 86_400


def missing(function: str, steps: Steps) -> set[str]:
    """The operations that a process used, and that the function's role does not allow."""
    statements = json.loads((POLICIES / f"prod-{function}.json").read_text())["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    used = {step.title().replace("_", "") for step in steps.done if step != "sendMessage"}
    return {operation for operation in used if f"dynamodb:{operation}" not in allowed}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
@pytest.mark.parametrize(("name", "scenario"), SCENARIOS.items(), ids=SCENARIOS.keys())
def test_a_function_may_do_what_it_does(name: str, scenario: Scenario, script: list[str]) -> None:
    world = World(MemoryTable())
    scenario.prepare(world)
    world.telegram.script.extend(script)  # type: ignore[arg-type]
    door, schedule = Steps(), Steps()
    scenario.deliver(world.process(door))
    world.clock.sleep(1000)
    world.process(schedule).redeliver()
    assert not missing(FUNCTIONS[name.split()[0]], door)
    assert not missing("redeliver", schedule)


def test_the_schedule_may_free_an_id_whose_time_is_over() -> None:
    world = World(MemoryTable())
    world.process().post({"text": "long ago", "id": "i"})
    world.clock.sleep(15 * DAY)
    group = [image("g1", "1", "g", id="i"), image("g2", "2", "g")]
    world.put(*group)
    world.process().stream(group[1])
    world.clock.sleep(61)
    steps = Steps()
    world.process(steps).redeliver()
    assert world.telegram.texts == ["long ago", "g1", "g2"]
    assert "delete_item" in steps.done
    assert not missing("redeliver", steps)
