"""The role of each function allows the calls that it makes to the tables, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.outbox.steps import TELEGRAMS, Steps
from tests.outbox.test_crash_points import SCENARIOS, SCRIPTS, Scenario
from tests.outbox.world import Process, World, image

POLICIES = Path(__file__).resolve().parents[2] / ".chalice" / "policies"
FUNCTIONS = {
    "http": "api_handler",
    "lambda": "message",
    "stream": "dynamodb_message",
    "queue": "sqs_message",
    "redeliver": "redeliver",
}
OUTBOX, TASKS = "table/botte-prod-outbox", "table/botte-prod-tasks"
# What each call of the relay is to DynamoDB.
RIGHTS = {
    "apply": ("UpdateItem", OUTBOX),
    "get": ("GetItem", OUTBOX),
    "head": ("Query", f"{OUTBOX}/index/unsent"),
    "due": ("Query", f"{OUTBOX}/index/due"),
    "lanes": ("Query", OUTBOX),
    "heartbeats": ("Query", OUTBOX),
    "chats": ("Scan", f"{OUTBOX}/index/due"),
    "scan": ("Scan", OUTBOX),
    "tasks DeleteItem": ("DeleteItem", TASKS),
    "tasks Scan": ("Scan", TASKS),
}
# Beside what the scenarios do: the webhook counts, and an id may belong to a message in a group.
RARE = {function: {"get"} for function in FUNCTIONS.values()} | {"api_handler": {"scan", "get", "heartbeats"}}


def used(steps: Steps) -> set[tuple[str, str]]:
    return {RIGHTS[step] for step in steps.done if step not in TELEGRAMS}


def allowed(function: str) -> set[tuple[str, str]]:
    statements = json.loads((POLICIES / f"prod-{function}.json").read_text())["Statement"]
    return {
        (action.removeprefix("dynamodb:"), resource.removeprefix("arn:*:dynamodb:*:*:"))
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
        if action.startswith("dynamodb:") and "/stream/" not in resource and resource != "*"
    }


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
@pytest.mark.parametrize(("name", "scenario"), SCENARIOS.items(), ids=SCENARIOS.keys())
def test_a_function_may_do_what_it_does(name: str, scenario: Scenario, script: list[str]) -> None:
    world = World()
    scenario.prepare(world)
    world.telegram.script.extend(script)  # type: ignore[arg-type]
    door, schedule = Steps(), Steps()
    scenario.deliver(world.process(door))
    world.clock.sleep(1000)
    process = world.process(schedule)
    process.redeliver()
    process.sweep()
    assert used(door) <= allowed(FUNCTIONS[name.split()[0]])
    assert used(schedule) <= allowed("redeliver")


@pytest.mark.parametrize(("door", "function"), FUNCTIONS.items())
def test_a_function_may_do_nothing_that_it_never_does(door: str, function: str) -> None:
    done = {RIGHTS[step] for step in RARE.get(function, set())}
    for name, scenario in SCENARIOS.items():
        for script in SCRIPTS.values():
            world, steps = World(), Steps()
            scenario.prepare(world)
            world.telegram.script.extend(script)
            process = world.process(steps)
            if name.split()[0] == door:
                scenario.deliver(process)
            elif door == "redeliver":
                scenario.deliver(world.process())
                world.clock.sleep(1000)
                world.put(image("lost", "lost"))
                _run_schedule(process, world)
            done |= used(steps)
    assert allowed(function) == done


def _run_schedule(process: Process, world: World) -> None:
    for _ in range(2):
        process.redeliver()
        process.sweep()
        world.clock.sleep(1000)
