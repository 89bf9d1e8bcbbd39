"""The page on costs shows what the arithmetic gives."""

from __future__ import annotations

import json

import pytest

from tests.ops.template import template
from tools.ops.costs import DOORS, MEMORY_GB, PRICES_OF, SCHEDULE_MEMORY_GB, cost, table, usage
from tools.rehearsal.project import ROOT

PAGE = (ROOT / "docs" / "costs.md").read_text()
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())


def test_the_page_has_the_table_and_the_date_of_its_prices() -> None:
    assert table() in PAGE
    assert PRICES_OF in " ".join(PAGE.split())


@pytest.mark.parametrize("door", DOORS)
def test_a_personal_volume_costs_less_than_a_cent(door: str) -> None:
    assert cost(usage(door, 100), free_tier=True) < 0.01


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_the_memory_is_that_of_the_functions(stage: str) -> None:
    functions = CONFIG["stages"][stage]["lambda_functions"]
    given = {name: each.get("lambda_memory_size", CONFIG["lambda_memory_size"]) for name, each in functions.items()}
    assert given.pop("redeliver") == SCHEDULE_MEMORY_GB * 1024
    assert set(given.values()) == {MEMORY_GB * 1024}


def test_a_flood_of_the_http_door_costs_what_the_page_says() -> None:
    assert f"${cost(usage('HTTP', 26_000_000), free_tier=True):.0f} with a right token" in " ".join(PAGE.split())


def test_an_idle_queue_polls_for_two_thirds_of_what_is_free() -> None:
    assert usage("SQS", 0)["queue requests"] == 5 * 3 * 60 * 24 * 30 == 648_000


def test_the_page_counts_the_metrics_of_the_alarms() -> None:
    alarms = [each for each in template()["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    metrics = {"HasAlarms": 0, "HasQueueAlarm": 0}
    for alarm in alarms:
        metrics[alarm["Condition"]] += sum("MetricStat" in each for each in alarm["Properties"].get("Metrics", [])) or 1
    without = metrics["HasAlarms"]
    assert f"{without} metrics without the queue, {without + metrics['HasQueueAlarm']} with it" in PAGE
