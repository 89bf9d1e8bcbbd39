"""The simulator finds each faulty relay, by a history that the auditor reads like any other.

``make simulate ARGS=mutations`` finds the first seed for each, and notes it: a change of the relay moves them.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutations import MUTATIONS, read_found
from tests.simulation.runs import MAX_SEEDS, judge

FOUND = read_found()
NEARBY = 40  # seeds that are tried where the relay has changed since they were noted


def test_each_mutation_has_been_found() -> None:
    assert FOUND.keys() == MUTATIONS.keys()
    assert max(FOUND.values()) <= MAX_SEEDS


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_faulty_relay_is_found(name: str) -> None:
    first = FOUND[name]
    assert any(judge(seed, name).faults for seed in range(first, first + NEARBY))


@pytest.mark.parametrize("seed", sorted(set(FOUND.values())))
def test_the_relay_itself_keeps_the_promise_there(seed: int) -> None:
    assert not judge(seed).faults
