"""The page on costs shows what the arithmetic gives."""

from __future__ import annotations

import json

import pytest
from chalice.config import Config

from tests.ops.template import alarms, metrics
from tools.ops.costs import DOORS, MEMORY_GB, PRICES_OF, SCHEDULE_MEMORY_GB, cost, table, usage
from tools.ops.deployed import HANDLERS
from tools.rehearsal.project import ROOT

PAGE = (ROOT / "docs" / "costs.md").read_text()
FREE_ALARM_METRICS, ALARM_METRIC = 10, 0.10  # https://aws.amazon.com/cloudwatch/pricing/
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())


def test_the_page_has_the_table_and_the_date_of_its_prices() -> None:
    assert table() in PAGE
    assert PRICES_OF in " ".join(PAGE.split())


@pytest.mark.parametrize("door", DOORS)
def test_a_personal_volume_costs_less_than_a_cent(door: str) -> None:
    assert cost(usage(door, 100), free_tier=True) < 0.01


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_the_memory_is_that_of_the_functions(stage: str) -> None:
    given = {name: Config(stage, name, config_from_disk=CONFIG).lambda_memory_size for name in HANDLERS}
    assert given.pop("redeliver") == SCHEDULE_MEMORY_GB * 1024
    assert set(given.values()) == {MEMORY_GB * 1024}


def test_a_flood_of_the_http_door_costs_what_the_page_says() -> None:
    assert f"${cost(usage('HTTP', 26_000_000), free_tier=True):.0f} with a right token" in " ".join(PAGE.split())


def test_an_idle_queue_polls_for_two_thirds_of_what_is_free() -> None:
    assert usage("SQS", 0)["queue requests"] == 5 * 3 * 60 * 24 * 30 == 648_000


def test_the_page_counts_the_metrics_of_the_alarms() -> None:
    without, with_it = (sum(len(metrics(each)) for each in alarms(with_queue=queue)) for queue in (False, True))
    assert f"{without} metrics without the queue, {with_it} with it" in PAGE
    assert f"${max(0, without - FREE_ALARM_METRICS) * ALARM_METRIC:.2f} without the queue" in PAGE
    assert f"${max(0, with_it - FREE_ALARM_METRICS) * ALARM_METRIC:.2f} with it" in PAGE
