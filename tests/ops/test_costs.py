"""The page on costs shows what the arithmetic gives."""

from __future__ import annotations

import pytest

from tests.ops.template import template
from tools.ops.costs import DOORS, PRICES_OF, cost, table, usage
from tools.rehearsal.project import ROOT

PAGE = (ROOT / "docs" / "costs.md").read_text()


def test_the_page_has_the_table_and_the_date_of_its_prices() -> None:
    assert table() in PAGE
    assert PRICES_OF in " ".join(PAGE.split())


@pytest.mark.parametrize("door", DOORS)
def test_a_personal_volume_costs_less_than_a_cent(door: str) -> None:
    assert cost(usage(door, 100), free_tier=True) < 0.01


def test_an_idle_queue_polls_for_two_thirds_of_what_is_free() -> None:
    assert usage("SQS", 0)["queue requests"] == 5 * 3 * 60 * 24 * 30 == 648_000


def test_the_page_counts_the_metrics_of_the_alarms() -> None:
    alarms = [each for each in template()["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    metrics = {"HasAlarms": 0, "HasQueueAlarm": 0}
    for alarm in alarms:
        metrics[alarm["Condition"]] += sum("MetricStat" in each for each in alarm["Properties"].get("Metrics", [])) or 1
    without = metrics["HasAlarms"]
    assert f"{without} metrics without the queue, {without + metrics['HasQueueAlarm']} with it" in PAGE
