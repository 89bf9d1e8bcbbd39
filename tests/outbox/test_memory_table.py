"""The table in memory does what DynamoDB does: the same events leave the same rows, by the same calls."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.aws import Aws
from chalicelib.dynamodb import DynamoTable
from chalicelib.outbox.table import OutboxTable
from tests.doors import Table
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Steps
from tests.outbox.test_crash_points import SCENARIOS, SCRIPTS, Scenario, run
from tests.outbox.world import World
from tools.dev.aws import EmbeddedAws


def outcome(world: World, scenario: Scenario, script: str) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    steps = Steps()
    run(world, scenario, SCRIPTS[script], steps)
    rows = sorted((dict(row.item) for row in world.table.scan()), key=lambda row: (row["PK"]["S"], row["SK"]["S"]))
    return rows, steps.done, world.telegram.texts


QUICK = {("second answer lost", name) for name in ("http split", "lambda", "stream split", "queue group", "redeliver")}
assert {name for _, name in QUICK} <= SCENARIOS.keys()


@pytest.mark.parametrize(
    ("script", "scenario"),
    [
        pytest.param(script, scenario, id=f"{script}-{name}", marks=[] if (script, name) in QUICK else pytest.mark.slow)
        for script in ("", "down", "second answer lost")
        for name, scenario in SCENARIOS.items()
    ],
)
def test_it_does_what_the_embedded_aws_does(aws: EmbeddedAws, table: Table, scenario: Scenario, script: str) -> None:
    memory, dynamodb = World(MemoryTable()), World(OutboxTable(DynamoTable(Aws(aws.environment), table.name)))
    memory.clock.now = dynamodb.clock.now = 1_800_000_000.0
    assert outcome(memory, scenario, script) == outcome(dynamodb, scenario, script)
