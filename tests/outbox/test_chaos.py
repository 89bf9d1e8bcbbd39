"""A small storm over the real handlers in processes that are killed; ``make chaos`` has the large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.chaos.run import Storm, run
from benchmarks.chaos.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
CONTROL = Storm(seed=1, letters=80, kills=6, kill_interval=0.2, most_seconds=8, deaths=0)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def test_in_a_storm_nothing_is_lost_or_left_and_groups_stay_in_order(stage: Stage) -> None:
    storm = Storm(seed=1, letters=100, kills=8, kill_interval=0.4, most_seconds=8, calm_seconds=120)
    verdict = run(stage, "app", storm)
    assert verdict.accepted > 0
    assert verdict.kills > 2 * storm.deaths  # the batch that each queue brings again and again, and the storm's own
    assert verdict.holds, verdict


def test_a_consumer_that_acknowledges_first_is_found_to_lose(stage: Stage) -> None:
    verdict = run(stage, "acknowledge first", CONTROL)
    assert verdict.lost > 0


def test_a_consumer_of_whole_batches_is_found_to_send_twice(stage: Stage) -> None:
    verdict = run(stage, "whole batch", replace(CONTROL, letters=300, kills=4, kill_interval=2))
    assert verdict.doubled > verdict.bound


def test_a_queue_that_gives_up_too_soon_is_found_out(stage: Stage) -> None:
    storm = Storm(seed=1, letters=20, kills=0, most_seconds=1, calm_seconds=5, deaths=5, max_receives=3)
    verdict = run(stage, "app", storm)
    assert verdict.dead_letters > 0
    assert any(complaint.startswith("a dead letter") for complaint in verdict.complaints)
