"""A small storm over the real handlers in processes that are killed; ``make chaos`` has the large one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.chaos.run import Storm, run
from benchmarks.chaos.stage import Stage

pytestmark = pytest.mark.timeout(180)
CONTROL = Storm(seed=1, letters=80, kills=6, kill_interval=0.2, most_seconds=8)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def test_in_a_storm_nothing_is_lost_and_groups_stay_in_order(stage: Stage) -> None:
    verdict = run(stage, "app", Storm(seed=1, letters=100, kills=8, kill_interval=0.4, most_seconds=10))
    assert verdict.accepted > 0
    assert verdict.kills > 0
    assert verdict.holds, verdict


def test_a_consumer_that_acknowledges_first_is_found_to_lose(stage: Stage) -> None:
    verdict = run(stage, "acknowledge first", CONTROL)
    assert verdict.lost > 0


def test_a_consumer_of_whole_batches_is_found_to_send_twice(stage: Stage) -> None:
    verdict = run(stage, "whole batch", CONTROL)
    assert verdict.doubled > verdict.bound
