"""The page on costs shows what the arithmetic gives."""

from __future__ import annotations

import json
import re

import pytest
from chalice.config import Config

from chalicelib.doors.openapi import document
from chalicelib.settings import VERSION
from tests.ops.template import alarms, metrics
from tools.ops import costs
from tools.ops.costs import DOORS, LARGEST_ANSWER_GB, MEMORY_GB, METHODS, SCHEDULE_MEMORY_GB, cost, usage
from tools.ops.deployed import HANDLERS
from tools.ops.prices import FREE, PRICES_OF
from tools.ops.tuning import BURST, REQUESTS_PER_SECOND
from tools.rehearsal.project import ROOT

PAGE = (ROOT / "docs" / "costs.md").read_text()
WORDS = " ".join(PAGE.split())
VPC_PAGE = (ROOT / "docs" / "vpc.md").read_text()
FREE_ALARM_METRICS, ALARM_METRIC = 10, 0.10  # https://aws.amazon.com/cloudwatch/pricing/
CONFIG = json.loads((ROOT / ".chalice" / "config.json").read_text())


def test_the_page_has_the_tables_and_the_date_of_their_prices() -> None:
    for shown in (costs.table(), costs.regions(), costs.bill("DynamoDB", 10_000), costs.floods()):
        assert shown in PAGE
    assert PRICES_OF in WORDS


def test_the_page_on_vpcs_has_what_the_other_ways_out_cost_and_the_date_of_their_prices() -> None:
    assert costs.network() in VPC_PAGE
    assert PRICES_OF in " ".join(VPC_PAGE.split())


def test_the_page_tells_what_the_starts_of_a_month_take_of_what_is_free() -> None:
    starts = costs.starts(10_000)
    taken = starts * costs.INIT_SECONDS * MEMORY_GB
    assert f"{starts:,} starts of {costs.INIT_SECONDS} s" in WORDS
    assert f"{taken:,.0f} GB-seconds, {taken / FREE['Lambda GB-s']:.1%} of what is free" in WORDS


@pytest.mark.parametrize("door", DOORS)
def test_a_personal_volume_costs_less_than_a_cent(door: str) -> None:
    assert cost(usage(door, 100), free_tier=True) < 0.01


@pytest.mark.parametrize("stage", CONFIG["stages"])
def test_the_memory_is_that_of_the_functions(stage: str) -> None:
    given = {name: Config(stage, name, config_from_disk=CONFIG).lambda_memory_size for name in HANDLERS}
    assert given.pop("redeliver") == SCHEDULE_MEMORY_GB * 1024
    assert set(given.values()) == {MEMORY_GB * 1024}


def test_a_flood_is_counted_with_the_throttling_and_the_methods_that_the_door_has() -> None:
    routes = re.findall(r"^@app\.route\(.*methods=\[(.*?)\]", (ROOT / "botte-app" / "app.py").read_text(), re.MULTILINE)
    assert sum(len(methods.split(",")) for methods in routes) == METHODS
    assert f"{REQUESTS_PER_SECOND:.0f} requests a second, {BURST} at once" in WORDS
    assert f"{METHODS} methods" in WORDS


def test_the_largest_answer_that_needs_no_token_is_as_large_as_is_counted() -> None:
    assert pytest.approx(len(json.dumps(document(VERSION, "/api"))) / 1e9, rel=0.1) == LARGEST_ANSWER_GB


def test_an_idle_queue_polls_for_two_thirds_of_what_is_free() -> None:
    assert usage("SQS", 0)["queue requests"] == 5 * 3 * 60 * 24 * 30 == 648_000


def test_the_page_counts_the_metrics_of_the_alarms() -> None:
    without, with_it = (sum(len(metrics(each)) for each in alarms(with_queue=queue)) for queue in (False, True))
    assert f"{without} metrics without the queue, {with_it} with it" in PAGE
    assert f"${max(0, without - FREE_ALARM_METRICS) * ALARM_METRIC:.2f} without the queue" in PAGE
    assert f"${max(0, with_it - FREE_ALARM_METRICS) * ALARM_METRIC:.2f} with it" in PAGE
