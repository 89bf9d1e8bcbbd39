"""What a writer puts where the relay makes its notes neither stops a door or the schedule nor keeps words back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doors import Table
from tests.outbox.memory_table import MemoryTable
from tests.outbox.steps import Steps
from tests.outbox.world import World, image

NOTES: list[dict[str, Any]] = [
    {"Attempts": {"S": "none"}},
    {"Answer": {"S": "not JSON"}},
    {"Answer": {"S": "[]"}},
    {"Answer": {"N": "1"}},
    {"Mended": {"L": [{"N": "1"}]}},
    {"Mended": {"S": "x"}},
    {"PlainFrom": {"S": "x"}},
    {"TelegramMessageId": {"S": "x"}},
    {"TelegramMessageId": {"L": [{"S": "x"}]}},
    {"AcceptedTs": {"S": "x"}},
    {"LeaseId": {"N": "1"}},
    {"BodyHash": {"N": "1"}},
    {"OwnerPK": {"N": "1"}, "LastError": {"N": "1"}},
]
MANY_CALLS = 100


@pytest.mark.parametrize("notes", NOTES[:-1], ids=str)
def test_an_item_is_delivered_whatever_stands_in_the_place_of_the_relays_notes(
    table: Table, notes: dict[str, Any]
) -> None:
    world = World(table.client, table.name)
    item = {**image("Hello", "s1"), **notes}
    world.put(item)
    world.process().stream(item)
    assert world.telegram.texts == ["Hello"]
    assert [row["Status"]["S"] for row in world.rows()] == ["SENT"]


@pytest.mark.parametrize("notes", NOTES, ids=str)
def test_the_schedule_goes_on_whatever_stands_in_the_place_of_the_relays_notes(notes: dict[str, Any]) -> None:
    world = World(MemoryTable())
    group = [{**image("g1", "1", "g"), **notes}, image("g2", "2", "g")]
    world.put(*group)
    world.process().stream(group[1])
    world.clock.sleep(61)
    world.process().redeliver()
    assert world.telegram.texts[-1:] == ["g2"]
    world.process().outbox.count()


@pytest.mark.parametrize(
    "foreign",
    [{"Status": {"S": "NEW"}, "DueTs": {"N": "1"}}, {"Status": {"S": "PENDING"}, "DueTs": {"N": "1"}},
     {"Status": {"N": "1"}}],
    ids=str,
)  # fmt: skip
def test_a_row_with_a_status_of_somebody_elses_does_not_keep_the_schedule_busy(foreign: dict[str, Any]) -> None:
    world = World(MemoryTable())
    group = [image("g1", "1", "g"), image("g2", "2", "g")]
    world.put({**image("foreign", "0", "g"), **foreign}, *group)
    world.telegram.script.append("down")
    world.process().stream(*group)
    world.clock.sleep(1000)
    steps = Steps(crash_at=(MANY_CALLS, "before"))
    world.process(steps).redeliver()
    assert [text for text in world.telegram.texts if text != "foreign"] == ["g1", "g2"]


def test_a_row_that_cannot_be_read_is_parked_and_the_others_go_out() -> None:
    world = World(MemoryTable())
    bad = {**image("", "1", "g"), "RawBodyDeflated": {"S": "not base64"}}
    del bad["Payload"]
    group = [bad, image("g2", "2", "g")]
    world.put(*group)
    world.process().stream(group[1])
    world.clock.sleep(61)
    world.process().redeliver()
    assert world.telegram.texts == ["g2"]
    assert {row["SK"]["S"]: row["Status"]["S"] for row in world.rows()} == {"1": "FAILED", "2": "SENT"}
